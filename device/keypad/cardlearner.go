package keypad

import (
	"bytes"
	"slices"
	"time"

	"haochaping/internal/cli"
)

// CardLearner collects what a reader sends of one card after the other. It is not safe for concurrent use.
type CardLearner struct {
	times int // that each card must be heard
	cards [][]byte
	heard [][]byte // since a card is asked for
	gaps  []time.Duration
	last  []byte
	at    time.Duration
}

// MaxCards is how many cards are worth hearing.
const MaxCards = 3

// NewCardLearner returns a CardLearner for which each card must be heard a number of times, at least 1.
func NewCardLearner(times int) *CardLearner { return &CardLearner{times: max(times, 1)} }

// Cards returns how many cards are known.
func (l *CardLearner) Cards() int { return len(l.cards) }

// Samples returns what the reader sends of each card.
func (l *CardLearner) Samples() [][]byte { return l.cards }

// Burst takes what the reader sent without a pause, and when it began. It is an error if a card cannot be learnt.
func (l *CardLearner) Burst(b []byte, at time.Duration) (Heard, error) {
	b = bytes.Clone(one(b))
	if gap := at - l.at; bytes.Equal(b, l.last) && gap < 10*time.Second {
		l.gaps = append(l.gaps, gap)
	}
	l.last, l.at = b, at
	if i := slices.IndexFunc(l.cards, func(c []byte) bool { return bytes.Equal(c, b) }); i >= 0 {
		if i == len(l.cards)-1 {
			return Held, nil
		}
		return Earlier, nil
	}
	l.heard = append(l.heard, b)
	n := 0
	for _, h := range l.heard {
		if bytes.Equal(h, b) {
			n++
		}
	}
	if n >= l.times {
		l.cards, l.heard = append(l.cards, b), nil
		return Taken, nil
	}
	if len(l.heard) >= maxUnlike {
		return Once, cli.Errorf("读卡器发来 %d 种内容，没有一种达到 %d 次；速率不对（-scan 试其他速率），或线路有干扰",
			"the reader sent %d different things and none of them %d times; the speed is wrong (-scan tries others), or there is noise on the cable",
			len(l.heard), l.times)
	}
	return Once, nil
}

// one returns the frame that a burst consists of several times, as of readers that repeat without a pause.
func one(b []byte) []byte {
	for n := 4; n <= len(b)/2; n++ {
		if len(b)%n == 0 && bytes.Equal(b, bytes.Repeat(b[:n], len(b)/n)) && (b[n-1] < ' ' || len(b)/n >= 4 && n >= 8) {
			return b[:n]
		}
	}
	return b
}

// Repeat returns after which time a card that is held is sent again, 0 if none was regularly.
func (l *CardLearner) Repeat() time.Duration { return regular(l.gaps) }

// regular returns what three times in a row are about, 0 if there are no such.
func regular(all []time.Duration) time.Duration {
	for i := 0; i+2 < len(all); i++ {
		run := all[i : i+3]
		if low, high := slices.Min(run), slices.Max(run); high-low <= max(low/5, 30*time.Millisecond) {
			return (low + high) / 2
		}
	}
	return 0
}
