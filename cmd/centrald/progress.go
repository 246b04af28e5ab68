package main

import (
	"fmt"
	"log/slog"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/cli"
	"haochaping/internal/sdnotify"
)

// progressPause is how often progress is told.
const progressPause = 2 * time.Second

// progress tells how far something is that takes longer than that: to the log and the service manager of a daemon, which must not take the
// silence for a hang, or to whoever waits for a command.
type progress struct {
	*cli.Progress // of a command; nil for a daemon

	what    string
	now     func() time.Time
	began   time.Time
	last    time.Time
	log     *slog.Logger
	manager *sdnotify.Manager // nil: none
}

func (c *command) progress(zh, en string) *progress {
	return &progress{Progress: cli.NewProgress(c.lang, c.env.stderr, c.env.now, zh, en)}
}

func daemonProgress(what string, now func() time.Time, log *slog.Logger, m *sdnotify.Manager) *progress {
	at := now()
	return &progress{what: what, now: now, began: at, last: at, log: log, manager: m}
}

// tell is called often; it speaks now and then.
func (p *progress) tell(done, all int64) {
	if p.Progress != nil {
		p.Tell(done, all)
		return
	}
	now := p.now()
	if now.Sub(p.last) < progressPause || all == 0 {
		return
	}
	p.last = now
	left := "?"
	if done > 0 {
		left = (time.Duration(float64(now.Sub(p.began)) * float64(all-done) / float64(done))).Round(time.Second).String()
	}
	text := fmt.Sprintf("%s: %d / %d (%d %%), 约剩 %s / %[5]s left", p.what, done, all, done*100/all, left)
	p.log.Info(text)
	// What cannot be told is no reason to stop.
	_ = p.manager.Status(text)
	_ = p.manager.Extend(time.Minute)
	_ = p.manager.Alive()
}

// books tells the progress of the books.
func (p *progress) books(b books.Progress) { p.tell(b.Done, b.Total) }
