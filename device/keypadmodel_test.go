package device

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/device/keypad"
	"haochaping/internal/rating"
)

// keypadKind is what a keypad sends, byte by byte.
type keypadKind struct {
	name    string
	profile string               // the name of a shipped one, or the text of one as -learn writes them
	code    string               // of a key in keys.map, with %d for its level
	frame   func(key int) []byte // of the key with that level, 1 to 5
	release func(key int) []byte // nil if it sends none
	lets    bool                 // the profile knows it
	garbage func(r *rand.Rand) []byte
}

// keypadKinds returns a kind for each shipped profile that reads keys, one with release codes of which its profile knows nothing, and two
// whose profiles know them.
func keypadKinds() []keypadKind {
	noise := func(low, high byte) func(r *rand.Rand) []byte {
		return func(r *rand.Rand) []byte {
			b := make([]byte, 1+r.IntN(40))
			for i := range b {
				b[i] = low + byte(r.IntN(int(high-low)))
			}
			return b
		}
	}
	digit := func(key int) []byte { return []byte{'0' + byte(key)} }
	small := func(key int) []byte { return []byte{'a' + byte(key)} }
	const letters = "name='letters'\n[[frame]]\nlayout='key=31-35'\ncode='text'\nkeys=['1','2','3','4','5']\n" +
		"[[frame]]\nkind='release'\nlayout='key=62-66'\ncode='text'\nkeys=['b','c','d','e','f']\nof=['1','2','3','4','5']\n"
	const frames = "name='frames'\n[[frame]]\nlayout='aa key=01-05 sum8 55'\ncode='decimal'\n[[frame]]\nkind='release'\n" +
		"layout='ab key=01-05 sum8 55'\ncode='decimal'\n"
	framed := func(head byte) func(key int) []byte {
		return func(key int) []byte { return []byte{head, byte(key), head + byte(key), 0x55} }
	}
	return []keypadKind{
		{"byte", "byte", "0x3%d", digit, nil, false, noise(0x80, 0xff)},
		{"byte and release", "byte", "0x3%d", digit, small, false, noise(0x80, 0xff)},
		{"line", "line", "S%d", func(key int) []byte { return fmt.Appendf(nil, "S%d\r\n", key) }, nil, false, noise(0x00, 0xff)},
		{"slz", "slz", "%d", func(key int) []byte { return slz(byte(key - 1)) }, nil, false, noise(0x00, 0xff)},
		{"letters that say when", letters, "%d", digit, small, true, noise(0x80, 0xff)},
		{"frames that say when", frames, "%d", framed(0xaa), framed(0xab), true, noise(0x00, 0xff)},
	}
}

