package wiring

import (
	"slices"
	"time"
)

// State is what holds a line.
type State uint8

// The states.
const (
	Unsteady State = iota // it does not stay as it is for long enough
	Floating              // nothing: it follows the pull
	Low
	High
)

// Kind says what was found.
type Kind uint8

// The kinds.
const (
	Press    Kind = iota + 1 // one line went away from its rest and came back
	Together                 // several lines were away at once
	ByItself                 // a line moves though nobody presses, and is looked at no more
	Stuck                    // a line stays away, and is looked at no more
)

// Found is what was found of lines.
type Found struct {
	Kind  Kind
	Lines []int
	Rest  State // of a press: what held the line before and after it
	Down  State // of a press: what held it meanwhile
}

const (
	// settles is how long a line must stay as it is to be believed. It is more than the two looks by which a state is known.
	settles = 40 * time.Millisecond
	// hums is for how long a line may not settle until it is said to move by itself.
	hums = time.Second
	// stuckAfter is how long a line may be away from its rest.
	stuckAfter = 10 * time.Second
)

// line is what is known of one.
type line struct {
	level   [2]bool // under the pull downward and upward
	seen    [2]bool
	now     State // by the last two looks
	since   time.Duration
	settled State // what was believed last
	unrest  time.Duration
	rest    State // how it was when nobody pressed; Unsteady until that is known
	away    time.Duration
	ignored bool
}

// Watcher finds presses in what lines show. It is not safe for concurrent use.
type Watcher struct {
	lines   []line
	resting bool  // what lines are at rest is known
	away    []int // lines away from their rest
	met     []int // lines that were away since all were at rest last
	down    State // of the first of these
}

// NewWatcher returns a Watcher of so many lines, which nobody presses until Rested is called.
func NewWatcher(lines int) *Watcher { return &Watcher{lines: make([]line, lines)} }

// Rested says that up to now nobody has pressed: how the lines are is their rest.
func (w *Watcher) Rested(at time.Duration) (all []Found) {
	w.resting = true
	for i := range w.lines {
		l := &w.lines[i]
		if l.settled == Unsteady || l.now != l.settled {
			all = append(all, w.ignore(i, ByItself)...)
		}
		l.rest, l.unrest = l.settled, at
	}
	return all
}

// Usable is how many lines are looked at.
func (w *Watcher) Usable() (n int) {
	for _, l := range w.lines {
		if !l.ignored {
			n++
		}
	}
	return n
}

// Look takes which lines are high under a pull, and returns what was found by that.
func (w *Watcher) Look(pulledUp bool, high []bool, at time.Duration) (all []Found) {
	which := 0
	if pulledUp {
		which = 1
	}
	for i := range w.lines {
		l := &w.lines[i]
		if l.ignored {
			continue
		}
		l.level[which], l.seen[which] = high[i], true
		if s := l.state(); s != l.now {
			l.now, l.since = s, at
		}
		all = append(all, w.settle(i, at)...)
	}
	return all
}

// state is what two looks say.
func (l *line) state() State {
	switch down, up := l.level[0], l.level[1]; {
	case !l.seen[0] || !l.seen[1] || down && !up:
		return Unsteady
	case down == up && up:
		return High
	case down == up:
		return Low
	}
	return Floating
}

// settle believes a line that has stayed as it is, and says what follows.
func (w *Watcher) settle(i int, at time.Duration) []Found {
	l := &w.lines[i]
	switch steady := l.now != Unsteady && at-l.since >= settles; {
	case steady && l.now != l.settled:
		before := l.settled
		l.settled, l.unrest = l.now, at
		return w.moved(i, before, at)
	case steady:
		l.unrest = at
		if slices.Contains(w.away, i) && at-l.away > stuckAfter {
			return append(w.ignore(i, Stuck), w.ended()...)
		}
	case w.resting && at-l.unrest > hums:
		return append(w.ignore(i, ByItself), w.ended()...)
	}
	return nil
}

// moved takes that a line has settled elsewhere.
func (w *Watcher) moved(i int, before State, at time.Duration) []Found {
	l := &w.lines[i]
	switch away := slices.Contains(w.away, i); {
	case !w.resting && before != Unsteady:
		return w.ignore(i, ByItself)
	case !w.resting || away && l.settled != l.rest:
		return nil
	case away:
		w.away = slices.DeleteFunc(w.away, func(j int) bool { return j == i })
		return w.ended()
	}
	w.away, l.away = append(w.away, i), at
	if len(w.met) == 0 {
		w.down = l.settled
	}
	if !slices.Contains(w.met, i) {
		w.met = append(w.met, i)
	}
	return nil
}

// ended says what it was once all lines are at rest again.
func (w *Watcher) ended() []Found {
	if len(w.away) > 0 || len(w.met) == 0 {
		return nil
	}
	f := Found{Kind: Together, Lines: w.met}
	if len(w.met) == 1 {
		f.Kind, f.Rest, f.Down = Press, w.lines[w.met[0]].rest, w.down
	}
	w.met = nil
	return []Found{f}
}

// ignore looks at a line no more.
func (w *Watcher) ignore(i int, why Kind) []Found {
	if w.lines[i].ignored {
		return nil
	}
	w.lines[i].ignored = true
	is := func(j int) bool { return i == j }
	w.away, w.met = slices.DeleteFunc(w.away, is), slices.DeleteFunc(w.met, is)
	return []Found{{Kind: why, Lines: []int{i}}}
}
