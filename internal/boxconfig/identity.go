package boxconfig

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"haochaping/internal/keptfile"
)

// IdentityFile is the name of the box's private key in its state folder.
const IdentityFile = "device.key"

// Identity returns the box's private key, which it draws and keeps as PKCS #8 in state/device.key at the first call. A
// file that cannot be read as a key is an error and is never replaced: with another key the centre would refuse
// everything that the box signs. A key that root draws belongs to the owner of the folder, who is to read it.
func Identity(state string) (ed25519.PrivateKey, error) {
	path := filepath.Join(state, IdentityFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return createIdentity(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the box's key: %w", err)
	}
	key, err := ParseIdentity(b)
	if err != nil {
		return nil, fmt.Errorf("read the box's key %s: %w", path, err)
	}
	return key, nil
}

// ParseIdentity reads what is in the file of Identity.
func ParseIdentity(b []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, errors.New("it is not a PEM file; restore it, or remove it and enrol the box again")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := k.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it holds a %T, want an Ed25519 key", k)
	}
	return key, nil
}

func createIdentity(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("draw the box's key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the box's key: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create the state folder: %w", err)
	}
	if err := keptfile.Create(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return Identity(dir) // another process was first
		}
		return nil, fmt.Errorf("keep the box's key: %w", err)
	}
	return key, nil
}
