package rating

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// happened is a record as a simulated box wrote it, and the truth about it.
type happened struct {
	truth, received int64
	at              Stamp
}

// history draws a box's life: starts with pauses between them, clocks that are not set, set, or wrong by years, crystals
// that run fast or slow, and records that arrive at once or weeks later.
func history(t *rapid.T) []happened {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).UnixMilli()
	var all []happened
	for boot := range uint32(rapid.IntRange(1, 6).Draw(t, "starts")) {
		now += rapid.Int64Range(1000, 40*24*3600_000).Draw(t, "off for")
		start := now
		rate := 1 + float64(rapid.IntRange(-90, 90).Draw(t, "drift"))/1_000_000
		offset := rapid.SampledFrom([]int64{-now, 3 * 365 * 24 * 3600_000, -5000, 0}).Draw(t, "clock off by")
		synced := rapid.IntRange(0, 3).Draw(t, "begins synchronised") == 0
		for range rapid.IntRange(1, 6).Draw(t, "records") {
			now += rapid.Int64Range(0, 3*24*3600_000).Draw(t, "passes")
			if rapid.IntRange(0, 5).Draw(t, "set") == 0 {
				synced = true
			}
			wall := now + offset
			if synced {
				wall = now + rapid.Int64Range(-400, 400).Draw(t, "error")
			}
			all = append(all, happened{truth: now, at: Stamp{Boot: boot + 1, Mono: int64(float64(now-start) * rate), Wall: wall, Synced: synced}})
		}
		// A monotonic clock counts from the start; the truth of it is what the bounds must hold.
	}
	arrival := now + rapid.Int64Range(0, 20*24*3600_000).Draw(t, "offline")
	for i := range all {
		all[i].received = all[i].truth + rapid.Int64Range(0, 5000).Draw(t, "delay")
		if rapid.Bool().Draw(t, "late") {
			all[i].received = arrival
		}
	}
	return all
}

func spansOf(all []happened) (spans []Span) {
	for _, h := range all {
		if len(spans) == 0 || spans[len(spans)-1].Boot != h.at.Boot {
			spans = append(spans, Span{})
		}
		spans[len(spans)-1].Add(h.at, h.received, Believable(h.at, h.received, 0))
	}
	return spans
}

// TestTheTruthIsWithinBounds: whatever the clocks said, what happened lies within the bounds, and what was counted from a
// known moment is off by no more than the crystal.
func TestTheTruthIsWithinBounds(t *testing.T) {
	seen := make(map[Quality]int)
	rapid.Check(t, func(t *rapid.T) {
		all := history(t)
		spans := spansOf(all)
		origins := Origins(spans)
		i := 0
		for _, h := range all {
			if spans[i].Boot != h.at.Boot {
				i++
			}
			f := spans[i].Fix(origins[i], h.at, 0, h.received, Believable(h.at, h.received, Floor(0, h.received, origins[i], h.at)))
			seen[f.Quality]++
			if h.truth < f.Earliest || h.truth > f.Latest || f.Time < f.Earliest || f.Time > f.Latest {
				t.Fatalf("%+v happened at %d; the fix is %+v of origin %+v and span %+v", h.at, h.truth, f, origins[i], spans[i])
			}
			if f.Quality == TimeSet && abs(f.Time-h.truth) > setSlack {
				t.Fatalf("%+v happened at %d; the fix is %+v", h.at, h.truth, f)
			}
		}
	})
	for _, q := range []Quality{TimeSet, TimeCorrected, TimeEstimated} {
		if seen[q] == 0 {
			t.Errorf("no time was ever %s; the test proves nothing", q)
		}
	}
}

