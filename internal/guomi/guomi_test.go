package guomi

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The published examples on the recommended curve, GB/T 32918.5-2017, annexes A and C: one key for all.
const (
	secret = "3945208F 7B2144B1 3F36E38A C6D39F95 88939369 2860B51A 42FB81EF 4DF7C5B8"
	public = "04 09F9DF31 1E5421A1 50DD7D16 1E4BC5C6 72179FAD 1833FC07 6BB08FF3 56F35020" +
		"CCEA490C E26775A5 2DC6EA71 8CC1AA60 0AED05FB F35E084A 6632F607 2DA9AD13"
)

func published(t testing.TB) Key {
	t.Helper()
	k, err := sm2.NewPrivateKey(unhex(t, secret))
	if err != nil {
		t.Fatal(err)
	}
	return Key{k}
}

func TestPublishedKeyAndSignature(t *testing.T) {
	k := published(t)
	p, err := ParsePublic(strings.ReplaceAll(public, " ", ""))
	if err != nil || k.Public().String() != p.String() || !strings.EqualFold(p.String(), strings.ReplaceAll(public, " ", "")) {
		t.Fatalf("the public key is %s, %v", k.Public(), err)
	}
	digest, err := sm2.CalculateSM2Hash(p.key, []byte("message digest"), nil)
	if want := unhex(t, "F0B43E94 BA45ACCA ACE692ED 534382EB 17E6AB5A 19CE7B31 F4486FDF C0D28640"); err != nil || !bytes.Equal(digest, want) {
		t.Errorf("e = %X, %v", digest, err)
	}
	r := new(big.Int).SetBytes(unhex(t, "F5A03B06 48D2C463 0EEAC513 E1BB81A1 5944DA38 27D5B741 43AC7EAC EEE720B3"))
	s := new(big.Int).SetBytes(unhex(t, "B1B6AA29 DF212FD8 763182BC 0D421CA1 BB9038FD 1F7F42D4 840B69C4 85BBC1AA"))
	if !sm2.Verify(p.key, digest, r, s) {
		t.Error("the published signature does not hold")
	}
	digest[0] ^= 1
	if sm2.Verify(p.key, digest, r, s) {
		t.Error("the published signature holds for another message")
	}
}

func TestPublishedCiphertext(t *testing.T) {
	c1 := "04 04EBFC71 8E8D1798 62043226 8E77FEB6 415E2EDE 0E073C0F 4F640ECD 2E149A73" +
		"E858F9D8 1E5430A5 7B36DAAB 8F950A3C 64E6EE6A 63094D99 283AFF76 7E124DF0"
	c3, c2 := "59983C18 F809E262 923C53AE C295D303 83B54E39 D609D160 AFCB1908 D0BD8766", "21886CA9 89CA9C7D 58087307 CA93092D 651EFA"
	text, err := sm2.Decrypt(published(t).private, unhex(t, c1+c3+c2))
	if err != nil || string(text) != "encryption standard" {
		t.Errorf("%q, %v", text, err)
	}
}

// GB/T 32905-2016, annex A.
func TestPublishedDigests(t *testing.T) {
	for text, want := range map[string]string{
		"abc":                      "66C7F0F4 62EEEDD9 D1F2D46B DC10E4E2 4167C487 5CF2F7A2 297DA02B 8F4BA8E0",
		strings.Repeat("abcd", 16): "DEBE9FF9 2275B8A1 38604889 C18E5A4D 6FDB70E5 387E5765 293DCBA3 9C0C5732",
	} {
		if got := sm3.Sum([]byte(text)); !bytes.Equal(got[:], unhex(t, want)) {
			t.Errorf("%s: %X", text, got)
		}
	}
}

// GB/T 32907-2016, annex A: one block, and the same a million times.
func TestPublishedBlocks(t *testing.T) {
	text := unhex(t, "01234567 89ABCDEF FEDCBA98 76543210")
	b, err := sm4.NewCipher(text)
	if err != nil {
		t.Fatal(err)
	}
	got := bytes.Clone(text)
	b.Encrypt(got, got)
	if want := unhex(t, "681EDF34 D206965E 86B3E94F 536E4246"); !bytes.Equal(got, want) {
		t.Errorf("one block: %X", got)
	}
	for range 999_999 {
		b.Encrypt(got, got)
	}
	if want := unhex(t, "595298C7 C6FD271F 0402F804 C33D3F66"); !bytes.Equal(got, want) {
		t.Errorf("a million blocks: %X", got)
	}
}

