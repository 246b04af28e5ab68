package rectify

import (
	"testing"

	"haochaping/internal/central/books"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// stands returns how an evaluation stands in the books, once they have followed.
func (b *bureau) stands(t testing.TB, evaluation int64) rating.Standing {
	t.Helper()
	b.wait(t)
	e, found, err := b.books.Entry(t.Context(), evaluation)
	if err != nil || !found {
		t.Fatalf("found %t, %v", found, err)
	}
	return e.Status
}

func (b *bureau) caseState(t testing.TB, project string) books.CaseState {
	t.Helper()
	b.wait(t)
	c, _, err := b.books.Case(t.Context(), rating.CaseKey{Area: area, Project: project})
	if err != nil {
		t.Fatal(err)
	}
	return c.State()
}

// What a review refuses does not count, and the next answer does; else nothing does, and silence says nothing either. An appeal that is
// granted brings it back.
func checkWhatAReviewRefuses(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "A", police, "", "13800000001")
	b.complete(t, "B", police, "", "")
	bad, alone := b.answer(t, "A", 1, 1), b.answer(t, "B", 2, 1)
	next := b.answer(t, "A", 4, 3)
	b.once(t)
	b.do(t, bad, Contact, Claim)
	if got := b.stands(t, bad); got != rating.Counted {
		t.Errorf("under review it is %s", got)
	}
	b.do(t, bad, Uphold)
	if got, instead := b.stands(t, bad), b.stands(t, next); got != rating.NotAdopted || instead != rating.Counted ||
		b.caseState(t, "A") != books.CaseRated {
		t.Errorf("it is %s, the next answer %s", got, instead)
	}
	b.do(t, alone, Verify, Claim, Uphold)
	if got, state := b.stands(t, alone), b.caseState(t, "B"); got != rating.NotAdopted || state != books.CaseRefused {
		t.Errorf("it is %s, its case %s", got, state)
	}
	b.once(t)
	for _, id := range []int64{bad, alone} {
		if p := b.order(t, id).Parts[0]; p.Body.State != NotAdopted || !p.Body.Counts || p.Due != 0 {
			t.Errorf("its order is %+v", p)
		}
	}
	b.none(t, next)
	late := b.answer(t, "B", 5, 60*24*30)
	if got, state := b.stands(t, late), b.caseState(t, "B"); got != rating.Counted || state != books.CaseRated {
		t.Errorf("what is said next is %s, the case %s", got, state)
	}
	b.do(t, bad, Appeal, Grant)
	if got, instead := b.stands(t, bad), b.stands(t, next); got != rating.Counted || instead != rating.Later {
		t.Errorf("after the appeal it is %s, the next answer %s", got, instead)
	}
	b.once(t)
	if p := b.order(t, bad).Parts[0]; p.Body.State != Limited || p.Due == 0 {
		t.Errorf("its order is %+v", p)
	}
}

// A unit's claim about an overall answer is about the cases that it handled.
func checkAReviewRefusesForOneUnit(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "T1", police, "birth", "")
	b.complete(t, "T2", office, "birth", "")
	whole := b.say(t, journal.Answer{Theme: "birth", Level: 1, Channel: rating.Voice})
	b.once(t)
	x := b.order(t, whole)
	for _, k := range x.Parts {
		if k.Body.Unit != police {
			continue
		}
		for _, do := range []Deed{Verify, Claim, Uphold} {
			var err error
			if k, err = b.orders.Do(t.Context(), By{Account: "someone"}, k, choosing(Event{Do: do}), "因为如此"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, one, other := b.stands(t, whole), b.caseState(t, "T1"), b.caseState(t, "T2"); got != rating.Counted || one != books.CaseRefused ||
		other != books.CaseRated {
		t.Errorf("it is %s, the unit's case %s, the other's %s", got, one, other)
	}
	b.once(t)
	for _, k := range b.order(t, whole).Parts {
		if want := k.Body.Unit != police; (k.Due > 0) != want || !k.Body.Counts {
			t.Errorf("the part of %s: %+v", k.Body.Unit, k)
		}
	}
}
