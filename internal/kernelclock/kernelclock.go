// Package kernelclock tells whether something keeps the kernel's clock right, also to a program that may not ask.
//
// The answer comes from adjtimex(2), which sets the clock too, so that a sandbox that protects the clock forbids both. A
// program outside of that sandbox asks then, and keeps a Mark: a file that is there and fresh while the answer is yes. Whoever
// reads it errs to one side only: a mark that is missing, old or damaged means no.
package kernelclock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Pause is how often a Mark is made anew.
	Pause = 500 * time.Millisecond
	// fresh is how old a Mark may be: enough for a busy box, and little against the hours in which a clock goes wrong.
	fresh = 3 * time.Second
)

// Synchronised asks the kernel. An error says that the program may not.
func Synchronised() (bool, error) {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err != nil {
		return false, fmt.Errorf("ask the kernel for its clock: %w", err)
	}
	return state != unix.TIME_ERROR && tx.Status&unix.STA_UNSYNC == 0, nil
}

// SinceBoot returns the time since the machine started, which goes on while it sleeps and never jumps.
func SinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		// The call fails only for a clock that the kernel does not have, and every Linux since 2.6.39 has this one.
		panic("clock_gettime(CLOCK_BOOTTIME): " + err.Error())
	}
	return time.Duration(ts.Nano())
}

// Mark is a file on a RAM disk that holds the time since boot at which it was made, in milliseconds.
type Mark struct {
	Path      string
	SinceBoot func() time.Duration
}

// Valid reports whether the mark says that the clock is right.
func (m Mark) Valid() bool {
	b, err := os.ReadFile(m.Path)
	if err != nil {
		return false
	}
	made, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || made < 0 || made > int64(1<<63-1)/int64(time.Millisecond) {
		return false
	}
	age := m.SinceBoot() - time.Duration(made)*time.Millisecond
	return age > -time.Second && age <= fresh // it is rounded, and nobody has made it in the future
}

// Keep keeps the mark until ctx ends, by what synchronised answers, and takes it away at the end.
func (m Mark) Keep(ctx context.Context, synchronised func() (bool, error)) (err error) {
	defer func() { err = errors.Join(err, m.remove()) }()
	for tick := time.NewTicker(Pause); ; {
		yes, err := synchronised()
		if err == nil && yes {
			err = m.make()
		} else if err == nil {
			err = m.remove()
		}
		if err != nil {
			tick.Stop()
			return fmt.Errorf("mark that the clock is right: %w", err)
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
		}
	}
}

// make replaces the mark at once: a reader never finds half of it.
func (m Mark) make() error {
	temp := m.Path + ".new"
	if err := os.WriteFile(temp, []byte(strconv.FormatInt(m.SinceBoot().Milliseconds(), 10)+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(temp, m.Path)
}

func (m Mark) remove() error {
	if err := os.Remove(m.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
