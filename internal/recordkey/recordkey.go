// Package recordkey is the key by which a box signs its records, links and reports: of Ed25519, or of SM2 over SM3.
//
// A public key in bytes names its algorithm. One of Ed25519 is its 32 bytes and has no name, as it always was. One of SM2 is "sm2:" and the
// point in 65 bytes. In text both are unpadded base64url, with the name and a colon before that of SM2.
//
// What SM2 signs begins with a line "sm2", so that a signature is good for one algorithm only. Both signatures have 64 bytes. Sign and
// Verify decide by the key alone. The package does no input or output, and knows nothing of what is signed.
package recordkey

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"haochaping/internal/guomi"
)

// Algorithm names how a key signs.
type Algorithm string

// The algorithms.
const (
	Ed25519 Algorithm = "ed25519"
	SM2     Algorithm = "sm2"
)

// SignatureSize is the size of every signature in bytes.
const SignatureSize = ed25519.SignatureSize

// prefix begins a public key of SM2, in bytes and in text.
const prefix = string(SM2) + ":"

// sm2Public is a public key of SM2 as crypto has it.
type sm2Public []byte

// sm2Key is a private key of SM2.
type sm2Key struct{ key guomi.Key }

// Public implements crypto.Signer.
func (k sm2Key) Public() crypto.PublicKey {
	return sm2Public(append([]byte(prefix), k.key.Public().Point()...))
}

// Sign implements crypto.Signer. It takes a text, no digest.
func (k sm2Key) Sign(random io.Reader, text []byte, _ crypto.SignerOpts) ([]byte, error) {
	return k.key.Sign(random, tagged(text))
}

func tagged(text []byte) []byte { return append([]byte(string(SM2)+"\n"), text...) }

// Draw returns a new private key.
func Draw(a Algorithm) (crypto.Signer, error) {
	switch a {
	case Ed25519:
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return k, err
	case SM2:
		k, err := guomi.NewKey(rand.Reader)
		return sm2Key{k}, err
	}
	return nil, fmt.Errorf("the algorithm %q is unknown; write %s or %s", a, Ed25519, SM2)
}

// PEM returns a private key as a file holds it: PKCS #8, which names the algorithm.
func PEM(k crypto.Signer) ([]byte, error) {
	switch k := k.(type) {
	case sm2Key:
		return k.key.PEM()
	case ed25519.PrivateKey:
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
	return nil, fmt.Errorf("a %T is no key for records", k)
}

// ParsePEM reads what PEM returns.
func ParsePEM(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is not a PEM file; restore it, or remove it and enrol the box again")
	}
	if k, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		key, ok := k.(ed25519.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("it holds a %T, want a key of Ed25519 or SM2", k)
		}
		return key, nil
	}
	k, err := guomi.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("it holds no key of Ed25519 or SM2: %w", err)
	}
	return sm2Key{k}, nil
}

// Public returns the public half in bytes, nil for a key that is not for records.
func Public(k crypto.Signer) []byte {
	if k == nil {
		return nil
	}
	switch p := k.Public().(type) {
	case ed25519.PublicKey:
		return p
	case sm2Public:
		return p
	}
	return nil
}

// Seed returns 32 bytes that only the key's owner knows.
func Seed(k crypto.Signer) []byte {
	switch k := k.(type) {
	case ed25519.PrivateKey:
		return k.Seed()
	case sm2Key:
		return k.key.Seed()
	}
	return nil
}

// Sign returns the signature of a text, nil if the key cannot sign, which no reader takes.
func Sign(k crypto.Signer, text []byte) []byte {
	signature, err := k.Sign(rand.Reader, text, crypto.Hash(0))
	if err != nil {
		return nil
	}
	return signature
}

// Of returns the algorithm of a public key in bytes, empty for what is none.
func Of(public []byte) Algorithm {
	switch {
	case len(public) == ed25519.PublicKeySize:
		return Ed25519
	case strings.HasPrefix(string(public), prefix):
		return SM2
	}
	return ""
}

// Check reports what is wrong with a public key in bytes.
func Check(public []byte) error {
	switch Of(public) {
	case Ed25519:
		if weak(public) {
			return errors.New("the key is no box's: anybody can sign for it")
		}
		return nil
	case SM2:
		_, err := guomi.ParsePoint(public[len(prefix):])
		return err
	}
	return fmt.Errorf("the key has %d bytes: want %d of Ed25519, or %s and a point of SM2", len(public), ed25519.PublicKeySize, prefix)
}

// Verify reports whether a signature of a text is that of the owner of a public key in bytes.
func Verify(public, text, signature []byte) bool {
	switch Of(public) {
	case Ed25519:
		return ed25519.Verify(public, text, signature)
	case SM2:
		p, err := guomi.ParsePoint(public[len(prefix):])
		return err == nil && p.Verify(tagged(text), signature)
	}
	return false
}

// Text returns a public key as labels, configurations and commands write it: 43 characters for Ed25519, sm2: and 87 for SM2.
func Text(public []byte) string {
	if Of(public) == SM2 {
		return prefix + base64.RawURLEncoding.EncodeToString(public[len(prefix):])
	}
	return base64.RawURLEncoding.EncodeToString(public)
}

// Parse reads what Text returns.
func Parse(text string) ([]byte, error) {
	rest, isSM2 := strings.CutPrefix(text, prefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || strings.ContainsAny(rest, "\r\n") {
		return nil, errors.New("it is no unpadded base64url")
	}
	if isSM2 {
		b = append([]byte(prefix), b...)
	} else if len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("it has %d bytes, want %d", len(b), ed25519.PublicKeySize)
	}
	return b, Check(b)
}
