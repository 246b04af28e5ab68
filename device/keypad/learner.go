package keypad

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"haochaping/internal/cli"
)

// Heard says what a Learner made of what the keypad sent.
type Heard uint8

// What was heard.
const (
	Once     Heard = iota + 1 // it must be heard again, to tell it from noise
	Taken                     // it is what the key sends
	Earlier                   // it is what an earlier key sends
	Held                      // a key that is down sends again
	LetGo                     // it is what a key sends when it is let go, or may be
	ByItself                  // the keypad sends it by itself
)

// Observed is what a keypad was heard to send.
type Observed struct {
	Sent     [5][]byte // by each key, in the order in which they were asked for
	Released [5][]byte // when each is let go; nil of those of which nothing was heard
	Beats    []Beat
	Repeat   time.Duration // after which a key that is held sends again, 0 if it was not heard to
	Longest  time.Duration // between two of a key, the first repetition among them, where Repeat is known
}

// Learner finds out what each of five keys sends. Noise is told from a key by hearing the key twice, a release from a key by its
// following one. It is not safe for concurrent use.
type Learner struct {
	times   int // that a key must be heard
	beats   beats
	sent    [5][]byte
	key     int // that is asked for, from 0
	tries   int // of presses that are asked for a second time
	earlier int // times that earlier keys were heard instead

	heard   map[string][]time.Duration // what is none of the known keys, since the key is asked for
	unlike  map[string]bool            // the same, also what came too long ago to be heard again
	stray   map[string][]time.Duration // the same since the beginning
	follows map[string]map[string]int  // what came next after something
	ended   map[string]int             // how often something else came next
	repeats []time.Duration            // between the same and the same again
	run     []time.Duration            // of these the last in a row, of a key that is known already: nobody presses that
	held    time.Duration              // after which time a key that is held sends again, 0 while none did regularly

	prev    string // what was heard last, but for what comes by itself
	prevAt  time.Duration
	doubted string // what may be a release and may be a key
	wasAt   time.Duration
}

const (
	// maxUnlike and maxEarlier bound one key's presses.
	maxUnlike  = 12
	maxEarlier = 6
	// sameSending is within which the same bytes are one sending, as of keypads that send each frame twice.
	sameSending = 120 * time.Millisecond
	// heldWithin is within which the same bytes may come from a key that is held.
	heldWithin = 2500 * time.Millisecond
	// soonAgain is within which a key must be heard again. What comes by itself more often is known before.
	soonAgain = 5 * time.Second
)

// NewLearner returns a Learner for which each key must be heard a number of times, at least 1. With 1 releases and what comes
// by itself are not told from keys.
func NewLearner(times int) *Learner {
	return &Learner{
		times: max(times, 1), heard: make(map[string][]time.Duration), unlike: make(map[string]bool), stray: make(map[string][]time.Duration),
		follows: make(map[string]map[string]int), ended: make(map[string]int),
	}
}

// Untouched takes what came while nobody touched the keypad.
func (l *Learner) Untouched(b []byte, at time.Duration) { l.beats.came(b, at) }

// Settled reports whether it is known what comes by itself; then no more is.
func (l *Learner) Settled(untouched time.Duration) bool { return l.beats.settled(untouched) }

// ByItself returns what is known to come by itself, one of each kind.
func (l *Learner) ByItself() (all [][]byte) {
	for _, h := range l.beats.all {
		all = append(all, h.Sample)
	}
	return all
}

// Key returns which key is to be pressed, from 0; 5 when all are known.
func (l *Learner) Key() int { return l.key }

// Burst takes what the keypad sent without a pause, and when it began. It is an error if the key can not be learnt. What a burst
// of several sendings was is what its last one was, but for Taken.
func (l *Learner) Burst(b []byte, at time.Duration) (heard Heard, err error) {
	if l.times > 1 {
		b = repeated(l.beats.without(b, at))
	}
	for _, u := range l.units(b) {
		h, err := l.unit(u, at)
		if err != nil {
			return h, err
		}
		if heard != Taken {
			heard = h
		}
	}
	return heard, nil
}

// leastRepeated is how often the same must stand in a burst for it to be what a key that is held sends again and again.
const leastRepeated = 3

// repeated returns what a burst consists of several times, as of a keypad that repeats without a pause, else the burst.
func repeated(b []byte) []byte {
	for n := 1; n <= len(b)/leastRepeated; n++ {
		if len(b)%n == 0 && bytes.Equal(b, bytes.Repeat(b[:n], len(b)/n)) {
			return b[:n]
		}
	}
	return b
}

