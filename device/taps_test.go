package device

import (
	"cmp"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"haochaping/device/evdev"
	"haochaping/device/keypad"
	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
)

// contact is a key that goes down and up.
type contact struct {
	key      int // 0 to 4
	down, up time.Duration
}

// restless is a key that goes down and up by itself, and another that a finger presses meanwhile.
type restless struct {
	contacts []contact // in the order of time
	began    time.Duration
	end      time.Duration // when it is up for good
	finger   time.Duration // when the other key is pressed
	opens    []time.Duration
}

// The keys of a restless keypad.
const (
	worn  = 1 // goes down and up
	whole = 3 // is pressed
)

// newRestless draws one: the key goes down every 100 ms to 2 s, with 20 % of jitter, for 3 to 30 s.
func newRestless(t *rapid.T) restless {
	every := draw(t, 100, 2000, "ms of interval")
	r := restless{began: 5*time.Second + draw(t, 0, 2000, "ms")}
	last := r.began + draw(t, 3000, 30_000, "ms it goes on")
	for at := r.began; at < last; {
		gap := every * time.Duration(rapid.IntRange(80, 120).Draw(t, "% of interval")) / 100
		if len(r.contacts) < 2 {
			gap = min(gap, sameWithin)
		}
		closed := max(30*ms, gap*time.Duration(rapid.IntRange(10, 60).Draw(t, "% closed"))/100)
		r.contacts = append(r.contacts, contact{worn, at, at + closed})
		r.end = at + closed
		at += max(gap, closed+70*ms)
	}
	r.finger = r.began + draw(t, 6000, 40_000, "ms until the finger")
	r.contacts = append(r.contacts, contact{whole, r.finger, r.finger + 100*ms})
	slices.SortStableFunc(r.contacts, func(a, b contact) int { return cmp.Compare(a.down, b.down) })
	for at := draw(t, 500, 6000, "ms until a visit"); at < r.end; at += draw(t, 500, 12_000, "ms until a visit") {
		r.opens = append(r.opens, at)
	}
	return r
}

// moment is a change of one contact.
type moment struct {
	at   time.Duration
	key  int
	down bool
}

func (r restless) moments() (all []moment) {
	for _, c := range r.contacts {
		all = append(all, moment{c.down, c.key, true}, moment{c.up, c.key, false})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return cmp.Compare(a.at, b.at) })
	return all
}

// The sources that know when a key is let go, each as what it makes of contacts.
var restlessSources = map[string]func(t *rapid.T, r restless) []Event{
	"gpio": func(t *rapid.T, r restless) []Event {
		waves := make([]wave, 5)
		for _, m := range r.moments() {
			waves[m.key] = append(waves[m.key], edge{m.at, m.down})
		}
		return timedEvents(t, waves, max(r.end, r.finger)+5*time.Second, anyLate(t))
	},
	"gpio without times": func(t *rapid.T, r restless) []Event {
		waves := make([]wave, 5)
		for _, m := range r.moments() {
			waves[m.key] = append(waves[m.key], edge{m.at, m.down})
		}
		return sampledEvents(t, waves, max(r.end, r.finger)+5*time.Second, 0)
	},
	"serial with releases": func(_ *rapid.T, r restless) []Event {
		h := &holds{}
		return append(playHolds(h, 0, r.moments()), h.pass(time.Hour)...)
	},
}

// playHolds opens a keypad that says when a key is let go, and plays what its contacts do.
func playHolds(h *holds, opened time.Duration, moments []moment) (all []Event) {
	h.open(opened)
	for _, m := range moments {
		all = append(all, h.pass(m.at-1)...)
		kind := keypad.Release
		if m.down {
			kind = keypad.Key
		}
		h.read(keypad.Read{Kind: kind, Code: string(codes[m.key])}, m.at)
	}
	return append(all, h.pass(moments[len(moments)-1].at+time.Second)...)
}

