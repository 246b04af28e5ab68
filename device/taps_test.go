package device

import (
	"testing"
	"time"

	"haochaping/device/keypad"
)

// A keypad may let a stuck key go at each repeat: it votes for ten seconds at most, is reported, and counts again after a silence.
func TestKeyThatIsLetGoAtEachRepeatIsStuck(t *testing.T) {
	h := &holds{}
	h.open(0)
	var all []Event
	tap := func(at time.Duration) {
		h.read(keypad.Read{Kind: keypad.Key, Code: "A"}, at)
		h.read(keypad.Read{Kind: keypad.Release, Code: "A"}, at+20*time.Millisecond)
		all = append(all, h.pass(at+100*time.Millisecond)...)
	}
	at := time.Minute
	end := at + 10*time.Minute
	for ; at < end; at += 500 * time.Millisecond {
		tap(at)
	}
	tap(at + 3*time.Second)
	count := make(map[Action]int)
	for _, e := range all {
		if e.Action == Down && e.At >= time.Minute+stuckAfter && e.At < end {
			t.Fatalf("a press counted %s after it was stuck", e.At-time.Minute)
		}
		count[e.Action]++
	}
	if count[HeldStuck] != 1 || all[len(all)-2].Action != Down || all[len(all)-2].At != at+3*time.Second {
		t.Errorf("reported %d times; at last %+v", count[HeldStuck], all[len(all)-2:])
	}
}