// TestThreeStartsWithoutAClock: three starts without a known time between two that have one.
func TestThreeStartsWithoutAClock(t *testing.T) {
	const hour = int64(time.Hour / time.Millisecond)
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	late := noon + 100*hour
	all := []happened{
		{received: late, at: Stamp{Boot: 1, Mono: hour, Wall: noon, Synced: true}},
		{received: late, at: Stamp{Boot: 2, Mono: 2 * hour}},
		{received: late, at: Stamp{Boot: 3, Mono: 3 * hour, Wall: noon + 1e12}},
		{received: late, at: Stamp{Boot: 4, Mono: hour}},
		{received: late, at: Stamp{Boot: 5, Mono: hour, Wall: noon + 10*hour, Synced: true}},
	}
	spans := spansOf(all)
	origins := Origins(spans)
	f := spans[2].Fix(origins[2], all[2].at, 0, late, false)
	// It began at the earliest two hours after noon and ended an hour before nine hours after noon.
	if d := abs(f.Earliest - (noon + 5*hour)); f.Quality != TimeEstimated || d > 10_000 {
		t.Errorf("earliest is off by %d ms: %+v", d, f)
	}
	if d := abs(f.Latest - (noon + 8*hour)); d > 10_000 {
		t.Errorf("latest is off by %d ms: %+v", d, f)
	}
}

// TestAClockThatSteps: the nearest known moment counts.
func TestAClockThatSteps(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	var s Span
	received := noon + 7_200_000
	for _, a := range []Stamp{{Boot: 1, Mono: 1000, Wall: noon + 3_600_000, Synced: true},
		{Boot: 1, Mono: 100_000, Wall: noon, Synced: true}} {
		if !s.Add(a, received, true) {
			t.Errorf("%+v changes nothing", a)
		}
	}
	if s.Add(Stamp{Boot: 1, Mono: 110_000, Wall: noon + 10_000, Synced: true}, received+10_000, true) {
		t.Error("a clock that goes on as it was is called a change")
	}
	f := s.Fix(Origins([]Span{s})[0], Stamp{Boot: 1, Mono: 90_000, Wall: 5}, 0, received, false)
	if f.Quality != TimeCorrected || f.Time != noon-10_000 {
		t.Errorf("%+v", f)
	}
	for _, lie := range []Stamp{{Boot: 1, Mono: 1, Wall: received + aheadSlack + 1, Synced: true}, {Boot: 1, Mono: 1, Wall: 5, Synced: true}} {
		if Believable(lie, received, 0) {
			t.Errorf("%+v is believed", lie)
		}
	}
}

// TestAClockBehindWhatIsKnown: a set clock is not believed long before the box was enrolled, or before its own earlier starts.
func TestAClockBehindWhatIsKnown(t *testing.T) {
	const day = 24 * 3600_000
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	known := []Span{{Boot: 1}, {Boot: 2}}
	known[0].Add(Stamp{Boot: 1, Mono: 10 * day, Wall: noon, Synced: true}, noon, true)
	origins := Origins(known)
	for name, c := range map[string]struct {
		origin   Origin
		enrolled int64
		wall     int64
		want     bool
	}{
		"nothing is known":         {Origin{}, 0, noon - 1000*day, true},
		"before the regulation":    {Origin{}, 0, 5, false},
		"before it was enrolled":   {Origin{}, noon, noon - 2*day, false},
		"a time zone before that":  {Origin{}, noon, noon - day/3, true},
		"before its earlier start": {origins[1], 0, noon - 2*day, false},
		"a step back":              {origins[1], 0, noon - day/3, true},
		"after that":               {origins[1], 0, noon + day, true},
	} {
		at := Stamp{Boot: 2, Mono: 1000, Wall: c.wall, Synced: true}
		if got := Believable(at, noon+2*day, Floor(c.enrolled, noon+2*day, c.origin, at)); got != c.want {
			t.Errorf("%s: believed %t, want %t", name, got, c.want)
		}
	}
}

// TestAStartReachesToTheHorizon: bounds that are worked out anew only as far as a change can reach are those of all starts.
func TestAStartReachesToTheHorizon(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spans := make([]Span, rapid.IntRange(1, 3*Horizon).Draw(t, "starts"))
		noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
		origins := Origins(spans)
		for range rapid.IntRange(1, 20).Draw(t, "records") {
			i := rapid.IntRange(0, len(spans)-1).Draw(t, "start")
			at := Stamp{Boot: uint32(i) + 1, Mono: rapid.Int64Range(0, 1e8).Draw(t, "mono"),
				Wall: noon + rapid.Int64Range(-1e10, 1e10).Draw(t, "wall")}
			spans[i].Add(at, noon+rapid.Int64Range(0, 1e10).Draw(t, "received"), rapid.Bool().Draw(t, "believed"))
			first, last := max(0, i-Horizon), min(len(spans), i+Horizon+1)
			from, to := max(0, first-Horizon), min(len(spans), last+Horizon)
			copy(origins[first:last], OriginsOf(spans[from:to], first-from, last-from))
			if want := Origins(spans); !slices.Equal(want, origins) {
				t.Fatalf("after a record of start %d: %+v, want %+v", i, origins, want)
			}
		}
	})
}

