package main

import (
	"errors"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/central/db/dbtest"
)

// TestToldToEndWhileItStarts stops the daemon at random moments of its start: it ends in order, and the next start finds all in order.
func TestToldToEndWhileItStarts(t *testing.T) {
	program := programs.Path(t, "centrald")
	for name, books := range map[string]func(*testing.T) string{
		"SQLite":     func(*testing.T) string { return "" },
		"PostgreSQL": func(t *testing.T) string { t.Helper(); return dbtest.StartPostgres(t).Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation(t, program, startMosquitto(t))
			if at := books(t); at != "" {
				s.use(at)
			}
			for n := range 12 {
				p := s.begin(s.config)
				time.Sleep(time.Duration(rand.IntN(30+30*n)) * time.Millisecond)
				_ = p.cmd.Process.Signal(syscall.SIGTERM)
				var early *exec.ExitError
				err := p.cmd.Wait()
				if errors.As(err, &early) && early.Sys().(syscall.WaitStatus).Signaled() {
					continue // it did not hear signals yet
				}
				if err != nil {
					t.Errorf("start %d: centrald did not end in order: %v", n, err)
				}
			}
			p := s.start(s.config, "addresses.json")
			p.stop()
			s.wantNoFault()
		})
	}
}
