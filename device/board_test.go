package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/host/v3/gpioioctl"
)

// The tests of this file run on a board, or in a virtual one, whose GPIO lines somebody moves from outside: cross-compile
// them with "go test -c ./device", and run them there with -test.run Board -test.v and
//
//	BOARD_GPIO_KEYS    names of two or more free lines, read as pressed when they are high
//	BOARD_GPIO_OUTPUT  name of a free line that is watched
//	BOARD_GPIO_BUSY    name of a line that something else uses
//	BOARD_GPIO_DRIVER  optional: driver's folder below /sys/bus and device to unbind, as "amba/drivers/pl061_gpio 9030000.pl061"
//
// Each line that begins with BOARD says what whoever is outside shall do or check. "make board" does it in a virtual machine.

func boardLines(t *testing.T, name string) []string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Skipf("%s is not set: this test needs a board whose lines are moved from outside", name)
	}
	return strings.Split(v, ",")
}

func TestBoardWiring(t *testing.T) {
	keys, busy := boardLines(t, "BOARD_GPIO_KEYS"), boardLines(t, "BOARD_GPIO_BUSY")[0]
	c := NewChips()
	for ref, want := range map[string]string{
		keys[0] + "X": "did you mean " + keys[0], "nothing-like-it": "There are ", busy: "is in use by", "gpiochip0:9999": "has the offsets 0 to",
		"nochip:1": "there is no chip nochip",
	} {
		_, _, err := c.Open([]string{ref})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("line %q: error %v, want one with %q", ref, err, want)
		}
		t.Logf("line %q: %v", ref, err)
	}
	_, closer, err := c.Open(keys)
	if err != nil {
		t.Fatal(err)
	}
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	// A line that we hold ourselves is busy for the next.
	o, err := c.OpenOutputs(keys[:1], false)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := NewChips().Open(keys[:1]); err == nil || !strings.Contains(err.Error(), "ratingd output") {
		t.Errorf("a line in use was opened, or nobody is named: %v", err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
}

// openBoard opens lines as the daemon does.
func openBoard(t *testing.T, c *Chips, keys []string) ([]GPIOLine, io.Closer) {
	t.Helper()
	lines, closer, err := c.Open(keys)
	if err != nil {
		t.Fatal(err)
	}
	return lines, closer
}

// readBoard reads keys until stop is called, or their lines fail.
func readBoard(t *testing.T, lines []GPIOLine, closer io.Closer) (events <-chan Event, done <-chan error, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	found, ended := make(chan Event, 1000), make(chan error, 1)
	go func() {
		err := NewGPIO(GPIOConfig{Lines: lines, ActiveHigh: true, Now: now(), Logger: quiet}).Run(ctx, func(e Event) { found <- e })
		ended <- errors.Join(err, closer.Close())
	}()
	time.Sleep(100 * time.Millisecond)
	return found, ended, cancel
}

func boardKeys(t *testing.T, c *Chips, keys []string) (<-chan Event, <-chan error, func()) {
	t.Helper()
	lines, closer := openBoard(t, c, keys)
	return readBoard(t, lines, closer)
}

// waitHigh waits until a line is high.
func waitHigh(t *testing.T, key string) {
	t.Helper()
	lines, closer := openBoard(t, NewChips(), []string{key})
	defer func() { _ = closer.Close() }()
	if err := lines[0].Pin.In(gpio.PullDown, gpio.NoEdge); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); lines[0].Pin.Read() == gpio.Low; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("line %s was not pulled high within 10 s", key)
		}
	}
}

// TestBoardPeriph reads the keys by periph's own driver, as any of periph's pins: by looking at them.
func TestBoardPeriph(t *testing.T) {
	keys := boardLines(t, "BOARD_GPIO_KEYS")
	state, err := driverreg.Init()
	if err != nil || len(state.Failed) > 0 {
		t.Fatalf("periph: %v, failed %v", err, state.Failed)
	}
	var lines []GPIOLine
	var open []*gpioioctl.GPIOLine
	for _, key := range keys {
		for _, chip := range gpioioctl.Chips {
			if l := chip.ByName(key); l != nil {
				lines, open = append(lines, GPIOLine{Code: Code(key), Pin: l}), append(open, l)
			}
		}
	}
	if len(lines) != len(keys) {
		t.Fatalf("periph finds %d of the lines %v", len(lines), keys)
	}
	events, done, cancel := readBoard(t, lines, io.NopCloser(nil))
	fmt.Println("BOARD press 1")
	wantEvent(t, events, Down, Code(keys[1]))
	wantEvent(t, events, Up, Code(keys[1]))
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, l := range open {
		l.Close()
	}
}

