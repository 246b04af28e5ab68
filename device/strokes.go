package device

import (
	"maps"
	"slices"
	"strings"
	"time"

	"haochaping/device/keypad"
)

// What a line that knows no release can tell of a press is when its code comes. docs/keys.md says why each figure is what it is.
const (
	// sameWithin is how long after its last coming a code is still the same press.
	sameWithin = 2 * time.Second
	// regularWithin is the same from the third coming on: a keypad that repeats every two seconds does so with jitter. It is
	// also the silence after which a stuck key has been let go.
	regularWithin = 2500 * time.Millisecond
	// tellEvery is how often it is told at most that a code goes on: sooner than a question that came between can be read.
	tellEvery = 100 * time.Millisecond
)

// strokes decides what is a press on a line that knows no release. It decides from the times at which codes came, and has no
// input, output or time of its own.
type strokes struct {
	doubt  time.Duration // for how long after the opening a code may be that of a key that is held; 0 if nobody asks
	five   []Code        // that mean something; all if empty
	opened time.Duration // nobody knows what came before
	keys   map[Code]stroke
	held   together
}

// stroke is what is known of a code that came.
type stroke struct {
	pressed time.Duration // when the press that goes on began
	came    time.Duration // when it came last
	last    time.Duration // the same, or when it may have come among what could not be read
	since   time.Duration // from when on it has come regularly
	times   int           // that it has
	counts  bool          // its press was, or is held to be, told
	doubted bool          // it may have been down since before the line was opened
	stuck   bool          // and has been reported
	told    time.Duration // when it was told last that it goes on, 0 if it was not
}

// open says that the line is read from a moment on. A key that was down may have gone on meanwhile.
func (s *strokes) open(at time.Duration) {
	if s.keys == nil {
		s.keys = make(map[Code]stroke)
	}
	s.opened = at
	for c, k := range s.keys {
		s.keys[c] = k.maybe(at)
	}
}

// lose says that the line cannot be read any more: what is not decided is no press, and a stuck key is reported anew if it
// goes on when the line is back.
func (s *strokes) lose() {
	s.held = together{}
	for c, k := range s.keys {
		k.stuck, k.doubted = false, false
		s.keys[c] = k
	}
}

// read takes a frame.
func (s *strokes) read(r keypad.Read, at time.Duration) {
	if r.Kind == keypad.Key {
		s.came(Code(r.Code), at)
	}
}

// noise takes a frame that came among noise: it is no press, and what goes on with it is none.
func (s *strokes) noise(r keypad.Read, at time.Duration) {
	c := Code(r.Code)
	if _, ok := s.keys[c]; !ok && r.Kind == keypad.Key {
		s.keys[c] = stroke{pressed: at, came: at, last: at, since: at, times: 1}
	}
}

// spoilt says that something came that cannot be read: it may have been any key that goes on. A line that is never clean ends no
// more than that.
func (s *strokes) spoilt(at time.Duration) {
	for c, k := range s.keys {
		if at-k.last <= regularWithin && at-k.came <= stuckAfter {
			s.keys[c] = k.maybe(at)
		}
	}
}

// maybe returns what is known of a code that may have come.
func (k stroke) maybe(at time.Duration) stroke {
	k.last = at
	k.times++
	return k
}

// means reports whether a code is a key's.
func (s *strokes) means(c Code) bool { return len(s.five) == 0 || slices.Contains(s.five, c) }

// goesOn reports whether a code that comes now belongs to the press before.
func (k stroke) goesOn(at time.Duration) bool {
	gap := at - k.last
	return gap <= sameWithin || (k.times >= 2 || k.doubted) && gap <= regularWithin
}

// came says that a code came. The times of successive calls never decrease.
func (s *strokes) came(c Code, at time.Duration) {
	k, known := s.keys[c]
	if known && k.goesOn(at) {
		s.keys[c] = s.again(c, k, at)
		return
	}
	for other, o := range s.keys {
		if other != c && strings.HasSuffix(string(c), string(other)) { // its line, with noise before it
			s.keys[other] = o.maybe(at)
		}
	}
	regular := known && at-k.last <= regularWithin
	if !regular {
		k = stroke{since: at}
	}
	k.pressed, k.came, k.last, k.counts = at, at, at, true
	k.times++
	k.doubted = s.doubt > 0 && at-s.opened <= s.doubt
	s.keys[c] = k
	e := Event{Source: sourceSerial, Action: Down, Code: c, At: at, Beside: s.beside(c, at)}
	if k.doubted {
		s.held.addUntil(e, at+max(s.doubt, togetherWithin))
	} else {
		s.held.add(e)
	}
}

// again goes on with a press.
func (s *strokes) again(c Code, k stroke, at time.Duration) stroke {
	between := s.pressedSince(c, k.came)
	k.came, k.last = at, at
	k.times++
	if k.doubted {
		k.doubted, k.counts = false, false
		s.held.withdraw(c)
	}
	switch {
	case k.stuck:
		return k // it does not get in the way of the others
	case at-k.since >= stuckAfter:
		k.stuck = true
		s.held.add(Event{Source: sourceSerial, Action: HeldStuck, Code: c, At: at})
		return k
	}
	s.held.near(c, at)
	if between { // both are down: nobody can say which is meant
		s.held.add(Event{Source: sourceSerial, Action: Down, Code: c, At: at, Beside: true})
	}
	if k.told == 0 || at-k.told >= tellEvery {
		k.told = at
		s.held.add(Event{Source: sourceSerial, Action: GoesOn, Code: c, At: at})
	}
	return k
}

// beside reports whether another key that is not stuck came close before a moment.
func (s *strokes) beside(c Code, at time.Duration) bool {
	for other, k := range s.keys {
		if other != c && !k.stuck && at-k.came <= togetherWithin {
			return true
		}
	}
	return false
}

// pressedSince reports whether another key's press began after a moment. What means nothing may be a heartbeat or a release.
func (s *strokes) pressedSince(c Code, at time.Duration) bool {
	for other, k := range s.keys {
		if other != c && k.counts && !k.stuck && k.pressed > at && s.means(other) {
			return true
		}
	}
	return false
}

// pass returns what is decided once everything that came up to a moment has been told.
func (s *strokes) pass(upTo time.Duration) []Event {
	for _, c := range slices.Sorted(maps.Keys(s.keys)) {
		k := s.keys[c]
		if upTo-k.last <= regularWithin {
			continue
		}
		if k.stuck {
			s.held.add(Event{Source: sourceSerial, Action: Up, Code: c, At: k.last + regularWithin})
		}
		delete(s.keys, c)
	}
	return s.held.pass(upTo)
}

// due returns when pass is to be asked next, false if nothing is waited for.
func (s *strokes) due() (time.Duration, bool) {
	next, waits := s.held.due()
	for _, k := range s.keys {
		if at := k.last + regularWithin + 1; k.stuck && (!waits || at < next) {
			next, waits = at, true
		}
	}
	return next, waits
}
