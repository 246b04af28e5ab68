package rectify

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
)

// checkOneOrderForEachThatCounts plays histories at random: cases and themes that become known in any order, answers that arrive late,
// units and offices at work, instances that follow twice. Of each bad rating that counts there is one order with a part and a clock for
// each of its units, and of no other anything that is open.
func checkOneOrderForEachThatCounts(t *testing.T, on engine) {
	b, run := on(t), 0
	simulation.Check(t, func(t *rapid.T) {
		run++
		w := wander{b: b, t: t, run: run, known: make(map[int]bool)}
		for range rapid.IntRange(5, 25).Draw(t, "steps") {
			w.step()
		}
		b.once(t)
		w.check()
	})
}

// wander is one history.
type wander struct {
	b       *bureau
	t       *rapid.T
	run     int
	known   map[int]bool
	answers []int64
	orders  []int64 // of complaints
}

const ofCases = 4

func (w *wander) theme() string { return fmt.Sprintf("theme-%d", w.run) }

func (w *wander) project(n int) string { return fmt.Sprintf("%d-%d", w.run, n) }

func (w *wander) step() {
	t, b := w.t, w.b
	switch rapid.IntRange(0, 7).Draw(t, "step") {
	case 0, 1:
		n := rapid.IntRange(0, ofCases-1).Draw(t, "case")
		if w.known[n] {
			return
		}
		w.known[n] = true
		unit := rapid.SampledFrom([]string{police, office, "", "UNKNOWN"}).Draw(t, "unit")
		theme := rapid.SampledFrom([]string{"", w.theme(), w.theme()}).Draw(t, "theme")
		b.complete(t, w.project(n), unit, theme, rapid.SampledFrom([]string{"", "13800000001"}).Draw(t, "contact"))
	case 2, 3:
		level := rating.Level(rapid.SampledFrom([]int{1, 2, 2, 3, 5}).Draw(t, "level"))
		n, minute := rapid.IntRange(0, ofCases-1).Draw(t, "case"), rapid.IntRange(0, 50).Draw(t, "minute")
		w.answers = append(w.answers, b.answer(t, w.project(n), level, minute))
	case 4:
		w.answers = append(w.answers, b.say(t, journal.Answer{Theme: w.theme(), Level: rating.Level(rapid.IntRange(1, 3).Draw(t, "level")),
			Channel: rating.Voice}))
	case 5:
		b.once(t)
	case 6:
		w.work()
	case 7:
		w.complain()
	}
}

// complain enters a complaint, perhaps once more under a name that there is.
func (w *wander) complain() {
	t := w.t
	c := complained()
	c.Retaliation = rapid.Bool().Draw(t, "retaliation")
	c.Contact = rapid.SampledFrom([]string{"", c.Contact}).Draw(t, "contact")
	x, fresh, err := w.b.orders.Complain(context.Background(), clerk(), fmt.Sprintf("%d-%d", w.run, rapid.IntRange(0, 3).Draw(t, "complaint")),
		c)
	if err != nil || fresh == slices.Contains(w.orders, x.ID) {
		t.Fatalf("a complaint: order %d, new %t, %v", x.ID, fresh, err)
	}
	if fresh {
		w.orders = append(w.orders, x.ID)
	}
}

// some returns an order that there is.
func (w *wander) some() (Order, error) {
	n := rapid.IntRange(0, len(w.answers)+len(w.orders)-1).Draw(w.t, "order")
	if n < len(w.answers) {
		return w.b.orders.Of(context.Background(), w.answers[n])
	}
	return w.b.orders.Order(context.Background(), w.orders[n-len(w.answers)])
}

// work has somebody do something that is possible about a part.
func (w *wander) work() {
	t, b := w.t, w.b
	if len(w.answers)+len(w.orders) == 0 {
		return
	}
	x, err := w.some()
	if errors.Is(err, ErrNoOrder) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	k := rapid.SampledFrom(x.Parts).Draw(t, "part")
	may := k.Body.Next()
	if len(may) == 0 {
		return
	}
	e := Event{Do: rapid.SampledFrom(may).Draw(t, "deed").Do, Days: MostDays, Unit: rapid.SampledFrom([]string{police, office}).Draw(t, "to")}
	e = choosing(e)
	if sides := k.Body.Sides(); e.Do == Appeal {
		e.Side = rapid.SampledFrom(sides).Draw(t, "side")
	}
	var r *Refusal
	if _, err := b.orders.Do(context.Background(), By{"a-1", ""}, k, e, "已处理"); err != nil && !errors.As(err, &r) {
		t.Fatalf("%s: %v", e.Do, err)
	}
	b.pass(time.Minute)
}