// parsed returns the keypad's profile.
func (k keypadKind) parsed(t *testing.T) *keypad.Profile {
	t.Helper()
	if !strings.Contains(k.profile, "\n") {
		return shipped(t, k.profile)
	}
	p, err := keypad.Parse([]byte(k.profile))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// codes returns the map of the keypad.
func (k keypadKind) codes() (m Map) {
	for i, l := range rating.Levels() {
		level := int(l)
		if k.name == "slz" {
			level--
		}
		m.keys[i] = Binding{Code(fmt.Sprintf(k.code, level)), l}
	}
	return m
}

// write is bytes that come at a moment.
type write struct {
	at time.Duration
	b  []byte
}

// coming is a code that comes whole at a moment. Of a press there are several where the keypad repeats.
type coming struct {
	at    time.Duration
	press int           // index into presses; -1 of a release
	key   int           // -1 of a release
	up    int           // of a release: the key that was let go
	until time.Duration // when it was read at the latest; 0 for at
}

// truth is one press by a finger.
type truth struct {
	key  int
	at   time.Duration // when its code came first
	what string
}

// sent is what a keypad sends at a time, in pieces as the line carries them. It sends one thing after the other.
type sent struct {
	at     time.Duration
	pieces []write // each with its time after at
	press  int     // index into presses; -1 if it is of no finger
	key    int     // 0 if it is none, -1 of a release
	up     int     // of a release: the key that was let go
}

// history is what happens at a keypad, and when visits are opened.
type history struct {
	kind    keypadKind
	slowest time.Duration // at which the keypad repeats
	sent    []sent
	writes  []write
	comings []coming
	presses []truth
	spoilt  []time.Duration // moments of garbage, BREAK and cut frames
	losses  []time.Duration // when the keypad is unplugged, each for a second
	opens   []time.Duration
	end     time.Duration
	stuck   [6]time.Duration // until when a key is
}

// unplugged is for how long a keypad is away.
const unplugged = time.Second

// newHistory returns a random history of about that length.
func newHistory(r *rand.Rand, kind keypadKind, length, slowest time.Duration) *history {
	h := &history{kind: kind, slowest: slowest}
	at := time.Duration(r.IntN(3000)) * ms
	for at < length {
		if r.IntN(2) == 0 {
			h.opens = append(h.opens, at-time.Duration(r.IntN(1500))*ms)
		}
		at = h.act(r, at)
		at += time.Duration(30+r.ExpFloat64()*1500) * ms
	}
	h.end = at + 5*time.Second
	h.opens = slices.DeleteFunc(h.opens, func(at time.Duration) bool { return at < 0 })
	slices.Sort(h.opens)
	h.line()
	return h
}

// line lets the keypad send what is to be sent, one thing after the other. What is sent while it is unplugged goes nowhere.
func (h *history) line() {
	slices.SortStableFunc(h.sent, func(a, b sent) int { return cmp.Compare(a.at, b.at) })
	free := time.Duration(0)
	for _, s := range h.sent {
		at := max(s.at, free)
		for _, p := range s.pieces {
			h.writes = append(h.writes, write{at + p.at, p.b})
			free = at + p.at
		}
		if s.key != 0 || s.press >= 0 {
			h.comings = append(h.comings, coming{at: free, press: s.press, key: s.key, up: s.up})
		}
		if s.press >= 0 && h.presses[s.press].at == 0 {
			h.presses[s.press].at = free
		}
	}
	h.blur()
	for _, l := range h.losses {
		away := func(at time.Duration) bool { return at >= l && at <= l+unplugged }
		h.writes = slices.DeleteFunc(h.writes, func(w write) bool { return away(w.at) })
		h.comings = slices.DeleteFunc(h.comings, func(c coming) bool { return away(c.at) })
	}
}

// blur notes where keys come so close to each other, for so long, that they are taken for noise: a stuck key among a contact that bounces.
func (h *history) blur() {
	for first := 0; first < len(h.comings); {
		last, others := first, false
		for last+1 < len(h.comings) && h.comings[last+1].at-h.comings[last].at <= 25*ms {
			last++
			others = others || h.comings[last].key != h.comings[first].key
		}
		if others && h.comings[last].at-h.comings[first].at > 35*ms {
			h.spoilt = append(h.spoilt, h.comings[first].at, h.comings[last].at)
		}
		first = last + 1
	}
}

// act lets something happen at the keypad, and returns when the finger is off again. What is stuck goes on.
func (h *history) act(r *rand.Rand, at time.Duration) time.Duration {
	key, held := h.free(r, at), time.Duration(50+r.IntN(250))*ms
	switch what := r.IntN(22); {
	case what < 7:
		h.press(r, key, at, "press")
	case what < 9: // the keypad repeats while the finger stays
		held = time.Duration(300+r.IntN(4000)) * ms
		h.repeat(r, h.press(r, key, at, "held"), at, held)
	case what < 10 && stuckKeys(h.stuck, at) < 2: // nobody is there any more, and it goes on
		stays := time.Duration(5+r.IntN(40)) * time.Second
		h.repeat(r, h.press(r, key, at, "stuck"), at, stays)
		h.stuck[key] = at + stays + time.Second
		if h.kind.lets {
			h.letGo(key, at+stays+50*ms)
			return at + 100*ms
		}
		held = 100 * ms
	case what < 12: // sent twice or three times
		p := h.press(r, key, at, "sent again")
		for range 1 + r.IntN(2) {
			at += time.Duration(8+r.IntN(150)) * ms
			h.comes(r, p, at)
		}
	case what < 14: // the contact bounces
		p, most := h.press(r, key, at, "bounces"), 2 // more in a burst are noise
		if h.kind.lets {
			most = 4
		}
		for range 1 + r.IntN(most) {
			at += time.Duration(2+r.IntN(10)) * ms
			h.letGo(key, at)
			at += time.Duration(2+r.IntN(22)) * ms
			h.comes(r, p, at)
		}
		if h.kind.release != nil && !h.kind.lets { // two keys again and again, for who does not know the releases
			h.spoilt = append(h.spoilt, at)
		}
	case what < 16: // two fingers
		other := h.free(r, at)
		for other == key {
			other = h.free(r, at)
		}
		apart := time.Duration(r.IntN(30)) * ms
		first, second := h.press(r, key, at, "together"), h.press(r, other, at+apart, "together")
		if r.IntN(3) == 0 {
			h.repeat(r, first, at, 2*time.Second)
			h.repeat(r, second, at+apart, 2*time.Second)
			held = 2 * time.Second
		}
		at += apart
		h.letGo(other, at+held)
	case what < 17:
		h.other(at, make([]byte, 1+r.IntN(3)))
		return at + held
	case what < 19:
		h.other(at, h.kind.garbage(r))
		return at + time.Duration(r.IntN(300))*ms
	case what < 20: // unplugged in the middle of a frame, perhaps just after a press
		if r.IntN(2) == 0 {
			h.press(r, key, at-time.Duration(10+r.IntN(20))*ms, "then unplugged")
		}
		f := h.kind.frame(key)
		h.other(at, f[:len(f)/2])
		h.losses = append(h.losses, at+3*ms)
		return at + unplugged + 4*ms
	default: // the same key again soon
		h.press(r, key, at, "press")
		h.letGo(key, at+held)
		at += time.Duration(400+r.IntN(2500)) * ms
		h.press(r, key, at, "again")
	}
	h.letGo(key, at+held)
	return at + held
}

// free returns a key that a finger can press, which is none that is stuck.
func (h *history) free(r *rand.Rand, at time.Duration) int {
	for {
		if key := 1 + r.IntN(5); h.stuck[key] <= at {
			return key
		}
	}
}

func stuckKeys(until [6]time.Duration, at time.Duration) (n int) {
	for _, t := range until {
		if t > at {
			n++
		}
	}
	return n
}

// letGo sends that a key was let go, where the keypad says so.
func (h *history) letGo(key int, at time.Duration) {
	if h.kind.release != nil {
		h.sent = append(h.sent, sent{at, []write{{0, h.kind.release(key)}}, -1, -1, key})
	}
}

// press is a finger on a key. It returns the press's index.
func (h *history) press(r *rand.Rand, key int, at time.Duration, what string) int {
	h.presses = append(h.presses, truth{key, 0, what})
	h.comes(r, len(h.presses)-1, at)
	return len(h.presses) - 1
}

// repeat lets a keypad send a press again at an interval of 100 ms to the slowest, with jitter.
func (h *history) repeat(r *rand.Rand, p int, at, held time.Duration) {
	interval := 100*ms + time.Duration(r.Int64N(int64(h.slowest-100*ms)))
	for t, n := at, 0; ; n++ {
		gap := time.Duration(float64(interval) * (0.8 + 0.4*r.Float64()))
		if n < 3 {
			gap = min(gap, sameWithin-10*ms) // before nobody can know that it comes regularly, also if the first was spoilt
		}
		if t += gap; t > at+held {
			return
		}
		h.comes(r, p, t)
	}
}

// comes sends the frame of a press, in one piece or more.
func (h *history) comes(r *rand.Rand, p int, at time.Duration) {
	s := sent{at: at, press: p, key: h.presses[p].key}
	after := time.Duration(0)
	for f := h.kind.frame(s.key); len(f) > 0; {
		n := len(f)
		if r.IntN(3) == 0 {
			n = 1 + r.IntN(n)
		}
		s.pieces = append(s.pieces, write{after, f[:n]})
		f = f[n:]
		after += time.Duration(r.IntN(2000)) * time.Microsecond
	}
	h.sent = append(h.sent, s)
}

// other sends bytes that are no key's.
func (h *history) other(at time.Duration, b []byte) {
	h.sent = append(h.sent, sent{at, []write{{0, b}}, -1, 0, 0})
	h.spoilt = append(h.spoilt, at)
}