// restlessUSB is a fake keypad whose keys are a to e.
func restlessUSB(t *testing.T, r restless) (all []Event) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeKeypad()
		began := time.Now()
		u := NewUSB(USBConfig{Now: func() time.Duration { return time.Since(began) }, Open: func(string) (InputDevice, error) { return f, nil }})
		events := running(t, u.Run)
		keys := []uint16{30, 48, 46, 32, 18} // A to E
		for _, m := range r.moments() {
			time.Sleep(time.Until(began.Add(m.at)))
			value := int32(evdev.KeyUp)
			if m.down {
				value = evdev.KeyDown
			}
			f.packet(evdev.Event{Type: evdev.TypeKey, Code: keys[m.key], Value: value, At: m.at})
			synctest.Wait()
			all = append(all, waiting(events)...)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		all = append(all, waiting(events)...)
	})
	for i := range all {
		all[i].Code = Code(all[i].Code[len("KEY_"):][0] - 'A' + 'a')
	}
	return all
}

// waiting returns what has been emitted.
func waiting(events <-chan Event) (all []Event) {
	for {
		select {
		case e := <-events:
			all = append(all, e)
		default:
			return all
		}
	}
}

// TestAKeyThatGoesUpAndDown has a key go down and up by itself, whatever the source, while visits are opened and another key is
// pressed: of all its presses only the first two may answer a question that they did not begin in; the finger's answer stands;
// the key is reported once it has gone on for long enough, and let go when it has been silent.
func TestAKeyThatGoesUpAndDown(t *testing.T) {
	for name, source := range restlessSources {
		t.Run(name, func(t *testing.T) {
			simulation.Check(t, func(t *rapid.T) {
				r := newRestless(t)
				judgeRestless(t, r, source(t, r))
			})
		})
	}
	t.Run("usb", func(t *testing.T) {
		simulation.Check(t, func(rt *rapid.T) {
			r := newRestless(rt)
			judgeRestless(rt, r, restlessUSB(t, r))
		})
	})
}

// judgeRestless plays what the keypad says on a window and looks into its log.
func judgeRestless(t *rapid.T, r restless, events []Event) {
	m, err := NewMap([]Binding{{"a", 5}, {"b", 4}, {"c", 3}, {"d", 2}, {"e", 1}})
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(m)
	opens := r.opens
	until := func(at time.Duration) {
		for {
			due, ok := d.due()
			switch {
			case len(opens) > 0 && opens[0] <= at && (!ok || opens[0] <= due):
				d.open(opens[0])
				opens = opens[1:]
			case ok && due <= at:
				d.tick(due)
			default:
				return
			}
		}
	}
	released := 0
	for _, e := range events {
		until(e.At)
		d.event(e.At, e)
		if e.Action == Up && d.stuck > 0 && e.Code == codes[worn] {
			released++
		}
	}
	long := r.end-r.began >= stuckAfter+regularWithin
	if long != (d.stuck > 0) && (long || r.end-r.began < stuckAfter-regularWithin) || d.stuck > 1 || d.stuck != released {
		t.Fatalf("goes on for %s, reported %d times, let go %d times: %+v", r.end-r.began, d.stuck, released, events)
	}
	third := r.end // from when on it can be known
	if all := slices.DeleteFunc(slices.Clone(r.contacts), func(c contact) bool { return c.key != worn }); len(all) > 2 {
		third = all[2].down - 2*ms
	}
	heard := 0 // of the key that goes down and up, to questions that came later than its first press
	for i, b := range d.log {
		e := b.Evaluation
		if e == nil {
			continue
		}
		at := time.Duration(b.At.Mono-1) * ms
		shown := d.shown(e.Visit, e.Subject)
		switch {
		case e.Level == rating.Level(5-whole) && (at-r.finger).Abs() > 2*ms:
			t.Fatalf("answer %d at %s is not the finger's of %s\n%v", i, at, r.finger, d)
		case e.Level == rating.Level(5-worn) && at >= third && shown > r.began:
			t.Fatalf("answer %d at %s to the question of %s is of a key that has gone down and up since %s\n%v", i, at, shown, r.began, d)
		case e.Level == rating.Level(5-worn) && shown > r.began:
			if heard++; heard > 1 || d.answeredAt(r.began) {
				t.Fatalf("answer %d at %s, a second one to the presses since %s\n%v", i, at, r.began, d)
			}
		case e.Level == rating.Level(5-worn) && at > r.finger && e.Replaces != 0:
			t.Fatalf("answer %d at %s replaces the finger's of %s", i, at, r.finger)
		}
	}
}