func (w *wander) check() {
	t, b := w.t, w.b
	for _, id := range w.orders {
		x, err := b.orders.Order(context.Background(), id)
		if err != nil || len(x.Parts) != 1 || !x.Parts[0].Body.Counts {
			t.Fatalf("the order %d on a complaint: %+v, %v", id, x, err)
		}
		w.clock(x.Parts[0])
	}
	opened := b.opened(t)
	for _, id := range w.answers {
		d, found, err := b.books.Evaluation(context.Background(), id)
		if err != nil || !found {
			t.Fatalf("evaluation %d: %t, %v", id, found, err)
		}
		units := make(map[string]bool)
		for _, c := range d.Contests {
			if c.Standing == rating.Counted {
				unit := ""
				if c.File != nil {
					unit = c.File.Unit
				}
				units[unit] = true
			}
		}
		counts := d.Level.Bad() && len(units) > 0
		x, err := b.orders.Of(context.Background(), id)
		if err != nil && !errors.Is(err, ErrNoOrder) {
			t.Fatal(err)
		}
		if n := opened[fmt.Sprintf(`{"evaluation":%d`, id)]; n > 1 || n == 0 == (err == nil) || counts && n != 1 || !d.Level.Bad() && n != 0 {
			t.Fatalf("evaluation %d of level %d, which counts for %v, has %d orders, %v", id, d.Level, units, n, err)
		}
		counted := 0
		for _, k := range x.Parts {
			if k.Body.Counts {
				counted++
			}
			if k.Body.State.Open() && k.Body.State != Appealing && !k.Body.Counts {
				t.Fatalf("the part of %s is %s, and its rating does not count", k.Body.Unit, k.Body.State)
			}
			w.clock(k)
			if k.Body.State == Lapsed && k.Body.Counts {
				t.Fatalf("the part of %s has lapsed, and its rating counts", k.Body.Unit)
			}
		}
		if counts && counted != len(units) || !counts && counted != 0 {
			t.Fatalf("evaluation %d counts for %v, and %d parts of its order count: %+v", id, units, counted, x.Parts)
		}
	}
}

// clock checks that a part that is open has a clock, which is right, and that no other has.
func (w *wander) clock(k Kept) {
	due, open := w.b.terms.Due(k.Body)
	if open != k.Body.State.Open() || open && due.At.UnixMilli() != k.Due || !open && k.Due != 0 {
		w.t.Fatalf("%+v: its clock is %v, %t", k, due, open)
	}
}

func checkWhatIsDueFirst(t *testing.T, on engine) {
	b := on(t)
	var ids []int64
	for i, unit := range []string{police, office, police} {
		b.complete(t, fmt.Sprint(i), unit, "", "")
		ids = append(ids, b.answer(t, fmt.Sprint(i), 1, 1))
		b.once(t)
		b.pass(48 * time.Hour)
	}
	b.do(t, ids[0], Verify, Plan) // it has more time from here on
	var got []int64
	for after := (Place{}); ; {
		some, err := b.orders.Due(t.Context(), Filter{After: after, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			break
		}
		got, after = append(got, some[0].About.Evaluation), some[0].Place()
	}
	if len(got) != 3 || got[0] != ids[1] {
		t.Errorf("due are %v of %v", got, ids)
	}
	if own, err := b.orders.Due(t.Context(), Filter{Units: []string{police}, Limit: 10}); err != nil || len(own) != 2 {
		t.Errorf("of the one unit: %+v, %v", own, err)
	}
}

func checkWhatCameBeforeOpensNone(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "P", police, "", "")
	id := b.answer(t, "P", 1, 1)
	b.wait(t)
	some, err := b.books.Decisions(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	b.pass(settled)
	if n, err := b.orders.take(t.Context(), some, time.Now().Add(time.Hour).UnixMilli()); err != nil || n != len(some) {
		t.Fatalf("%d of %d decisions, %v", n, len(some), err)
	}
	b.none(t, id)
}

// A notice of the State Council that becomes known moves what is due.
func checkACalendarThatBecomesKnown(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "P", police, "", "")
	id := b.answer(t, "P", 1, 1)
	b.once(t)
	before := b.do(t, id, Verify, Plan)
	tomorrow := time.Now().AddDate(0, 0, 1)
	off := rating.Notice{Year: tomorrow.In(rating.Shanghai()).Year(), Source: "a test's"}
	for d := tomorrow; d.Before(tomorrow.AddDate(0, 0, 20)); d = d.AddDate(0, 0, 1) {
		if d := d.In(rating.Shanghai()); d.Year() == off.Year && d.Weekday() != time.Saturday && d.Weekday() != time.Sunday {
			off.Off = append(off.Off, d.Format("2006-01-02"))
		}
	}
	c, err := rating.NewCalendar(off)
	if err != nil {
		t.Fatal(err)
	}
	b.terms.Calendar = c
	if done, err := b.open(t, "later").Redue(t.Context()); err != nil || done {
		t.Fatalf("an instance without the lease worked out what is due: %v", err)
	}
	o := b.open(t, "here")
	if done, err := o.Redue(t.Context()); err != nil || !done {
		t.Fatal(done, err)
	}
	if after := b.order(t, id).Parts[0]; after.Due <= before.Due && len(off.Off) > 2 {
		t.Errorf("it was due %d, and is %d with %d more days off", before.Due, after.Due, len(off.Off))
	}
}

