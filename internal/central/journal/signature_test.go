package journal_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
	"pgregory.net/rapid"

	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
)

// hexLines returns the fields of a file's lines as bytes.
func hexLines(t testing.TB, path string) (all [][][]byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var fields [][]byte
		for _, f := range strings.Fields(line) {
			b, err := hex.DecodeString(f)
			if err != nil {
				t.Fatal(err)
			}
			fields = append(fields, b)
		}
		all = append(all, fields)
	}
	return all
}

// disputed returns signatures that readers of Ed25519 judge differently, and some that all accept or refuse.
func disputed(t testing.TB) (all []journal.Signed) {
	t.Helper()
	for _, f := range hexLines(t, "testdata/speccheck.txt") {
		all = append(all, journal.Signed{Text: f[0], Key: f[1], Signature: f[2]})
	}
	small := hexLines(t, "testdata/smallorder.txt")
	for _, a := range small {
		for _, r := range small {
			all = append(all, journal.Signed{Text: []byte("Zcash"), Key: a[0], Signature: append(append([]byte(nil), r[0]...), make([]byte, 32)...)})
		}
	}
	for n := range 20 {
		b, text := newBox(fmt.Sprint("lz-", n)), fmt.Append(nil, n)
		good := journal.Signed{Text: text, Key: b.public(), Signature: ed25519.Sign(b.key, text)}
		bad, short, long := good, good, good
		bad.Text, short.Key, long.Signature = []byte("other"), good.Key[1:], append([]byte{0}, good.Signature...)
		all = append(all, good, bad, short, long, journal.Signed{}, mixed(t, b, text, n%8))
	}
	return all
}

// mixed signs as only a box can that wants readers to disagree: the point R has a part of small order, which the cofactor takes away.
func mixed(t testing.TB, b *box, text []byte, torsion int) journal.Signed {
	t.Helper()
	wide := func(parts ...[]byte) *scalar.Scalar {
		h := sha512.New()
		for _, p := range parts {
			h.Write(p)
		}
		s, err := scalar.New().SetBytesModOrderWide(h.Sum(nil))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	seed := sha512.Sum512(b.key.Seed())
	seed[0], seed[31] = seed[0]&248, seed[31]&63|64
	secret, err := scalar.New().SetBytesModOrder(seed[:32])
	if err != nil {
		t.Fatal(err)
	}
	nonce := wide(seed[32:], text)
	point := curve.NewEdwardsPoint().MulBasepoint(curve.ED25519_BASEPOINT_TABLE, nonce)
	point.Add(point, curve.EIGHT_TORSION[torsion])
	r, err := point.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	k := wide(r, b.public(), text)
	s, err := scalar.New().Add(nonce, k.Mul(k, secret)).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return journal.Signed{Text: text, Key: b.public(), Signature: append(r, s...)}
}

// TestSignaturesAreJudgedAlikeAloneAndTogether mixes disputed signatures at random: who else is checked never shows, and whatever
// crypto/ed25519 takes is taken, since journals hold what it took.
func TestSignaturesAreJudgedAlikeAloneAndTogether(t *testing.T) {
	all := disputed(t)
	alone := make([]bool, len(all))
	taken, differ := 0, 0
	for i, s := range all {
		alone[i] = journal.CheckSignatures([]journal.Signed{s})[0]
		standard := len(s.Key) == ed25519.PublicKeySize && ed25519.Verify(s.Key, s.Text, s.Signature)
		if standard && !alone[i] {
			t.Errorf("signature %d: crypto/ed25519 takes it, the journal does not", i)
		}
		if alone[i] {
			taken++
		}
		if alone[i] != standard {
			differ++
		}
	}
	if taken < 100 || taken == len(all) || differ < 50 {
		t.Fatalf("%d of %d taken, %d judged differently by crypto/ed25519: these are not the disputed ones", taken, len(all), differ)
	}
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.SliceOfN(rapid.IntRange(0, len(all)-1), 0, 100).Draw(t, "which")
		var some []journal.Signed
		for _, i := range of {
			some = append(some, all[i])
		}
		got := journal.CheckSignatures(some)
		if len(got) != len(of) {
			t.Fatalf("%d judged, want %d", len(got), len(of))
		}
		for n, i := range of {
			if got[n] != alone[i] {
				t.Fatalf("signature %d is judged %v alone and %v together with %v", i, alone[i], got[n], of)
			}
		}
	})
}

// TestASignatureThatReadersDisputeIsNoDamage holds that a box cannot make a row that is taken and then called damaged.
func TestASignatureThatReadersDisputeIsNoDamage(t *testing.T) {
	j, _, _ := journaltest.Open(t, "sqlite:"+t.TempDir()+"/j.db")
	b := newBox("lz-1")
	enrol(t, j, b)
	e := b.batch(t, 3)
	text := e.Batch().SignedText()
	e.Signature = mixed(t, b, text, 1).Signature
	if ed25519.Verify(e.Key, text, e.Signature) ||
		!journal.CheckSignatures([]journal.Signed{{Key: e.Key, Text: text, Signature: e.Signature}})[0] {
		t.Fatal("this signature is not disputed")
	}
	r := add(t, j, e)
	if _, err := j.Seal(t.Context(), sealKey()); err != nil {
		t.Fatal(err)
	}
	if a := verified(t, j, sealKey()); a.Signed != 1 {
		t.Errorf("%d batches are signed, want one", a.Signed)
	}
	p, err := j.Prove(t.Context(), r.Pos, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Header.CheckSignature(); err != nil {
		t.Error(err)
	}
}

// TestSignIsThatOfTheStandard signs as crypto/ed25519 does, to the bit.
func TestSignIsThatOfTheStandard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := ed25519.NewKeyFromSeed(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		text := rapid.SliceOf(rapid.Byte()).Draw(t, "text")
		if got, want := journal.Sign(key, text), ed25519.Sign(key, text); !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x", got, want)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	key, text := newBox("lz-1").key, make([]byte, 300)
	b.Run("journal", func(b *testing.B) {
		for b.Loop() {
			journal.Sign(key, text)
		}
	})
	b.Run("crypto/ed25519", func(b *testing.B) {
		for b.Loop() {
			ed25519.Sign(key, text)
		}
	})
}
