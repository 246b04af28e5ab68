package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"

	"haochaping/internal/boxconfig"
	"haochaping/sync/wire"
)

const (
	// longSilence is for how long nothing is heard of the configured lines until all free ones are looked at.
	longSilence = time.Minute
	// pullTime is how long a pull has to move a line before the line is looked at.
	pullTime = 15 * time.Millisecond
)

// freeLines are GPIO lines that nothing uses, held by whoever looks for keys on them.
type freeLines interface {
	Names() []string
	Pull(gpio.Pull) error
	High() ([]bool, error)
	Close() error
}

// gpioFinder takes all free GPIO lines but those that are named.
type gpioFinder func(but []string) (freeLines, error)

// boardLines are those of the machine.
type boardLines struct {
	free gpioFinder
	open gpioOpener
}

// errNoGPIO says that the keys are elsewhere.
var errNoGPIO = errors.New("keys.source 不是 gpio，没有可学习的 GPIO 接线 / keys.source is not gpio: there are no lines to be learnt")

// errLines says that the wiring was not understood. What moved is told beside.
func errLines(why error) error {
	return fmt.Errorf("没有学会接线，看到的变化列在下面；请核对接线后重新学习 / the wiring was not understood, what moved is listed below: %w", why)
}

// unwired reports whether keys on GPIO lines cannot be read as they are configured.
func (t *teacher) unwired() bool {
	return t.cfg.Keys.Source == boxconfig.GPIO && (len(t.cfg.Keys.Map) == 0 || t.lost != nil && t.lost())
}

// teachLines finds out on which GPIO lines the keys hang.
func (t *teacher) teachLines(ctx context.Context, c wire.Command) (bool, []wire.Part, error) {
	if t.cfg.Keys.Source != boxconfig.GPIO || t.source.lend == nil {
		return false, nil, errNoGPIO
	}
	ok, parts, err := t.teachMore(ctx, c.ID, func() (lesson, error) { return t.lookForKeys(ctx) })
	if err != nil {
		err = errLines(err)
	}
	return ok, parts, err
}

// lookForKeys looks at all lines that no lamp and nobody else uses, until the lesson is over or ctx ends.
func (t *teacher) lookForKeys(ctx context.Context) (lesson, error) {
	others, _ := (lampPanel{cfg: t.cfg.Lamps}).lines()
	if t.cfg.Keys.Staff != "" {
		others = append(others, t.cfg.Keys.Staff)
	}
	lines, err := t.gpio.free(others)
	if err != nil {
		return nil, err
	}
	l := newWiringLesson(lines.Names(), t.now())
	err = errors.Join(t.watchLines(ctx, lines, l), lines.Close())
	if x, ok := l.learnt(); ok && err == nil {
		err = t.tryLines(x)
	}
	return l, err
}

// watchLines gives a lesson what the lines show under a pull downward and one upward, in turn.
func (t *teacher) watchLines(ctx context.Context, lines freeLines, l *wiringLesson) error {
	for up := false; l.stage != stageLearnt; up = !up {
		t.shows(l)
		pull := gpio.PullDown
		if up {
			pull = gpio.PullUp
		}
		if err := lines.Pull(pull); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pullTime):
		}
		high, err := lines.High()
		if err == nil {
			err = l.look(up, high, t.now())
		}
		if err == nil {
			err = l.pass(t.now())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tryLines requests the lines as they will be read: not every chip tells edges.
func (t *teacher) tryLines(x learnt) error {
	lines, closer, err := t.gpio.open(x.codes[:])
	if err != nil {
		return err
	}
	pull := gpio.PullUp
	if *x.activeHigh {
		pull = gpio.PullDown
	}
	for _, k := range lines {
		if e := k.Pin.In(pull, gpio.BothEdges); e != nil {
			err = errors.Join(err, fmt.Errorf("GPIO line %s: %w", k.Code, e))
		}
	}
	return errors.Join(err, closer.Close())
}
