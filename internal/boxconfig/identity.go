package boxconfig

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"haochaping/internal/cli"
	"haochaping/internal/keptfile"
	"haochaping/internal/recordkey"
)

// IdentityFile is the name of the box's private key in its state folder.
const IdentityFile = "device.key"

// Identity returns the box's private key, which it draws by RecordAlgorithm and keeps as PKCS #8 in state/device.key at the first call. One
// that is there stays, whatever its algorithm. A file that cannot be read as a key is an error and is never replaced: with another key the
// centre would refuse everything that the box signs. A key that root draws belongs to the owner of the folder, who is to read it.
func (c Config) Identity() (crypto.Signer, error) {
	path := filepath.Join(c.State, IdentityFile)
	b, err := keptfile.ReadSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c.createIdentity(path)
	}
	if err != nil {
		return nil, cli.Because(err, "读不到评价器的私钥；请核对状态文件夹的所有者", "the box's key cannot be read; look to whom the state folder belongs")
	}
	key, err := recordkey.ParsePEM(b)
	if err != nil {
		return nil, cli.Because(err, "评价器的私钥 "+path+" 已损坏；请从备份恢复，或删除它并重新登记评价器",
			"the box's key "+path+" is damaged; restore it from a backup, or remove it and enrol the box again")
	}
	return key, nil
}

// OtherAlgorithm returns the algorithm of a key that is not the one that the configuration asks for, empty if it is.
func (c Config) OtherAlgorithm(key crypto.Signer) recordkey.Algorithm {
	if a := recordkey.Of(recordkey.Public(key)); a != c.RecordAlgorithm {
		return a
	}
	return ""
}

func (c Config) createIdentity(path string) (crypto.Signer, error) {
	key, err := recordkey.Draw(c.RecordAlgorithm)
	if err != nil {
		return nil, fmt.Errorf("draw the box's key: %w", err)
	}
	text, err := recordkey.PEM(key)
	if err != nil {
		return nil, fmt.Errorf("encode the box's key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("create the state folder: %w", err)
	}
	if err := keptfile.Create(path, text); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return c.Identity() // another process was first
		}
		return nil, fmt.Errorf("keep the box's key: %w", err)
	}
	return key, nil
}
