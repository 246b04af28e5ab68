package device

import (
	"fmt"
	"time"

	"haochaping/device/keypad"
)

// burst is what a line sends without a pause. Where no checksum tells a key from noise, a key counts only when its burst is
// over and held nothing else, so that a line that babbles is never an evaluation.
type burst struct {
	decoder *keypad.Decoder
	answers chan<- []byte
	read    func(keypad.Read, time.Duration)
	gap     time.Duration
	settle  time.Duration // 0 if frames count at once
	lastAt  time.Duration // of the last bytes

	at      time.Duration // of the first frame
	head    []byte        // the first bytes, to be shown
	garbage uint64        // of the decoder, when the burst began
	frames  []keypad.Read
	more    bool // there were more frames than are kept
}

// Bounds of a burst that is a key: some keypads send each frame two or three times, and a contact of the plug may add a
// few bytes.
const (
	maxRepeats = 3
	maxGarbage = 8
	maxHead    = 8
)

// newBurst returns an empty burst. The settling time is at least that of three bytes.
func newBurst(p *keypad.Profile, baud int, answers chan<- []byte, read func(keypad.Read, time.Duration)) *burst {
	settle := p.Settle
	if settle > 0 {
		settle = max(settle, 3*10*time.Second/time.Duration(baud))
	}
	return &burst{decoder: p.NewDecoder(), answers: answers, read: read, gap: p.Gap, settle: settle}
}

// feed takes what one read has returned.
func (b *burst) feed(bytes []byte, at time.Duration) {
	if at-b.lastAt > b.gap {
		b.decoder.Reset()
	}
	b.lastAt = at
	if len(b.head) == 0 {
		b.garbage = b.decoder.Garbage
	}
	if room := maxHead - len(b.head); room > 0 {
		b.head = append(b.head, bytes[:min(room, len(bytes))]...)
	}
	for _, r := range b.decoder.Feed(bytes) {
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
		case len(b.frames) == maxRepeats:
			b.more = true
		default:
			if len(b.frames) == 0 {
				b.at = at
			}
			b.frames = append(b.frames, r)
		}
	}
}

// settled ends the burst: what it held counts if it was one key.
func (b *burst) settled() {
	if len(b.frames) > 0 {
		first, alone := b.frames[0], !b.more && b.decoder.Garbage-b.garbage <= maxGarbage
		for _, r := range b.frames {
			alone = alone && r.Kind == first.Kind && r.Code == first.Code
		}
		if !alone && first.Kind == keypad.Key {
			first = keypad.Read{Kind: keypad.Key, Code: fmt.Sprintf("several: % x", b.head)} // which keys.map cannot name
			alone = true
		}
		if alone {
			b.read(first, b.at)
		}
	}
	b.empty()
}

// drop forgets the burst: the line babbles.
func (b *burst) drop() {
	b.decoder.Reset()
	b.empty()
}

func (b *burst) empty() {
	clear(b.frames)
	b.frames, b.head, b.more = b.frames[:0], b.head[:0], false
}
