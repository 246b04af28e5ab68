package books

import (
	"context"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type keyed64 uint64

func (n keyed64) key() uint64 { return uint64(n) }

// TestLane asks for the neighbours of numbers in any order, while numbers come and go: what a lane has is what a table with the same
// changes has.
func TestLane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := rapid.SliceOfDistinct(rapid.Uint64Range(0, 60), rapid.ID).Draw(t, "table")
		slices.Sort(table)
		whole := slices.Clone(table) // with the changes that the table does not have yet
		read := func(_ context.Context, from uint64, back bool, n int) (all []keyed64, err error) {
			rows := slices.Clone(table)
			if back {
				slices.Reverse(rows)
			}
			for _, k := range rows {
				if (back && k <= from || !back && k >= from) && len(all) < n {
					all = append(all, keyed64(k))
				}
			}
			return all, nil
		}
		var l lane[keyed64]
		for range rapid.IntRange(1, 15).Draw(t, "steps") {
			k, before, after := rapid.Uint64Range(0, 60).Draw(t, "key"), rapid.IntRange(0, 4).Draw(t, "before"), rapid.IntRange(0,
				4).Draw(t, "after")
			if err := l.ensure(t.Context(), k, before, after, read); err != nil {
				t.Fatal(err)
			}
			i, found := l.find(k)
			n, want := slices.BinarySearch(whole, k)
			if found != want {
				t.Fatalf("%d is here %t, want %t", k, found, want)
			}
			for d := 1; d <= before && n-d >= 0; d++ {
				if i-d < 0 || uint64(l.rows[i-d]) != whole[n-d] {
					t.Fatalf("%d before %d in %v, want that of %v", d, k, l.rows, whole)
				}
			}
			if found {
				i, n = i+1, n+1
			}
			for d := 0; d < after && n+d < len(whole); d++ {
				if i+d >= len(l.rows) || uint64(l.rows[i+d]) != whole[n+d] {
					t.Fatalf("%d after %d in %v, want that of %v", d, k, l.rows, whole)
				}
			}
			switch {
			case rapid.IntRange(0, 3).Draw(t, "flush") == 0:
				table = slices.Clone(whole)
				l.trim()
			case found && rapid.Bool().Draw(t, "remove"):
				l.remove(k)
				whole = slices.DeleteFunc(whole, func(x uint64) bool { return x == k })
			case !found && rapid.Bool().Draw(t, "insert"):
				l.insert(keyed64(k))
				whole = append(whole, k)
				slices.Sort(whole)
			}
		}
	})
}
