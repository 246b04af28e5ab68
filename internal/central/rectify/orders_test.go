package rectify

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

func checkABadRatingOpensOneOrder(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "P1", police, "", "13800000001")
	b.complete(t, "P2", "", "", "")
	b.complete(t, "P3", "", "", "")
	bad, worst, fair := b.answer(t, "P1", 2, 1), b.answer(t, "P2", 1, 1), b.answer(t, "P3", 3, 1)
	b.wait(t)
	if err := b.orders.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.none(t, bad) // it may still be corrected
	for range 3 {
		b.once(t)
	}
	b.none(t, fair)
	x := b.order(t, bad)
	if len(x.Parts) != 1 || x.About.Level != 2 || x.About.Matter != "身份证补领" {
		t.Fatalf("got %+v", x)
	}
	p := x.Parts[0]
	if p.Body.Unit != police || p.Body.Area == "" || !p.Body.Named || p.Body.State != Waiting || !p.Body.Counts || p.Due == 0 {
		t.Errorf("got %+v", p)
	}
	if y := b.order(t, worst).Parts[0]; y.Body.Unit != "" || y.Body.Area != area || y.Body.Named {
		t.Errorf("of an unknown unit: %+v", y)
	}
	if n := b.opened(t); len(n) != 2 {
		t.Errorf("opened: %v", n)
	}
	end := b.do(t, bad, Contact, Plan, Extend, Reply, Pass, Satisfied)
	if end.Body.State != Closed || end.Due != 0 {
		t.Errorf("at the end: %+v", end)
	}
}

// A press that is corrected within its time opens an order by its correction alone.
func checkACorrectionOpensNone(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "P", police, "", "")
	first := b.answer(t, "P", 1, 5)
	earlier := b.answer(t, "P", 4, 1) // what counts in its place, as a correction does
	b.once(t)
	b.none(t, first)
	b.none(t, earlier)
}

func checkAnEarlierOneThatArrivesLate(t *testing.T, on engine) {
	b := on(t)
	for _, p := range []string{"A", "B", "C"} {
		b.complete(t, p, police, "", "")
	}
	open, closed, also := b.answer(t, "A", 1, 9), b.answer(t, "B", 1, 9), b.answer(t, "C", 2, 9)
	b.once(t)
	b.do(t, open, Verify, Plan)
	b.do(t, closed, Verify, BeginAtOnce, Reply, Pass, Skip)
	b.answer(t, "A", 5, 3)
	b.answer(t, "B", 5, 3)
	worse := b.answer(t, "C", 1, 3)
	b.once(t)
	if p := b.order(t, open).Parts[0]; p.Body.State != Lapsed || p.Body.Counts || p.Due != 0 {
		t.Errorf("an open order whose rating was displaced: %+v", p)
	}
	if p := b.order(t, closed).Parts[0]; p.Body.State != Closed || p.Body.Counts {
		t.Errorf("a closed order whose rating was displaced: %+v", p)
	}
	if p, q := b.order(t, also).Parts[0], b.order(t, worse).Parts[0]; p.Body.State != Lapsed || q.Body.State != Waiting || q.Due == 0 {
		t.Errorf("a bad rating in the place of a bad one: %+v, %+v", p, q)
	}
	if all, err := b.orders.History(t.Context(), b.order(t, open).ID, WholeClues); err != nil || len(all) != 4 || all[3].Do != Lapse ||
		all[1].Text == "" {
		t.Errorf("the history is %+v, %v", all, err)
	}
}