func checkABackupHasTheOrders(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "P", police, "", "")
	id := b.answer(t, "P", 1, 1)
	b.once(t)
	b.do(t, id, Verify, Plan)
	kept := b.dump(t)
	j, _, _ := journaltest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "restored.db"))
	o, err := Open(t.Context(), Config{Journal: j, Terms: b.terms, Now: b.now})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range kept {
		if err := o.Import(t.Context(), []byte(row)); err != nil {
			t.Fatal(err)
		}
	}
	x, err := o.Of(t.Context(), id)
	if err != nil || len(x.Parts) != 1 || x.Parts[0].Body.State != Limited || x.Parts[0].Due == 0 {
		t.Errorf("restored: %+v, %v", x, err)
	}
}

func checkMovedToAUnitThatThereIs(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "P", police, "", "")
	id := b.answer(t, "P", 1, 1)
	b.once(t)
	k := b.order(t, id).Parts[0]
	var r *Refusal
	if _, err := b.orders.Do(t.Context(), By{"a-1", ""}, k, Event{Do: Move, Unit: "NOBODY"}, "不属本单位"); !errors.As(err, &r) {
		t.Errorf("moved to nobody: %v", err)
	}
	moved, err := b.orders.Do(t.Context(), By{"a-1", ""}, k, Event{Do: Move, Unit: office}, "不属本单位")
	if err != nil || moved.Body.Unit != office || moved.Body.Area == "" || moved.Body.From != k.Body.From || moved.Due != k.Due {
		t.Errorf("moved: %+v, %v", moved, err)
	}
	if _, err := b.orders.Do(t.Context(), By{"a-2", ""}, moved, Event{Do: Move, Unit: police}, "退回"); !errors.As(err, &r) {
		t.Errorf("moved back: %v", err)
	}
	settled, err := b.orders.Do(t.Context(), By{"a-3", ""}, moved, Event{Do: Assign, Unit: police}, "属公安业务")
	if err != nil || settled.Body.Unit != police || settled.Due != k.Due {
		t.Errorf("assigned by the office: %+v, %v", settled, err)
	}
	// What a deed does not ask for is not kept.
	if _, err := b.orders.Do(t.Context(), By{"a-3", ""}, settled, Event{Do: Verify, Days: 9, Unit: strings.Repeat("x", 1<<16), Area: "x"},
		"已核实"); err != nil {
		t.Fatal(err)
	}
	history, err := b.orders.History(t.Context(), settled.Order, NoClues)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range history {
		if s.Do == Verify && (s.Event.Days != 0 || s.Event.Unit != "" || s.Event.Area != "") {
			t.Errorf("kept with the verification: %d days, a unit of %d bytes, area %q", s.Event.Days, len(s.Event.Unit), s.Event.Area)
		}
	}
	// Of a unit that nobody knew it is no settlement.
	b.complete(t, "Q", "", "", "")
	of := b.answer(t, "Q", 1, 1)
	b.once(t)
	given, err := b.orders.Do(t.Context(), By{"a-3", ""}, b.order(t, of).Parts[0], Event{Do: Assign, Unit: office}, "窗口无评价器")
	if err == nil {
		given, err = b.orders.Do(t.Context(), By{"a-2", ""}, given, Event{Do: Move, Unit: police}, "不属本单位")
	}
	if err != nil || given.Body.Unit != police {
		t.Errorf("given to a unit, and moved on: %+v, %v", given, err)
	}
}

func checkAnExtensionIsAskedForInTime(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "P", police, "", "")
	id := b.answer(t, "P", 1, 1)
	b.once(t)
	k := b.do(t, id, Verify, Plan)
	b.pass(time.UnixMilli(k.Due).Sub(b.now()))
	var r *Refusal
	if _, err := b.orders.Do(t.Context(), By{"a-1", ""}, k, Event{Do: Extend, Days: 10}, "材料待核"); !errors.As(err, &r) {
		t.Errorf("extended after its time: %v", err)
	}
}

func checkNobodyDoesWhatTheBooksDecided(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "P", police, "", "")
	id := b.answer(t, "P", 1, 1)
	b.once(t)
	for _, do := range []Deed{Lapse, Count, "open", "part", ""} {
		var r *Refusal
		if _, err := b.orders.Do(t.Context(), By{"a-1", ""}, b.order(t, id).Parts[0], Event{Do: do, Days: 5}, "已处理"); !errors.As(err, &r) {
			t.Errorf("%q: %v", do, err)
		}
	}
}
