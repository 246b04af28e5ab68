package keypad

import (
	"bytes"
	"fmt"
)

// Heard says what a Learner made of what the keypad sent.
type Heard uint8

// What was heard.
const (
	Once    Heard = iota + 1 // it must be heard again, to tell it from noise
	Taken                    // it is what the key sends
	Earlier                  // it is what an earlier key sends
)

// Learner collects what each of the five keys sends. Noise is told from a key by hearing the key twice. It is not safe for
// concurrent use.
type Learner struct {
	times   int // that a key must be heard
	sent    [5][]byte
	key     int // that is asked for, from 0
	heard   [][]byte
	earlier int // times that earlier keys were heard instead
}

// Bounds of one key's presses.
const (
	maxUnlike  = 12
	maxEarlier = 6
)

// NewLearner returns a Learner for which each key must be heard a number of times, at least 1.
func NewLearner(times int) *Learner { return &Learner{times: max(times, 1)} }

// Key returns which key is to be pressed, from 0; 5 when all are known.
func (l *Learner) Key() int { return l.key }

// Sent returns what the keys send that are known.
func (l *Learner) Sent() [5][]byte { return l.sent }

// Burst takes what the keypad sent without a pause. It is an error if the key can not be learnt.
func (l *Learner) Burst(b []byte) (Heard, error) {
	for i, s := range l.sent[:l.key] {
		if !bytes.Equal(s, b) {
			continue
		}
		if l.earlier++; l.earlier >= maxEarlier {
			return Earlier, fmt.Errorf("keys %d and %d both send % x, so that nobody can tell them apart: the keypad must be set up by its maker's program", i+1, l.key+1, b)
		}
		return Earlier, nil
	}
	l.heard = append(l.heard, bytes.Clone(b))
	n := 0
	for _, h := range l.heard {
		if bytes.Equal(h, b) {
			n++
		}
	}
	if n >= l.times {
		l.sent[l.key] = bytes.Clone(b)
		l.key++
		l.heard, l.earlier = nil, 0
		return Taken, nil
	}
	if len(l.heard) >= maxUnlike {
		return Once, fmt.Errorf("the key sent %d different things and none of them %d times: a wrong speed (-scan tries others), noise on the cable, "+
			"or a frame that counts, which must be described by hand as in docs/keypads.md", len(l.heard), l.times)
	}
	return Once, nil
}
