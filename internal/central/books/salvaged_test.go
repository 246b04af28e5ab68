package books

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"haochaping/internal/central/journal"
	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
)

// checkSalvaged sends some records of a file before it is damaged and some after, some of them twice and in any order. The
// books hold each once; what neither way brought is a gap, and a late arrival closes it.
func checkSalvaged(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, n := open(t), rating.VisitID(0)
		simulation.Check(t, func(t *rapid.T) {
			if n += 100; n > 100*few && w.brief() {
				return
			}
			w.forget(t)
			name := rating.Epoch(n)
			old := chainOf(box, name)
			for i := range rapid.IntRange(1, 12).Draw(t, "records") {
				old.append(t, press(int64(i), n+rating.VisitID(i), rating.Level(1+i%5), 0))
			}
			count := len(old.records)
			sent := rapid.IntRange(0, count).Draw(t, "sent")
			next := chainOf(box, name+1)
			next.append(t, rating.EventBody(at(1), rating.EventDamage, "file", "log.db.damaged-1", "reason", "a test", "epoch",
				name.String()))
			present := make(map[int]bool)
			for i := range sent {
				present[i] = true
			}
			for _, i := range rapid.SliceOf(rapid.IntRange(0, count-1)).Draw(t, "salvaged") {
				present[i] = true
				next.append(t, rating.SalvagedBody(at(2), old.records[i]))
			}
			next.append(t, rating.EventBody(at(3), rating.EventSalvage, "epoch", name.String(), "first", "1", "last", strconv.Itoa(count)))
			batches := []journal.Entry{next.all()}
			if sent > 0 {
				batches = append(batches, old.batch(1, sent, 0))
			}
			if rapid.Bool().Draw(t, "old first") {
				slices.Reverse(batches)
			}
			for _, b := range append(batches, batches[0]) {
				w.enter(t, b)
			}
			if got := w.countedFrom(t, n, count); got != len(present) {
				t.Fatalf("the books count %d evaluations, want %d", got, len(present))
			}
			if got := w.missed(t, name); got != count-len(present) {
				t.Fatalf("%d records are missed, want %d", got, count-len(present))
			}
			w.enter(t, old.all())
			if got := w.missed(t, name); got != 0 || w.countedFrom(t, n, count) != count {
				t.Fatalf("%d records are missed and %d evaluations count after all have come", got, w.countedFrom(t, n, count))
			}
		})
	})
}

// countedFrom returns how many evaluations of the visits from first on count.
func (w *world) countedFrom(t fatal, first rating.VisitID, visits int) (n int) {
	for _, e := range w.since(t) {
		if e.Visit >= first && e.Visit < first+rating.VisitID(visits) && e.Status == rating.Counted {
			n++
		}
	}
	return n
}

// missed returns how many records of an epoch the findings miss.
func (w *world) missed(t fatal, e rating.Epoch) (n int) {
	for _, f := range w.findings(t) {
		if f.Kind == Gap && f.Epoch == e && f.Resolved.IsZero() {
			n += int(f.To - f.From + 1)
		}
	}
	return n
}

func checkSalvagedOfOthersIsQuarantined(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		strange := chainOf("box-2", 3)
		strange.append(t, press(1, 5, 1, 0))
		own := newChain() // of the very epoch that it is sent in
		own.append(t, press(1, 5, 5, 0))
		for _, inner := range [][]byte{strange.records[0], own.records[0]} {
			w, c := open(t), newChain()
			c.append(t, rating.SalvagedBody(at(1), inner))
			w.enter(t, c.all())
			if got := w.kinds(t); !slices.Equal(got, []string{"quarantine"}) {
				t.Errorf("findings %v", got)
			}
			if n := w.countedFrom(t, 5, 1); n != 0 {
				t.Errorf("%d evaluations count that no batch of their own has brought", n)
			}
		}
	})
}
