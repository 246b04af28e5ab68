package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"haochaping/device"
	"haochaping/device/evdev"
	"haochaping/device/keypad"
	"haochaping/internal/boxconfig"
	"haochaping/internal/kernelclock"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
)

// keys prints what each press reads as, until ctx ends, and which of the five levels were seen: as ratingd tells, if it runs, so that
// no citizen's press is taken. It works with a map of keys that is incomplete or absent: it is how the map is found out.
func keys(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl keys", flag.ContinueOnError)
	flags.SetOutput(stderr)
	learns := flags.Bool("learn", false, "find out what an unknown keypad sends, and write its profile")
	out := flags.String("out", "keypad.toml", "with -learn: the `file` that the profile is written to")
	times := flags.Int("times", 2, "with -learn: how often each key must be heard; 2 tells keys from noise")
	untouched := flags.Duration("untouched", 5*time.Second, "with -learn: how long to listen first for what the keypad sends by itself")
	cards := flags.Bool("cards", false, "read the card reader instead of the keypad; with -learn: find out what it sends, and write its profile")
	number := flags.String("number", "", "with -learn -cards: the `number` that is printed on the card that is held to the reader first")
	scans := flags.Bool("scan", false, "with -learn: the line's speed is unknown, try them all")
	pause := flags.Bool("pause", false, "while ratingd runs: pause the window meanwhile, for one at which citizens are always asked")
	list := flags.Bool("list", false, "list the input devices that a USB keypad may be, and the serial profiles")
	c, err := parsedConfig(flags, args)
	if err != nil || c == nil {
		return err
	}
	switch {
	case *list:
		return listKeypads(stdout)
	case *learns:
		return learn(ctx, *c, learning{out: *out, times: *times, scan: *scans, cards: *cards, number: *number, untouched: *untouched, stdin: stdin}, stdout)
	case *cards:
		return showCards(ctx, *c, stdout)
	}
	shown := newReport(*c, stdout)
	running, err := throughDaemon(ctx, *c, *pause, shown)
	if !running && err == nil {
		err = ofItself(ctx, *c, shown)
	}
	if err != nil {
		return err
	}
	shown.summary()
	return shown.err
}

// throughDaemon prints what ratingd tells of its keys. It reports whether ratingd runs.
func throughDaemon(ctx context.Context, c boxconfig.Config, pause bool, shown *report) (running bool, err error) {
	if c.Operations.Socket == "" {
		return false, nil
	}
	err = opsapi.WatchKeys(ctx, c.Operations.Socket, pause, shown.told)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return false, nil
	case errors.Is(err, fs.ErrPermission):
		return true, &hinted{fmt.Errorf("this user may not ask: %w", err), "run it as root, or: runuser -u ratingd -- ratingctl keys"}
	}
	return true, err
}

// ofItself reads the keypad.
func ofItself(ctx context.Context, c boxconfig.Config, shown *report) error {
	run, err := openKeys(c, kernelclock.SinceBoot)
	if err != nil {
		return err
	}
	shown.ask()
	err = run(ctx, shown.event)
	if err != nil {
		return &hinted{err, "stop ratingd first (systemctl stop ratingd): only one program can read the keypad"}
	}
	return nil
}

// listKeypads prints what keys.usb.device and keys.serial.profile may be.
func listKeypads(stdout io.Writer) error {
	out := &report{w: stdout}
	out.printf("Serial keypads and card readers (keys.serial.profile):\n")
	for _, name := range keypad.Names() {
		p, _, err := keypad.Shipped(name)
		if err != nil {
			return err
		}
		out.printf("  %-10s %s\n", name, p.About)
	}
	out.printf("Input devices with keys (keys.usb.device; a name of /dev/input/by-id stays the same):\n")
	all, err := evdev.List()
	if err != nil {
		out.printf("  none: %v\n", err)
	}
	for _, i := range all {
		out.printf("  %s  \"name:%s\"\n", i.Path, i.Name)
	}
	return out.err
}

