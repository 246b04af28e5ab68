package device

import (
	"maps"
	"slices"
	"time"

	"haochaping/device/keypad"
)

// holds decides what is a press on a line whose keypad says when a key is let go: a key is down until then, however often it is
// sent meanwhile. It decides from the times at which codes came, and has no input, output or time of its own.
type holds struct {
	doubt  time.Duration // for how long after the opening a code may be that of a key that is held; 0 if nobody asks
	opened time.Duration // nobody knows what was down before
	keys   map[Code]hold
	ended  map[Code]hold // keys that were let go, each as it was when that came
	held   together
	taps   taps // a stuck key may be let go at each repeat by its keypad's word
}

// bounce is how soon after it was let go a key that comes again is the same press: its contact is not at rest yet.
const bounce = 30 * time.Millisecond

// hold is a key that is down.
type hold struct {
	since   time.Duration
	came    time.Duration // when it was sent last
	last    time.Duration // the same, or when it may have been sent among what could not be read
	doubted bool          // it may have been down since before the line was opened
	silent  bool          // it may be down, since it was when the line was lost or came among noise, and nothing has come of it since
	stuck   bool          // and has been reported
}

// open says that the line is read from a moment on. A key that went up and down may have gone on meanwhile.
func (h *holds) open(at time.Duration) {
	keys := make(map[Code]hold)
	for c := range h.keys {
		keys[c] = hold{since: at, came: at, last: at, silent: true}
	}
	h.keys, h.ended, h.opened = keys, make(map[Code]hold), at
	h.taps.open(at)
}

// lose says that the line cannot be read any more: what is not decided is no press.
func (h *holds) lose() {
	h.held = together{}
	h.taps.lose()
}

// read takes a frame. The times of successive calls never decrease.
func (h *holds) read(r keypad.Read, at time.Duration) {
	switch {
	case r.Kind == keypad.Key:
		h.down(Code(r.Code), at)
	case r.Kind == keypad.Release && r.Code == "":
		for _, c := range slices.Sorted(maps.Keys(h.keys)) {
			h.up(c, at)
		}
	case r.Kind == keypad.Release:
		h.up(Code(r.Code), at)
	}
}

func (h *holds) down(c Code, at time.Duration) {
	k, known := h.keys[c]
	switch {
	case known && at-k.last <= regularWithin: // it is held
		if k.doubted {
			k.doubted = false
			h.held.withdraw(c)
		}
		k.came, k.last, k.silent = at, at, false
		h.keys[c] = k
		return
	case known: // that it was let go is lost: a key that is held is silent, or repeats sooner
		h.up(c, at)
		delete(h.ended, c)
	}
	if k, known = h.ended[c]; known && at-k.last <= bounce {
		k.came, k.last = at, at
		h.keys[c] = k
		h.held.add(Event{Source: sourceSerial, Action: Rebound, Code: c, At: at})
		return
	}
	k = hold{since: at, came: at, last: at, doubted: h.doubt > 0 && at-h.opened <= h.doubt}
	h.keys[c] = k
	until := at + togetherWithin
	if k.doubted {
		until = at + max(h.doubt, togetherWithin)
	}
	h.held.addUntil(Event{Source: sourceSerial, Action: Down, Code: c, At: at, Lasts: true}, until)
}

func (h *holds) up(c Code, at time.Duration) {
	if k, known := h.keys[c]; known {
		delete(h.keys, c)
		k.last = at
		h.ended[c] = k
		h.held.add(Event{Source: sourceSerial, Action: Up, Code: c, At: at})
	}
}

// noise takes a frame that came among noise: it is no press, and what goes on with it is none.
func (h *holds) noise(r keypad.Read, at time.Duration) {
	c := Code(r.Code)
	if _, known := h.keys[c]; !known && r.Kind == keypad.Key {
		h.keys[c] = hold{since: at, came: at, last: at, silent: true}
	}
}

// spoilt says that something came that cannot be read: it may have been any key that is down. A line that is never clean ends no more
// than that.
func (h *holds) spoilt(at time.Duration) {
	for c, k := range h.keys {
		if at-k.last <= regularWithin && at-k.came <= stuckAfter {
			k.last = at
			h.keys[c] = k
		}
	}
}

// pass returns what is decided once everything that came up to a moment has been told.
func (h *holds) pass(upTo time.Duration) []Event {
	for _, c := range slices.Sorted(maps.Keys(h.keys)) {
		switch k := h.keys[c]; {
		case k.silent && upTo-k.last > regularWithin: // it was let go meanwhile
			delete(h.keys, c)
		case !k.silent && !k.stuck && upTo-k.since > stuckAfter:
			k.stuck = true
			h.keys[c] = k
			h.held.add(Event{Source: sourceSerial, Action: HeldStuck, Code: c, At: k.since + stuckAfter})
		}
	}
	var out []Event
	for _, e := range h.held.pass(upTo) {
		out = append(out, h.taps.step(e)...)
	}
	return append(out, h.taps.pass(h.held.told(upTo))...)
}

// due returns when pass is to be asked next, false if nothing is waited for.
func (h *holds) due() (time.Duration, bool) {
	next, waits := h.held.due()
	if !waits {
		next, waits = h.taps.due()
	}
	for _, k := range h.keys {
		if at := k.since + stuckAfter + 1; !k.stuck && !k.silent && (!waits || at < next) {
			next, waits = at, true
		}
	}
	return next, waits
}
