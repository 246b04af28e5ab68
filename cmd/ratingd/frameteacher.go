package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"haochaping/device"
	"haochaping/device/keypad"
	"haochaping/internal/boxconfig"
	"haochaping/internal/opsapi"
	"haochaping/sync/wire"
)

// mostStrange is how strange what a serial keypad sends must be to its profile before it is learnt itself.
const mostStrange = 3

// strange returns how strange an event is: several keys at once may be a finger's, or a frame that the profile reads as several; what is no
// key is told after three times in a row.
func (t *teacher) strange(e opsapi.KeyEvent) int {
	switch {
	case t.cfg.Keys.Source != boxconfig.Serial:
	case e.What == opsapi.KeyTogether:
		return 1
	case e.What == opsapi.KeyDown && device.Code(e.Code).IsNoKey():
		return mostStrange
	}
	return 0
}

// Errors of lessons of frames.
var (
	errNoSerial = errors.New("keys.source 不是 serial，没有可学习的串口键盘 / keys.source is not serial: there is no serial keypad to be learnt")
	errBaud     = errors.New("这个速率不能用 / the line cannot be set to this speed")
)

// errFrames says that a keypad was not understood. What came is told beside.
func errFrames(why error) error {
	return fmt.Errorf("没有学会这个键盘，收到的字节列在下面；请核对接线和速率后重新学习 / the keypad was not understood, what came is listed below: %w", why)
}

// teachFrames finds out what a serial keypad sends of which nothing is known.
func (t *teacher) teachFrames(ctx context.Context, c wire.Command) (bool, []wire.Part, error) {
	if t.cfg.Keys.Source != boxconfig.Serial || t.source.lend == nil {
		return false, nil, errNoSerial
	}
	line, err := lessonLine(t.cfg.Keys, c.Args[wire.BaudArg])
	if err != nil {
		return false, nil, err
	}
	ok, parts, err := t.teachMore(ctx, c.ID, func() (lesson, error) {
		l := newFrameLesson(line, t.now())
		return l, t.hear(ctx, l)
	})
	if err != nil {
		err = errFrames(err)
	}
	return ok, parts, err
}

// lessonLine returns how the line is set: as its profile says, and at another speed where somebody has said one.
func lessonLine(k boxconfig.Keys, baud string) (keypad.Line, error) {
	line := keypad.Line{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1}
	if p, err := keypad.Find(k.Serial.Profile); err == nil {
		line = p.Line
	}
	if k.Serial.Baud != 0 {
		line.Baud = k.Serial.Baud
	}
	if baud == "" {
		return line, nil
	}
	n, err := strconv.Atoi(baud)
	if err != nil || !slices.Contains(keypad.Bauds(), n) {
		return line, errBaud
	}
	line.Baud = n
	return line, nil
}

// lessonTick is how often a lesson of frames is told the time.
const lessonTick = 100 * time.Millisecond

// hear gives a lesson what comes on the line until it is over or ctx ends.
func (t *teacher) hear(ctx context.Context, l *frameLesson) error {
	type burst struct {
		b  []byte
		at time.Duration
	}
	listening, stop := context.WithCancel(ctx)
	defer stop()
	bursts, ended := make(chan burst, 16), make(chan error, 1)
	go func() {
		ended <- device.Watch(listening, device.OpenPort, t.cfg.Keys.Serial.Port, l.line, t.now, func() {}, func(b []byte, at time.Duration) {
			select {
			case bursts <- burst{b, at}:
			case <-listening.Done():
			}
		})
	}()
	tick := time.NewTicker(lessonTick)
	defer tick.Stop()
	var err error
	for err == nil && l.stage != stageLearnt {
		t.shows(l)
		select {
		case x := <-bursts:
			err = l.burst(x.b, x.at)
		case <-tick.C:
			err = l.pass(t.now())
		case err = <-ended:
			return err // nil once ctx has ended
		}
	}
	stop()
	return errors.Join(err, <-ended)
}
