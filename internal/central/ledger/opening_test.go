package ledger

import (
	"slices"
	"testing"

	"haochaping/internal/rating"
)

// TestAVisitIsOpenedOnce: a box that records a visit a second time, and otherwise, must not take back what was said of it, whichever
// record reaches the books first.
func TestAVisitIsOpenedOnce(t *testing.T) {
	first := ofCases(5, rating.Single, false, "a")
	first.Staff = rating.Staff{ID: "0417"}
	again := ofCases(5, rating.Single, false, "-a", "b")
	again.Staff = rating.Staff{ID: "0001"}
	for name, order := range map[string][]int{"in order": {1, 2, 3}, "turned": {3, 2, 1}} {
		t.Run(name, func(t *testing.T) {
			l, c := openBooks(t), newChain()
			c.append(t, rating.VisitBody(at(0), first), keyed(1000, 5, ""), rating.VisitBody(at(2000), again))
			for _, seq := range order {
				add(t, l, c.batch(seq, seq, 0))
			}
			v, err := l.Visit(t.Context(), device, 5)
			if err != nil || v.Visit == nil || v.Visit.Staff.ID != "0417" || len(v.Visit.Completed()) != 1 {
				t.Errorf("the visit is %+v, %v", v.Visit, err)
			}
			if err := l.db.QueryRowContext(t.Context(), "SELECT item FROM standing WHERE standing = 'counted'").Scan(new(string)); err != nil {
				t.Errorf("nothing counts: %v", err)
			}
			if got := kinds(t, l); !slices.Equal(got, []string{string(Reopened)}) {
				t.Errorf("findings %v", got)
			}
		})
	}
	t.Run("the same", func(t *testing.T) {
		l, c := openBooks(t), newChain()
		c.append(t, rating.VisitBody(at(0), first), rating.VisitBody(at(2000), first))
		add(t, l, c.batch(1, 2, 0))
		if got := kinds(t, l); len(got) != 0 {
			t.Errorf("findings %v", got)
		}
	})
}
