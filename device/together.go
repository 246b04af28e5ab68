package device

import "time"

// togetherWithin is how close to each other two keys must go down for nobody to be able to say which was meant. Two fingers
// that mean to press at once are at most some 30 ms apart; one finger needs 80 ms and more from key to key.
const togetherWithin = 40 * time.Millisecond

// together holds each press back until it is known whether another key went down close to it. It decides from the presses'
// own times, so that a late program decides as a punctual one. The zero value holds nothing. It has no time of its own.
type together struct{ held []heldEvent }

// heldEvent is an event and when it is decided.
type heldEvent struct {
	Event
	until time.Duration
}

// add takes an event in the order in which they were noticed. A press waits for its neighbours; all else waits for what came
// before it.
func (t *together) add(e Event) { t.addUntil(e, e.At+togetherWithin) }

// addUntil is add for a press that is not to be decided before a moment.
func (t *together) addUntil(e Event, until time.Duration) {
	if e.Action != Down {
		until = e.At
	} else if t.near(e.Code, e.At) {
		e.Beside = true
	}
	t.held = append(t.held, heldEvent{e, until})
}

// near marks the presses of other keys around a moment as beside another, and reports whether there are any.
func (t *together) near(c Code, at time.Duration) bool {
	found := false
	for i := range t.held {
		if e := &t.held[i]; e.Action == Down && e.Code != c && max(e.At-at, at-e.At) <= togetherWithin {
			e.Beside, found = true, true
		}
	}
	return found
}

// withdraw takes back the press of a key that is still held.
func (t *together) withdraw(c Code) {
	kept := t.held[:0]
	for _, e := range t.held {
		if e.Action != Down || e.Code != c {
			kept = append(kept, e)
		}
	}
	t.held = kept
}

// pass returns the events that are decided, in their order, once everything that happened up to a moment has been added.
func (t *together) pass(upTo time.Duration) []Event {
	var out []Event
	for len(t.held) > 0 && t.held[0].until < upTo {
		out = append(out, t.held[0].Event)
		t.held = t.held[1:]
	}
	return out
}

// told returns up to when every event has been passed on, once pass was asked with a moment.
func (t *together) told(upTo time.Duration) time.Duration {
	if len(t.held) > 0 {
		return min(upTo, t.held[0].At-1)
	}
	return upTo
}

// due returns when pass is to be asked next, false if nothing is held.
func (t *together) due() (time.Duration, bool) {
	if len(t.held) == 0 {
		return 0, false
	}
	return t.held[0].until + 1, true
}
