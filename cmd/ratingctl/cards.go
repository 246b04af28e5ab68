package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"haochaping/device"
	"haochaping/device/keypad"
	"haochaping/internal/boxconfig"
)

// stopFirst is what to do where a port is the daemon's.
const stopFirst = "stop ratingd first (systemctl stop ratingd): only one program can read the card reader"

// errNoReader says that no reader is configured.
var errNoReader = &hinted{errors.New("no card reader is configured"),
	"set cards.port to its serial port, or cards.device to its input device if it types as a keyboard does"}

// showCards prints what the card reader reads, until ctx ends. The numbers are for the list of the window's staff.
func showCards(ctx context.Context, c boxconfig.Config, stdout io.Writer) error {
	out := &report{w: stdout}
	if !c.Cards.Configured() {
		return errNoReader
	}
	profile, err := keypad.Find(c.Cards.Profile)
	if err != nil {
		return err
	}
	began := time.Now()
	cfg := device.SerialConfig{
		Port: c.Cards.Port, Baud: c.Cards.Baud, Profile: profile,
		Now: func() time.Duration { return time.Since(began) }, Logger: slog.New(slog.DiscardHandler),
	}
	if c.Cards.Device != "" {
		cfg.Port, cfg.Open = c.Cards.Device, device.OpenTyped
	}
	out.printf("Hold one card after the other to the reader. End with Ctrl-C.\n")
	if err := device.NewCardReader(cfg).Run(ctx, func(card device.Card) {
		at := card.At.Round(time.Millisecond)
		switch card.Kind {
		case device.CardShown:
			out.printf("%10s  card = %q\n", at, card.Number)
		case device.CardUnread:
			out.printf("%10s  not understood by the profile %s; ratingctl keys -learn -cards finds out the reader\n", at, profile.Name)
		case device.ReaderLost:
			out.printf("%10s  the reader cannot be read: %v\n", at, card.Err)
		case device.ReaderBack:
			out.printf("%10s  the reader can be read again\n", at)
		}
	}); err != nil {
		return &hinted{err, stopFirst}
	}
	return out.err
}

const (
	// nextCardWait is how long another card is waited for, once there is one.
	nextCardWait = 20 * time.Second
	// heldAgain is after what silence a card was surely taken away.
	heldAgain = 5 * time.Second
)

// cardLesson asks for cards until enough are known. It is safe for concurrent use.
type cardLesson struct {
	out *report
	end func()

	mu      sync.Mutex
	began   time.Duration // guarded by mu, as all below
	asked   time.Duration
	again   int // times that a card was shown that is known
	last    time.Duration
	learner *keypad.CardLearner
	failed  error
	over    bool
}

func (l *cardLesson) open(where string, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began, l.asked = now, now
	l.out.printf("Listening on %s. End with Ctrl-C.\nHold a card to the reader, and again until it is taken.\n", where)
}

// pass ends the lesson if nobody has another card.
func (l *cardLesson) pass(now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.learner.Cards() > 0 && now-l.asked > nextCardWait {
		l.finish(nil)
	}
}

func (l *cardLesson) burst(b []byte, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	heard, err := l.learner.Burst(b, at)
	l.out.printf("%10s  %s  %s\n", (at - l.began).Round(time.Millisecond), hexText(b), map[keypad.Heard]string{
		keypad.Once: "heard; hold the same card to the reader again", keypad.Taken: "taken",
		keypad.Earlier: "that card is known", keypad.Held: "the same card",
	}[heard])
	if (heard == keypad.Held || heard == keypad.Earlier) && at-l.last > heldAgain {
		l.again++ // it was away, and there seems to be no other
	}
	l.last = at
	switch {
	case err != nil:
		l.finish(err)
	case l.learner.Cards() == keypad.MaxCards, l.again >= 2:
		l.finish(nil)
	case heard == keypad.Taken:
		l.asked = at
		l.out.printf("Hold another card to the reader, and again until it is taken. If there is none, wait for %s.\n", nextCardWait)
	}
}

// finish needs mu.
func (l *cardLesson) finish(err error) {
	l.over, l.failed = true, err
	l.end()
}

// samples returns what was heard of each card.
func (l *cardLesson) samples() ([][]byte, time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		return nil, 0, &hinted{errors.New("ended before the reader was known; nothing was written"),
			"if a card shows nothing, check the cable and the port, or try other speeds with -scan"}
	}
	return l.learner.Samples(), l.learner.Repeat(), l.failed
}

// learnCards finds out a serial card reader and writes its profile.
func learnCards(ctx context.Context, c boxconfig.Config, how learning, out *report) error {
	switch {
	case c.Cards.Device != "":
		return &hinted{errors.New("a reader that types as a keyboard does sends lines of text"),
			"\"ratingctl keys -cards\" shows what it reads with cards.profile, card-line or card-list"}
	case c.Cards.Port == "":
		return errNoReader
	}
	if err := makeRoom(how.out); err != nil {
		return err
	}
	began := time.Now()
	now := func() time.Duration { return time.Since(began) }
	line, err := learntLine(ctx, c.Cards.Port, c.Cards.Profile, c.Cards.Baud, scanning{how.scan, "a card"}, now, out)
	if err != nil {
		return err
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	l := &cardLesson{out: out, end: done, learner: keypad.NewCardLearner(how.times)}
	if err := listen(ctx, c.Cards.Port, line, now, listener{l.open, l.burst, l.pass}); err != nil {
		return err
	}
	cards, repeat, err := l.samples()
	if err != nil {
		return err
	}
	learnt, err := keypad.LearnCards(profileName(how.out), line, cards, how.number, repeat)
	if err != nil {
		return err
	}
	if err := writeProfile(out, how.out, learnt.Text); err != nil {
		return err
	}
	return printCards(out, c.Cards.Port, how.out, learnt)
}

// printCards says what was learnt and what is to be pasted.
func printCards(out *report, port, file string, l keypad.LearntCards) error {
	profile, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	out.printf("\n%s\n", l.About)
	if l.Shipped != "" {
		out.printf("The built-in profile %s reads it; %s is a copy.\n", l.Shipped, file)
		profile = l.Shipped
	} else {
		out.printf("The profile is in %s.\n", file)
	}
	out.printf("Write into the box's configuration:\n\ncards.port = %q\ncards.profile = %q\n\n"+
		"The cards that were held to the reader are, in the list of the window's staff:\n\n", port, profile)
	for _, n := range l.Numbers {
		out.printf("card = %q\n", n)
	}
	out.printf("\nIf another number is printed on the first card, learn again with -number and that number. " +
		"\"ratingctl keys -cards\"\nshows what other cards are read as.\n")
	if len(l.Numbers) == 1 {
		out.printf("Only one card was heard: try others before the reader is used.\n")
	}
	return out.err
}

// scanning is what an unknown speed is tried out with.
type scanning struct {
	wanted bool
	with   string // what is to be pressed or held
}

func (s scanning) ask() string {
	if s.with == "a card" {
		return "Hold a card to the reader"
	}
	return fmt.Sprintf("Press %s", s.with)
}
