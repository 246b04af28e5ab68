package rectify

import (
	"math/rand/v2"
	"testing"
	"time"
)

const dayMS = 24 * 3600_000

// dayOf returns the number of a moment's day in Asia/Shanghai, which has had no other time than UTC+8 since 1991.
func dayOf(ms int64) int64 { return (ms + 8*3600_000) / dayMS }

// almanac counts working days without the calendar.
type almanac struct {
	upTo map[int64]int // how many there are up to a day, that day among them
	days []int64
}

func newAlmanac(t testing.TB) almanac {
	t.Helper()
	a := almanac{upTo: make(map[int64]int)}
	for _, s := range worked(t) {
		a.days = append(a.days, dayOf(shanghai(t, s+" 12:00")))
	}
	n := 0
	for d := a.days[0]; d <= a.days[len(a.days)-1]; d++ {
		if n < len(a.days) && a.days[n] == d {
			n++
		}
		a.upTo[d] = n
	}
	return a
}

// end returns when n working days are over that are counted from the day after a moment.
func (a almanac) end(ms int64, n int) int64 {
	return (a.days[a.upTo[dayOf(ms)]+n-1]+1)*dayMS - 8*3600_000
}

// due returns when the next step of a part is too late, 0 if nothing is to be done.
func (a almanac) due(p Part) int64 {
	switch p.State {
	case Closed, NotAdopted, Lapsed:
		return 0
	case Waiting:
		if p.Reached == 0 {
			return a.end(p.From, 1)
		}
	case Replied, FollowingUp, Appealing:
		return a.end(p.Since, 5)
	}
	return a.end(p.From, p.Days)
}

// urgency says the same of what is due by the days between.
func (a almanac) urgency(due, now int64) Urgency {
	between := a.upTo[dayOf(now)] - a.upTo[dayOf(due-1)]
	switch {
	case now >= due && between > 1:
		return Escalated
	case now >= due:
		return Overdue
	case between == 0:
		return Soon
	}
	return Calm
}

// onward returns what is done next about a part, as it is mostly done.
func onward(p Part, random *rand.Rand) Deed {
	often := func(all ...Deed) Deed { return all[min(random.IntN(3*len(all)), len(all)-1)] }
	switch p.State {
	case Waiting:
		return often(Verify, Miss, Contact)
	case Contacted:
		return often(Claim, BeginAtOnce, Plan)
	case Limited:
		return often(Extend, Claim, Urge, Reply)
	case Reviewing:
		return often(Uphold, Reject)
	case Replied:
		return often(Return, Pass)
	case FollowingUp:
		return often(Unreached, Dissatisfied, Skip, Satisfied)
	case Appealing:
		return often(Grant, Dismiss)
	}
	return Reply
}

// year plays a year of orders, of which so many are opened: on each day each part that is open is done something about or nothing, and its
// clock is read. It returns how often that was, and how many were open at most.
func year(t testing.TB, orders int, check func(p Part, due, now int64, u Urgency)) (read, most int) {
	t.Helper()
	terms := terms(t)
	random := rand.New(rand.NewPCG(16, 2025))
	var open []Part
	began := shanghai(t, "2025-01-01 09:00")
	for day := range int64(365) {
		now := began + day*dayMS
		for range orders / 365 {
			at := now + random.Int64N(10*3600_000)
			open = append(open, Part{State: Waiting, Unit: "U1", Began: at, From: at, Since: at, Days: Days, Counts: true,
				Named: random.IntN(2) == 0})
		}
		now += 12 * 3600_000
		kept := open[:0]
		for _, p := range open {
			if random.IntN(3) > 0 {
				if next, err := Apply(p, Event{Do: onward(p, random), At: now, Days: Days + random.IntN(2)*Days}); err == nil {
					p = next
				}
			}
			due, ok := terms.Due(p)
			if !ok {
				continue
			}
			read++
			check(p, due.At.UnixMilli(), now, terms.Urgency(due.At, time.UnixMilli(now)))
			kept = append(kept, p)
		}
		open = kept
		most = max(most, len(open))
	}
	return read, most
}

// TestAYearOfClocks: on each day of a year each clock says what a recount says.
func TestAYearOfClocks(t *testing.T) {
	a := newAlmanac(t)
	seen := make(map[Urgency]int)
	read, _ := year(t, 3650, func(p Part, due, now int64, u Urgency) {
		seen[u]++
		if want := a.due(p); due != want {
			t.Fatalf("%+v is due %s, the recount says %s", p, time.UnixMilli(due).UTC(), time.UnixMilli(want).UTC())
		}
		if want := a.urgency(due, now); u != want {
			t.Fatalf("at %s what is due %s is %s, the recount says %s", time.UnixMilli(now).UTC(), time.UnixMilli(due).UTC(), u, want)
		}
	})
	for _, u := range []Urgency{Calm, Soon, Overdue, Escalated} {
		if seen[u] == 0 {
			t.Errorf("of %d clocks none is %s", read, u)
		}
	}
}

// BenchmarkAYearOfClocks advances the clocks of 100,000 orders through a year.
func BenchmarkAYearOfClocks(b *testing.B) {
	for b.Loop() {
		began := time.Now()
		read, most := year(b, 100_000, func(Part, int64, int64, Urgency) {})
		b.ReportMetric(time.Since(began).Seconds(), "s/year")
		b.ReportMetric(float64(read), "clocks/year")
		b.ReportMetric(float64(most), "open-at-most")
	}
}
