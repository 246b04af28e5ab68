package provision

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"
)

func key(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func public(b byte) ed25519.PublicKey { return key(b).Public().(ed25519.PublicKey) }

func TestAFileIsAsItWasSigned(t *testing.T) {
	file, err := Sign([]byte("[enrol]\nurl = \"https://a\"\n"), key(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(file, public(1)); err != nil {
		t.Error(err)
	}
	if err := Verify(file, public(2)); !errors.Is(err, ErrBroken) {
		t.Errorf("another key: %v", err)
	}
	for i := range file[:len(file)-1] {
		changed := bytes.Clone(file)
		changed[i] ^= 1
		if err := Verify(changed, public(1)); err == nil {
			t.Errorf("byte %d was changed unnoticed", i)
		}
		if err := Verify(file[:i], public(1)); err == nil {
			t.Errorf("the first %d bytes are taken for the file", i)
		}
	}
}

func FuzzVerify(f *testing.F) {
	file, err := Sign([]byte("a = 1\n"), key(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Fuzz(func(t *testing.T, b []byte) {
		if Verify(b, public(1)) == nil && !bytes.HasPrefix(b, []byte("a = 1\n"+mark)) {
			t.Errorf("%q is taken", b)
		}
	})
}
