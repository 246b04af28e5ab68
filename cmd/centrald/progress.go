package main

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/sdnotify"
)

// progressPause is how often progress is told.
const progressPause = 2 * time.Second

// progress tells how far something is that takes longer than that: to the log and the service manager of a daemon, which must not take the
// silence for a hang, or to the terminal of a command.
type progress struct {
	what    string
	now     func() time.Time
	began   time.Time
	last    time.Time
	log     *slog.Logger      // nil: none
	manager *sdnotify.Manager // nil: none
	out     io.Writer         // nil: none
}

func (c *command) progress(what string) *progress {
	now := c.env.now()
	return &progress{what: what, now: c.env.now, began: now, last: now, out: c.env.stderr}
}

func (c *command) daemonProgress(what string, log *slog.Logger, m *sdnotify.Manager) *progress {
	p := c.progress(what)
	p.out, p.log, p.manager = nil, log, m
	return p
}

// tell is called often; it speaks now and then.
func (p *progress) tell(done, all int64) {
	now := p.now()
	if now.Sub(p.last) < progressPause || all == 0 {
		return
	}
	p.last = now
	left := "?"
	if done > 0 {
		left = (time.Duration(float64(now.Sub(p.began)) * float64(all-done) / float64(done))).Round(time.Second).String()
	}
	text := fmt.Sprintf("%s: %d / %d (%d %%), 约剩 %s · left", p.what, done, all, done*100/all, left)
	if p.log != nil {
		p.log.Info(text)
	}
	if p.out != nil {
		_, _ = fmt.Fprintln(p.out, text) // who does not read it loses nothing
	}
	// What cannot be told is no reason to stop.
	_ = p.manager.Status(text)
	_ = p.manager.Extend(time.Minute)
	_ = p.manager.Alive()
}

// books tells the progress of the books.
func (p *progress) books(b books.Progress) { p.tell(b.Done, b.Total) }
