// Package identity is who a box is to the centre: a name of twelve characters, a key for TLS and a key for records, both drawn on the box.
//
// A Key is behind an interface with its algorithm's name, so that one may lie in a secure element or be of another algorithm. In files a
// key is PKCS #8, which names its algorithm; so does a Request, by which the box asks for a certificate and proves that it has both keys.
// Private keys never leave the package but as Keys.
package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"haochaping/internal/cli"
	"haochaping/internal/keptfile"
	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
)

// Algorithm names how a key signs. One for records is of recordkey's.
type Algorithm = recordkey.Algorithm

// P256 is ECDSA on NIST P-256, for TLS.
const P256 Algorithm = "p256"

// Key is a private key.
type Key interface {
	crypto.Signer
	Algorithm() Algorithm
}

// fileKey is a key that was read from a file.
type fileKey struct {
	crypto.Signer
	algorithm Algorithm
}

// Algorithm implements Key.
func (k fileKey) Algorithm() Algorithm { return k.algorithm }

// Record returns a box's key for records as a Key.
func Record(k crypto.Signer) Key { return fileKey{k, recordkey.Of(recordkey.Public(k))} }

// Keep returns the P-256 key in a file, which it draws from random at the first call. A file that holds no such key is an error and is
// never replaced. Several processes that call it at once agree on one key.
func Keep(path string, random io.Reader) (Key, error) {
	k, err := read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	drawn, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, fmt.Errorf("draw the key %s: %w", path, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(drawn)
	if err != nil {
		return nil, fmt.Errorf("encode the key %s: %w", path, err)
	}
	err = keptfile.Create(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("keep the key: %w", err)
	}
	return read(path)
}

// Read returns the P-256 key in a file.
func Read(path string) (Key, error) { return read(path) }

func read(path string) (Key, error) {
	b, err := keptfile.ReadPrivate("the key", path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, damaged(path, errors.New("PEM"))
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, damaged(path, err)
	}
	p, ok := k.(*ecdsa.PrivateKey)
	if !ok || p.Curve != elliptic.P256() {
		return nil, damaged(path, fmt.Errorf("%T", k))
	}
	return fileKey{p, P256}, nil
}

func damaged(path string, err error) error {
	return cli.Because(err, "文件 "+path+" 已损坏；请从备份恢复", path+" is damaged; restore it from a backup")
}

// nameAlphabet has no vowels, so that no name is a word, and nothing that is mistaken for another when it is read aloud or from a label.
const nameAlphabet = "23456789bcdfghjkmnpqrstvwxz"

// NewName draws the name of a box.
func NewName(random io.Reader) (rating.DeviceID, error) {
	text, err := Draw(random, nameAlphabet, rating.MaxDeviceID)
	return rating.DeviceID(text), err
}

// Draw returns a text of n characters, each as likely as any other of an alphabet of at most 256.
func Draw(random io.Reader, alphabet string, n int) (string, error) {
	out := make([]byte, 0, n)
	limit := 256 / len(alphabet) * len(alphabet)
	for b := make([]byte, 1); len(out) < n; {
		if _, err := io.ReadFull(random, b); err != nil {
			return "", fmt.Errorf("draw a text: %w", err)
		}
		if int(b[0]) < limit {
			out = append(out, alphabet[int(b[0])%len(alphabet)])
		}
	}
	return string(out), nil
}

// checkDigits returns four digits of the hash of a box's keys, which its screen and the centre's page show.
func checkDigits(tlsKey []byte, record []byte) string {
	h := sha256.New()
	h.Write([]byte("hcp/1 check digits\n"))
	h.Write(tlsKey)
	h.Write(record)
	return fmt.Sprintf("%04d", binary.BigEndian.Uint64(h.Sum(nil))%10000)
}
