package device

import (
	"maps"
	"slices"
	"time"

	"haochaping/device/evdev"
)

// usbKey is one key that is or was down.
type usbKey struct {
	down    bool
	ignored bool // until it is let go: it was down at the start, or it chatters
	stuck   bool // and has been reported
	at      time.Duration
}

// usbKeys turns the kernel's events into ours. It is a state machine without input, output or time of its own.
type usbKeys struct {
	chatter time.Duration
	keys    map[uint16]usbKey
	dropped bool // the kernel lost events; void until the next report
}

// newUSBKeys returns the state in which some keys are down already.
func newUSBKeys(chatter time.Duration, held []uint16, at time.Duration) *usbKeys {
	k := &usbKeys{chatter: chatter, keys: make(map[uint16]usbKey)}
	for _, c := range held {
		if evdev.IsModifier(c) {
			continue
		}
		k.keys[c] = usbKey{down: true, ignored: true, at: at}
	}
	return k
}

// step takes an event that was read at some time. It reports whether the keys that are down must be asked for.
func (k *usbKeys) step(e evdev.Event, at time.Duration, emit func(Event)) (resync bool) {
	switch {
	case e.Type == evdev.TypeSync && e.Code == evdev.SyncDropped:
		k.dropped = true
	case e.Type == evdev.TypeSync && e.Code == evdev.SyncReport && k.dropped:
		k.dropped = false
		return true
	case e.Type != evdev.TypeKey || k.dropped || evdev.IsModifier(e.Code):
	case e.Value == evdev.KeyDown:
		k.press(e.Code, at, emit)
	case e.Value == evdev.KeyUp:
		k.release(e.Code, at, emit)
	}
	return false
}

func (k *usbKeys) press(code uint16, at time.Duration, emit func(Event)) {
	key, known := k.keys[code]
	if key.down {
		return
	}
	k.keys[code] = usbKey{down: true, ignored: known && at-key.at < k.chatter, at: at}
	if !k.keys[code].ignored {
		emit(usbEvent(Down, code, at))
	}
}

func (k *usbKeys) release(code uint16, at time.Duration, emit func(Event)) {
	key := k.keys[code]
	if !key.down {
		return
	}
	k.keys[code] = usbKey{at: at}
	if !key.ignored || key.stuck {
		emit(usbEvent(Up, code, at))
	}
}

// resync compares what is known with what the kernel says is down, after it lost events. A key that went down meanwhile is
// ignored until it is let go: nobody knows when, or in which order with others.
func (k *usbKeys) resync(held []uint16, at time.Duration, emit func(Event)) {
	for _, code := range slices.Sorted(maps.Keys(k.keys)) {
		if k.keys[code].down && !slices.Contains(held, code) {
			k.release(code, at, emit)
		}
	}
	for _, code := range held {
		if !k.keys[code].down && !evdev.IsModifier(code) {
			k.keys[code] = usbKey{down: true, ignored: true, at: at}
		}
	}
}

// overdue reports keys that have been down for too long, and returns the moment at which to look again.
func (k *usbKeys) overdue(now time.Duration, emit func(Event)) time.Duration {
	next := now + time.Hour
	for _, code := range slices.Sorted(maps.Keys(k.keys)) {
		key := k.keys[code]
		if !key.down || key.stuck {
			continue
		}
		if due := key.at + stuckAfter; due > now {
			next = min(next, due)
			continue
		}
		key.stuck = true
		k.keys[code] = key
		emit(usbEvent(HeldStuck, code, now))
	}
	return next
}

func usbEvent(a Action, code uint16, at time.Duration) Event {
	return Event{Source: sourceUSB, Action: a, Code: Code(evdev.KeyName(code)), At: at}
}
