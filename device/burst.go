package device

import (
	"fmt"
	"slices"
	"time"

	"haochaping/device/keypad"
)

// burst is what a line sends without a pause. Where no checksum tells a key from noise, a key counts only when its burst is
// over and held little else, so that a line that babbles is never an evaluation. Several keys in one burst are all told: they
// were pressed together.
type burst struct {
	decoder *keypad.Decoder
	answers chan<- []byte
	read    func(keypad.Read, time.Duration)
	noise   func(keypad.Read, time.Duration) // of frames that are no key; nil if nobody asks
	spoilt  func(at time.Duration)           // bytes came that cannot be read; nil if nobody asks
	gap     time.Duration
	settle  time.Duration // 0 if frames count at once
	breaks  bool          // a byte 00 is no BREAK
	lets    bool          // the keypad says when a key is let go
	lastAt  time.Duration // of the last bytes

	began   time.Duration // when the first bytes came
	whole   uint64        // garbage of the decoder that may be of no frame
	least   uint64        // bytes that may have been a frame
	head    []byte        // the first bytes, to be shown
	garbage uint64        // of the decoder, when the burst began
	unread  unread
	frames  []timedRead
	more    bool // there were more frames than are kept
}

// timedRead is a frame and when it came.
type timedRead struct {
	keypad.Read
	at time.Duration
}

func (r timedRead) same(o timedRead) bool { return r.Kind == o.Kind && r.Code == o.Code }

// Bounds of a burst that is a key: some keypads send each frame two or three times, and a contact of the plug may add a
// few bytes.
const (
	maxRepeats = 3
	maxKeys    = 5 // that can be pressed together
	maxFrames  = maxKeys * maxRepeats
	maxGarbage = 8
	maxHead    = 8
)

// newBurst returns an empty burst. The settling time is at least that of three bytes.
func newBurst(p *keypad.Profile, baud int, answers chan<- []byte, u lineUser) *burst {
	settle := p.Settle
	if settle > 0 {
		settle = max(settle, 3*10*time.Second/time.Duration(baud))
	}
	return &burst{
		decoder: p.NewDecoder(), answers: answers, read: u.read, noise: u.noise, spoilt: u.spoilt,
		unread: unread{tell: u.unread}, gap: p.Gap, settle: settle, lets: p.HasReleases(), least: uint64(p.Shortest()+1) / 2,
	}
}

// feed takes what one read has returned.
func (b *burst) feed(bytes []byte, at time.Duration) {
	if at-b.lastAt > b.gap {
		b.decoder.Reset()
		b.whole = b.decoder.Garbage
		b.unread.begin(b.decoder.Garbage, at)
	}
	b.lastAt = at
	b.unread.add(bytes)
	if len(b.head) == 0 {
		b.garbage, b.began = b.decoder.Garbage, at
	}
	if room := maxHead - len(b.head); room > 0 {
		b.head = append(b.head, bytes[:min(room, len(bytes))]...)
	}
	before := b.decoder.Garbage
	reads := b.decoder.Feed(bytes)
	if b.decoder.Garbage > before && b.decoder.Garbage-b.whole >= b.least {
		b.spoil(at)
		b.whole = b.decoder.Garbage
	}
	if len(reads) > 0 {
		b.whole = b.decoder.Garbage
		b.unread.understood()
	}
	for _, r := range reads {
		if r.Answer != nil {
			select {
			case b.answers <- r.Answer:
			default: // the line takes nothing; the keypad asks again
			}
		}
		switch {
		case r.Kind == keypad.Ignored:
		case b.settle == 0:
			b.read(r, at)
		case len(b.frames) == maxFrames:
			b.more = true
		default:
			b.frames = append(b.frames, timedRead{r, at})
		}
	}
}

func (b *burst) spoil(at time.Duration) {
	if b.spoilt != nil {
		b.spoilt(at)
	}
}

