package keptfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"haochaping/internal/keptfile"
)

// What is no small file is told at once, and does not fill the memory.
func TestOnlySmallFilesAreRead(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("small"), []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("film"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(at("film"), 8<<30); err != nil { // it takes no room
		t.Fatal(err)
	}
	if err := unix.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("small"), at("link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"small", "link"} {
		if b, err := keptfile.ReadSmall(at(name)); err != nil || string(b) != "secret\n" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	for path, want := range map[string]string{at("film"): "larger than 1 MB", at("pipe"): "no ordinary file", dir: "no ordinary file",
		"/dev/zero": "no ordinary file"} {
		if b, err := keptfile.ReadSmall(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d bytes, %v, want %q", path, len(b), err, want)
		}
	}
	if _, err := keptfile.ReadSmall(at("none")); !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "open ") {
		t.Errorf("a file that is not there: %v", err)
	}
}
