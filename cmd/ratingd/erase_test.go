package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/terminal"
	"haochaping/sync/uplink"
)

func TestWhoMayBeErased(t *testing.T) {
	for name, x := range map[string]struct {
		pending uint64
		giveUp  string
		erased  bool
	}{
		"nothing waits":                {0, "", true},
		"records wait":                 {3, "", false},
		"given up by another's name":   {3, "bcdf23456780", false},
		"given up":                     {3, "bcdf23456789", true},
		"given up though nothing does": {0, "bcdf23456789", true},
	} {
		state, births, w := t.TempDir(), 0, new(served)
		e := eraser{cfg: boxconfig.Config{State: state, Device: "bcdf23456789"}, pending: func() uint64 { return x.pending }, window: w,
			asked: make(chan order, 1)}
		e.reborn = func() { births++ }
		err := e.ask("1", x.giveUp)
		if errors.Is(err, uplink.ErrLater) {
			if err = e.erase(t.Context(), x.giveUp); err == nil {
				e.reborn()
			}
		}
		if (err == nil) != x.erased || (births == 1) != x.erased {
			t.Errorf("%s: %v, %d births", name, err, births)
		}
		if w.paused != x.erased {
			t.Errorf("%s: the window is paused: %v", name, w.paused)
		}
		writeFile(t, filepath.Join(state, boxconfig.IdentityFile), "key")
		done, err := boxconfig.Erase(state)
		if _, there := os.Stat(filepath.Join(state, boxconfig.IdentityFile)); err != nil || done != x.erased || (there != nil) != x.erased {
			t.Errorf("%s: erased %v, %v, %v", name, done, err, there)
		}
	}
}

// served is a window that may be paused.
type served struct{ paused bool }

func (s *served) View() terminal.Public {
	if s.paused {
		return terminal.Public{State: terminal.Paused}
	}
	return terminal.Public{State: terminal.Idle}
}

func (s *served) Pause(context.Context) error  { s.paused = true; return nil }
func (s *served) Resume(context.Context) error { s.paused = false; return nil }

// TestWhatIsAnsweredLastIsNotErased: an answer that comes while the box is asked to forget all is acknowledged before, or the box keeps
// all.
func TestWhatIsAnsweredLastIsNotErased(t *testing.T) {
	for _, acknowledged := range []bool{true, false} {
		state, w, asked := t.TempDir(), new(served), 0
		e := eraser{cfg: boxconfig.Config{State: state, Device: "bcdf23456789"}, window: w, settle: time.Second,
			pending: func() uint64 {
				asked++
				if !w.paused || acknowledged && asked > 2 {
					return 0
				}
				return 1 // the outcome of the visit that was interrupted
			}}
		if err := e.erase(t.Context(), ""); (err == nil) != acknowledged || w.paused != acknowledged {
			t.Errorf("acknowledged %v: %v, paused %v", acknowledged, err, w.paused)
		}
	}
}

// TestARefusedErasureLeavesAPause that somebody began, and ends its own.
func TestARefusedErasureLeavesAPause(t *testing.T) {
	for _, before := range []bool{true, false} {
		w, asked := &served{paused: before}, 0
		e := eraser{cfg: boxconfig.Config{State: t.TempDir(), Device: "bcdf23456789"}, window: w,
			pending: func() uint64 {
				if asked++; asked == 1 {
					return 0
				}
				return 1 // written while the window was being paused
			}}
		if err := e.erase(t.Context(), ""); err == nil || w.paused != before {
			t.Errorf("paused before: %v; refused with %v, it is paused: %v", before, err, w.paused)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		asked, e.settle = 0, time.Minute
		if err := e.erase(ended, ""); !errors.Is(err, context.Canceled) || w.paused != before {
			t.Errorf("paused before: %v; ended with %v, it is paused: %v", before, err, w.paused)
		}
	}
}
