package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"haochaping/device"
	"haochaping/device/keypad"
	"haochaping/internal/boxconfig"
	"haochaping/internal/rating"
)

// learning is what "keys -learn" was told.
type learning struct {
	out   string // the file that is written
	times int    // that each key is to be heard
	scan  bool   // the speed is unknown
}

// learn finds out a serial keypad: it shows what comes, asks for one key after the other from the best level down, and writes
// the profile.
func learn(ctx context.Context, c boxconfig.Config, how learning, stdout io.Writer) error {
	if c.Keys.Source != boxconfig.Serial {
		return &hinted{fmt.Errorf("keys.source is %q: only serial keypads are learnt", c.Keys.Source),
			"set it to serial and keys.serial.port to the keypad's port; for other keypads \"ratingctl keys\" shows what each key reads as"}
	}
	if _, err := os.Lstat(how.out); err == nil {
		return &hinted{fmt.Errorf("%s is there already", how.out), "name another file with -out, or remove it"}
	}
	line := keypad.Line{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1}
	if p, err := keypad.Find(c.Keys.Serial.Profile); err == nil {
		line = p.Line
	}
	if c.Keys.Serial.Baud != 0 {
		line.Baud = c.Keys.Serial.Baud
	}
	out := &report{w: stdout}
	began := time.Now()
	now := func() time.Duration { return time.Since(began) }
	if how.scan {
		var err error
		if line.Baud, err = scan(ctx, c.Keys.Serial.Port, line, now, out); err != nil {
			return err
		}
	}
	learner := keypad.NewLearner(how.times)
	if err := listen(ctx, c.Keys.Serial.Port, line, now, learner, out); err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(how.out), filepath.Ext(how.out))
	learnt, err := keypad.Learn(name, line, learner.Sent())
	if err != nil {
		return err
	}
	if err := writeProfile(how.out, learnt.Text); err != nil {
		return err
	}
	abs, err := filepath.Abs(how.out)
	if err != nil {
		return err
	}
	out.printf("\n%s\nThe profile is in %s. Write into the box's configuration, and put the keys in the order in which\nthey stand before the citizen, from left to right:\n\n", learnt.About, how.out)
	out.printf("keys.source = \"serial\"\nkeys.serial.port = %q\nkeys.serial.profile = %q\nkeys.map = [\n", c.Keys.Serial.Port, abs)
	for i, l := range rating.Levels() {
		out.printf("  { key = %q, level = %d }, # %s\n", learnt.Codes[i], l, l)
	}
	out.printf("]\n\nThen \"ratingctl keys\" shows whether each key is read as it should.\n")
	return out.err
}

// writeProfile creates the file; one that is there is never replaced.
func writeProfile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	return nil
}

// listen asks for the five keys until all are known.
func listen(ctx context.Context, port string, line keypad.Line, now func() time.Duration, l *keypad.Learner, out *report) error {
	ctx, done := context.WithCancel(ctx)
	defer done()
	var failed error
	levels := rating.Levels()
	ask := func() {
		out.printf("Press %s, and again until it is taken.\n", levels[l.Key()])
	}
	err := device.Watch(ctx, port, line, now, func() {
		out.printf("Listening on %s at %d bits per second. End with Ctrl-C.\n", port, line.Baud)
		ask()
	}, func(b []byte) {
		if failed != nil || l.Key() == len(levels) {
			return
		}
		heard, err := l.Burst(b)
		out.printf("%10s  %s  %s\n", now().Round(time.Millisecond), hexText(b), map[keypad.Heard]string{
			keypad.Once: "heard; press the same key again", keypad.Taken: "taken", keypad.Earlier: "that is what an earlier key sends",
		}[heard])
		switch {
		case err != nil:
			failed = err
			done()
		case l.Key() == len(levels):
			done()
		case heard == keypad.Taken:
			ask()
		}
	})
	switch {
	case err != nil:
		return &hinted{err, "stop ratingd first (systemctl stop ratingd): only one program can read the keypad"}
	case failed != nil:
		return failed
	case l.Key() < len(levels):
		return &hinted{errors.New("ended before all five keys were known; nothing was written"),
			"if pressing a key shows nothing, check the cable and the port, or try other speeds with -scan"}
	}
	return nil
}

// maxShown is how many bytes of a burst are shown.
const maxShown = 32

// hexText shows bytes in hex, and as text where they are.
func hexText(b []byte) string {
	shown := b[:min(len(b), maxShown)]
	text := make([]byte, len(shown))
	for i, c := range shown {
		if text[i] = c; c < ' ' || c > '~' {
			text[i] = '.'
		}
	}
	more := ""
	if len(b) > maxShown {
		more = fmt.Sprintf(" … %d bytes", len(b))
	}
	return fmt.Sprintf("% x%s  |%s|", shown, more, text)
}

// scanWait is how long a press is waited for at each speed.
const scanWait = 8 * time.Second

// scan listens at one speed after the other and returns the one at which the best key sends what looks like a keypad.
func scan(ctx context.Context, port string, line keypad.Line, now func() time.Duration, out *report) (int, error) {
	var all []keypad.Trial
	out.printf("The speed is unknown. Press %s once for each speed that is shown, when it is shown.\n", rating.Levels()[0])
	for _, baud := range keypad.ScanOrder() {
		line.Baud = baud
		tried := keypad.Trial{Baud: baud}
		one, cancel := context.WithTimeout(ctx, scanWait)
		err := device.Watch(one, port, line, now, func() { out.printf("%6d  press now\n", baud) }, func(b []byte) {
			if tried.Sent == nil {
				tried.Sent = b
				out.printf("%6d  %s  %s\n", baud, hexText(b), tried.Looks())
				cancel()
			}
		})
		cancel()
		if err != nil {
			return 0, &hinted{err, "stop ratingd first (systemctl stop ratingd): only one program can read the keypad"}
		}
		if ctx.Err() != nil {
			return 0, errors.New("ended before the speed was known; nothing was written")
		}
		if tried.Sent == nil {
			out.printf("%6d  nothing came\n", baud)
		}
		all = append(all, tried)
	}
	baud, err := keypad.BestSpeed(all)
	if err != nil {
		return 0, &hinted{err, "look at what was shown: the right speed shows the same few bytes at each press. Name it with keys.serial.baud and leave -scan away"}
	}
	out.printf("The speed is %d bits per second.\n", baud)
	return baud, nil
}
