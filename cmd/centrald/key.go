package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"haochaping/internal/central/journal"
	"haochaping/internal/cli"
	"haochaping/internal/keptfile"
	"haochaping/internal/recordkey"
)

// The files in the state folder.
const (
	keyFile     = "centre.key"
	sealFile    = "seal.key"
	headFile    = "head" // the journal's head that was signed last
	journalFile = "journal.db"
	booksFile   = "books.db"
	firstBooks  = "ledger.db" // of the first version
)

// keptKey returns the key in a file. At the first use it draws one from random and keeps it in that file, which only this account can
// read. Two processes that start at once agree on one key.
func keptKey(path string, random io.Reader) (ed25519.PrivateKey, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create the key's folder: %w", err)
	}
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := createKey(path, random); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("create the key %s: %w", path, err)
	}
	return readKey(path)
}

// writeHead keeps the journal's head that was signed last.
func writeHead(state string, c journal.Checkpoint) error {
	return keptfile.Replace(filepath.Join(state, headFile), c.Signed)
}

func readKey(path string) (ed25519.PrivateKey, error) {
	text, err := keptfile.ReadPrivate("the centre's key", path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("the centre's key %s is damaged: no PEM block; restore it from the backup, since the boxes know no other", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the centre's key %s is damaged: %w; restore it from the backup, since the boxes know no other", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the centre's key %s is a %T, want an Ed25519 key", path, parsed)
	}
	return key, nil
}

// createKey writes a new key to path unless something is there, whole or not at all.
func createKey(path string, random io.Reader) (err error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return err
	}
	return keptfile.Create(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Where a public key is printed, for a message.
const (
	boxKeyPrinted  = `"ratingctl identity"`
	sealKeyPrinted = `"centrald key -seal"`
)

// keyText is how a public key is written for people and configurations: 43 characters of unpadded base64url.
func keyText(k ed25519.PublicKey) string { return base64.RawURLEncoding.EncodeToString(k) }

// parseKey reads a public key; printed names the command that prints the key which is wanted.
func parseKey(s, printed string) (ed25519.PublicKey, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, cli.Errorf("%q 不是公钥；请写 %s 打印的 43 个字符", "%q is no public key; write the 43 characters that %s prints", s, printed)
	}
	return b, nil
}

// parseBoxKey reads a box's public key, which may be one of SM2.
func parseBoxKey(s string) ([]byte, error) {
	key, err := recordkey.Parse(s)
	if err != nil {
		return nil, cli.Errorf("%q 不是公钥；请写评价器上 %s 打印的 43 个字符，或以 SM2 签名的评价器的 sm2: 加 87 个字符",
			"%q is no public key; write the 43 characters that %s prints on the box, or sm2: and 87 of a box that signs in SM2", s,
			boxKeyPrinted)
	}
	return key, nil
}
