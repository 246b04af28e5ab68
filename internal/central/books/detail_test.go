package books

import (
	"context"
	"testing"

	"haochaping/internal/rating"
)

// An evaluation is shown with what it was displaced by, and each standing is the one that the list has.
func checkAnEvaluationWithItsRivals(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		populated(t, w)
		rivals := 0
		for _, e := range w.since(t) {
			d, ok, err := w.books.Evaluation(context.Background(), e.Cursor)
			if err != nil || !ok {
				t.Fatalf("evaluation %d: %v, %v", e.Cursor, ok, err)
			}
			best := rating.Standing("")
			for _, c := range d.Contests {
				best = best.Better(c.Standing)
				counted := c.Standing == rating.Counted
				for _, o := range c.Others {
					rivals++
					if o.Cursor == e.Cursor || counted && o.Standing == rating.Counted {
						t.Errorf("of %v count evaluation %d and %d", c.Item, e.Cursor, o.Cursor)
					}
					if one, ok, err := w.books.Evaluation(context.Background(), o.Cursor); err != nil || !ok || one.At != o.At || one.Level != o.Level ||
						one.Moment() != o.Moment() {
						t.Errorf("evaluation %d is shown differently as a rival: %v", o.Cursor, err)
					}
				}
			}
			if len(d.Contests) > 0 && best != e.Status {
				t.Errorf("evaluation %d is %s, and its contests say %s", e.Cursor, e.Status, best)
			}
		}
		if rivals == 0 {
			t.Error("nothing was contested")
		}
		if _, ok, err := w.books.Evaluation(context.Background(), 1<<40); ok || err != nil {
			t.Errorf("an evaluation that is not there: %v, %v", ok, err)
		}
	})
}
