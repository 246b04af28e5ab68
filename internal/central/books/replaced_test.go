package books

import (
	"slices"
	"testing"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// checkABoxThatWasReplaced: of what a box sends after it was replaced, that counts for which its last report vouches, and the rest is kept
// and named, also when the books are made anew.
func checkABoxThatWasReplaced(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		for name, x := range map[string]struct {
			until   func(*chain) journal.Until
			before  int // records that came before it was replaced
			counted int // evaluations of three
		}{
			"vouched for in part": {func(c *chain) journal.Until {
				return journal.Until{Epoch: epoch, Last: 4, Head: rating.HashOf(c.records[3])}
			}, 0, 2},
			"another record under that number": {func(*chain) journal.Until {
				return journal.Until{Epoch: epoch, Last: 4, Head: rating.HashOf([]byte("another"))}
			}, 0, 1},
			"another log": {func(c *chain) journal.Until {
				return journal.Until{Epoch: epoch + 1, Last: 4, Head: rating.HashOf(c.records[3])}
			}, 0, 0},
			"no report":              {func(*chain) journal.Until { return journal.Until{} }, 0, 0},
			"what was there already": {func(*chain) journal.Until { return journal.Until{} }, 2, 1},
		} {
			w, c := open(t), newChain()
			c.append(t, opened(0, 1), press(1000, 1, 5, 0), opened(2000, 2), press(3000, 2, 4, 0), opened(4000, 3), press(5000, 3, 3, 0))
			if x.before > 0 {
				w.enter(t, c.batch(1, x.before, 0))
			}
			late, until := c.all(), x.until(c)
			late.Until = &until
			if r := w.enter(t, late); r.Ack != 6 {
				t.Errorf("%s: the box is acknowledged up to %d, want all: %+v", name, r.Ack, r)
			}
			counted := func() (n int) {
				for _, e := range w.since(t) {
					if e.Status == rating.Counted {
						n++
					}
				}
				return n
			}
			if n := counted(); n != x.counted {
				t.Errorf("%s: %d count, want %d", name, n, x.counted)
			}
			if kinds := w.kinds(t); !slices.Contains(kinds, string(Quarantine)) {
				t.Errorf("%s: findings %v", name, kinds)
			}
			if err := w.books.Rebuild(t.Context(), silent); err != nil {
				t.Fatal(err)
			}
			if n := counted(); n != x.counted {
				t.Errorf("%s: %d count after a rebuild, want %d", name, n, x.counted)
			}
		}
	})
}
