package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"haochaping/internal/rating"
)

// TestACardIsFoundHoweverItIsWritten looks for cards that lists and readers write differently. Two that are then the same are nobody's.
func TestACardIsFoundHoweverItIsWritten(t *testing.T) {
	r, err := newRoster(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	member := func(id, card string) rating.Member {
		return rating.Member{Staff: rating.Staff{ID: id, Name: id}, Card: card}
	}
	if err := r.replace([]rating.Member{member("1", "12345678"), member("2", "04:a3:22:b1"), member("3", "0009"), member("4", "9"),
		member("5", ""),
		member("6", "0")}); err != nil {
		t.Fatal(err)
	}
	for card, want := range map[string]string{
		"0012345678": "1", "12345678": "1", "04A322B1": "2", "04 A3 22 B1": "2", "4a322b1": "2", "0009": "3", "9": "4", "009": "", "": "",
		"00": "",
		"0":  "6", ":": "", "112345678": "",
	} {
		if got, ok := r.byCard(card); got.ID != want || ok != (want != "") {
			t.Errorf("%q is the card of %q, want %q", card, got.ID, want)
		}
	}
}

// A list of staff that cannot be used is told, without waiting for a pipe or filling the memory, and the box has none.
func TestABrokenRosterIsTold(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"cut off":  func(path string) error { return os.WriteFile(path, []byte(`[{"id":"0417"`), 0o600) },
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"a pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"huge":     func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 8<<30)) },
	} {
		dir := t.TempDir()
		if err := make(filepath.Join(dir, rosterFile)); err != nil {
			t.Fatal(err)
		}
		r, err := newRoster(dir)
		if err == nil || r.lists("0417") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
