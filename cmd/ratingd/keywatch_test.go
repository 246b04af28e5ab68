package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"haochaping/device"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/store"
)

// TestNoAnswerIsTold holds that what an administrator sees of the keys is nothing that was pressed while a citizen was asked, whenever
// it is known, and nothing that comes of it.
func TestNoAnswerIsTold(t *testing.T) {
	now := time.Duration(0)
	k := newKeyWatch(func() time.Duration { return now })
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var told []string
	done := make(chan error, 1)
	began := make(chan struct{}, 1)
	go func() {
		done <- k.watch(ctx, func(e opsapi.KeyEvent) error {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, strings.TrimSpace(e.What+" "+e.Code))
			select {
			case began <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	<-began
	visit := &rating.Visit{ID: 1}
	view := func(v terminal.View) { k.view(v) }
	event := func(a device.Action, code device.Code, at time.Duration) {
		k.event(device.Event{Action: a, Code: code, At: at, Err: errors.New("unplugged")})
	}
	second := time.Second
	event(device.Down, "before anything is shown", second)
	now = 2 * second
	view(terminal.View{State: terminal.Idle})
	event(device.Down, "A", 3*second)
	event(device.HeldStuck, "A", 13*second)
	now = 14 * second
	view(terminal.View{State: terminal.Asking, Visit: visit})
	event(device.Down, "B", 15*second)
	view(terminal.View{State: terminal.Correcting, Visit: visit})
	event(device.Down, "C", 16*second)
	event(device.Up, "A", 16*second)
	view(terminal.View{State: "reasons"})
	event(device.Down, "D", 17*second)
	now = 18 * second
	view(terminal.View{State: terminal.Idle})
	event(device.Down, "E", 18*second-1) // decided later than it was pressed
	for _, c := range []device.Code{"B", "C", "D", "E"} {
		event(device.HeldStuck, c, 26*second)
		event(device.Up, c, 27*second)
	}
	event(device.ActionLost, "", 28*second)
	event(device.ActionBack, "", 29*second)
	event(device.Down, "B", 30*second)
	want := []string{"hidden", "shown", "down A", "stuck A", "hidden", "shown", "lost", "back", "down B"}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		mu.Lock()
		got := slices.Clone(told)
		mu.Unlock()
		if slices.Equal(got, want) {
			break
		}
		if len(got) > len(want) || time.Now().After(end) {
			t.Fatalf("told %q, want %q", got, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestAStuckKeyVotesOnNothing repeats a key every 500 ms while three visits are opened, presses two keys at once at a fourth, and one at a
// fifth; an administrator watches the keys meanwhile.
func TestAStuckKeyVotesOnNothing(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newBox(t, w, "stuck", 1)
	keypad, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keypad.Close(); _ = tty.Close() }()
	b.keys = fmt.Sprintf("keys.source = \"serial\"\nkeys.serial.port = %q\nkeys.serial.profile = \"byte\"\n", tty.Name()) +
		"keys.map = [{key=\"0x41\",level=5},{key=\"0x31\",level=4},{key=\"0x32\",level=3},{key=\"0x33\",level=2},{key=\"0x34\",level=1}]\n"
	send := func(text string) {
		if _, err := keypad.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	w.enrol(b, 0)
	b.start()
	var mu sync.Mutex
	var told []string
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() {
		watched <- opsapi.WatchKeys(ctx, b.socket(), false, func(e opsapi.KeyEvent) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, strings.TrimSpace(e.What+" "+e.Code))
		})
	}()
	time.Sleep(3 * time.Second) // what comes right after the opening may have been down before
	for i := range 26 {
		send("A")
		if i == 4 || i == 10 || i == 16 {
			b.openVisit()
		}
		time.Sleep(500 * time.Millisecond)
	}
	s, err := opsapi.Ask(t.Context(), b.socket())
	if err != nil {
		t.Fatal(err)
	}
	if s.StuckKeys != 1 || s.UnknownKeys != 0 {
		t.Errorf("%d keys are stuck, %d unknown, want 1 and 0", s.StuckKeys, s.UnknownKeys)
	}
	i := slices.IndexFunc(s.Parts, func(p opsapi.Part) bool { return p.Name == "keys" })
	if p := s.Parts[i]; p.OK || !strings.Contains(p.What.EN, "stuck") {
		t.Errorf("the keys are %+v", p)
	}
	time.Sleep(3 * time.Second)
	fourth := b.openVisit()
	send("13")
	b.wait("the citizen to be asked again", func(s boxState) bool { return s.State == "asking" && s.Visit == fourth })
	fifth := b.openVisit()
	send("2")
	b.sawThanks(fifth, 3, nil)
	b.wait("idle", func(s boxState) bool { return s.State == "idle" })
	cancel()
	if err := <-watched; err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"shown", "down 0x41", "hidden"}; len(told) < 3 || !slices.Equal(told[:3], want) ||
		slices.ContainsFunc(told[3:], func(s string) bool { return strings.HasPrefix(s, "down") }) {
		t.Errorf("the administrator was told %q", told)
	}
	b.stop()
	happened := make(map[string]int)
	for _, e := range b.events() {
		happened[e.Name]++
	}
	if happened[rating.EventStuckKey] != 1 || happened[rating.EventReleasedKey] != 1 || happened[rating.EventKeysTogether] != 1 {
		t.Errorf("the log tells of %v", happened)
	}
	if got := b.evaluations(); !slices.Equal(got, []rating.Level{3}) {
		t.Errorf("the log holds %v, want 3 alone", got)
	}
}

// evaluations returns the levels in the box's log, as somebody reads it from outside.
func (b *box) evaluations() (all []rating.Level) {
	n, err := store.Inspect(filepath.Join(b.state, "log.db"))
	if err == nil {
		err = n.Records(0, func(r rating.Record, _ []byte) error {
			if r.Kind == rating.KindEvaluation {
				all = append(all, r.Evaluation.Level)
			}
			return nil
		})
	}
	if err != nil {
		b.t.Errorf("%s: %v", b.name, err)
	}
	return all
}
