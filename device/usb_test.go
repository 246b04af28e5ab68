package device

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/device/evdev"
)

// fakeKeypad is an input device that a test types on.
type fakeKeypad struct {
	mu     sync.Mutex
	held   []uint16
	closed sync.Once
	done   chan struct{}
	events chan []evdev.Event
	grab   error
}

func newFakeKeypad(held ...uint16) *fakeKeypad {
	return &fakeKeypad{held: held, done: make(chan struct{}), events: make(chan []evdev.Event)}
}

func (f *fakeKeypad) Grab() error { return f.grab }

func (f *fakeKeypad) Held() ([]uint16, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held, nil
}

func (f *fakeKeypad) Read(wait time.Duration) ([]evdev.Event, error) {
	select {
	case e, ok := <-f.events:
		if !ok {
			return nil, errors.New("unplugged")
		}
		return e, nil
	case <-f.done:
		return nil, os.ErrClosed
	case <-time.After(max(wait, 1)): // at 0 after all that is sent in this moment
		return nil, nil
	}
}

func (f *fakeKeypad) Close() error {
	f.closed.Do(func() { close(f.done) })
	return nil
}

func (f *fakeKeypad) key(code uint16, value int32) {
	f.packet(evdev.Event{Type: evdev.TypeKey, Code: code, Value: value})
}

// packet sends events as one report.
func (f *fakeKeypad) packet(events ...evdev.Event) {
	f.events <- append(events, evdev.Event{Type: evdev.TypeSync})
}

const kp1, kp2, kp3, numLock, enter = 79, 80, 81, 69, 28

// usbRun runs a source over keypads that are plugged in one after the other, in time that only the test spends, and returns
// what was emitted.
func usbRun(t *testing.T, plug []*fakeKeypad, typed func(began time.Time)) []string {
	var got []string
	synctest.Test(t, func(t *testing.T) {
		for _, p := range plug {
			if p != nil {
				p.done, p.events = make(chan struct{}), make(chan []evdev.Event)
			}
		}
		began := time.Now()
		var mu sync.Mutex
		u := NewUSB(USBConfig{Device: "keypad", Keys: []Code{"KEY_KP1", "KEY_KP2", "KEY_KP3"},
			Now: func() time.Duration { return time.Since(began) }, Open: func(string) (InputDevice, error) {
				mu.Lock()
				defer mu.Unlock()
				if len(plug) == 0 {
					return nil, errors.New("not there")
				}
				p := plug[0]
				plug = plug[1:]
				if p == nil {
					return nil, errors.New("not there")
				}
				return p, nil
			}})
		events := running(t, u.Run)
		synctest.Wait()
		typed(began)
		time.Sleep(2 * togetherWithin)
		synctest.Wait()
		for {
			select {
			case e := <-events:
				said := fmt.Sprintf("%d %s", e.Action, e.Code)
				if e.Beside {
					said += " beside"
				}
				got = append(got, said)
				continue
			default:
			}
			return
		}
	})
	return got
}