func keys(t testing.TB) (from, to Key) {
	t.Helper()
	from, err := NewKey(rand.Reader)
	if err == nil {
		to, err = NewKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return from, to
}

func TestEnvelope(t *testing.T) {
	from, to := keys(t)
	h := Head{App: "gov-62", Kind: "evaluation", Batch: "B1", Time: "2026-11-27 09:00:00"}
	for _, text := range []string{"", "x", strings.Repeat("评价", 5000)} {
		e, err := Seal(rand.Reader, from, to.Public(), h, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Open(to, from.Public(), e)
		if err != nil || string(got) != text {
			t.Fatalf("%d bytes come back as %d, %v", len(text), len(got), err)
		}
		if _, err := Open(to, to.Public(), e); !errors.Is(err, ErrForged) {
			t.Errorf("by another's key it opens: %v", err)
		}
		if _, err := Open(from, from.Public(), e); err == nil {
			t.Error("it opens for another receiver")
		}
		again, err := Seal(rand.Reader, from, to.Public(), h, []byte(text))
		if err != nil || again.Data == e.Data || again.Key == e.Key {
			t.Errorf("the same key or nonce is used twice: %v", err)
		}
	}
	if _, err := Seal(rand.Reader, from, to.Public(), Head{App: "a\nb"}, nil); err == nil {
		t.Error("a line break in the head is taken")
	}
}

// TestNothingOfAnEnvelopeCanBeChanged turns each field into another one.
func TestNothingOfAnEnvelopeCanBeChanged(t *testing.T) {
	from, to := keys(t)
	e, err := Seal(rand.Reader, from, to.Public(), Head{"a", "b", "c", "d"}, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]string
	text, err := json.Marshal(e)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil || len(fields) != 8 {
		t.Fatalf("%v, %v", fields, err)
	}
	for name, value := range fields {
		changed := value[:len(value)-1] + "A"
		if changed == value {
			changed = value[:len(value)-1] + "B"
		}
		fields[name] = changed
		b, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		var other Envelope
		if err := json.Unmarshal(b, &other); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(to, from.Public(), other); err == nil && !sameBytes(value, changed) {
			t.Errorf("another %s is taken", name)
		}
		fields[name] = value
	}
}

// sameBytes reports whether two texts in base64 differ in bits only that say nothing.
func sameBytes(a, b string) bool {
	x, err := base64.StdEncoding.DecodeString(a)
	y, other := base64.StdEncoding.DecodeString(b)
	return err == nil && other == nil && bytes.Equal(x, y)
}

func TestKeys(t *testing.T) {
	k, _ := keys(t)
	text, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseKey(text)
	if err != nil || again.Public().String() != k.Public().String() {
		t.Errorf("%s comes back as %s, %v", k.Public(), again.Public(), err)
	}
	for _, bad := range []string{"", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		strings.Replace(string(text), "PRIVATE", "PUBLIC", 2)} {
		if _, err := ParseKey([]byte(bad)); err == nil {
			t.Errorf("%q is a key", bad)
		}
	}
	for _, bad := range []string{"", "04", "05" + k.Public().String()[2:], "04" + strings.Repeat("00", 64), strings.Repeat("z", 130)} {
		if _, err := ParsePublic(bad); err == nil {
			t.Errorf("%q is a public key", bad)
		}
	}
}

// FuzzOpen opens what anybody may send.
func FuzzOpen(f *testing.F) {
	from, to := keys(f)
	e, err := Seal(rand.Reader, from, to.Public(), Head{"a", "b", "c", "d"}, []byte("text"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.Key, e.Data, e.Digest, e.Sign)
	f.Add("", "", "", "")
	f.Fuzz(func(t *testing.T, key, data, digest, sign string) {
		x := Envelope{Head: e.Head, Key: key, Data: data, Digest: digest, Sign: sign}
		text, err := Open(to, from.Public(), x)
		if err == nil && (string(text) != "text" || key != e.Key || data != e.Data || digest != e.Digest) {
			t.Errorf("%+v opens as %q", x, text)
		}
	})
}
