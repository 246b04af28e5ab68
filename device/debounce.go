package device

import "time"

// stuckAfter is how long a key may be down before it is taken for stuck.
const stuckAfter = 10 * time.Second

// debouncer finds presses in the samples of one contact. It is a value; step is a pure function.
//
// A change counts once the contact has shown the new level without interruption for the quiet time, and its moment is
// when that began; a contact that bounces or hums never shows it that long. A contact that is down at the first sample
// has been held since before the program started: it is no press until it was let go, though it can be stuck.
type debouncer struct {
	quiet   time.Duration
	started bool
	level   bool          // what the contact last showed
	since   time.Duration // since when
	stable  bool          // what has been reported: down or not
	downAt  time.Duration // since when it has been down
	stuck   bool
}

// change is what a step finds, zero if nothing.
type change struct {
	action Action
	at     time.Duration
}

// step takes a sample and returns the debouncer after it, what was found, and when the next sample is due at the latest
// though nothing changes (0: whenever something changes).
func (d debouncer) step(down bool, at time.Duration) (debouncer, change, time.Duration) {
	if !d.started {
		d.started, d.level, d.since, d.stable, d.downAt = true, down, at, down, at
	}
	if down != d.level {
		d.level, d.since = down, at
	}
	var found change
	if d.level != d.stable && at-d.since >= d.quiet {
		d.stable = d.level
		found = change{Up, d.since}
		if d.stable {
			d.downAt = d.since
			found.action = Down
		}
		d.stuck = false
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