// openKeys returns the run function of the configured keypad.
func openKeys(c boxconfig.Config, now func() time.Duration) (func(context.Context, func(device.Event)) error, error) {
	quiet := slog.New(slog.DiscardHandler)
	switch c.Keys.Source {
	case boxconfig.Serial:
		profile, err := keypad.Find(c.Keys.Serial.Profile)
		if err != nil {
			return nil, err
		}
		return device.NewSerial(device.SerialConfig{Port: c.Keys.Serial.Port, Baud: c.Keys.Serial.Baud, Profile: profile, Now: now, Logger: quiet, AtOnce: true}).Run, nil
	case boxconfig.USB:
		return device.NewUSB(device.USBConfig{Device: c.Keys.USB.Device, Now: now}).Run, nil
	case boxconfig.GPIO:
		var refs []string
		for _, k := range c.Keys.Map {
			refs = append(refs, k.Key)
		}
		if len(refs) == 0 {
			return nil, &hinted{errors.New("no GPIO line is named"), "write the lines into keys.map, in any order and with any levels; this command shows which one each key is"}
		}
		lines, closer, err := device.NewChips().Open(refs)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, emit func(device.Event)) error {
			g := device.NewGPIO(device.GPIOConfig{Lines: lines, Debounce: time.Duration(c.Keys.GPIO.Debounce), ActiveHigh: c.Keys.GPIO.ActiveHigh, Now: now, Logger: quiet})
			return errors.Join(g.Run(ctx, emit), closer.Close())
		}, nil
	}
	return nil, &hinted{fmt.Errorf("keys.source is %q: there is no keypad to read", c.Keys.Source), "set it to gpio, serial or usb"}
}

// report prints events.
type report struct {
	mu     sync.Mutex
	w      io.Writer
	began  time.Duration // since the machine started
	asked  bool
	err    error // of the first print that failed
	levels map[device.Code]rating.Level
	seen   map[rating.Level]bool
}

func newReport(c boxconfig.Config, stdout io.Writer) *report {
	r := &report{w: stdout, began: kernelclock.SinceBoot(), levels: make(map[device.Code]rating.Level), seen: make(map[rating.Level]bool)}
	for _, k := range c.Keys.Map {
		r.levels[device.Code(k.Key)] = k.Level
	}
	return r
}

// ask asks for the keys, once.
func (r *report) ask() {
	if !r.asked {
		r.asked = true
		r.printf("Press each key once, from left to right. End with Ctrl-C.\n")
	}
}

// told prints what ratingd tells.
func (r *report) told(e opsapi.KeyEvent) {
	actions := map[string]device.Action{opsapi.KeyDown: device.Down, opsapi.KeyTogether: device.Down, opsapi.KeyStuck: device.HeldStuck,
		opsapi.KeyReleased: device.Up, opsapi.KeypadLost: device.ActionLost, opsapi.KeypadBack: device.ActionBack}
	switch e.What {
	case opsapi.KeyShown:
		r.printf("ratingd runs, and tells what its keys do while no citizen is asked.\n")
		r.ask()
	case opsapi.KeyHidden:
		r.printf("A citizen is asked: ratingd tells nothing until that is over. At a window that always asks, use -pause.\n")
	default:
		r.event(device.Event{Action: actions[e.What], Code: device.Code(e.Code), At: time.Duration(e.At) * time.Millisecond,
			Beside: e.What == opsapi.KeyTogether, Err: errors.New(e.Why)})
	}
}

func (r *report) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(r.w, format, args...); err != nil && r.err == nil {
		r.err = err
	}
}

func (r *report) event(e device.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := (e.At - r.began).Round(time.Millisecond)
	switch e.Action {
	case device.Down:
		level, ok := r.levels[e.Code]
		if e.Code.IsNoKey() {
			r.printf("%10s  %-20s no key: noise, or another speed or profile than the keypad's; ratingctl keys -learn finds it out\n", at, e.Code)
			return
		}
		if !ok {
			r.printf("%10s  %-20s no level: add it to keys.map\n", at, e.Code)
			return
		}
		if e.Beside {
			r.printf("%10s  %-20s %s, together with another key: neither counts\n", at, e.Code, level)
			return
		}
		r.seen[level] = true
		r.printf("%10s  %-20s %s\n", at, e.Code, level)
	case device.HeldStuck:
		r.printf("%10s  %-20s stuck: it has been down, or has repeated, for 10 s; it is ignored until it is let go\n", at, e.Code)
	case device.ActionLost:
		r.printf("%10s  the keypad cannot be read: %v\n", at, e.Err)
	case device.ActionBack:
		r.printf("%10s  the keypad can be read again\n", at)
	}
}

// complete reports whether each of the five levels was seen.
func (r *report) complete() bool { return len(r.missing()) == 0 }

// missing returns the levels that were not seen.
func (r *report) missing() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range rating.Levels() {
		if !r.seen[l] {
			out = append(out, l.String())
		}
	}
	return out
}

func (r *report) summary() {
	r.printf("\n")
	for _, l := range rating.Levels() {
		word := "not pressed"
		if r.seen[l] {
			word = "seen"
		}
		r.printf("%s  %s\n", l, word)
	}
}