// TestALostKeypadIsRemembered loses the keypad, for four seconds, in the middle of a key that goes up and down: its first press afterwards
// goes on with those before, whatever the source.
func TestALostKeypadIsRemembered(t *testing.T) {
	const lost, back, end = 4 * time.Second, 8 * time.Second, 15 * time.Second
	var before, after []contact
	for i := range 3 {
		at := time.Duration(i+1) * time.Second
		before, after = append(before, contact{worn, at, at + 100*ms}), append(after, contact{worn, back + at/2, back + at/2 + 100*ms})
	}
	waves := func(contacts []contact) []wave {
		all := make([]wave, 5)
		for _, m := range (restless{contacts: contacts}).moments() {
			all[m.key] = append(all[m.key], edge{m.at, m.down})
		}
		return all
	}
	punctual := func() time.Duration { return 0 }
	for name, events := range map[string]func(presses *taps) []Event{
		"gpio": func(presses *taps) []Event {
			first := timedFrom(t, presses, 0, waves(before), lost, punctual)
			presses.lose()
			return append(first, timedFrom(t, presses, back, waves(after), end, punctual)...)
		},
		"gpio without times": func(presses *taps) []Event {
			first := sampledFrom(t, presses, 0, waves(before), lost, 0, nil)
			presses.lose()
			return append(first, sampledFrom(t, presses, back, waves(after), end, 0, nil)...)
		},
		"usb": func(*taps) []Event { return usbLost(t, before, lost, back, after) },
		"serial with releases": func(*taps) (all []Event) {
			h := &holds{}
			all = playHolds(h, 0, restless{contacts: before}.moments())
			h.lose()
			return append(all, playHolds(h, back, restless{contacts: after}.moments())...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var pressed []Event
			for _, e := range events(new(taps)) {
				if e.Action == Down {
					pressed = append(pressed, e)
				}
			}
			if len(pressed) != 6 {
				t.Fatalf("presses %+v, want 6", pressed)
			}
			for i, e := range pressed {
				if e.Times != i+1 || (e.Since-time.Second).Abs() > 5*ms {
					t.Errorf("press %d is %+v, want it to go on since 1 s", i+1, e)
				}
			}
		})
	}
}

// usbLost plays contacts of a USB keypad that is unplugged and plugged in again.
func usbLost(t *testing.T, before []contact, lost, back time.Duration, after []contact) (all []Event) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		now := func() time.Duration { return time.Since(began) }
		first, second := newFakeKeypad(), newFakeKeypad()
		u := NewUSB(USBConfig{Now: now, Open: func(string) (InputDevice, error) {
			switch at := now(); {
			case at < lost:
				return first, nil
			case at < back:
				return nil, errors.New("not there")
			}
			return second, nil
		}})
		events := running(t, u.Run)
		play := func(f *fakeKeypad, contacts []contact) {
			for _, m := range (restless{contacts: contacts}).moments() {
				time.Sleep(time.Until(began.Add(m.at)))
				value := int32(evdev.KeyUp)
				if m.down {
					value = evdev.KeyDown
				}
				f.packet(evdev.Event{Type: evdev.TypeKey, Code: kp2, Value: value, At: m.at})
			}
		}
		play(first, before)
		time.Sleep(time.Until(began.Add(lost)))
		close(first.events)
		play(second, after)
		time.Sleep(time.Second)
		synctest.Wait()
		all = waiting(events)
	})
	return all
}
