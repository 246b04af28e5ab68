package device

import (
	"maps"
	"slices"
	"time"
)

// taps tells how a press goes on with those before it, where it is known when a key is let go, whatever the source: each comes within two
// seconds of the last, and no other key between. What they are worth depends on the questions they belong to; after ten
// seconds they are a stuck key. It decides from the events' own times, which never decrease.
type taps struct{ keys map[Code]tap }

// tap is presses of one key of which each follows soon on the last.
type tap struct {
	source  string
	since   time.Duration // of the first
	last    time.Duration // when the key last moved
	pressed time.Duration // when it last was a press
	times   int           // that it went down
	down    bool
	stuck   bool // and has been reported
}

// silent reports whether a key has been up for so long that whatever comes now is a press of its own.
func (k tap) silent(at time.Duration) bool { return !k.down && at-k.last > regularWithin }

// goesOn reports whether a key that goes down now only goes on.
func (k tap) goesOn(at time.Duration) bool {
	return k.times > 0 && !k.silent(at) && (k.times > 1 || at-k.last <= sameWithin)
}

// repeats reports whether a key went down too often for its being let go to say anything.
func (k tap) repeats() bool { return k.times > 2 }

// lose says that the keypad cannot be read: a stuck key is reported anew if it goes on when the keypad is back.
func (t *taps) lose() {
	for c, k := range t.keys {
		k.down, k.stuck = false, false
		t.keys[c] = k
	}
}

// open says that the keypad is read from a moment on. A key that went up and down may have gone on meanwhile.
func (t *taps) open(at time.Duration) {
	for c, k := range t.keys {
		k.last = max(k.last, at)
		t.keys[c] = k
	}
}

// step returns what is to be told in place of an event.
func (t *taps) step(e Event) []Event {
	out := t.pass(e.At - 1)
	if t.keys == nil {
		t.keys = make(map[Code]tap)
	}
	k := t.keys[e.Code]
	before := k
	switch e.Action {
	case Down:
		k, e = t.pressed(k, e)
	case Rebound:
		k.down = true
	case Up:
		k.down, k.stuck = false, k.stuck && k.repeats()
	case HeldStuck: // also one that was down before anybody looked
		k.stuck, k.down = true, true
	}
	k.source, k.last = e.Source, max(k.last, e.At)
	t.keys[e.Code] = k
	if before.stuck && k.stuck { // it has been reported, and is let go once it was silent
		return out
	}
	return append(out, e)
}

// pressed takes a key that goes down, and returns what that means.
func (t *taps) pressed(k tap, e Event) (tap, Event) {
	other := t.pressedSince(e.Code, k.last)
	if !k.goesOn(e.At) || other && !k.repeats() {
		k = tap{since: e.At}
	}
	k.times, k.down = k.times+1, true
	switch {
	case k.stuck:
	case k.repeats() && e.At-k.since >= stuckAfter:
		k.stuck = true
		e.Action, e.Beside = HeldStuck, false
	case k.repeats() && other: // nobody can say which of the two is meant
		e.Beside = true
	case !k.repeats():
		k.pressed = e.At
	}
	e.Since, e.Times = k.since, k.times
	return k, e
}

// pressedSince reports whether another key was pressed after a moment.
func (t *taps) pressedSince(c Code, at time.Duration) bool {
	for other, k := range t.keys {
		if other != c && !k.stuck && k.pressed > at {
			return true
		}
	}
	return false
}

// pass returns what is certain once everything that happened up to a moment has been told: a stuck key that was silent is let go.
func (t *taps) pass(upTo time.Duration) (out []Event) {
	for _, c := range slices.Sorted(maps.Keys(t.keys)) {
		k := t.keys[c]
		if !k.silent(upTo) {
			continue
		}
		delete(t.keys, c)
		if k.stuck {
			out = append(out, Event{Source: k.source, Action: Up, Code: c, At: k.last + regularWithin})
		}
	}
	return out
}

// due returns when pass is to be asked next, false if nothing is waited for.
func (t *taps) due() (next time.Duration, waits bool) {
	for _, k := range t.keys {
		if at := k.last + regularWithin + 1; k.stuck && !k.down && (!waits || at < next) {
			next, waits = at, true
		}
	}
	return next, waits
}