// over returns when the burst is over if nothing more comes, false if there is none.
func (b *burst) over() (time.Duration, bool) {
	return b.lastAt + b.settle, b.settle > 0 && len(b.head) > 0
}

// told returns up to when everything that came has been told, now being read.
func (b *burst) told(now time.Duration) time.Duration {
	if _, open := b.over(); open {
		return b.began - 1
	}
	return now
}

// settled ends the burst and tells what it held: each key once, or that it was noise. Two cards at once are none.
func (b *burst) settled() {
	defer b.empty()
	if len(b.frames) == 0 {
		return
	}
	different, most, within := b.count()
	kind, last := b.frames[0].Kind, b.frames[len(b.frames)-1].at
	// A contact that bounces is told as often where each release is told too.
	noise := b.more || b.decoder.Garbage-b.garbage > maxGarbage || most > maxRepeats && !b.lets || different > maxKeys ||
		different > 1 && within > togetherWithin
	if noise || kind == keypad.Card && different > 1 {
		b.spoil(last)
		for _, r := range b.frames {
			if b.noise != nil {
				b.noise(r.Read, last)
			}
		}
		if kind != keypad.Card {
			b.none(fmt.Sprintf("%s% x", noiseName, b.head), last)
		}
		return
	}
	if b.isBreak() {
		b.none(b.frames[0].Code+breakName, b.frames[0].at)
		return
	}
	for i, r := range b.frames {
		if !b.lets && slices.ContainsFunc(b.frames[:i], r.same) {
			continue
		}
		b.read(r.Read, r.at)
	}
}

// none tells what is no key, under a name that keys.map cannot have. It is over with its burst: nobody lets it go.
func (b *burst) none(code string, at time.Duration) {
	b.read(keypad.Read{Kind: keypad.Key, Code: code}, at)
	if b.lets {
		b.read(keypad.Read{Kind: keypad.Release, Code: code}, at)
	}
}

// isBreak reports whether the burst is as a BREAK reads on a port that does not tell it from a byte.
func (b *burst) isBreak() bool {
	return !b.breaks && !slices.ContainsFunc(b.head, func(c byte) bool { return c != 0 })
}

// count returns how many different keys the burst held, how often the most frequent came, and within what time all of them. Releases
// are no keys.
func (b *burst) count() (different, most int, within time.Duration) {
	first := never
	for i, r := range b.frames {
		if r.Kind == keypad.Release {
			continue
		}
		first = min(first, r.at)
		within = r.at - first
		n := 0
		for _, o := range b.frames {
			if r.same(o) {
				n++
			}
		}
		most = max(most, n)
		if !slices.ContainsFunc(b.frames[:i], r.same) {
			different++
		}
	}
	return different, most, within
}

// unread follows what comes between two silences and is nothing that the profile describes: a keypad at another speed, or of another
// kind, is never read.
type unread struct {
	tell    func(head []byte, at time.Duration, times int) // nil if nobody asks
	head    []byte                                         // the first bytes since the last silence
	garbage uint64                                         // of the decoder, when they came
	times   int                                            // in a row that nothing was understood
	read    bool                                           // something was, since the last silence
}

// begin ends what came before a silence, of which the decoder has found so much garbage in all.
func (u *unread) begin(garbage uint64, at time.Duration) {
	if garbage > u.garbage && !u.read && u.tell != nil {
		u.times++
		u.tell(u.head, at, u.times)
	}
	u.head, u.garbage, u.read = nil, garbage, false
}

func (u *unread) add(bytes []byte) {
	if room := maxHead - len(u.head); room > 0 {
		u.head = append(u.head, bytes[:min(room, len(bytes))]...)
	}
}

func (u *unread) understood() { u.times, u.read = 0, true }

// drop forgets the burst: the line babbles.
func (b *burst) drop() {
	b.decoder.Reset()
	b.empty()
}

func (b *burst) empty() {
	clear(b.frames)
	b.frames, b.head, b.more = b.frames[:0], b.head[:0], false
}
