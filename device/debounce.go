package device

import (
	"math"
	"time"
)

// stuckAfter is how long a key may be down before it is taken for stuck.
const stuckAfter = 10 * time.Second

// reboundQuiets is for how many quiet times after a key was let go the same contact cannot press again. At the default of
// 20 ms it is 60 ms: a worn contact chatters for about 40, and a finger that taps as fast as it can stays off for longer.
const reboundQuiets = 3

// never is a moment that does not come.
const never = time.Duration(math.MaxInt64)

// debouncer finds presses in the edges of one contact. It is a value, and a pure function of the edges' own times: when
// somebody looks at it has no part in what it finds.
//
// A change counts once the contact has rested at the new level for the quiet time, and its moment is when that rest began; a
// contact that bounces never rests that long. The default of 20 ms is one period of the mains: what hums at 50 Hz lets go at
// least once in it, however lopsided the wave. A contact that has stayed long between its edges must rest for twice as long as
// that, at most for two quiet times: a closing of the hum that is told too long, or two without the opening between, is no press.
//
// A contact that closes again within three quiet times of having opened is the same press going on: Rebound. A contact
// that is down at the start has been held since before: it is no press until it was let go, though it can be stuck. The
// same holds for one of which edges were lost.
type debouncer struct {
	quiet    time.Duration
	level    bool          // what the contact last showed: down or not
	since    time.Duration // of its last edge
	longest  time.Duration // between two edges since its last rest
	stable   bool          // what has been found: down or not
	doubted  bool          // it counts for nothing until it rests
	blind    bool          // edges were lost, and none came since
	downAt   time.Duration // since when it has been down
	released bool          // it has been let go once, at upAt
	upAt     time.Duration
	stuck    bool
}

// change is what is found of a contact, zero if nothing.
type change struct {
	action Action
	at     time.Duration
}

// newDebouncer returns a debouncer for a contact that shows a level at the start.
func newDebouncer(quiet time.Duration, down bool, at time.Duration) debouncer {
	return debouncer{quiet: quiet, level: down, since: at, doubted: down, downAt: at}
}

// rest is how long the contact must not move until it is believed.
func (d debouncer) rest() time.Duration { return min(max(d.quiet, 2*d.longest), 2*d.quiet) }

// moved returns the debouncer after an edge that left the contact down or not. The level may be that of before: two edges
// that come close together are told as one.
func (d debouncer) moved(down bool, at time.Duration) debouncer {
	switch stayed := at - d.since; {
	case d.blind:
	case stayed >= d.rest():
		d.longest = 0
	default:
		d.longest = max(d.longest, stayed)
	}
	d.level, d.since, d.blind = down, at, false
	return d
}

// lost returns the debouncer after an edge behind which others are missing.
func (d debouncer) lost() debouncer {
	d.doubted, d.blind, d.longest = true, true, d.quiet
	return d
}

// pending reports whether the contact has moved and it is not known yet what that was.
func (d debouncer) pending() bool { return !d.blind && !d.doubted && d.level != d.stable }

// due is when the next thing is found if there is no edge until then.
func (d debouncer) due() time.Duration {
	switch {
	case d.blind:
		return never
	case d.doubted || d.level != d.stable:
		return d.since + d.rest()
	case d.stable && !d.stuck:
		return max(d.downAt+stuckAfter, d.since)
	}
	return never
}

// find returns the debouncer after its due moment, and what is found then.
func (d debouncer) find() (debouncer, change) {
	switch {
	case d.doubted && (d.level || !d.stable):
		if !d.stable {
			d.released, d.upAt, d.downAt = true, d.since, d.since
		}
		d.doubted, d.stable = false, d.level
		return d, change{}
	case d.level == d.stable:
		at := d.due()
		d.stuck = true
		return d, change{HeldStuck, at}
	case d.stable:
		d.stable, d.doubted, d.stuck = false, false, false
		d.released, d.upAt = true, d.since
		return d, change{Up, d.since}
	}
	d.stable = true
	if d.released && d.since-d.upAt < reboundQuiets*d.quiet {
		return d, change{Rebound, d.since} // downAt stays: a key that chatters on is stuck like one that is held
	}
	d.downAt = d.since
	return d, change{Down, d.since}
}
