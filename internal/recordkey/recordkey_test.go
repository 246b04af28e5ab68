package recordkey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"haochaping/internal/guomi"
)

func algorithms() []Algorithm { return []Algorithm{Ed25519, SM2} }

func TestKeysSignForTheirAlgorithmOnly(t *testing.T) {
	text := []byte("hcp/1 batch\n")
	for _, a := range algorithms() {
		k, err := Draw(a)
		if err != nil {
			t.Fatal(err)
		}
		public, signature := Public(k), Sign(k, text)
		if Of(public) != a || Check(public) != nil || len(signature) != SignatureSize || !Verify(public, text, signature) {
			t.Errorf("%s: %x signs as %x", a, public, signature)
		}
		other, err := Draw(a)
		if err != nil {
			t.Fatal(err)
		}
		if Verify(Public(other), text, signature) || Verify(public, text[1:], signature) || Verify(public, text, signature[1:]) {
			t.Errorf("%s: another key, text or signature holds", a)
		}
		for i := range signature {
			bad := bytes.Clone(signature)
			bad[i] ^= 0x10
			if Verify(public, text, bad) {
				t.Errorf("%s: it holds with byte %d changed", a, i)
			}
		}
		file, err := PEM(k)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParsePEM(file)
		if err != nil || !bytes.Equal(Public(again), public) || !bytes.Equal(Seed(again), Seed(k)) || len(Seed(k)) != 32 {
			t.Errorf("%s: read again from its file it is another, %v", a, err)
		}
		read, err := Parse(Text(public))
		if err != nil || !bytes.Equal(read, public) {
			t.Errorf("%s: %s is read as %x, %v", a, Text(public), read, err)
		}
	}
}

// What SM2 signs begins with the algorithm's name, so that the same key used elsewhere does not sign for a box.
func TestSM2SignsItsName(t *testing.T) {
	k, err := guomi.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, public := []byte("hcp/1 batch\n"), Public(sm2Key{k})
	bare, err := k.Sign(rand.Reader, text)
	if err != nil {
		t.Fatal(err)
	}
	named, err := k.Sign(rand.Reader, []byte("sm2\nhcp/1 batch\n"))
	if err != nil {
		t.Fatal(err)
	}
	if Verify(public, text, bare) || !Verify(public, text, named) {
		t.Error("a signature of the bare text holds, or that of the text with its name does not")
	}
}

// The key, the text and the signature are GB/T 32918.5-2017's, annex A.2, as any program of SM2 has them.
func TestPublishedSignature(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	point := unhex("04 09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020" +
		"CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13")
	signature := unhex("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3" +
		"B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA")
	p, err := guomi.ParsePoint(point)
	if err != nil || !p.Verify([]byte("message digest"), signature) {
		t.Errorf("the published signature does not hold, %v", err)
	}
	public := append([]byte("sm2:"), point...)
	if Check(public) != nil || Verify(public, []byte("message digest"), signature) {
		t.Error("a signature without the algorithm's name holds for a box")
	}
}

func TestWhatIsNoKey(t *testing.T) {
	k, err := Draw(SM2)
	if err != nil {
		t.Fatal(err)
	}
	public := Public(k)
	for _, bad := range [][]byte{nil, public[:40], public[4:], append(bytes.Clone(public), 0), append([]byte("sm2:"), make([]byte, 65)...),
		append([]byte("sm2:\x04"), bytes.Repeat([]byte{1}, 64)...), append([]byte("sm3:"), public[4:]...)} {
		if Check(bad) == nil || Verify(bad, nil, make([]byte, SignatureSize)) {
			t.Errorf("%x is taken for a key", bad)
		}
	}
	for _, bad := range []string{"", "sm2:", Text(public)[4:], Text(public) + "=", Text(public) + "\n", "SM2:" + Text(public)[4:],
		"ed25519:" + Text(public)[4:]} {
		if b, err := Parse(bad); err == nil {
			t.Errorf("%q is read as %x", bad, b)
		}
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := PEM(p256); err == nil || Public(p256) != nil || Public(nil) != nil || Seed(p256) != nil {
		t.Error("a key for TLS is taken for one for records")
	}
	if _, err := Draw("rsa"); err == nil {
		t.Error("an unknown algorithm draws a key")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("sm2:BAn53zEeVCGhUN19Fh5LxcZyF5-tGDP8B2uwj_NW81AgzOpJDOJndaUtxupxjMGqYArtBfvzXghKZjL2By2prRM")
	f.Add("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := Parse(text)
		if err == nil && (Text(key) != text || Check(key) != nil) {
			t.Errorf("%q is read as %s", text, Text(key))
		}
	})
}

func FuzzVerify(f *testing.F) {
	for _, a := range algorithms() {
		k, err := Draw(a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(Public(k), []byte("text"), Sign(k, []byte("text")))
	}
	f.Fuzz(func(t *testing.T, key, text, signature []byte) {
		if Verify(key, text, signature) && (Check(key) != nil || len(signature) != SignatureSize) {
			t.Errorf("%x signs %x by %x", key, text, signature)
		}
	})
}

func FuzzParsePEM(f *testing.F) {
	for _, a := range algorithms() {
		k, err := Draw(a)
		if err != nil {
			f.Fatal(err)
		}
		text, err := PEM(k)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParsePEM(text)
		if err == nil && !Verify(Public(k), nil, Sign(k, nil)) {
			t.Errorf("a key was read that cannot sign")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, a := range algorithms() {
		k, err := Draw(a)
		if err != nil {
			b.Fatal(err)
		}
		text := bytes.Repeat([]byte("x"), 96+32*3) // of three records
		public, signature := Public(k), Sign(k, text)
		b.Run(string(a), func(b *testing.B) {
			for b.Loop() {
				if !Verify(public, text, signature) {
					b.Fatal("it does not hold")
				}
			}
		})
	}
}

// TestAKeyForWhichAnybodySigns has one signature, which nobody has made, fit one of some texts; the same is true of no key that is drawn.
func TestAKeyForWhichAnybodySigns(t *testing.T) {
	anybodys := make([]byte, SignatureSize)
	anybodys[0] = 1 // the neutral point, and nothing besides
	fits := func(public []byte) bool {
		for i := range 200 {
			if Verify(public, []byte(fmt.Sprint("text ", i)), anybodys) {
				return true
			}
		}
		return false
	}
	for _, y := range []string{"00", "01", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "ec" + strings.Repeat("ff", 30) + "7f",
		"ed" + strings.Repeat("ff", 30) + "7f", "ee" + strings.Repeat("ff", 30) + "7f"} {
		public := make([]byte, ed25519.PublicKeySize)
		if _, err := hex.Decode(public, []byte(y)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if Check(public) == nil {
				t.Errorf("%x passes, and a signature of nobody's fits it: %t", public, fits(public))
			}
			public[len(public)-1] ^= 0x80 // the other sign of x
		}
		if !fits(public) {
			t.Errorf("%x is refused, and no signature of nobody's fits it", public)
		}
	}
	for range 20 {
		k, err := Draw(Ed25519)
		if err != nil {
			t.Fatal(err)
		}
		if public := Public(k); Check(public) != nil || fits(public) {
			t.Errorf("%x is refused: %v, or anybody's signature fits it: %t", public, Check(public), fits(public))
		}
	}
	if _, err := Parse(strings.Repeat("A", 43)); err == nil {
		t.Error("a placeholder is read as a key")
	}
}
