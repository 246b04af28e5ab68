package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"haochaping/device/keypad"
)

func slz(grade byte) []byte { return []byte{0xff, 0x68, 3, 3, 0x68, 0x81, 0x11, grade, 0x99, 0x16} }

func shipped(t *testing.T, name string) *keypad.Profile {
	t.Helper()
	p, err := keypad.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var quiet = slog.New(slog.DiscardHandler)

func now() func() time.Duration {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}

// running runs a source until the test ends and returns its events.
func running(t *testing.T, run func(context.Context, func(Event)) error) <-chan Event {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	events := make(chan Event, 100)
	done := make(chan error, 1)
	go func() { done <- run(ctx, func(e Event) { events <- e }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the source ended with %v", err)
		}
	})
	return events
}

// wantEvent returns the next event that is not the word that a key goes on.
func wantEvent(t *testing.T, events <-chan Event, action Action, code Code) Event {
	t.Helper()
	select {
	case e := <-events:
		if e.Action == GoesOn {
			return wantEvent(t, events, action, code)
		}
		if e.Action != action || e.Code != code {
			t.Fatalf("event %+v, want action %d of key %q", e, action, code)
		}
		return e
	case <-time.After(10 * time.Second):
		t.Fatalf("no event within 10 s, want action %d of key %q", action, code)
	}
	return Event{}
}

func TestGPIO(t *testing.T) {
	pins := []*gpiotest.Pin{
		{N: "A", L: gpio.High, P: gpio.Float, EdgesChan: make(chan gpio.Level, 16)},
		{N: "B", L: gpio.High, P: gpio.Float, EdgesChan: make(chan gpio.Level, 16)},
	}
	g := NewGPIO(GPIOConfig{Lines: []GPIOLine{{Code: "A", Pin: pins[0]}, {Code: "B", Pin: pins[1]}}, Now: now(), Logger: quiet})
	events := running(t, g.Run)
	for configured := false; !configured; time.Sleep(time.Millisecond) { // which throws away edges that came before
		pins[1].Lock()
		configured = pins[1].P == gpio.PullUp
		pins[1].Unlock()
	}
	move := func(p *gpiotest.Pin, levels ...gpio.Level) {
		for _, l := range levels {
			p.EdgesChan <- l // the pin takes the level when the edge is read
		}
	}
	move(pins[0], gpio.Low, gpio.High, gpio.Low) // bounces
	wantEvent(t, events, Down, "A")
	move(pins[0], gpio.High)
	wantEvent(t, events, Up, "A")
	move(pins[1], gpio.Low)
	wantEvent(t, events, Down, "B")
}

// gone is a line whose chip was unplugged: each wait ends at once.
type gone struct{ gpiotest.Pin }

func (*gone) WaitForEdge(time.Duration) bool { return false }

func TestGPIOChipGone(t *testing.T) {
	p := &gone{gpiotest.Pin{N: "A", L: gpio.High, EdgesChan: make(chan gpio.Level)}}
	g := NewGPIO(GPIOConfig{Lines: []GPIOLine{{Code: "A", Pin: p}}, Now: now(), Logger: quiet})
	if err := g.Run(t.Context(), func(Event) {}); err == nil {
		t.Error("a chip that is gone was not noticed")
	}
}

// TestGPIOChipGoneIsNoPress takes away the chip while nobody touches a key: periph then reads every line as low.
func TestGPIOChipGoneIsNoPress(t *testing.T) {
	p := &gone{gpiotest.Pin{N: "A", L: gpio.Low, EdgesChan: make(chan gpio.Level)}}
	alive := func() error { return errors.New("no such device") }
	g := NewGPIO(GPIOConfig{Lines: []GPIOLine{{Code: "A", Pin: p, Alive: alive}}, Now: now(), Logger: quiet})
	s := newScanner(g.cfg, new(taps), func(e Event) { t.Errorf("a chip that is gone gave %+v", e) })
	s.contacts = newContacts(20*ms, []bool{false}, 0)
	if err := s.watch(t.Context(), 0); !errors.Is(err, ErrLineGone) {
		t.Errorf("error %v, want %v", err, ErrLineGone)
	}
}