func checkAThemeHasAPartForEachUnit(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "T1", police, "birth", "")
	b.complete(t, "T2", office, "birth", "13800000002")
	b.complete(t, "T3", police, "birth", "")
	whole := b.say(t, journal.Answer{Theme: "birth", Level: 1, Channel: rating.Voice})
	b.once(t)
	x := b.order(t, whole)
	if len(x.Parts) != 2 || x.Parts[0].Body.Unit == x.Parts[1].Body.Unit || len(b.opened(t)) != 1 {
		t.Fatalf("got %+v", x.Parts)
	}
	// A separate answer about the one case of a unit takes that unit's part out.
	b.answer(t, "T2", 5, 2)
	b.once(t)
	for _, k := range b.order(t, whole).Parts {
		if want := k.Body.Unit == police; k.Body.Counts != want || (k.Due > 0) != want {
			t.Errorf("the part of %s: %+v", k.Body.Unit, k)
		}
	}
	// A case of another unit that becomes known later has a part too.
	b.complete(t, "T4", "OTHER", "birth", "")
	b.once(t)
	if x := b.order(t, whole); len(x.Parts) != 3 || x.Parts[2].Body.Unit != "OTHER" || x.Parts[2].Due == 0 || len(b.opened(t)) != 1 {
		t.Errorf("got %+v", x.Parts)
	}
	// Answers about each case by itself leave it nothing to count for, also where two parts were never worked on.
	for _, p := range []string{"T1", "T3", "T4"} {
		b.answer(t, p, 4, 2)
	}
	b.once(t)
	for _, k := range b.order(t, whole).Parts {
		if k.Body.Counts || k.Body.State != Lapsed {
			t.Errorf("the part of %s: %+v", k.Body.Unit, k)
		}
	}
}

func checkAThemeOfManyUnits(t *testing.T, on engine) {
	b := on(t)
	const units = 60 // more than a page shows
	for i := range units {
		b.complete(t, fmt.Sprint("M", i), fmt.Sprint("UNIT", i), "birth", "")
	}
	whole := b.say(t, journal.Answer{Theme: "birth", Level: 1, Channel: rating.Voice})
	b.once(t)
	if x := b.order(t, whole); len(x.Parts) != units {
		t.Fatalf("%d units have %d parts", units, len(x.Parts))
	}
	// One unit's case is rated by itself; the parts of the others go on.
	b.answer(t, fmt.Sprint("M", units-1), 5, 2)
	b.once(t)
	for _, k := range b.order(t, whole).Parts {
		if want := k.Body.Unit != fmt.Sprint("UNIT", units-1); k.Body.Counts != want {
			t.Errorf("the part of %s counts: %v", k.Body.Unit, k.Body.Counts)
		}
	}
}

func checkTwoOfficersAtOneOrder(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "P", police, "", "")
	id := b.answer(t, "P", 1, 1)
	b.once(t)
	seen := b.order(t, id).Parts[0]
	var work sync.WaitGroup
	failed := make([]error, 2)
	for i := range failed {
		work.Go(func() {
			_, failed[i] = b.orders.Do(t.Context(), By{fmt.Sprint("a-", i), ""}, seen, Event{Do: Verify}, "已核实")
		})
	}
	work.Wait()
	won := slices.Index(failed, nil)
	if won < 0 || failed[1-won] != ErrMeanwhile {
		t.Fatalf("got %v", failed)
	}
	if _, err := b.orders.Do(t.Context(), By{"a-9", ""}, b.order(t, id).Parts[0], Event{Do: Pass}, ""); !strings.Contains(fmt.Sprint(err),
		"现在可以") {
		t.Errorf("what is not possible is refused with %v", err)
	}
	if all, err := b.orders.History(t.Context(), b.order(t, id).ID, WholeClues); err != nil || len(all) != 2 {
		t.Errorf("the history is %+v, %v", all, err)
	}
}

