package device

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"haochaping/device/keypad"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// desk is a window whose keypad is a history's: the keypad's bytes, its rule, the behaviour, and a log in memory. Its time is what
// the caller says.
type desk struct {
	in     *Interpreter
	model  terminal.Model
	log    []rating.Body
	views  []seen
	visits uint64
	stuck  int
}

// seen is what the screen shows from a moment on.
type seen struct {
	at time.Duration
	terminal.View
}

func newDesk(m Map) *desk {
	timings := terminal.Timings{Wait: 20 * time.Second, Thanks: 3 * time.Second}
	d := &desk{in: NewInterpreter(m, ""), model: terminal.New(timings, terminal.Reasons{})}
	w := rating.Window{ID: "w1", Name: "1号窗口", Hall: "市民中心", Generation: 1}
	d.do(0, terminal.Started{At: stamp(0), Window: &w, Version: "test"})
	return d
}

// stamp returns a moment as the log writes it, in milliseconds.
func stamp(at time.Duration) rating.Stamp {
	return rating.Stamp{Boot: 1, Mono: at.Milliseconds() + 1, Wall: 1_700_000_000_000 + at.Milliseconds()}
}

func (d *desk) do(now time.Duration, e terminal.Event) {
	s := d.model.Step(e)
	d.model = s.Model
	if s.Write != nil {
		first := uint64(len(d.log)) + 1
		d.log = append(d.log, s.Write.Bodies...)
		d.model, _ = s.Write.Done(stamp(now), first, nil)
	}
	if v := d.model.View(); len(d.views) == 0 || d.views[len(d.views)-1].View != v {
		d.views = append(d.views, seen{now, v})
	}
}

// open opens a visit with two questions.
func (d *desk) open(now time.Duration) {
	d.visits++
	d.do(now, terminal.OpenVisit{At: stamp(now), Visit: rating.Visit{
		ID: rating.VisitID(d.visits), Grouping: rating.Single, Opener: rating.OpenedByPC,
		Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject},
		Cases:    []rating.Case{{ProjectNo: fmt.Sprint("p", d.visits), Completed: true}},
	}})
}

// event takes what the keypad says.
func (d *desk) event(now time.Duration, e Event) {
	for _, s := range d.in.Step(e) {
		at := stamp(s.At)
		switch s.Kind {
		case Press:
			p := terminal.Press{At: at, Level: s.Level}
			if s.Times > 1 {
				p.Again = terminal.Again{Since: stamp(s.Since), Times: s.Times}
			}
			d.do(now, p)
		case NoPress:
			d.do(now, terminal.NoPress{At: at})
		case Together:
			d.do(now, terminal.KeysTogether{At: at})
		case Stuck:
			d.stuck++
			d.do(now, terminal.KeyTrouble{At: at, Name: rating.EventStuckKey, Key: string(s.Code)})
		case Released:
			d.do(now, terminal.KeyTrouble{At: at, Name: rating.EventReleasedKey, Key: string(s.Code)})
		case Lost:
			d.do(now, terminal.KeypadLost{At: at, Err: "unplugged"})
		case Back:
			d.do(now, terminal.KeypadBack{At: at})
		}
	}
}

func (d *desk) tick(now time.Duration) { d.do(now, terminal.Tick{At: stamp(now)}) }

// shown returns when a question was shown first, an hour if it never was.
func (d *desk) shown(v rating.VisitID, s rating.Subject) time.Duration {
	for _, view := range d.views {
		if view.Visit != nil && view.Visit.ID == v && view.Subject == s {
			return view.at
		}
	}
	return time.Hour
}

// answeredAt reports whether the press of a moment is an answer.
func (d *desk) answeredAt(at time.Duration) bool {
	return slices.ContainsFunc(d.log, func(b rating.Body) bool { return b.Evaluation != nil && b.At.Mono == stamp(at).Mono })
}

// due returns when the behaviour wants to be told of the time.
func (d *desk) due() (time.Duration, bool) {
	due, ok := d.model.Deadline()
	return time.Duration(due.Mono-1) * ms, ok
}

// simulate plays a history through the code that reads lines, each read up to late after its bytes came.
func simulate(t *testing.T, h *history, p *keypad.Profile, late time.Duration, r *rand.Rand) *desk {
	d := newDesk(h.kind.codes())
	c := SerialConfig{Profile: p}
	for _, b := range h.kind.codes().keys {
		c.Keys = append(c.Keys, b.Code)
	}
	keys := c.presses()
	var reading *reader
	var now time.Duration
	user := lineUser{
		prompt: func() []byte { return nil }, state: func(error) {},
		read: keys.read, noise: keys.noise, spoilt: keys.spoilt,
		passed: func(upTo time.Duration) (time.Duration, bool) {
			for _, e := range keys.pass(upTo) {
				d.event(now, e)
			}
			return keys.due()
		},
	}
	open := func() {
		keys.open(now)
		reading = &reader{burst: newBurst(p, 9600, make(chan []byte, 4), user), user: user}
	}
	open()
	writes, opens, losses := h.writes, h.opens, h.losses
	var back time.Duration // when the keypad is plugged in, 0 if it is
	next, came := time.Duration(0), time.Duration(0)
	for now < h.end {
		arrives := h.end
		if len(writes) > 0 {
			arrives = max(writes[0].at+came, now)
		}
		at := min(arrives, h.end)
		for _, other := range []time.Duration{next, back} {
			if other > now {
				at = min(at, other)
			}
		}
		if len(opens) > 0 {
			at = min(at, max(opens[0], now))
		}
		if len(losses) > 0 {
			at = min(at, max(losses[0]+late, now))
		}
		if due, ok := d.due(); ok {
			at = min(at, max(due, now))
		}
		now = at
		if due, ok := d.due(); ok && due <= now {
			d.tick(now)
		}
		if len(opens) > 0 && opens[0] <= now {
			opens = opens[1:]
			d.open(now)
		}
		var read []byte
		for len(writes) > 0 && writes[0].at <= now && arrives <= now {
			read = append(read, writes[0].b...)
			writes = writes[1:]
		}
		if len(read) > 0 {
			if err := reading.take(chunk{b: read, at: now}); err != nil {
				t.Fatal(err)
			}
			came = time.Duration(r.Int64N(int64(late) + 1))
		}
		switch {
		case len(losses) > 0 && losses[0]+late <= now:
			if reading.take(chunk{err: errHungUp, at: now}) == nil {
				t.Fatal("the end of the line is no error")
			}
			keys.lose()
			d.event(now, Event{Source: sourceSerial, Action: ActionLost, At: now, Err: errors.New("unplugged")})
			losses, back = losses[1:], losses[0]+unplugged
			next = 0
		case back != 0 && back <= now:
			back = 0
			open()
			d.event(now, Event{Source: sourceSerial, Action: ActionBack, At: now})
		}
		if back == 0 {
			next = now + reading.pass(now)
		}
	}
	return d
}

// String lists what the log holds.
func (d *desk) String() string {
	if d == nil {
		return ""
	}
	s := "log:\n"
	for _, b := range d.log {
		switch {
		case b.Evaluation != nil:
			s += fmt.Sprintf("  %s visit %d %s: %s\n", time.Duration(b.At.Mono-1)*ms, b.Evaluation.Visit, b.Evaluation.Subject, b.Evaluation.Level)
		case b.Event != nil:
			s += fmt.Sprintf("  %s %s %v\n", time.Duration(b.At.Mono-1)*ms, b.Event.Name, b.Event.Detail)
		}
	}
	return s
}
