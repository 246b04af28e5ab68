package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestProfilesAreWrittenWhereTheyAreNamed writes into a folder that is not there yet, under an umask that lets nobody else read; and
// where nothing can be written it says so before, or prints what was learnt.
func TestProfilesAreWrittenWhereTheyAreNamed(t *testing.T) {
	before := syscall.Umask(0o077)
	defer syscall.Umask(before)
	path := filepath.Join(t.TempDir(), "ratingd", "hall.toml")
	var said strings.Builder
	out := &report{w: &said}
	if err := makeRoom(path); err != nil {
		t.Fatal(err)
	}
	if err := writeProfile(out, path, "name = 'x'\n"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Dir(path)} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm()&0o044 != 0o044 {
			t.Errorf("%s: %v, %v", p, info, err)
		}
	}
	if err := makeRoom(path); err == nil {
		t.Error("there is room where a profile is")
	}
	if err := makeRoom(filepath.Join(path, "in a file", "hall.toml")); err == nil {
		t.Error("there is room in a file")
	}
	if err := writeProfile(out, path, "name = 'y'\n"); err == nil || !strings.Contains(said.String(), "name = 'y'") {
		t.Errorf("%v, said %q", err, said.String())
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "name = 'x'\n" {
		t.Errorf("%q, %v", b, err)
	}
}
