package device

import (
	"time"

	"haochaping/device/keypad"
)

// leastUnread is of how many bytes that are no card somebody is told: fewer come when a plug is put in.
const leastUnread = 4

// cardStream turns a reader's bytes into cards. It decides from the times at which bytes came, and has no input, output or
// time of its own.
type cardStream struct {
	decoder *keypad.Decoder
	gap     time.Duration // a silence after which the beginning of a number is forgotten
	settle  time.Duration // a silence after which a number counts; 0 if at once
	away    time.Duration // a silence after which a card was away
	more    uint64        // how many bytes that belong to no number may come with one

	lastAt  time.Duration // of the last bytes
	open    bool          // something has come that is not decided yet
	garbage uint64        // of the decoder, when that began or a card was read
	read    bool          // a card was read in it
	numbers []string      // that came without a pause
	seen    map[string]time.Duration
	lostAt  time.Duration // when the reader was lost
}

// newCardStream returns a stream that has heard nothing.
func newCardStream(p *keypad.Profile, baud int, away time.Duration) *cardStream {
	settle := p.Settle
	if settle > 0 {
		settle = max(settle, 3*10*time.Second/time.Duration(baud))
	}
	s := &cardStream{decoder: p.NewDecoder(), gap: max(p.Gap, settle), settle: settle, away: away, more: maxGarbage,
		seen: make(map[string]time.Duration)}
	if p.Bare() {
		s.more = 0 // the rest of a longer number would be another one
	}
	return s
}

// feed takes what came at a moment. Moments never decrease.
func (s *cardStream) feed(b []byte, at time.Duration) []Card {
	all := s.pass(at)
	if !s.open {
		s.open, s.garbage = true, s.decoder.Garbage
	}
	s.lastAt = at
	for _, r := range s.decoder.Feed(b) {
		if r.Kind != keypad.Card {
			continue
		}
		s.read = true
		if s.settle == 0 {
			all = append(all, s.shown(r.Code, at)...)
			s.garbage = s.decoder.Garbage
		} else if len(s.numbers) < maxRepeats+1 {
			s.numbers = append(s.numbers, r.Code)
		}
	}
	return all
}

// pass returns what is decided once nothing more came before a moment.
func (s *cardStream) pass(now time.Duration) (all []Card) {
	if s.open && len(s.numbers) > 0 && now-s.lastAt > s.settle {
		all = s.settled()
	}
	if s.open && now-s.lastAt > s.gap {
		s.decoder.Reset()
		least := uint64(leastUnread)
		if s.read {
			least = maxGarbage + 1 // of what a reader may add to a number
		}
		if s.decoder.Garbage-s.garbage >= least {
			all = append(all, s.unread(s.lastAt)...)
		}
		s.open, s.read = false, false
	}
	return all
}

// settled takes numbers that came without a pause: one card, else nobody knows which.
func (s *cardStream) settled() (all []Card) {
	if s.more == 0 {
		s.decoder.Reset()
	}
	alone := len(s.numbers) <= maxRepeats && s.decoder.Garbage-s.garbage <= s.more
	for _, n := range s.numbers {
		alone = alone && n == s.numbers[0]
	}
	if alone {
		all = s.shown(s.numbers[0], s.lastAt)
	} else {
		all = s.unread(s.lastAt)
	}
	s.numbers, s.garbage = nil, s.decoder.Garbage
	return all
}

// due returns when pass is to be asked next, false if nothing is waited for.
func (s *cardStream) due() (time.Duration, bool) {
	switch {
	case !s.open:
		return 0, false
	case len(s.numbers) > 0:
		return s.lastAt + s.settle + 1, true
	}
	return s.lastAt + s.gap + 1, true
}

// shown returns the card, unless it has been there all the time.
func (s *cardStream) shown(number string, at time.Duration) []Card {
	if s.held(number, at) {
		return nil
	}
	return []Card{{Kind: CardShown, Number: number, At: at}}
}

// unread says that what came is no card, once for a card that lies there.
func (s *cardStream) unread(at time.Duration) []Card {
	if s.held("", at) { // no card has an empty number
		return nil
	}
	return []Card{{Kind: CardUnread, At: at}}
}

// held reports whether a card was last read so short a time ago that it was not away, and notes that it is there.
func (s *cardStream) held(number string, at time.Duration) bool {
	for n, last := range s.seen {
		if at-last > s.away {
			delete(s.seen, n)
		}
	}
	_, there := s.seen[number]
	s.seen[number] = at
	return there
}

// lose says that the reader cannot be read. What is not decided by then is no card.
func (s *cardStream) lose(at time.Duration) []Card {
	all := s.pass(at)
	s.decoder.Reset()
	s.open, s.read, s.numbers, s.lostAt = false, false, nil, at
	return all
}

// regain says that the reader can be read again. Of a card that lay there nobody knows that it was away.
func (s *cardStream) regain(at time.Duration) {
	for n, last := range s.seen {
		if s.lostAt-last > s.away {
			delete(s.seen, n)
		} else {
			s.seen[n] = at
		}
	}
}