// units returns the sendings that are joined in a burst, if all of them are known, else the burst.
func (l *Learner) units(b []byte) []string {
	if all, ok := l.split(b); ok && l.times > 1 {
		return all
	}
	return []string{string(b)}
}

// split returns the known sendings that a burst consists of; false if it consists of others too. What was only ever heard as a
// whole, and its parts too, is taken for its parts: a key that was let go at once.
func (l *Learner) split(b []byte) ([]string, bool) {
	whole := []string{string(b)}
	if l.index(string(b)) >= 0 || l.beats.has(b) {
		return whole, true
	}
	for n := len(b) - 1; n > 0; n-- {
		if !l.knows(b[:n]) {
			continue
		}
		if rest, ok := l.split(b[n:]); ok {
			return append([]string{string(b[:n])}, rest...), true
		}
	}
	return whole, l.knows(b)
}

// knows reports whether this was heard by itself before.
func (l *Learner) knows(b []byte) bool {
	_, heard := l.stray[string(b)]
	return heard || l.index(string(b)) >= 0 || l.beats.has(b)
}

// index returns which of the known keys sends this, -1 if none does.
func (l *Learner) index(u string) int {
	return slices.IndexFunc(l.sent[:l.key], func(s []byte) bool { return string(s) == u })
}

// unit takes one sending.
func (l *Learner) unit(u string, at time.Duration) (Heard, error) {
	if l.times > 1 && l.beats.has([]byte(u)) {
		l.beats.came([]byte(u), at)
		return ByItself, nil
	}
	before, gap := l.prev, at-l.prevAt
	same := before == u && l.times > 1
	if same && gap < sameSending {
		l.prevAt = at
		return Held, nil
	}
	l.prev, l.prevAt = u, at
	if key, rest := l.begins(u); rest != "" { // a key that was let go at once
		l.note(before, key, gap)
		l.note(key, rest, 0)
		l.prev = rest
	} else {
		l.note(before, u, gap)
	}
	if i := l.index(u); i >= 0 {
		if same && gap <= heldWithin {
			return Held, nil
		}
		return l.again(i)
	}
	l.stray[u] = append(l.stray[u], at)
	if l.key == len(l.sent) || l.isRelease(before, u) {
		l.doubted, l.wasAt = u, at
		return LetGo, nil
	}
	if before == u && l.doubted == u { // a release does not come twice without a press
		l.heard[u] = append(l.heard[u], l.wasAt)
	}
	l.doubted = ""
	return l.count(u, at)
}

// begins returns what a sending begins with that was heard by itself, and the rest of it.
func (l *Learner) begins(u string) (key, rest string) {
	if l.knows([]byte(u)) {
		return u, ""
	}
	for n := len(u) - 1; n > 0; n-- {
		if l.knows([]byte(u[:n])) {
			return u[:n], u[n:]
		}
	}
	return u, ""
}

// note keeps what followed what.
func (l *Learner) note(before, u string, gap time.Duration) {
	if before != u {
		l.run = nil
	}
	switch {
	case before == "":
	case before == u && gap <= heldWithin:
		l.repeats = append(l.repeats, gap)
		if l.index(u) >= 0 {
			l.run = append(l.run, gap)
			l.held = cmp.Or(l.held, regular(l.run))
		}
	case before == u:
		l.ended[u]++
	default:
		l.ended[before]++
		if l.follows[before] == nil {
			l.follows[before] = make(map[string]int)
		}
		l.follows[before][u]++
	}
}

// isRelease reports whether what came after something is, or may be, what a known key sends when it is let go.
func (l *Learner) isRelease(before, u string) bool {
	if l.times == 1 || before == u {
		return false
	}
	all := 0
	for _, s := range l.sent[:l.key] {
		all += l.follows[string(s)][u]
	}
	if l.index(before) < 0 {
		return all >= 2
	}
	// After a key that has hardly ever been followed by anything else, or after another one too.
	n := l.follows[before][u]
	return 3*n > 2*l.ended[before] || all >= 2 && all > n
}

// again counts that an earlier key was heard instead of the one that is asked for.
func (l *Learner) again(i int) (Heard, error) {
	if l.key == len(l.sent) {
		return Earlier, nil
	}
	if l.earlier++; l.earlier >= maxEarlier {
		return Earlier, cli.Errorf("第 %d 和第 %d 个键都发送 % x，无法区分；须用厂家的程序设置键盘",
			"keys %d and %d both send % x, so that nobody can tell them apart; the keypad must be set up by its maker's program", i+1, l.key+1,
			l.sent[i])
	}
	return Earlier, nil
}