// TestBoardTaps taps a key with contacts closed for some time, and counts what is read. Whoever is outside may stop this
// program for a tenth of a second at a time meanwhile: then the edges alone tell.
func TestBoardTaps(t *testing.T) {
	keys := boardLines(t, "BOARD_GPIO_KEYS")
	events, done, cancel := boardKeys(t, NewChips(), keys)
	for _, how := range []string{"punctual", "late"} {
		for _, closed := range []int{5, 15, 25, 40, 60} {
			fmt.Printf("BOARD taps 0 %d 20 %s\n", closed, how)
			presses, shortest := 0, time.Hour
			var last Event
			for e := range events {
				if e.Code == Code(keys[1]) {
					if e.Action == Up {
						break // the end of the taps
					}
					continue
				}
				switch e.Action {
				case Down:
					presses++
				case Up:
					shortest = min(shortest, e.At-last.At)
				}
				last = e
			}
			t.Logf("%s: %d of 20 taps of %d ms are presses; by the kernel's times the shortest was down for %v",
				how, presses, closed, shortest.Round(time.Microsecond))
			if presses > 20 || presses > 0 && shortest <= 20*time.Millisecond {
				t.Errorf("%d presses of 20 taps, the shortest of %v", presses, shortest)
			}
			if closed == 60 && presses == 0 {
				t.Error("no tap of 60 ms is a press")
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestBoardKeys(t *testing.T) {
	keys := boardLines(t, "BOARD_GPIO_KEYS")
	events, done, cancel := boardKeys(t, NewChips(), keys)
	for i, key := range keys[:2] {
		fmt.Printf("BOARD press %d\n", i)
		wantEvent(t, events, Down, Code(key))
		wantEvent(t, events, Up, Code(key))
	}
	fmt.Println("BOARD bounce 0")
	wantEvent(t, events, Down, Code(keys[0]))
	wantEvent(t, events, Up, Code(keys[0]))
	select {
	case e := <-events:
		t.Errorf("one press gave %+v too", e)
	case <-time.After(500 * time.Millisecond):
	}
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
	time.Sleep(5 * time.Second)
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	t.Logf("idle for 5 s: %d voluntary switches, %v of CPU", after.Nvcsw-before.Nvcsw,
		time.Duration(after.Utime.Nano()+after.Stime.Nano()-before.Utime.Nano()-before.Stime.Nano()))
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	fmt.Println("BOARD hold 0")
	waitHigh(t, keys[0])
	events, done, cancel = boardKeys(t, NewChips(), keys) // as after a reboot
	fmt.Println("BOARD release 0")
	wantEvent(t, events, Up, Code(keys[0])) // and no Down before it
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestBoardOutput switches an output whose off is high: whoever is outside sees it rise once, then fall and rise twice.
func TestBoardOutput(t *testing.T) {
	refs := boardLines(t, "BOARD_GPIO_OUTPUT")
	fmt.Println("BOARD watch output")
	time.Sleep(500 * time.Millisecond)
	o, err := NewChips().OpenOutputs(refs, true)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	for _, on := range []bool{true, false, true} { // Close switches the last one off
		if err := o.Set([]bool{on}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	fmt.Println("BOARD watched output")
}

// openFiles is how many descriptors this program has.
func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestBoardChipGone takes a chip away from under the keys and gives it back.
func TestBoardChipGone(t *testing.T) {
	keys, driver := boardLines(t, "BOARD_GPIO_KEYS"), strings.Fields(boardLines(t, "BOARD_GPIO_DRIVER")[0])
	var in, later syscall.Stat_t
	if err := syscall.Fstat(0, &in); err != nil {
		t.Fatal(err)
	}
	write := func(file string) {
		t.Helper()
		if err := os.WriteFile("/sys/bus/"+driver[0]+"/"+file, []byte(driver[1]), 0); err != nil {
			t.Fatal(err)
		}
	}
	c, before := NewChips(), 0
	for range 3 {
		events, done, _ := boardKeys(t, c, keys)
		write("unbind")
		began := time.Now()
		select {
		case err := <-done:
			if !errors.Is(err, ErrLineGone) {
				t.Errorf("error %v, want %v", err, ErrLineGone)
			}
			t.Logf("noticed after %v", time.Since(began).Round(time.Millisecond))
		case <-time.After(10 * time.Second):
			t.Fatal("a chip that is gone was not noticed within 10 s")
		}
		if len(events) > 0 {
			t.Errorf("a chip that is gone gave %+v", <-events)
		}
		if _, _, err := c.Open(keys); err == nil {
			t.Error("the lines of a chip that is gone were opened")
		}
		write("bind")
		if n := openFiles(t); before == 0 {
			before = n
		} else if n != before {
			t.Errorf("%d files are open after the chip was unplugged again, %d before", n, before)
		}
	}
	events, done, cancel := boardKeys(t, c, keys)
	fmt.Println("BOARD press 0")
	wantEvent(t, events, Down, Code(keys[0]))
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := syscall.Fstat(0, &later); err != nil || in.Ino != later.Ino || in.Dev != later.Dev {
		t.Errorf("file descriptor 0 is another: %v", err)
	}
}
