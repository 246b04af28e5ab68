package organisation

import (
	"testing"

	"haochaping/internal/central/directory"
)

// The audit of a change is for whoever looks after all of what it changed.
func TestDomain(t *testing.T) {
	hall := func(id, area string) *directory.Record {
		return &directory.Record{Kind: directory.Hall, ID: id, Area: area}
	}
	window := &directory.Record{Kind: directory.Window, ID: "W1", Hall: "H1"}
	person := &directory.Record{Kind: directory.Staff, ID: "S1", Window: "W1"}
	for _, c := range []struct {
		changes []directory.Change
		want    string
	}{
		{nil, ""},
		{[]directory.Change{{After: hall("H1", "620102000000")}}, "620102000000"},
		{[]directory.Change{{After: hall("H1", "620102000000")}, {After: window}, {After: person}}, "620102000000"},
		{[]directory.Change{{After: person}}, ""},
		{[]directory.Change{{After: hall("H1", "620102003000")}, {After: hall("H2", "620102000000")}}, "620102000000"},
		{[]directory.Change{{After: hall("H1", "620102000000")}, {After: hall("H2", "620103000000")}}, "620100000000"},
		{[]directory.Change{{Before: hall("H1", "620202000000"), After: hall("H1", "620102000000")}}, "620000000000"},
		{[]directory.Change{{Before: hall("H1", "110101000000")}, {After: hall("H1", "620102000000")}}, "000000000000"},
	} {
		if got := domain(&directory.Atlas{}, c.changes); got != c.want {
			t.Errorf("%+v: %q, want %q", c.changes, got, c.want)
		}
	}
}
