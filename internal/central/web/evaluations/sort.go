package evaluations

import (
	"cmp"
	"maps"
	"slices"

	"haochaping/internal/central/directory"
)

// sorted returns records by their IDs.
func sorted(all map[string]directory.Record) []directory.Record {
	out := slices.SortedFunc(maps.Values(all), func(a, b directory.Record) int { return cmp.Compare(a.ID, b.ID) })
	return out[:min(len(out), mostChoices)]
}
