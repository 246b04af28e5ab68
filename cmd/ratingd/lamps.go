package main

import (
	"context"
	"errors"
	"io"
	"time"

	"haochaping/internal/boxcode"
	"haochaping/internal/boxconfig"
	"haochaping/internal/enrolment"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

const (
	// blinkHalf is half a period of a lamp that says that the keys do not work.
	blinkHalf = 500 * time.Millisecond
	// buzzerTime is how long the buzzer sounds.
	buzzerTime = 120 * time.Millisecond
)

// lit is what the outputs are to show.
type lit struct {
	keys              [5]bool // left to right
	buzzer, backlight bool
}

// lamps returns what the outputs show of a view that has been there for a time, and when that changes though the view does
// not (0: never). A lamp tells no level that the screen does not tell: the chosen one is lit as long as the thanks stay.
func lamps(v terminal.View, order [5]rating.Level, shown, backlightOff time.Duration) (lit, time.Duration) {
	all := [5]bool{true, true, true, true, true}
	broken := v.Problem != "" && v.State != terminal.Paused && v.State != terminal.Starting && v.State != terminal.Enrolling
	switch {
	case v.State == terminal.Correcting:
		l := lit{backlight: true}
		for i, level := range order {
			l.keys[i] = level == v.Chosen
		}
		if v.Chosen != 0 && shown < buzzerTime {
			l.buzzer = true
			return l, buzzerTime - shown
		}
		return l, 0
	case broken:
		l := lit{backlight: true}
		if shown/blinkHalf%2 == 0 {
			l.keys = all
		}
		return l, blinkHalf - shown%blinkHalf
	case v.State == terminal.Asking, v.State == terminal.Explaining: // as long as reasons are asked for, whatever is pressed
		return lit{keys: all, backlight: true}, 0
	case v.State == terminal.Idle && shown >= backlightOff:
		return lit{}, 0
	case v.State == terminal.Idle:
		return lit{backlight: true}, backlightOff - shown
	}
	return lit{backlight: true}, 0
}

// outputs switches GPIO lines.
type outputs interface {
	Set(on []bool) error
	io.Closer
}

// outputOpener requests GPIO lines as outputs that are off.
type outputOpener func(refs []string, activeLow bool) (outputs, error)

// lampPanel shows views on lamps, buzzer and backlight. It has a goroutine of its own and the newest view wins, so that it
// never holds up a key.
type lampPanel struct {
	cfg   boxconfig.Lamps
	codes bool // the lamps tell under which code the box waits, as no screen does
	order [5]rating.Level
	open  outputOpener
	now   func() time.Duration
}

// glimpse is what the lamps are to show.
type glimpse struct {
	terminal.View
	code enrolment.Code // under which the box waits to be accepted
}

// wanted reports whether any output is configured.
func (p lampPanel) wanted() bool {
	refs, _ := p.lines()
	return len(refs) > 0
}

// lines returns the names of the outputs, and which of what is lit each shows.
func (p lampPanel) lines() ([]string, func(lit) []bool) {
	refs := append([]string(nil), p.cfg.Keys...)
	for _, ref := range []string{p.cfg.Buzzer, p.cfg.Backlight} {
		if ref != "" {
			refs = append(refs, ref)
		}
	}
	return refs, func(l lit) []bool {
		on := append([]bool(nil), l.keys[:len(p.cfg.Keys)]...)
		if p.cfg.Buzzer != "" {
			on = append(on, l.buzzer)
		}
		if p.cfg.Backlight != "" {
			on = append(on, l.backlight)
		}
		return on
	}
}

// teller returns what tells the code under which a box waits, nil where the lamps do not.
func (p lampPanel) teller(g glimpse, now time.Duration) *teller {
	if !p.codes || len(p.cfg.Keys) != boxcode.Lamps || g.State != terminal.Enrolling {
		return nil
	}
	if all := tellingCode(g.code); all != nil {
		return &teller{flashes: all, since: now}
	}
	return nil
}

// run shows the newest view until ctx ends, then switches everything off. It returns when the outputs fail.
func (p lampPanel) run(ctx context.Context, shown *latest[glimpse], report func(error)) (err error) {
	refs, pick := p.lines()
	out, err := p.open(refs, p.cfg.ActiveLow)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	seen, since := shown.get(), p.now()
	code := p.teller(seen, since)
	for {
		l, next := lamps(seen.View, p.order, p.now()-since, time.Duration(p.cfg.BacklightOff))
		if code != nil {
			l, next = code.tell(p.now())
		}
		if err := out.Set(pick(l)); err != nil {
			return err
		}
		report(nil)
		var due <-chan time.Time
		if next > 0 {
			due = time.After(next)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-due:
		case <-shown.wake:
			if g := shown.get(); changedLamps(seen, g) {
				seen, since = g, p.now()
				code = p.teller(seen, since)
			}
		}
	}
}

// changedLamps reports whether something new begins for the lamps.
func changedLamps(a, b glimpse) bool {
	visit := func(g glimpse) rating.VisitID {
		if g.Visit == nil {
			return 0
		}
		return g.Visit.ID
	}
	return a.code != b.code || a.State != b.State || a.Problem != b.Problem || a.Chosen != b.Chosen || a.Step != b.Step || visit(a) != visit(b)
}
