package device

import (
	"context"
	"time"

	"haochaping/device/keypad"
)

// CardKind says what a card reader has noticed.
type CardKind uint8

// The kinds.
const (
	CardShown   CardKind = iota + 1 // a card was put on the reader: Number
	CardUnread                      // something came that is no card as the profile describes it
	ReaderLost                      // the reader cannot be read: Err
	ReaderBack                      // it can be read again
	ReaderReady                     // it can be read for the first time
)

// Card is what a card reader has noticed.
type Card struct {
	Kind   CardKind
	Number string
	At     time.Duration // since the machine started
	Err    error
}

// CardReader reads the numbers of cards, on a serial line or from a reader that types them as a keyboard does.
type CardReader struct{ cfg SerialConfig }

// NewCardReader returns a reader that does nothing before Run. The profile must have frames of the kind card. Repeat is the
// profile's if it is 0.
func NewCardReader(c SerialConfig) *CardReader {
	if c.Repeat == 0 {
		c.Repeat = c.Profile.Away
	}
	return &CardReader{c.withDefaults()}
}

// Run emits what the reader notices until ctx ends. A card is emitted once until it was away: a reader sends the number of one
// that lies on it again and again.
func (r *CardReader) Run(ctx context.Context, emit func(Card)) error {
	line := r.cfg.Profile.Line
	if r.cfg.Baud != 0 {
		line.Baud = r.cfg.Baud
	}
	cards := newCardStream(r.cfg.Profile, line.Baud, r.cfg.Repeat)
	known, lost := false, false
	tell := func(all []Card) {
		for _, c := range all {
			emit(c)
		}
	}
	return runLine(ctx, r.cfg, lineUser{
		prompt: func() []byte { return nil },
		read:   func(keypad.Read, time.Duration) {}, // the stream reads for itself, also what is no card
		heard:  func(b []byte, at time.Duration) { tell(cards.feed(b, at)) },
		passed: func(upTo time.Duration) (time.Duration, bool) {
			tell(cards.pass(upTo))
			return cards.due()
		},
		state: func(err error) {
			now := r.cfg.Now()
			switch {
			case err != nil && !lost:
				tell(cards.lose(now))
				emit(Card{Kind: ReaderLost, At: now, Err: err})
			case err == nil && lost:
				cards.regain(now)
				emit(Card{Kind: ReaderBack, At: now})
			case err == nil && !known:
				emit(Card{Kind: ReaderReady, At: now})
			}
			known, lost = true, err != nil
		},
	})
}
