package device

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"haochaping/device/wiring"
)

// TestBoardFreeLines finds the lines that nothing uses, and on them what somebody presses.
func TestBoardFreeLines(t *testing.T) {
	keys, busy := boardLines(t, "BOARD_GPIO_KEYS"), boardLines(t, "BOARD_GPIO_BUSY")[0]
	output := boardLines(t, "BOARD_GPIO_OUTPUT")[0]
	c := NewChips()
	free, err := c.Free(nil)
	if err != nil {
		t.Fatal(err)
	}
	names := free.Names()
	t.Logf("free are %v", names)
	for _, key := range keys {
		if !slices.Contains(names, key) {
			t.Errorf("the line %s is not found", key)
		}
	}
	if slices.Contains(names, busy) || slices.Contains(names, output) {
		t.Errorf("lines of others are looked at: %s or %s", busy, output)
	}
	if _, _, err := NewChips().Open(keys[:1]); err == nil || !strings.Contains(err.Error(), "is in use by") {
		t.Errorf("a line that is looked at can be opened: %v", err)
	}
	w, found := wiring.NewWatcher(len(names)), make(chan wiring.Found, 100)
	began, clock := now()(), now()
	look := func(d time.Duration) {
		up := false
		for end := clock() + d; clock() < end; up = !up {
			pull := gpio.PullDown
			if up {
				pull = gpio.PullUp
			}
			if err := free.Pull(pull); err != nil {
				t.Fatal(err)
			}
			time.Sleep(15 * time.Millisecond)
			high, err := free.High()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range w.Look(up, high, clock()-began) {
				found <- f
			}
			if len(found) > 0 {
				return
			}
		}
	}
	look(time.Second)
	if left := w.Rested(clock() - began); len(left) > 0 {
		t.Errorf("lines at rest move: %+v", left)
	}
	want := func(kind wiring.Kind, lines ...string) {
		t.Helper()
		look(20 * time.Second)
		if len(found) == 0 {
			t.Fatalf("no press of %v is found", lines)
		}
		f := <-found
		var got []string
		for _, i := range f.Lines {
			got = append(got, names[i])
		}
		if f.Kind != kind || !slices.Equal(got, lines) || kind == wiring.Press && (f.Rest != wiring.Low || f.Down != wiring.High) {
			t.Errorf("found %+v of %v, want %d of %v", f, got, kind, lines)
		}
	}
	for i, key := range keys[:2] {
		fmt.Printf("BOARD press %d\n", i)
		want(wiring.Press, key)
	}
	fmt.Println("BOARD bounce 0")
	want(wiring.Press, keys[0])
	fmt.Println("BOARD hold 0")
	fmt.Println("BOARD press 1")
	fmt.Println("BOARD release 0")
	want(wiring.Together, keys[0], keys[1])
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	if free, err = c.Free(keys); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(free.Names(), keys[0]) {
		t.Errorf("a line that is named is looked at: %v", free.Names())
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
}
