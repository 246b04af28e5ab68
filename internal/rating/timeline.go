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
	// behindSlack is how far a set clock may fall behind what was known before it is not believed: a time zone mistaken.
	behindSlack = 24 * 3600_000
)

const (
	// Horizon is how many starts of the box before and after one bound when that one was.
	Horizon = 64
	// MaxAnchors bounds the known moments of one start: the first half and the last of all that there were.
	MaxAnchors = 32
)

// regulationStart is when the regulation came into force; nothing was rated before, and no box was on.
func regulationStart() int64 { return time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() }

// Anchor is a moment of one start of the box whose time is known.
type Anchor struct{ Mono, Wall int64 }

// Span is one start of the box, by the records that it wrote. The zero Span is one without records.
type Span struct {
	Boot     uint32
	Anchors  []Anchor // by Mono, at most MaxAnchors; a new one only where the clock was set anew
	LastMono int64    // of the latest record, milliseconds since the start
	Ceiling  int64    // the start cannot have been later, since its records were received when they were; 0: not known
}

// Add notes a record, when the centre received it, in milliseconds, and whether its wall time is believed. It reports
// whether that can change the time of other records of this start or of earlier ones; a greater LastMono can change those
// of other starts only.
func (s *Span) Add(at Stamp, received int64, believed bool) (changed bool) {
	s.Boot = at.Boot
	ceiling := received - at.Mono + drift(at.Mono)
	if ceiling < regulationStart() {
		return false // a box that says so says nothing of when its other records were written
	}
	if s.Ceiling == 0 || ceiling < s.Ceiling-setSlack {
		s.Ceiling, changed = ceiling, true
	}
	s.LastMono = max(s.LastMono, at.Mono)
	if !believed {
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
	if len(s.Anchors) > MaxAnchors {
		s.Anchors = append(s.Anchors[:MaxAnchors/2], s.Anchors[MaxAnchors/2+1:]...)
	}
	return true
}

// Believable reports whether the wall time of a record is one: set by the network, not before the regulation or the floor,
// and not after its receipt.
func Believable(at Stamp, received, floor int64) bool {
	return at.Synced && at.Wall >= max(floor, regulationStart()) && at.Wall <= received+aheadSlack
}

// Floor returns the earliest wall time that is believed of a record: not long before its box was enrolled, in milliseconds,
// and not long before what the box's own earlier records allow, unless they say that it was written after its receipt. O is that of
// its start, zero if nothing is known of it.
func Floor(enrolled, received int64, o Origin, at Stamp) int64 {
	chain := o.Earliest + at.Mono - drift(at.Mono)
	if chain > received+aheadSlack {
		chain = 0
	}
	return max(enrolled, chain) - behindSlack
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
// the receipt of its records; by Horizon starts on each side, so that what a start says reaches no further. Where those before it are
// said to have lasted until after its own records were received, they bound nothing.
func Origins(spans []Span) []Origin { return OriginsOf(spans, 0, len(spans)) }

// OriginsOf returns the bounds of the starts from first to before last. Of the others it needs Horizon on each side.
func OriginsOf(spans []Span, first, last int) []Origin {
	own, known := make([]Origin, len(spans)), make([]bool, len(spans))
	for i := max(0, first-Horizon); i < min(len(spans), last+Horizon); i++ {
		own[i], known[i] = spans[i].anchored()
	}
	all := make([]Origin, 0, last-first)
	for i := first; i < last; i++ {
		o := Origin{Earliest: regulationStart(), Latest: math.MaxInt64}
		for j := max(0, i-Horizon); j <= i; j++ {
			if known[j] {
				o.Earliest = max(o.Earliest, own[j].Earliest)
			}
			if j < i {
				o.Earliest += spans[j].Least()
			}
		}
		if c := spans[i].Ceiling; c != 0 && o.Earliest > c+aheadSlack+setSlack {
			o.Earliest = regulationStart()
			if known[i] {
				o.Earliest = max(o.Earliest, min(own[i].Earliest, c))
			}
		}
		for j := min(len(spans)-1, i+Horizon); j >= i; j-- {
			if o.Latest != math.MaxInt64 {
				o.Latest -= spans[j].Least()
			}
			if c := spans[j].Ceiling; c != 0 {
				o.Latest = min(o.Latest, c)
			}
			if known[j] {
				o.Latest = min(o.Latest, own[j].Latest)
			}
		}
		o.Latest = max(o.Latest, o.Earliest) // clocks that contradict each other must not make bounds that hold nothing
		all = append(all, o)
	}
	return all
}

// Least returns how long the start lasted at least.
func (s *Span) Least() int64 { return s.LastMono - drift(s.LastMono) }

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

// Fix returns what is known of when a record of this start was written. Enrolled is when its box first was, 0 where that is not known,
// received when the centre got it, and believed whether its wall time is. Whatever the box says, Time is not long before the one and not
// after the other. Earliest may be before the enrolment: what is in doubt is the citizen's.
func (s *Span) Fix(o Origin, at Stamp, enrolled, received int64, believed bool) Fix {
	if believed {
		return Fix{TimeSet, at.Wall, at.Wall - setSlack, at.Wall + setSlack}
	}
	least := max(regulationStart(), min(enrolled-behindSlack, received))
	if a, ok := s.nearest(at.Mono); ok {
		slack := setSlack + drift(abs(at.Mono-a.Mono))
		if t := a.Wall + at.Mono - a.Mono; t >= least && t <= received+aheadSlack+slack {
			return Fix{TimeCorrected, t, t - slack, t + slack}
		}
	}
	f := Fix{Quality: TimeEstimated, Earliest: o.Earliest + at.Mono - drift(at.Mono), Latest: received}
	if f.Earliest > received+aheadSlack+setSlack {
		f.Earliest = regulationStart()
	}
	if o.Latest != math.MaxInt64 && o.Latest+at.Mono+drift(at.Mono) >= least {
		f.Latest = min(f.Latest, o.Latest+at.Mono+drift(at.Mono))
	}
	f.Latest = max(f.Latest, f.Earliest)
	// The earlier bound may lie years back, where nothing is known of the time before the start. The later one is the
	// receipt of the record that came through soonest, which is seconds after it was written while the box is online.
	f.Time = f.Latest
	return f
}

func drift(d int64) int64 { return d*driftPerMillion/1_000_000 + 1 }

func abs(n int64) int64 { return max(n, -n) }
