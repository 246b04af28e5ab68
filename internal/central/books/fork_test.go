package books

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

func events(t *testing.T, n int) *chain {
	c := newChain()
	for i := range n {
		c.append(t, rating.EventBody(at(int64(i)), rating.EventStarted))
	}
	return c
}

// copyOf is the log of a copied card, which goes on by itself after some records.
func copyOf(t *testing.T, c *chain, common, own int) *chain {
	t.Helper()
	out := newChain()
	out.records, out.head = append(out.records, c.records[:common]...), rating.HashOf(c.records[common-1])
	for i := range own {
		out.append(t, press(100+int64(i), 50, 1, 0))
	}
	return out
}

// A box and its copy send different records under the same numbers.
func checkACopyIsOneFinding(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), events(t, 10)
		copied := copyOf(t, c, 4, 3)
		w.enter(t, c.all())
		w.enter(t, copied.batch(3, 4, 2))
		w.enter(t, copied.batch(5, 7, 4))
		got := w.findings(t)
		want := []Finding{{ID: 1, Device: box, Epoch: epoch, From: 5, To: 7, Count: 3, Kind: Fork,
			Detail: "two different records have this number", Found: noon()}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		if len(w.since(t)) != 0 {
			t.Error("a fork is looked at")
		}
		w.enter(t, copied.batch(4, 7, 3)) // the signature covers a record that is here besides the forks
		w.enter(t, copied.batch(5, 6, 4))
		if diff := cmp.Diff(want, w.findings(t)); diff != "" {
			t.Errorf("findings after the same again (-want +got):\n%s", diff)
		}
	})
}

// A fork whose predecessor is on its way is known as incomplete until that has come.
func checkAForkThatLacksItsPredecessor(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), events(t, 6)
		copied := copyOf(t, c, 2, 4)
		w.enter(t, c.all())
		w.enter(t, copied.batch(5, 6, 2))
		gap := func() (open bool) {
			for _, f := range w.findings(t) {
				if f.Kind == ForkGap && f.From == 4 {
					return f.Resolved.IsZero()
				}
			}
			t.Fatalf("no finding of the missing record: %+v", w.findings(t))
			return false
		}
		if !gap() {
			t.Error("the finding is resolved before the record is here")
		}
		w.enter(t, copied.batch(3, 4, 2))
		if gap() {
			t.Error("the finding stands though the record is here")
		}
	})
}
