package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzOpen opens a log that was damaged in any way: each four bytes of damage are a place and what is flipped there, and
// from cut on the file is missing.
func FuzzOpen(f *testing.F) {
	good, _, _ := filled(f, 30, 5)
	f.Add([]byte{}, uint32(0))
	f.Add([]byte{}, ^uint32(0))
	f.Add([]byte{0, 16, 10, 1}, ^uint32(0))
	f.Add([]byte{0, 48, 8, 3, 0, 48, 10, 255}, ^uint32(0))
	f.Fuzz(func(t *testing.T, damage []byte, cut uint32) {
		bad := bytes.Clone(good[:min(int(cut), len(good))])
		for ; len(damage) >= 4 && len(bad) > 0; damage = damage[4:] {
			at := int(damage[0])<<16 | int(damage[1])<<8 | int(damage[2])
			bad[at%len(bad)] ^= damage[3]
		}
		path := filepath.Join(t.TempDir(), "log.db")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, options())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		if _, err := s.Append(press(1)); err != nil {
			t.Fatal(err)
		}
		_, _ = s.Verify()
		if _, err := s.Append(press(2)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verify(); err != nil {
			t.Fatal(err)
		}
		salvaged(t, s)
		if _, err := Inspect(path); err != nil {
			t.Fatal(err)
		}
	})
}