func TestUSBKeys(t *testing.T) {
	down, up := func(k string) string { return fmt.Sprintf("%d KEY_%s", Down, k) },
		func(k string) string { return fmt.Sprintf("%d KEY_%s", Up, k) }
	for name, c := range map[string]struct {
		held  []uint16
		typed func(f *fakeKeypad)
		want  []string
	}{
		"a press with autorepeat": {nil, func(f *fakeKeypad) {
			f.key(kp1, evdev.KeyDown)
			for range 20 {
				f.key(kp1, evdev.KeyRepeat)
			}
			f.key(kp1, evdev.KeyUp)
		}, []string{down("KP1"), up("KP1")}},
		"held at the start": {[]uint16{kp1}, func(f *fakeKeypad) {
			f.key(kp1, evdev.KeyRepeat)
			f.key(kp2, evdev.KeyDown)
			f.key(kp1, evdev.KeyUp)
			time.Sleep(time.Second)
			f.key(kp1, evdev.KeyDown)
		}, []string{down("KP2"), down("KP1")}},
		"two in one packet": {nil, func(f *fakeKeypad) {
			f.packet(evdev.Event{Type: evdev.TypeKey, Code: kp1, Value: evdev.KeyDown},
				evdev.Event{Type: evdev.TypeKey, Code: kp2, Value: evdev.KeyDown})
			time.Sleep(time.Second)
			f.key(kp3, evdev.KeyDown)
		}, []string{down("KP1") + " beside", down("KP2") + " beside", down("KP3")}},
		"within 40 ms, though the first is up again": {nil, func(f *fakeKeypad) {
			f.key(kp1, evdev.KeyDown)
			time.Sleep(20 * time.Millisecond)
			f.key(kp1, evdev.KeyUp)
			time.Sleep(20 * time.Millisecond)
			f.key(kp2, evdev.KeyDown)
		}, []string{down("KP1") + " beside", up("KP1"), down("KP2") + " beside"}},
		"by the kernel's times, read late": {nil, func(f *fakeKeypad) {
			time.Sleep(time.Second)
			f.packet(evdev.Event{Type: evdev.TypeKey, Code: kp1, Value: evdev.KeyDown, At: 100 * time.Millisecond},
				evdev.Event{Type: evdev.TypeKey, Code: kp1, Value: evdev.KeyUp, At: 150 * time.Millisecond},
				evdev.Event{Type: evdev.TypeKey, Code: kp2, Value: evdev.KeyDown, At: 200 * time.Millisecond})
		}, []string{down("KP1"), up("KP1"), down("KP2")}},
		"modifiers, and a keypad that types an Enter": {[]uint16{numLock}, func(f *fakeKeypad) {
			f.packet(evdev.Event{Type: evdev.TypeKey, Code: numLock, Value: evdev.KeyDown},
				evdev.Event{Type: evdev.TypeKey, Code: kp1, Value: evdev.KeyDown})
			f.packet(evdev.Event{Type: evdev.TypeKey, Code: numLock, Value: evdev.KeyUp},
				evdev.Event{Type: evdev.TypeKey, Code: kp1, Value: evdev.KeyUp})
			f.key(enter, evdev.KeyDown)
			f.key(enter, evdev.KeyUp)
		}, []string{down("ENTER"), up("ENTER"), down("KP1"), up("KP1")}},
		"chatter": {nil, func(f *fakeKeypad) {
			f.key(kp1, evdev.KeyDown)
			for range 3 {
				time.Sleep(10 * time.Millisecond)
				f.key(kp1, evdev.KeyUp)
				time.Sleep(10 * time.Millisecond)
				f.key(kp1, evdev.KeyDown)
			}
			f.key(kp1, evdev.KeyUp)
		}, []string{down("KP1"), up("KP1")}},
		"stuck": {nil, func(f *fakeKeypad) {
			f.key(kp1, evdev.KeyDown)
			time.Sleep(stuckAfter + time.Second)
			f.key(kp1, evdev.KeyUp)
		}, []string{down("KP1"), fmt.Sprintf("%d KEY_KP1", HeldStuck), up("KP1")}},
		"stuck since before the start": {[]uint16{kp1}, func(f *fakeKeypad) {
			time.Sleep(stuckAfter + 2*regularWithin)
			f.key(kp2, evdev.KeyDown)
			time.Sleep(time.Second)
			f.key(kp1, evdev.KeyUp)
		}, []string{fmt.Sprintf("%d KEY_KP1", HeldStuck), down("KP2"), up("KP1")}},
		"events lost": {nil, func(f *fakeKeypad) {
			f.key(kp1, evdev.KeyDown)
			f.mu.Lock()
			f.held = []uint16{kp3} // 1 was let go, 3 went down
			f.mu.Unlock()
			f.events <- []evdev.Event{{Type: evdev.TypeSync, Code: evdev.SyncDropped}, {Type: evdev.TypeKey, Code: kp2, Value: evdev.KeyDown},
				{Type: evdev.TypeSync}}
			f.key(kp3, evdev.KeyUp)
			time.Sleep(time.Second)
			f.key(kp3, evdev.KeyDown)
		}, []string{down("KP1"), up("KP1"), down("KP3")}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeKeypad(c.held...)
			got := usbRun(t, []*fakeKeypad{f}, func(time.Time) { c.typed(f) })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUSBUnpluggedAndBack(t *testing.T) {
	first, second := newFakeKeypad(), newFakeKeypad(kp2)
	got := usbRun(t, []*fakeKeypad{first, nil, nil, second}, func(time.Time) {
		first.key(kp1, evdev.KeyDown)
		time.Sleep(2 * togetherWithin)
		first.key(kp2, evdev.KeyDown) // which is not decided when the keypad goes
		close(first.events)
		time.Sleep(10 * time.Second)
		second.key(kp2, evdev.KeyUp)
		second.key(kp3, evdev.KeyDown)
	})
	want := []string{fmt.Sprintf("%d KEY_KP1", Down), fmt.Sprintf("%d ", ActionLost), fmt.Sprintf("%d ", ActionBack),
		fmt.Sprintf("%d KEY_KP3", Down)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestUSBTakenByAnother(t *testing.T) {
	f := newFakeKeypad()
	f.grab = evdev.ErrGrabbed
	got := usbRun(t, []*fakeKeypad{f}, func(time.Time) {})
	if diff := cmp.Diff([]string{fmt.Sprintf("%d ", ActionLost)}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
