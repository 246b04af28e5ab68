package guomi

import (
	"crypto/ecdsa"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// Key is a private key of SM2. It is safe for concurrent use.
type Key struct{ private *sm2.PrivateKey }

// NewKey draws a key.
func NewKey(random io.Reader) (Key, error) {
	k, err := sm2.GenerateKey(random)
	if err != nil {
		return Key{}, fmt.Errorf("draw an SM2 key: %w", err)
	}
	return Key{k}, nil
}

const block = "PRIVATE KEY"

// PEM returns the key as a file holds it: PKCS 8.
func (k Key) PEM() ([]byte, error) {
	der, err := smx509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("write an SM2 key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: block, Bytes: der}), nil
}

// ParseKey reads what PEM returns.
func ParseKey(text []byte) (Key, error) {
	b, _ := pem.Decode(text)
	if b == nil || b.Type != block {
		return Key{}, errors.New("want the PEM block PRIVATE KEY")
	}
	parsed, err := smx509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		return Key{}, fmt.Errorf("read an SM2 key: %w", err)
	}
	k, ok := parsed.(*sm2.PrivateKey)
	if !ok {
		return Key{}, fmt.Errorf("a %T, want a key of SM2", parsed)
	}
	// The library reads a number that is none between 1 and n-2, by which nothing can be signed.
	if k.D.BitLen() > 8*scalarSize {
		return Key{}, errors.New("read an SM2 key: its number is too large")
	}
	if k, err = sm2.NewPrivateKey(k.D.FillBytes(make([]byte, scalarSize))); err != nil {
		return Key{}, fmt.Errorf("read an SM2 key: %w", err)
	}
	return Key{k}, nil
}

// scalarSize is the size of a private key's number in bytes.
const scalarSize = 32

// Public returns the public half.
func (k Key) Public() Public { return Public{&k.private.PublicKey} }

// Public is a public key of SM2. The zero one is none.
type Public struct{ key *ecdsa.PublicKey }

// ParsePublic reads a public key: the point in 130 hex digits, 04 and both coordinates, as GB/T 35276 has it.
func ParsePublic(s string) (Public, error) {
	b, err := hex.DecodeString(strings.TrimSpace(s))
	if err != nil || len(b) != 65 || b[0] != 4 {
		return Public{}, errors.New("want a public key of SM2: 130 hex digits that begin with 04")
	}
	k, err := sm2.NewPublicKey(b)
	if err != nil {
		return Public{}, errors.New("these 130 digits are no point of SM2's curve")
	}
	return Public{k}, nil
}

// String returns what ParsePublic reads, in small letters.
func (p Public) String() string {
	if p.key == nil {
		return ""
	}
	k, err := sm2.PublicKeyToECDH(p.key)
	if err != nil {
		return "" // every key here was checked when it was made
	}
	return hex.EncodeToString(k.Bytes())
}

// pointSize is the size of a public key in bytes: 04 and both coordinates.
const pointSize = 65

// Point returns the point in 65 bytes, nil for the zero Public.
func (p Public) Point() []byte {
	if p.key == nil {
		return nil
	}
	k, err := sm2.PublicKeyToECDH(p.key)
	if err != nil {
		return nil // every key here was checked when it was made
	}
	return k.Bytes()
}

// ParsePoint reads what Point returns.
func ParsePoint(b []byte) (Public, error) {
	if len(b) != pointSize || b[0] != 4 {
		return Public{}, errors.New("want a public key of SM2: 65 bytes that begin with 04")
	}
	k, err := sm2.NewPublicKey(b)
	if err != nil {
		return Public{}, errors.New("these 65 bytes are no point of SM2's curve")
	}
	return Public{k}, nil
}