// TestAnchorsAreBounded: a start of years, or a clock that is set again and again, keeps the first moments and the last.
func TestAnchorsAreBounded(t *testing.T) {
	var s Span
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	const n = 1000
	for i := range int64(n) {
		at := Stamp{Boot: 1, Mono: i * 7 * 3600_000, Wall: noon + i*7*3600_000, Synced: true}
		s.Add(at, at.Wall, true)
	}
	if len(s.Anchors) != MaxAnchors || s.Anchors[0].Wall != noon || s.Anchors[MaxAnchors-1].Mono != (n-1)*7*3600_000 {
		t.Errorf("%d anchors, from %+v to %+v", len(s.Anchors), s.Anchors[0], s.Anchors[len(s.Anchors)-1])
	}
}

// TestNoTimeIsOutsideWhatTheCentreKnows: whatever a box says of how long it has been on, in this record or in others, what it records lies
// not long before its enrolment, and not after its receipt.
func TestNoTimeIsOutsideWhatTheCentreKnows(t *testing.T) {
	const year = 365 * 24 * 3600_000
	received := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	enrolled := received - 30*24*3600_000
	var claims = []int64{0, 1000, 24 * 3600_000, year, 4 * year, 6 * year, 300 * year, maxSafeInt}
	rapid.Check(t, func(t *rapid.T) {
		spans := make([]Span, rapid.IntRange(1, 4).Draw(t, "starts"))
		var all []happened
		for range rapid.IntRange(1, 8).Draw(t, "records") {
			h := happened{received: received + rapid.Int64Range(0, 3600_000).Draw(t, "later"), at: Stamp{
				Boot: uint32(rapid.IntRange(1, len(spans)).Draw(t, "boot")), Mono: rapid.SampledFrom(claims).Draw(t, "mono"),
				Wall:   received + rapid.SampledFrom([]int64{-maxSafeInt - received, -year, 0, 1000, 4 * year}).Draw(t, "wall"),
				Synced: rapid.Bool().Draw(t, "synced")}}
			s := &spans[h.at.Boot-1]
			s.Add(h.at, h.received, Believable(h.at, h.received, Floor(enrolled, h.received, Origin{}, h.at)))
			all = append(all, h)
		}
		for _, h := range all {
			i := h.at.Boot - 1
			o := Origins(spans)[i]
			f := spans[i].Fix(o, h.at, enrolled, h.received, Believable(h.at, h.received, Floor(enrolled, h.received, o, h.at)))
			const slack = aheadSlack + 2*setSlack
			if f.Earliest > f.Time || f.Time > f.Latest || f.Latest > h.received+slack+f.Latest-f.Time || f.Time > h.received+slack ||
				f.Time < enrolled-behindSlack {
				t.Fatalf("%+v, received at %d of a box enrolled at %d, is fixed at %+v", h.at, h.received, enrolled, f)
			}
		}
	})
}

// TestOneLieAboutALongStart: a start that is said to have lasted for ever, or for years, takes nothing away from a clock that was set.
func TestOneLieAboutALongStart(t *testing.T) {
	const year = 365 * 24 * 3600_000
	received := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	for _, lasted := range []int64{maxSafeInt, 6 * year, 5 * year, 3 * year} {
		spans := []Span{{}, {}, {}}
		spans[0].Add(Stamp{Boot: 1, Mono: lasted}, received, false)
		spans[1].Add(Stamp{Boot: 2, Mono: lasted}, received, false)
		for i, mono := range []int64{1000, 2000} {
			at := Stamp{Boot: 3, Mono: mono, Wall: received + mono - 3000, Synced: true}
			o := Origins(spans)[2]
			believed := Believable(at, received, Floor(received-10*24*3600_000, received, o, at))
			if !believed {
				t.Errorf("after starts of %d ms, the set clock of record %d is not believed: origin %+v", lasted, i, o)
			}
			spans[2].Add(at, received, believed)
		}
	}
}
