package boxconfig

import (
	"os"
	"path/filepath"
	"testing"
)

// TestErase erases a box, also one whose power was cut while it was erased, and no other.
func TestErase(t *testing.T) {
	state := t.TempDir()
	fill := func(names ...string) {
		t.Helper()
		for _, n := range names {
			if err := os.WriteFile(filepath.Join(state, n), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	left := func() int {
		t.Helper()
		all, err := os.ReadDir(state)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	fill(IdentityFile, TLSKeyFile, CertificateFile, NameFile, SharedFile, "log.db")
	if err := os.MkdirAll(filepath.Join(state, "photos", "more"), 0o700); err != nil {
		t.Fatal(err)
	}
	if done, err := Erase(state); done || err != nil || left() != 7 {
		t.Fatalf("a box that is not marked: %v, %v, %d left", done, err, left())
	}
	for _, cut := range [][]string{nil, {"log.db"}} { // what a power cut has left beside the mark
		fill(cut...)
		if err := MarkErased(state); err != nil {
			t.Fatal(err)
		}
		if done, err := Erase(state); !done || err != nil || left() != 0 {
			t.Errorf("erased %v, %v, %d left", done, err, left())
		}
	}
	if done, err := Erase(filepath.Join(state, "none")); done || err != nil {
		t.Errorf("a box that was never started: %v, %v", done, err)
	}
}

func TestWhoIsAskedToForget(t *testing.T) {
	for text, want := range map[string][2]bool{
		"bcdf23456789\n": {true, false}, "bcdf23456789": {true, false}, " bcdf23456789 \r\ngive up\r\n": {true, true},
		"bcdf23456789\ngive up": {true, true},
		"bcdf23456780\n":        {false, false}, "": {false, false}, "\nbcdf23456789": {false, false}, "bcdf23456789\n\ngive up": {true, false},
	} {
		folder := t.TempDir()
		c := Config{State: folder, Device: "bcdf23456789", Enrol: Enrol{File: filepath.Join(folder, "haochaping.toml")}}
		if err := os.WriteFile(filepath.Join(folder, ResetFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if yes, _ := c.ResetAsked(); yes {
			t.Errorf("%q: a box with a name that it has not drawn is asked", text)
		}
		if err := os.WriteFile(filepath.Join(folder, NameFile), []byte("bcdf23456789\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if yes, giveUp := c.ResetAsked(); yes != want[0] || yes && giveUp != want[1] {
			t.Errorf("%q: asked %v, given up %v", text, yes, giveUp)
		}
	}
}
