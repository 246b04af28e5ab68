package books

import (
	"testing"
	"time"

	"haochaping/internal/rating"
)

// stamped appends a press with the given stamp.
func stamped(t *testing.T, c *chain, v rating.VisitID, at rating.Stamp) {
	t.Helper()
	c.append(t, rating.EvaluationBody(at, rating.Evaluation{Visit: v, Subject: rating.StaffSubject, Level: 3, Channel: rating.Keypad}))
}

// byVisit returns the evaluations in the books by their visits.
func (w *world) byVisit(t *testing.T) map[rating.VisitID]Entry {
	out := make(map[rating.VisitID]Entry)
	for _, e := range w.since(t) {
		out[e.Visit] = e
	}
	return out
}

// checkTimesAreCorrectedLater: a box starts in 1970 and rates, starts again, is offline, and is told the time at last. What
// comes later corrects what is in the books.
func checkTimesAreCorrectedLater(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		const hour = int64(time.Hour / time.Millisecond)
		now := noon().UnixMilli()
		stamped(t, c, 1, rating.Stamp{Boot: 1, Mono: hour, Wall: hour})            // 1970
		stamped(t, c, 2, rating.Stamp{Boot: 2, Mono: hour, Wall: now + 9999*hour}) // years ahead
		stamped(t, c, 3, rating.Stamp{Boot: 3, Mono: hour, Wall: 5})               // the same start as what follows
		c.append(t, rating.EventBody(rating.Stamp{Boot: 3, Mono: 3 * hour, Wall: now, Synced: true}, rating.EventClock))
		stamped(t, c, 4, rating.Stamp{Boot: 3, Mono: 4 * hour, Wall: now + hour, Synced: true})
		w.now = noon().Add(5 * time.Hour)
		for i := 1; i <= 5; i++ { // one by one, so that each is placed before the next is known
			w.enter(t, c.batch(i, i, 0))
			if i == 3 {
				if f := w.byVisit(t)[3]; f.Quality != rating.TimeEstimated || f.Latest.After(w.now) {
					t.Errorf("before the clock was set: %+v", f)
				}
			}
		}
		got := w.byVisit(t)
		if f := got[3]; f.Quality != rating.TimeCorrected || f.At.Sub(noon().Add(-2*time.Hour)).Abs() > time.Second {
			t.Errorf("the same start: %s %s", f.Quality, f.At)
		}
		if f := got[4]; f.Quality != rating.TimeSet || !f.At.Equal(noon().Add(time.Hour)) {
			t.Errorf("a clock that is set: %s %s", f.Quality, f.At)
		}
		for v, most := range map[rating.VisitID]time.Time{1: noon().Add(-4 * time.Hour), 2: noon().Add(-3 * time.Hour)} {
			if f := got[v]; f.Quality != rating.TimeEstimated || f.Latest.Sub(most).Abs() > 10*time.Second || f.Earliest.Year() != 2021 {
				t.Errorf("visit %d: %s, from %s to %s, want the latter to be %s", v, f.Quality, f.Earliest, f.Latest, most)
			}
		}
	})
}

// checkAPhoneAgainstACorrectedPress: which came first is decided anew when the time of the press is known.
func checkAPhoneAgainstACorrectedPress(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		stamped(t, c, 1, rating.Stamp{Boot: 1, Mono: 1000, Wall: 7})
		c.append(t, rating.EventBody(rating.Stamp{Boot: 1, Mono: 61_000, Wall: noon().UnixMilli(), Synced: true}, rating.EventClock))
		w.rate(t, "s", noon().Add(-30*time.Second), byPhone(1, 5))
		w.now = noon().Add(time.Hour)
		w.enter(t, c.batch(1, 1, 0))
		for _, e := range w.since(t) {
			if want := map[rating.Channel]rating.Standing{rating.Phone: rating.Counted,
				rating.Keypad: rating.Later}[e.Channel]; e.Status != want {
				t.Errorf("before the clock is set, by %s at %s: %s, want %s", e.Channel, e.At, e.Status, want)
			}
		}
		w.enter(t, c.batch(2, 2, 0))
		for _, e := range w.since(t) {
			if want := map[rating.Channel]rating.Standing{rating.Keypad: rating.Counted,
				rating.Phone: rating.Later}[e.Channel]; e.Status != want {
				t.Errorf("by %s at %s: %s, want %s", e.Channel, e.At, e.Status, want)
			}
		}
		if got := w.kinds(t); len(got) != 1 || got[0] != string(Displaced) {
			t.Errorf("findings %v", got)
		}
	})
}

// checkALieAboutALongStart: a box, or a fault of it, says that a start has lasted for years or for ever. That dates none of its
// evaluations after their receipt, nor before the box was enrolled, and none displaces what another box has.
func checkALieAboutALongStart(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		const year = 365 * 24 * int64(time.Hour/time.Millisecond)
		for name, c := range map[string]struct {
			lasted int64 // milliseconds
			boot   uint32
		}{"for ever, the same start": {1<<53 - 1, 2}, "for ever, an earlier one": {1<<53 - 1, 1},
			"for years, the same start": {5 * year, 2}, "for years, an earlier one": {5 * year, 1}, "since 2021 and a half": {11 * year / 2, 1}} {
			w := open(t)
			enrolled := noon().Add(-30 * 24 * time.Hour)
			for _, d := range []rating.DeviceID{"ft-02", "ft-09"} {
				w.enrol(t, d, enrolled)
			}
			victim, liar := chainOf("ft-02", 2), chainOf("ft-09", 9)
			victim.append(t, rating.VisitBody(at(0), ofCases(1, rating.Single, false, "a")), keyed(1000, 1, ""))
			w.enter(t, victim.all())
			w.now = w.now.Add(time.Hour)
			stamp := func(mono int64) rating.Stamp { return rating.Stamp{Boot: 2, Mono: mono, Wall: 5} }
			set := rating.Stamp{Boot: 3, Mono: 1000, Wall: w.now.UnixMilli(), Synced: true}
			answer := rating.Evaluation{Visit: 9, Subject: rating.MatterSubject, Level: 1, Channel: rating.Keypad}
			liar.append(t, rating.EventBody(rating.Stamp{Boot: 1, Mono: 1}, rating.EventStarted),
				rating.EventBody(rating.Stamp{Boot: c.boot, Mono: c.lasted}, rating.EventStopped),
				rating.VisitBody(stamp(1000), ofCases(9, rating.Single, false, "a")), rating.EvaluationBody(stamp(2000), answer))
			stamped(t, liar, 10, set)
			w.enter(t, liar.all())
			for _, e := range w.since(t) {
				if e.At.After(w.now.Add(2*time.Minute)) || e.At.Before(enrolled.Add(-24*time.Hour)) || e.Earliest.After(e.At) || e.Latest.Before(e.At) {
					t.Errorf("%s: an evaluation of %s is dated %s, from %s to %s", name, e.Device, e.At, e.Earliest, e.Latest)
				}
				if want := e.Device == "ft-02" || e.Visit == 10; (e.Status == rating.Counted) != want {
					t.Errorf("%s: the evaluation of %s at %s is %s", name, e.Device, e.At, e.Status)
				}
				if e.Visit == 10 && e.Quality != rating.TimeSet {
					t.Errorf("%s: the time of a clock that was set is %s", name, e.Quality)
				}
			}
		}
	})
}
