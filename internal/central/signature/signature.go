package signature

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/binary"
	"sync"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

const (
	keyWindow  = 3 // of a key's digits: two points a part, 960 bytes a key
	baseWindow = 7 // of the base point's: 32 points a part, which all keys share
	// maxKeys bounds the keys that are remembered, a kilobyte each.
	maxKeys = 16_384
)

// Verifier remembers keys that have verified something. It is safe for concurrent use.
type Verifier struct {
	twiceD *field.Element
	base   [parts][]addend

	mu   sync.RWMutex
	keys map[[ed25519.PublicKeySize]byte]*key // guarded by mu
}

// key is the table of a key's negative.
type key [parts][1 << (keyWindow - 2)]addend

// New returns a Verifier that remembers no key yet.
func New() *Verifier {
	v := &Verifier{twiceD: twiceD(), keys: make(map[[ed25519.PublicKeySize]byte]*key)}
	for i := range v.base {
		v.base[i] = make([]addend, 1<<(baseWindow-2))
	}
	multiples(edwards25519.NewGeneratorPoint(), v.twiceD, v.base)
	return v
}

// Verify reports whether a signature of a message is public's owner's, exactly as ed25519.Verify does, and false for a key of another length.
func (v *Verifier) Verify(public ed25519.PublicKey, message, signature []byte) bool {
	if len(public) != ed25519.PublicKeySize || len(signature) != ed25519.SignatureSize || signature[63]&0xe0 != 0 {
		return false
	}
	k := v.key([ed25519.PublicKeySize]byte(public))
	if k == nil {
		return false
	}
	text := make([]byte, 0, 512)
	text = append(append(append(text, signature[:32]...), public...), message...)
	hash := sha512.Sum512(text)
	h, err := edwards25519.NewScalar().SetUniformBytes(hash[:])
	if err != nil {
		return false
	}
	s, err := edwards25519.NewScalar().SetCanonicalBytes(signature[32:])
	if err != nil {
		return false
	}
	r := v.combine(k, h, s)
	return r.encoding() == [32]byte(signature[:32])
}

// key returns a key's table, nil if it is no key.
func (v *Verifier) key(public [ed25519.PublicKeySize]byte) *key {
	v.mu.RLock()
	k := v.keys[public]
	v.mu.RUnlock()
	if k != nil {
		return k
	}
	p, err := new(edwards25519.Point).SetBytes(public[:])
	if err != nil {
		return nil
	}
	k = new(key)
	var table [parts][]addend
	for i := range table {
		table[i] = k[i][:]
	}
	multiples(p.Negate(p), v.twiceD, table)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.keys) >= maxKeys {
		clear(v.keys)
	}
	v.keys[public] = k
	return k
}

// combine returns [s]B plus [h] times the point that k is of.
func (v *Verifier) combine(k *key, h, s *edwards25519.Scalar) *point {
	var ofKey, ofBase [parts][width + 1]int8
	hs, ss := h.Bytes(), s.Bytes()
	for i := range parts {
		ofKey[i] = digits(binary.LittleEndian.Uint64(hs[8*i:]), keyWindow)
		ofBase[i] = digits(binary.LittleEndian.Uint64(ss[8*i:]), baseWindow)
	}
	var c completed
	var p point // which is projective but for the moments before an addition
	p.y.One()
	p.z.One()
	for n := width; n >= 0; n-- {
		c.double(&p)
		for i := range parts {
			c.addDigit(&p, k[i][:], ofKey[i][n])
			c.addDigit(&p, v.base[i], ofBase[i][n])
		}
		p.projective(&c)
	}
	return &p
}

// addDigit adds a digit's multiple to c, by way of p.
func (c *completed) addDigit(p *point, table []addend, digit int8) {
	switch {
	case digit > 0:
		p.extended(c)
		c.add(p, &table[digit/2], false)
	case digit < 0:
		p.extended(c)
		c.add(p, &table[-digit/2], true)
	}
}
