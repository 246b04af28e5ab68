package books

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

func checkBatchTwiceIsInTheBooksOnce(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		c.append(t, opened(1, 5), press(2, 5, 4, 0), press(3, 5, 2, 2), rating.OutcomeBody(at(4), rating.Closing{Visit: 5,
			Outcome: rating.Rated}))
		w.enter(t, c.all())
		w.enter(t, c.all())
		if diff := cmp.Diff([]string{"满意 replaced", "不满意 counted"}, w.statuses(t)); diff != "" {
			t.Errorf("evaluations (-want +got):\n%s", diff)
		}
		v, err := w.books.Visit(t.Context(), box, 5)
		if err != nil || v.Visit == nil || v.Visit.Staff.ID != "0417" || v.Closed == nil ||
			v.Counted[rating.Question{Subject: rating.StaffSubject}].Level != 2 {
			t.Errorf("visit %+v, %v", v, err)
		}
	})
}

func checkAHoleIsWaitedForUnlessTheBoxHasLetItGo(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		for i := range int64(6) {
			c.append(t, press(i, rating.VisitID(i+1), 5, 0))
		}
		w.enter(t, c.batch(3, 4, 0))
		w.enter(t, c.batch(1, 1, 0))
		if got := w.kinds(t); len(got) != 0 {
			t.Errorf("findings %v before anything is lost", got)
		}
		w.enter(t, c.batch(5, 6, 4))
		if diff := cmp.Diff([]string{"gap"}, w.kinds(t)); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		if f := w.findings(t); f[0].From != 2 || f[0].To != 2 {
			t.Errorf("finding %+v", f)
		}
		w.enter(t, c.batch(2, 2, 0))
		if f := w.findings(t); len(f) != 1 || f[0].Resolved.IsZero() {
			t.Errorf("the gap that was filled: %+v", f)
		}
	})
}

func checkForksAndBrokenChainsAreFound(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c, other := open(t), newChain(), newChain()
		c.append(t, press(1, 1, 5, 0), press(2, 2, 5, 0), press(3, 3, 5, 0))
		other.append(t, press(1, 1, 5, 0), press(2, 2, 1, 0), press(3, 3, 5, 0))
		w.enter(t, c.batch(1, 2, 0))
		w.enter(t, other.batch(2, 3, 0))
		if diff := cmp.Diff([]string{"broken_chain", "fork"}, w.kinds(t)); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		if got := w.statuses(t); len(got) != 3 || got[1] != "非常满意 counted" {
			t.Errorf("evaluations %v: what came first stays", got)
		}
	})
}

func checkWhatCannotBeReadIsQuarantined(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		c.append(t, press(1, 1, 5, 0))
		c.records = append(c.records, []byte(`{"v":1,"device":"box-1","level":9}`))
		c.head = rating.HashOf(c.records[1])
		c.append(t, press(3, 3, 5, 0))
		w.enter(t, c.all())
		if diff := cmp.Diff([]string{"quarantine"}, w.kinds(t)); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
	})
}

func checkTheEarliestCountsWhateverComesFirst(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		c.append(t, opened(0, 5), press(1000, 5, 2, 0), press(2500, 5, 1, 2))
		// The phone rates between the press and its correction, and reaches the centre first.
		if r := w.rate(t, "s1", noon().Add(2*time.Second), byPhone(5, 5)); len(r) != 1 || r[0].Standing != rating.Counted {
			t.Fatalf("phone: %+v", r)
		}
		if again := w.rate(t, "s1", noon().Add(9*time.Second), byPhone(5, 5)); again[0].Standing != rating.Counted {
			t.Errorf("the same submission again: %+v", again)
		}
		w.enter(t, c.all())
		if diff := cmp.Diff([]string{"非常满意 later", "不满意 replaced", "非常不满意 counted"}, w.statuses(t)); diff != "" {
			t.Errorf("evaluations (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"displaced"}, w.kinds(t)); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
	})
}