// openTTY returns a pseudo-terminal's master and links its name to path, as udev does when a keypad is plugged in.
func openTTY(t *testing.T, path string) *os.File {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close(); _ = tty.Close() })
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.Symlink(tty.Name(), path); err != nil {
		t.Fatal(err)
	}
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	return master
}

func TestSerialUnpluggedAndPluggedIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keypad")
	s := NewSerial(SerialConfig{Port: path, Profile: shipped(t, "byte"), Now: now(), Logger: quiet})
	events := running(t, s.Run)
	if e := wantEvent(t, events, ActionLost, ""); e.Err == nil {
		t.Error("lost without a reason")
	}
	for _, key := range []string{"1", "2"} {
		master := openTTY(t, path)
		wantEvent(t, events, ActionBack, "")
		if _, err := master.Write([]byte(key)); err != nil {
			t.Fatal(err)
		}
		wantEvent(t, events, Down, Code("0x3"+key))
		if err := master.Close(); err != nil {
			t.Fatal(err)
		}
		wantEvent(t, events, ActionLost, "")
	}
}

// TestWhatWasPressedBeforeIsNoKey: a byte that came while nobody read, as in a daemon that was killed, waits in a line that another program
// holds open. It would answer whatever is asked first.
func TestWhatWasPressedBeforeIsNoKey(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close(); _ = tty.Close() })
	raw, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	raw.Lflag &^= unix.ICANON | unix.ECHO
	if err := unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, raw); err != nil {
		t.Fatal(err)
	}
	if _, err := master.Write([]byte("1")); err != nil {
		t.Fatal(err)
	}
	for waiting := 0; waiting == 0; { // until the byte lies in the line
		if waiting, err = unix.IoctlGetInt(int(tty.Fd()), unix.TIOCINQ); err != nil {
			t.Fatal(err)
		}
	}
	s := NewSerial(SerialConfig{Port: tty.Name(), Profile: shipped(t, "byte"), Now: now(), Logger: quiet})
	events := running(t, s.Run)
	go func() { // until it is read
		for pause := 300 * time.Millisecond; t.Context().Err() == nil; pause = 5 * time.Second {
			time.Sleep(pause)
			_, _ = master.Write([]byte("2"))
		}
	}()
	wantEvent(t, events, Down, Code("0x32"))
}

// TestSerialAnswersAndDropsRepeats is played anew where it goes wrong, since a machine that is late by seconds makes presses of repeats.
func TestSerialAnswersAndDropsRepeats(t *testing.T) {
	want := []string{"1", "2", "1 beside"} // with 2 in between both are down
	var got []string
	for range 5 {
		if got = repeatsOnSerial(t); slices.Equal(got, want) {
			return
		}
	}
	t.Errorf("the presses are %q, want %q", got, want)
}

// repeatsOnSerial returns the presses that come of grades which are sent again.
func repeatsOnSerial(t *testing.T) (presses []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keypad")
	master := openTTY(t, path)
	s := NewSerial(SerialConfig{Port: path, Profile: shipped(t, "slz"), Now: now(), Logger: quiet})
	events := running(t, s.Run)
	untilRaw(t, master)
	send := func(grade byte) {
		if _, err := master.Write(slz(grade)); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 8) // once it is read: what is read together is another matter
		if _, err := io.ReadFull(master, answer); err != nil || answer[7] != 0x16 {
			t.Fatalf("answer % x, %v", answer, err)
		}
	}
	send(1)
	send(1)
	time.Sleep(3 * time.Second) // what comes again right after the opening was down before
	for _, grade := range []byte{1, 1, 2, 1} {
		send(grade)
		time.Sleep(100 * time.Millisecond)
	}
	for {
		select {
		case e := <-events:
			switch {
			case e.Action == Down && e.Beside:
				presses = append(presses, string(e.Code)+" beside")
			case e.Action == Down:
				presses = append(presses, string(e.Code))
			}
		case <-time.After(time.Second):
			return presses
		}
	}
}