// count counts that something was heard which may be the key.
func (l *Learner) count(u string, at time.Duration) (Heard, error) {
	for _, all := range l.heard {
		if at-all[0] > soonAgain {
			clear(l.heard) // all of it: a key that is forgotten must not leave its release behind
			break
		}
	}
	if l.heard[u] = append(l.heard[u], at); len(l.heard[u]) >= l.times {
		l.sent[l.key] = []byte(u)
		l.key++
		l.heard, l.unlike, l.earlier = make(map[string][]time.Duration), make(map[string]bool), 0
		return Taken, nil
	}
	l.unlike[u] = true
	n := 0
	for _, all := range l.heard {
		n += len(all)
	}
	if n = max(n, len(l.unlike)); n >= maxUnlike {
		return Once, cli.Errorf("这个键发来 %d 种内容，没有一种达到 %d 次；速率不对（-scan 试其他速率），或线路有干扰，或帧中有计数，须按 docs/keypads.md 手工描述",
			"the key sent %d different things and none of them %d times; the speed is wrong (-scan tries others), or there is noise on the cable, "+
				"or a frame counts, which must be described by hand as in docs/keypads.md", n, l.times)
	}
	return Once, nil
}

// Unreleased returns the first key of which it is not known what it sends when it is let go although most do, once all five keys
// are known. It returns false if there is none, or none that is worth another press.
func (l *Learner) Unreleased() (int, bool) {
	if l.key < len(l.sent) || l.tries >= 2*len(l.sent) {
		return 0, false
	}
	known, first := 0, -1
	for i := range l.sent {
		if l.release(i) != nil {
			known++
		} else if first < 0 {
			first = i
		}
	}
	return first, first >= 0 && known >= 2
}

// Tried says that a key was asked for a second time, in vain.
func (l *Learner) Tried() { l.tries++ }

// release returns what came next after a key, nearly always; nil if nothing did.
func (l *Learner) release(i int) []byte {
	next, ended := l.follows[string(l.sent[i])], l.ended[string(l.sent[i])]
	all := slices.DeleteFunc(slices.Sorted(maps.Keys(next)), func(u string) bool {
		return l.index(u) >= 0 || 3*next[u] < 2*ended || heardBeat{at: l.stray[u]}.clocked()
	})
	if len(all) == 0 {
		return nil
	}
	// The shorter of two that came as often: the other is that and what comes by itself.
	return []byte(slices.MinFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(next[b], next[a]), cmp.Compare(len(a), len(b))) }))
}

// Observed returns what was heard. It is an error if what a key was taken to send is rather another key's release.
func (l *Learner) Observed() (Observed, error) {
	for i, key := range l.sent {
		if before, ok := l.doubts(string(key)); ok {
			return Observed{}, cli.Errorf("当作第 %[2]d 个键的 % [1]x 总在 % [3]x 之后到来，像是松键；请重新学习键盘，只按所要求的键",
				"% [1]x, which was taken for key %[2]d, came again and again after % [3]x, as if it were sent when a key is let go; "+
					"learn the keypad again, and press only the key that is asked for", key, i+1, before)
		}
	}
	o := Observed{Sent: l.sent, Repeat: l.held}
	if o.Repeat > 0 {
		o.Longest = slices.Max(l.repeats)
	}
	for i := range l.sent {
		o.Released[i] = l.release(i)
	}
	for u, at := range l.stray {
		if l.index(u) < 0 && !slices.ContainsFunc(o.Released[:], func(r []byte) bool { return string(r) == u }) {
			l.beats.late([]byte(u), at)
		}
	}
	o.Beats = l.beats.found()
	return o, nil
}

// doubts returns after what a key came so often that it is rather the release of that.
func (l *Learner) doubts(key string) (string, bool) {
	for before, next := range l.follows {
		n := next[key]
		switch {
		case before == key || n < 2:
		case l.index(before) >= 0:
			if 3*n > 2*l.ended[before] {
				return before, true
			}
		case n > l.follows[key][before]: // a key's own release comes before it too, but less often than after it
			if !slices.ContainsFunc(l.sent[:], func(s []byte) bool { return string(s) != key && l.follows[string(s)][before] > 0 }) {
				return before, true // and not what another key's, or every key's, release is
			}
		}
	}
	return "", false
}
