package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The tests of this file run on a board, or in a virtual one, whose GPIO lines somebody moves from outside: cross-compile
// them with "go test -c ./device", and run them there with -test.run Board -test.v and
//
//	BOARD_GPIO_KEYS    names of two or more free lines, read as pressed when they are high
//	BOARD_GPIO_OUTPUT  name of a free line that is watched
//	BOARD_GPIO_BUSY    name of a line that something else uses
//	BOARD_GPIO_DRIVER  optional: driver's folder below /sys/bus and device to unbind, as "amba/drivers/pl061_gpio 9030000.pl061"
//
// Each line that begins with BOARD says what whoever is outside shall do or check.

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
		keys[0] + "X": "did you mean " + keys[0], "nothing-like-it": "There are ", busy: "is in use by", "gpiochip0:9999": "has the offsets 0 to", "nochip:1": "there is no chip nochip",
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

func boardKeys(t *testing.T, c *Chips, keys []string) (<-chan Event, <-chan error, func()) {
	t.Helper()
	lines, closer, err := c.Open(keys)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	events, done := make(chan Event, 100), make(chan error, 1)
	go func() {
		err := NewGPIO(GPIOConfig{Lines: lines, ActiveHigh: true, Now: now(), Logger: quiet}).Run(ctx, func(e Event) { events <- e })
		done <- errors.Join(err, closer.Close())
	}()
	time.Sleep(100 * time.Millisecond)
	return events, done, cancel
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
	time.Sleep(500 * time.Millisecond)
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
	c := NewChips()
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
