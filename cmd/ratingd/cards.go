package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"haochaping/device"
	"haochaping/device/keypad"
	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/terminal"
)

// cardReader signs staff in and out by their cards.
type cardReader struct {
	cfg    boxconfig.Cards
	roster *roster
	loop   *terminal.Loop
	clock  clock
	log    *slog.Logger
}

// maxUnread is after how many cards in a row that were not understood it is the reader or its profile, and not a card.
const maxUnread = 3

// errUnread never says what came: it may be the number of a citizen's own card.
var errUnread = cli.Error("读卡器发来的内容不符合 cards.profile，用 ratingctl keys -learn -cards 识别",
	"what the reader sends is no card as cards.profile describes it; ratingctl keys -learn -cards finds out the reader")

// run reads cards until ctx ends. It reports why it cannot, and nil when it can.
func (c cardReader) run(ctx context.Context, mono func() time.Duration, report func(error)) error {
	reader, err := newCardReader(c.cfg, mono, c.log)
	if err != nil {
		return err
	}
	state := cardState{report: report, log: c.log}
	return reader.Run(ctx, func(card device.Card) {
		state.noticed(card)
		switch card.Kind {
		case device.CardShown:
			c.read(card)
		case device.CardUnread:
			c.loop.Post(terminal.UnknownCard{At: c.clock.at(card.At), Unread: true})
		}
	})
}

// newCardReader returns the configured reader.
func newCardReader(c boxconfig.Cards, mono func() time.Duration, log *slog.Logger) (*device.CardReader, error) {
	profile, err := keypad.Find(c.Profile)
	if err != nil {
		return nil, fmt.Errorf("cards.profile: %w", err)
	}
	cfg := device.SerialConfig{Port: c.Port, Baud: c.Baud, Profile: profile, Now: mono, Logger: log}
	if c.Device != "" {
		cfg.Port, cfg.Open = c.Device, device.OpenTyped
	}
	return device.NewCardReader(cfg), nil
}

// cardState follows whether the reader can be read and is understood.
type cardState struct {
	report func(error)
	log    *slog.Logger
	unread int  // in a row
	read   bool // a card was, since the start
}

// noticed takes what the reader has noticed.
func (s *cardState) noticed(card device.Card) {
	switch card.Kind {
	case device.ReaderLost:
		s.report(card.Err)
	case device.ReaderBack, device.ReaderReady:
		s.report(nil)
	case device.CardShown:
		s.unread, s.read = 0, true
		s.report(nil)
	case device.CardUnread:
		s.unread++
		s.log.Warn("the card reader sent what is no card", "reason", errUnread)
		if !s.read || s.unread >= maxUnread {
			s.report(errUnread)
		}
	}
}

// read takes a card: it signs its owner in, and out if it was the owner who was signed in.
func (c cardReader) read(card device.Card) {
	s, ok := c.roster.byCard(card.Number)
	at := c.clock.at(card.At)
	switch {
	case !ok:
		// Not which: the number of a citizen's own card is nobody's business.
		c.log.Warn("a card was read that belongs to nobody at this window; add it to the window's staff at the centre if it should")
		c.loop.Post(terminal.UnknownCard{At: at})
	case c.loop.View().Signed.ID == s.ID: // whatever a PC or an earlier list has called them
		c.loop.Post(terminal.SignOut{At: at, Via: "card"})
	default:
		c.loop.Post(terminal.SignIn{At: at, Staff: s, Via: "card"})
	}
}