func checkTwoInstances(t *testing.T, on engine) {
	b := on(t)
	const many = 12
	for i := range many {
		b.complete(t, fmt.Sprint(i), police, "", "")
		b.answer(t, fmt.Sprint(i), 1, 1)
	}
	b.wait(t)
	b.pass(settled)
	var work sync.WaitGroup
	for i := range 3 {
		o := b.open(t, fmt.Sprint("instance ", i))
		work.Go(func() {
			for range 3 {
				// As one does that has lost its lease without knowing.
				some, err := b.books.Decisions(t.Context(), 0, 100)
				if err == nil {
					_, err = o.take(t.Context(), some, 0)
				}
				if err = errors.Join(err, o.Once(t.Context())); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	n := b.opened(t)
	for id, times := range n {
		if times != 1 {
			t.Errorf("%s has %d orders", id, times)
		}
	}
	all, err := b.orders.Due(t.Context(), Filter{Limit: 100})
	if len(n) != many || err != nil || len(all) != many {
		t.Errorf("%d orders were opened, %d are there, %v", len(n), len(all), err)
	}
}

// dump returns the tables as a backup has them.
func (b *bureau) dump(t fails) []string {
	t.Helper()
	var all []string
	if err := b.orders.Export(context.Background(), func(row []byte) error { all = append(all, string(row)); return nil }); err != nil {
		t.Fatalf("read the tables: %v", err)
	}
	slices.Sort(all)
	return all
}

func checkTheTablesAreMadeAnew(t *testing.T, on engine) {
	b := on(t)
	for i := range 4 {
		b.complete(t, fmt.Sprint(i), police, "", "")
	}
	first := b.answer(t, "0", 1, 8)
	second := b.answer(t, "1", 2, 8)
	b.answer(t, "2", 2, 8)
	b.once(t)
	b.do(t, first, Verify, Plan, Claim, Reject, Extend, Reply)
	b.do(t, second, Verify, Claim)
	b.answer(t, "2", 5, 1)
	b.once(t)
	before := b.dump(t)
	err := b.db.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "DELETE FROM rectify_part")
		return err
	})
	if err == nil {
		err = b.orders.Rebuild(t.Context(), By{"operator", ""}, "a part was lost", func(int64, int64) {})
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, b.dump(t)); diff != "" || len(before) < 15 {
		t.Errorf("made anew the tables differ (of %d rows):\n%s", len(before), diff)
	}
}

// Books that are made from nothing have another feed: nothing is opened twice, and nothing is missed.
func checkBooksMadeFromNothing(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "A", police, "", "")
	b.complete(t, "B", police, "", "")
	b.answer(t, "A", 1, 1)
	b.once(t)
	late := b.answer(t, "B", 1, 1)
	b.wait(t)
	b.stop()
	// the other feed had something else there
	if err := b.orders.remember(t.Context(), books.Decision{ID: 2, Pos: 1, Evaluation: 512}); err != nil {
		t.Fatal(err)
	}
	b.follow(t, "sqlite:"+filepath.Join(t.TempDir(), "other.db"))
	b.once(t)
	b.order(t, late)
	if n := b.opened(t); len(n) != 2 {
		t.Errorf("opened: %v", n)
	}
}

func checkWordsStandApart(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "P", police, "", "")
	id := b.answer(t, "P", 1, 1)
	b.once(t)
	k := b.order(t, id).Parts[0]
	for _, words := range []string{"", " ", "好", strings.Repeat("长", MostWords+1), "\xff\xff"} {
		var r *Refusal
		if _, err := b.orders.Do(t.Context(), By{"a-1", ""}, k, Event{Do: Verify}, words); !errors.As(err, &r) {
			t.Errorf("with the words %q: %v", words, err)
		}
	}
	k, err := b.orders.Do(t.Context(), By{"a-1", "s-1"}, k, Event{Do: Verify}, "窗口排队两小时")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.orders.Do(t.Context(), By{"a-2", ""}, k, Event{Do: Refer}, "涉嫌收受礼品"); err != nil {
		t.Fatal(err)
	}
	e, err := b.journal.Entry(t.Context(), k.Changed)
	if err != nil || strings.Contains(string(e.Parts[0]), "排队") || e.Source != "a-1" {
		t.Errorf("the row by %s is %s, %v", e.Source, e.Parts[0], err)
	}
	order := b.order(t, id).ID
	all, err := b.orders.History(t.Context(), order, NoClues)
	if err != nil || len(all) != 2 || all[1].Text != "窗口排队两小时" {
		t.Fatalf("without clues the history is %+v, %v", all, err)
	}
	if err := b.journal.Erase(t.Context(), k.Changed, 0, "operator", "asked for"); err != nil {
		t.Fatal(err)
	}
	all, err = b.orders.History(t.Context(), order, WholeClues)
	if err != nil || len(all) != 3 || all[1].Text != "" || !all[1].Erased || all[2].Text != "涉嫌收受礼品" {
		t.Errorf("the history is %+v, %v", all, err)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.journal.Seal(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if r, err := b.journal.Verify(t.Context(), key.Public().(ed25519.PublicKey), func(int64, int64) {}); err != nil || len(r.Problems) > 0 ||
		r.Sealed == 0 {
		t.Errorf("the journal has problems: %v, %v", r.Problems, err)
	}
}
