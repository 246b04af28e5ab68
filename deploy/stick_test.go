package deploy

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheTicketOfAStick reads the file system of a stick by the command of the unit.
func TestTheTicketOfAStick(t *testing.T) {
	need(t, "mcopy", "mtools")
	folder := t.TempDir()
	stick, ticket := filepath.Join(folder, "stick"), filepath.Join(folder, "haochaping.ticket")
	text := []byte("ticket a\nhall b\n")
	if err := os.WriteFile(ticket, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"mformat", "-C", "-i", stick, "-f", "1440", "::"}, {"mcopy", "-i", stick, ticket, "::"}} {
		if out, err := try(nil, command[0], command[1:]...); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	found := filepath.Join(folder, "found")
	var words []string
	for _, d := range directives(t, "ratingd/ratingd-stick@.service") {
		if line, ok := strings.CutPrefix(d, "ExecStart="); ok {
			words = strings.Fields(strings.NewReplacer("/dev/%I", stick, "/run/haochaping/haochaping.ticket", found).Replace(line))
		}
	}
	for range 2 { // also over the ticket of before
		if out, err := try(nil, words[0], words[1:]...); err != nil {
			t.Fatalf("%v: %v\n%s", words, err, out)
		}
	}
	if got, err := os.ReadFile(found); err != nil || !bytes.Equal(got, text) {
		t.Errorf("the box finds %q, %v", got, err)
	}
}
