package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"haochaping/device"
	"haochaping/internal/boxconfig"
)

// TestEachLossOfGPIOLinesIsTold takes the lines away again and again: each loss is told, once, and so is each return, but not of lines that
// can be requested and not be read.
func TestEachLossOfGPIOLinesIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		errGone := errors.New("no such chip")
		opened := 0
		env := environment{mono: func() time.Duration { return time.Since(began) }}
		env.openGPIO = func(refs []string) (all []device.GPIOLine, _ io.Closer, _ error) {
			opened++
			if opened == 1 || opened == 4 {
				return nil, nil, errGone
			}
			var gone atomic.Bool
			for _, ref := range refs {
				p := &gpiotest.Pin{N: ref, L: gpio.High, EdgesChan: make(chan gpio.Level, 1)}
				if opened == 5 {
					p.EdgesChan = nil // its edges cannot be asked for
				}
				all = append(all, device.GPIOLine{Code: device.Code(ref), Pin: p, Alive: func() error {
					if gone.Load() {
						return errGone
					}
					return nil
				}})
				time.AfterFunc(3*time.Second, func() {
					p.Lock()
					defer p.Unlock()
					gone.Store(true)
					p.L = gpio.Low
				})
			}
			return all, io.NopCloser(nil), nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var told []device.Action
		c := boxconfig.Keys{Map: []boxconfig.KeyLevel{{Key: "GPIO5", Level: 5}, {Key: "GPIO6", Level: 4}}}
		if err := runGPIO(ctx, c, env, func(e device.Event) { told = append(told, e.Action) }, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
		lost, back := device.ActionLost, device.ActionBack
		want := []device.Action{lost, back, lost, back, lost, back, lost}
		if len(told) < len(want) || !slices.Equal(told[:len(want)], want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}
