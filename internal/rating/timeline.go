package rating

import (
	"math"
	"time"
)

// Quality says how a moment's time is known.
type Quality string

// The qualities of a time.
const (
	TimeSet       Quality = "set"       // the clock said so, and had been set by the network
	TimeCorrected Quality = "corrected" // counted from a moment of the same start of the box whose time is known
	TimeEstimated Quality = "estimated" // only its bounds are known; Time is the later one
)

// Fix is what is known of when something happened, in milliseconds since 1970-01-01 UTC. The truth lies from Earliest to
// Latest.
type Fix struct {
	Quality                Quality
	Time, Earliest, Latest int64
}

// What is taken for true about clocks, in milliseconds.
const (
	// driftPerMillion is by how much a box's monotonic clock may run fast or slow: a cheap crystal in a warm case.
	driftPerMillion = 100
	// setSlack is how exact a clock that the network has set is taken to be.
	setSlack = 1000
	// aheadSlack is how far ahead of its receipt a record may lie before its clock is not believed.
	aheadSlack = 60_000
)

// regulationStart is when the regulation came into force; nothing was rated before.
func regulationStart() int64 { return time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() }

// Anchor is a moment of one start of the box whose time is known.
type Anchor struct{ Mono, Wall int64 }

// Span is one start of the box, by the records that it wrote. The zero Span is one without records.
type Span struct {
	Boot     uint32
	Anchors  []Anchor // by Mono; a new one only where the clock was set anew
	LastMono int64    // of the latest record, milliseconds since the start
	Ceiling  int64    // the start cannot have been later, since its records were received when they were; 0: not known
}

// Add notes a record, and when the centre received it, in milliseconds. It reports whether that can change the time of
// other records.
func (s *Span) Add(at Stamp, received int64) (changed bool) {
	s.Boot = at.Boot
	ceiling := received - at.Mono + drift(at.Mono)
	if s.Ceiling == 0 || ceiling < s.Ceiling-setSlack {
		s.Ceiling, changed = ceiling, true
	}
	if at.Mono > s.LastMono {
		s.LastMono = at.Mono // matters to later starts only
	}
	if !Believable(at, received) {
		return changed
	}
	if n, ok := s.nearest(at.Mono); ok {
		off := (at.Wall - at.Mono) - (n.Wall - n.Mono)
		if distance := abs(at.Mono - n.Mono); abs(off) <= setSlack+drift(distance) && distance < int64(time.Hour/time.Millisecond)*6 {
			return changed
		}
	}
	i := len(s.Anchors)
	for i > 0 && s.Anchors[i-1].Mono > at.Mono {
		i--
	}
	anchors := append([]Anchor(nil), s.Anchors[:i]...)
	s.Anchors = append(append(anchors, Anchor{at.Mono, at.Wall}), s.Anchors[i:]...)
	return true
}

// Believable reports whether the wall time of a record is one: set by the network, not before the regulation, and not after
// its receipt.
func Believable(at Stamp, received int64) bool {
	return at.Synced && at.Wall >= regulationStart() && at.Wall <= received+aheadSlack
}

// nearest returns the anchor that is nearest to a moment.
func (s *Span) nearest(mono int64) (best Anchor, ok bool) {
	for _, a := range s.Anchors {
		if !ok || abs(a.Mono-mono) < abs(best.Mono-mono) {
			best, ok = a, true
		}
	}
	return best, ok
}

// Origin bounds when a start of the box was, in milliseconds since 1970-01-01 UTC.
type Origin struct{ Earliest, Latest int64 }

// Origins bounds the starts of the box, given in the order in which they happened: each began after the last record of the
// one before. A start without a single known time is bounded by those around it, by how long it and they lasted, and by
// the receipt of its records.
func Origins(spans []Span) []Origin {
	all := make([]Origin, len(spans))
	low := regulationStart()
	for i, s := range spans {
		if o, ok := s.anchored(); ok {
			low = max(low, o.Earliest)
		}
		all[i].Earliest = low
		low += s.LastMono - drift(s.LastMono)
	}
	high := int64(math.MaxInt64)
	for i := len(spans) - 1; i >= 0; i-- {
		s := spans[i]
		if high != math.MaxInt64 {
			high -= s.LastMono - drift(s.LastMono)
		}
		if s.Ceiling != 0 {
			high = min(high, s.Ceiling)
		}
		if o, ok := s.anchored(); ok {
			high = min(high, o.Latest)
		}
		all[i].Latest = high
	}
	for i := range all { // clocks that contradict each other must not make bounds that hold nothing
		all[i].Latest = max(all[i].Latest, all[i].Earliest)
	}
	return all
}

// anchored bounds the start by its own anchors.
func (s *Span) anchored() (o Origin, ok bool) {
	for _, a := range s.Anchors {
		slack := setSlack + drift(a.Mono)
		first := Origin{a.Wall - a.Mono - slack, a.Wall - a.Mono + slack}
		if !ok {
			o, ok = first, true
		}
		o.Earliest, o.Latest = min(o.Earliest, first.Earliest), max(o.Latest, first.Latest)
	}
	return o, ok
}

// Fix returns what is known of when a record of this start was written. Received is when the centre got it.
func (s *Span) Fix(o Origin, at Stamp, received int64) Fix {
	if Believable(at, received) {
		return Fix{TimeSet, at.Wall, at.Wall - setSlack, at.Wall + setSlack}
	}
	if a, ok := s.nearest(at.Mono); ok {
		slack := setSlack + drift(abs(at.Mono-a.Mono))
		t := a.Wall + at.Mono - a.Mono
		return Fix{TimeCorrected, t, t - slack, t + slack}
	}
	f := Fix{Quality: TimeEstimated, Earliest: o.Earliest + at.Mono - drift(at.Mono), Latest: min(o.Latest+at.Mono+drift(at.Mono), received)}
	f.Latest = max(f.Latest, f.Earliest)
	// The earlier bound may lie years back, where nothing is known of the time before the start. The later one is the
	// receipt of the record that came through soonest, which is seconds after it was written while the box is online.
	f.Time = f.Latest
	return f
}

func drift(d int64) int64 { return d*driftPerMillion/1_000_000 + 1 }

func abs(n int64) int64 { return max(n, -n) }