// untilRaw returns once the port is open, which throws away what came before and ends the terminal's echo.
func untilRaw(t *testing.T, master *os.File) {
	t.Helper()
	raw, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var set *unix.Termios
		if e := raw.Control(func(fd uintptr) { set, err = unix.IoctlGetTermios(int(fd), unix.TCGETS) }); e != nil || err != nil {
			t.Fatal(e, err)
		}
		if set.Lflag&unix.ECHO == 0 {
			time.Sleep(100 * time.Millisecond) // what came before is thrown away right after
			return
		}
	}
	t.Fatal("the port was not opened within a minute")
}

func TestSimulated(t *testing.T) {
	s := NewSimulated(now())
	events := running(t, s.Run)
	mux := http.NewServeMux()
	mux.Handle("POST /keys/{code}", s.Handler())
	post := func(header, value string) int {
		r := httptest.NewRequest("POST", "http://127.0.0.1/keys/3", nil)
		r.Header.Set(header, value)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w.Code
	}
	if got := post("Origin", "https://evil.example.com"); got != http.StatusForbidden {
		t.Errorf("from another origin: %d", got)
	}
	if got := post("Origin", "http://127.0.0.1"); got != http.StatusNoContent {
		t.Errorf("from the page itself: %d", got)
	}
	wantEvent(t, events, Down, "3")
	wantEvent(t, events, Up, "3")
}

// TestUnpluggedInTheMiddleOfAFrame pulls a keypad out after each byte of a frame, and lets the rest come when it is back: it is no press of
// that key, and the next key is read.
func TestUnpluggedInTheMiddleOfAFrame(t *testing.T) {
	releases := "name='x'\n[[frame]]\nlayout='3c key=31-35 3e'\ncode='text'\n[[frame]]\nkind='release'\nlayout='3c key=41-45 3e'\n" +
		"code='text'\n"
	for _, kind := range append(keypadKinds(), keypadKind{name: "releases", profile: releases,
		frame: func(key int) []byte { return fmt.Appendf(nil, "<%d>", key) }}) {
		frame, other := kind.frame(2), kind.frame(4)
		for cut := 1; cut < len(frame); cut++ {
			t.Run(fmt.Sprint(kind.name, " after ", cut), func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "keypad")
				master := openTTY(t, path)
				p := kind.parsed(t)
				is := func(frame []byte) Code { return Code(p.NewDecoder().Feed(frame)[0].Code) }
				if rest := p.NewDecoder().Feed(frame[cut:]); len(rest) > 0 && Code(rest[0].Code) == is(frame) {
					t.Skip("what is left is a whole frame")
				}
				s := NewSerial(SerialConfig{Port: path, Profile: p, Now: now(), Logger: quiet, AtOnce: true})
				events := running(t, s.Run)
				untilRaw(t, master)
				writeTo(t, master, string(frame[:cut]))
				if err := master.Close(); err != nil {
					t.Fatal(err)
				}
				wantEvent(t, events, ActionLost, "")
				master = openTTY(t, path)
				wantEvent(t, events, ActionBack, "")
				writeTo(t, master, string(frame[cut:]))
				time.Sleep(p.Gap + 50*time.Millisecond)
				writeTo(t, master, string(other))
				for {
					select {
					case e := <-events:
						switch {
						case e.Action == Down && e.Code == is(other):
							return
						case e.Action == Down && e.Code == is(frame):
							t.Fatalf("the frame that was cut is a press: %+v", e)
						}
					case <-time.After(time.Minute):
						t.Fatal("the next key was not read")
					}
				}
			})
		}
	}
}
