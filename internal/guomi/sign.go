package guomi

import (
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
)

// SignatureSize is the size of a signature in bytes: r and s, 32 each.
const SignatureSize = 64

// pair is a signature in ASN.1.
type pair struct{ R, S *big.Int }

// Sign returns the signature of a text by GB/T 32918.2 over SM3, with the usual user id: r and s, 32 bytes each.
func (k Key) Sign(random io.Reader, text []byte) ([]byte, error) {
	der, err := k.private.SignWithSM2(random, nil, text)
	if err != nil {
		return nil, fmt.Errorf("sign in SM2: %w", err)
	}
	var p pair
	if _, err := asn1.Unmarshal(der, &p); err != nil {
		return nil, fmt.Errorf("sign in SM2: %w", err)
	}
	out := make([]byte, SignatureSize)
	p.R.FillBytes(out[:SignatureSize/2])
	p.S.FillBytes(out[SignatureSize/2:])
	return out, nil
}

// Verify reports whether a signature of Sign is by the key's owner.
func (p Public) Verify(text, signature []byte) bool {
	if p.key == nil || len(signature) != SignatureSize {
		return false
	}
	der, err := asn1.Marshal(pair{new(big.Int).SetBytes(signature[:SignatureSize/2]), new(big.Int).SetBytes(signature[SignatureSize/2:])})
	return err == nil && sm2.VerifyASN1WithSM2(p.key, nil, text, der)
}

// Seed returns 32 bytes that follow from the private key and say nothing of it, for secrets of its owner.
func (k Key) Seed() []byte {
	sum := sha256.Sum256(append([]byte("hcp/1 seed of an SM2 key\n"), k.private.D.Bytes()...))
	return sum[:]
}
