package device

import "time"

// stuckAfter is how long a key may be down before it is taken for stuck.
const stuckAfter = 10 * time.Second

// reboundQuiets is for how many quiet times after a key was let go the same contact cannot press again. At the default of
// 20 ms it is 60 ms: a worn contact chatters for about 40, and a finger that taps as fast as it can stays off for longer.
const reboundQuiets = 3

// debouncer finds presses in the samples of one contact. It is a value; step is a pure function.
//
// A change counts once the contact has shown the new level without interruption for the quiet time, and its moment is
// when that began; a contact that bounces never shows it that long. The default of 20 ms is one period of the mains: what
// hums at 50 Hz lets go at least once in it, however lopsided the wave. Taking the first 5 ms for a press would answer
// 15 ms sooner and count a half-wave of hum as an evaluation; 20 of the 100 ms that a press may take until it is seen on
// the screen are a good price for not doing that.
//
// A contact that closes again within three quiet times of having opened is the same press going on: Rebound. A contact
// that is down at the first sample has been held since before the program started: it is no press until it was let go,
// though it can be stuck.
type debouncer struct {
	quiet    time.Duration
	started  bool
	moved    bool          // it has changed at least once
	level    bool          // what the contact last showed
	since    time.Duration // since when
	stable   bool          // what has been reported: down or not
	downAt   time.Duration // since when it has been down
	released bool          // it has been let go once, at upAt
	upAt     time.Duration
	stuck    bool
}

// change is what a step finds, zero if nothing.
type change struct {
	action Action
	at     time.Duration
}

// closing reports whether the contact has been down within the last quiet time and it is not yet known whether that is a
// press.
func (d debouncer) closing(at time.Duration) bool {
	return !d.stable && (d.level || d.moved && at-d.since < d.quiet)
}

// step takes a sample, and whether the contact has moved since the last one though it may be back, and returns the
// debouncer after it, what was found, and when the next sample is due at the latest though nothing changes (0: whenever
// something changes). A machine that is late would else see a contact at rest that hums between its samples.
func (d debouncer) step(down, edge bool, at time.Duration) (debouncer, change, time.Duration) {
	if !d.started {
		d.started, d.level, d.since, d.stable, d.downAt = true, down, at, down, at
	}
	if down != d.level || edge {
		d.moved, d.level, d.since = true, down, at
	}
	var found change
	if d.level != d.stable && at-d.since >= d.quiet {
		d.stable = d.level
		switch {
		case !d.stable:
			found = change{Up, d.since}
			d.released, d.upAt, d.stuck = true, d.since, false
		case d.released && d.since-d.upAt < reboundQuiets*d.quiet:
			found = change{Rebound, d.since} // downAt stays: a key that chatters on is stuck like one that is held
		default:
			found = change{Down, d.since}
			d.downAt = d.since
		}
	}
	if found.action == 0 && d.stable && d.level && !d.stuck && at-d.downAt >= stuckAfter {
		d.stuck = true
		found = change{HeldStuck, at}
	}
	switch {
	case d.level != d.stable:
		return d, found, d.since + d.quiet
	case d.stable && !d.stuck:
		return d, found, d.downAt + stuckAfter
	}
	return d, found, 0
}
