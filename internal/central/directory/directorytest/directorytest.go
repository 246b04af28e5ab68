// Package directorytest gives tests of other rooms an organisation.
package directorytest

import (
	"os"
	"testing"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
)

// Enter enters the organisation of a file, as an operator does.
func Enter(t testing.TB, d *directory.Directory, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := directory.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Preview(t.Context(), lines, nil)
	if err == nil {
		err = d.Apply(t.Context(), "operator test", "test", journal.Act{}, p)
	}
	if err != nil {
		t.Fatal(err)
	}
}
