package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"math/bits"
	"testing"

	"filippo.io/edwards25519"
	"pgregory.net/rapid"
)

// agree reports what both say, and fails if they differ.
func agree(t interface {
	Helper()
	Errorf(string, ...any)
}, v *Verifier, public, message, sig []byte) bool {
	t.Helper()
	want := len(public) == ed25519.PublicKeySize && ed25519.Verify(public, message, sig)
	if got := v.Verify(public, message, sig); got != want {
		t.Errorf("key %x, message %x, signature %x: got %v, crypto/ed25519 says %v", public, message, sig, got, want)
	}
	return want
}

// TestAgrees changes any bit of what is right.
func TestAgrees(t *testing.T) {
	v := New()
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed")
		key := ed25519.NewKeyFromSeed(seed)
		public := bytes.Clone(key.Public().(ed25519.PublicKey))
		message := rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "message")
		sig := ed25519.Sign(key, message)
		if !agree(t, v, public, message, sig) {
			t.Fatal("a good signature is refused")
		}
		bit := rapid.IntRange(0, 8*(32+64)-1).Draw(t, "bit")
		if bit < 8*32 {
			public[bit/8] ^= 1 << (bit % 8)
		} else {
			sig[bit/8-32] ^= 1 << (bit % 8)
		}
		if agree(t, v, public, message, sig) {
			t.Fatal("what was changed is accepted")
		}
	})
}

// smallOrder returns encodings of all points of small order, those among them that are not canonical.
func smallOrder(t *testing.T) (all [][]byte) {
	t.Helper()
	for _, s := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000080", "0000000000000000000000000000000000000000000000000000000000000000",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"0100000000000000000000000000000000000000000000000000000000000080", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// TestAgreesOnWhatTellsImplementationsApart tries keys and R of small order, keys with a part of small order, encodings that are not
// canonical, and an S that is not reduced: verifiers differ in these.
func TestAgreesOnWhatTellsImplementationsApart(t *testing.T) {
	v, accepted, refused := New(), 0, 0
	count := func(ok bool) {
		if ok {
			accepted++
		} else {
			refused++
		}
	}
	small := smallOrder(t)
	zero := make([]byte, 32)
	for n := range 40 {
		message := fmt.Appendf(nil, "message %d", n)
		seed := sha512.Sum512_256(message)
		key := ed25519.NewKeyFromSeed(seed[:])
		for _, a := range small {
			for _, r := range small {
				count(agree(t, v, a, message, append(bytes.Clone(r), zero...)))
			}
			count(agree(t, v, a, message, ed25519.Sign(key, message)))
			count(agree(t, v, mixed(t, key, a), message, signMixed(t, key, a, message)))
			count(agree(t, v, key.Public().(ed25519.PublicKey), message, append(bytes.Clone(a), ed25519.Sign(key, message)[32:]...)))
		}
		s := ed25519.Sign(key, message)
		carry := uint64(0)
		order, _ := hex.DecodeString("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
		for i := range order {
			var x uint64
			x, carry = bits.Add64(uint64(s[32+i])+uint64(order[i]), carry, 0)
			s[32+i], carry = byte(x), x>>8
		}
		count(agree(t, v, key.Public().(ed25519.PublicKey), message, s))
	}
	for _, n := range []int{0, 31, 33, 63, 65} {
		agree(t, v, make([]byte, n), nil, make([]byte, 64))
		agree(t, v, small[0], nil, make([]byte, n))
	}
	if accepted < 100 || refused < 100 {
		t.Errorf("%d accepted, %d refused: the test proves little", accepted, refused)
	}
}

// mixed returns a key to which a point of small order was added, or the key where that cannot be read.
func mixed(t *testing.T, key ed25519.PrivateKey, small []byte) []byte {
	t.Helper()
	a, err := new(edwards25519.Point).SetBytes(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	e, err := new(edwards25519.Point).SetBytes(small)
	if err != nil {
		return key.Public().(ed25519.PublicKey)
	}
	return a.Add(a, e).Bytes()
}

// signMixed signs for such a key, as its owner could: the equation holds for some messages only.
func signMixed(t *testing.T, key ed25519.PrivateKey, small, message []byte) []byte {
	t.Helper()
	public := mixed(t, key, small)
	h := sha512.Sum512(key.Seed())
	secret, err := edwards25519.NewScalar().SetBytesWithClamping(h[:32])
	if err != nil {
		t.Fatal(err)
	}
	once := sha512.Sum512(append(h[32:], message...))
	r, err := edwards25519.NewScalar().SetUniformBytes(once[:])
	if err != nil {
		t.Fatal(err)
	}
	encoded := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	hash := sha512.Sum512(append(append(bytes.Clone(encoded), public...), message...))
	k, err := edwards25519.NewScalar().SetUniformBytes(hash[:])
	if err != nil {
		t.Fatal(err)
	}
	return append(encoded, edwards25519.NewScalar().MultiplyAdd(k, secret, r).Bytes()...)
}

func FuzzAgrees(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	f.Add([]byte(key.Public().(ed25519.PublicKey)), []byte("m"), ed25519.Sign(key, []byte("m")))
	v := New()
	f.Fuzz(func(t *testing.T, public, message, sig []byte) { agree(t, v, public, message, sig) })
}

func TestDigits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, 1<<64 - 1, 1 << 63, 1<<64 - 2, 0xaaaaaaaaaaaaaaaa})).Draw(t, "n")
		window := rapid.SampledFrom([]uint{keyWindow, baseWindow}).Draw(t, "window")
		var sum, over uint64 // modulo 2^64, in which what is above it shows as well
		last := -100
		for i, d := range digits(n, window) {
			if d == 0 {
				continue
			}
			if d%2 == 0 || int(d) >= 1<<(window-1) || int(d) <= -1<<(window-1) || i-last < int(window) {
				t.Fatalf("digit %d is %d after one at %d", i, d, last)
			}
			last = i
			if i == width {
				over++
				continue
			}
			sum += uint64(int64(d)) << i
		}
		if sum != n || over > 1 {
			t.Fatalf("the sum is %d and %d above, want %d", sum, over, n)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	public, message := key.Public().(ed25519.PublicKey), make([]byte, 150)
	sig := ed25519.Sign(key, message)
	b.Run("standard", func(b *testing.B) {
		for b.Loop() {
			if !ed25519.Verify(public, message, sig) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("ours", func(b *testing.B) {
		v := New()
		for b.Loop() {
			if !v.Verify(public, message, sig) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		v := New()
		for b.Loop() {
			clear(v.keys)
			if !v.Verify(public, message, sig) {
				b.Fatal("refused")
			}
		}
	})
}
