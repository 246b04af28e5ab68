package live

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"haochaping/internal/central/web"
)

const (
	// maxLive bounds the live connections, each of which is rendered for on every change.
	maxLive = 32
	// maxOwn bounds those of one person.
	maxOwn = 6
	// liveSettle is how long changes are collected before they are shown, so that a box that delivers a thousand records
	// after a night offline does not make a thousand pages.
	liveSettle = 200 * time.Millisecond
	// liveBeat is how often the page is looked at without a change: what the books don't announce (presence, findings)
	// shows then, and a dead connection is noticed.
	liveBeat = 10 * time.Second
	// liveShare is by how much the pause between two looks at the boxes is longer than a look.
	liveShare = 100
	// liveWrite is how long a write to a browser may take.
	liveWrite = 10 * time.Second
)

// stream sends the changing part whenever it has changed.
func (p *Pages) stream(c *web.Call) error {
	full := func() error {
		c.W.Header().Set("Retry-After", "30")
		return &web.Refusal{Status: http.StatusServiceUnavailable, Words: "打开的实时页面太多，请刷新本页查看最新。Too many live pages are open; reload this one " +
			"to see what is new."}
	}
	if !c.Everybody {
		leave, ok := p.turns.Take(c, maxOwn)
		if !ok {
			return full()
		}
		defer leave()
	}
	select {
	case p.live <- struct{}{}:
		defer func() { <-p.live }()
	default:
		return full()
	}
	ctx, w := c.R.Context(), c.W
	control := http.NewResponseController(w)
	changed, end := p.cfg.Books.Subscribe()
	defer end()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold the events back
	send := func(event []byte) error {
		// The server's own write timeout is meant for pages that end.
		if err := control.SetWriteDeadline(p.cfg.Now().Add(liveWrite)); err != nil {
			return err
		}
		if _, err := w.Write(event); err != nil {
			return err
		}
		return control.Flush()
	}
	beat := time.NewTicker(liveBeat)
	defer beat.Stop()
	var last template.HTML
	var all []Device
	var again time.Time // when boxes are read again at the soonest: of ten thousand, reading takes a while
	for stale := true; ; {
		if !c.Still(ctx) {
			return nil // signed out meanwhile, or the grant is over: the script reloads the page
		}
		event := []byte(": still here\n\n")
		part, err := last, error(nil)
		if stale && time.Now().After(again) {
			began := time.Now()
			all, err = p.devices(c)
			again = time.Now().Add(liveShare * time.Since(began))
		}
		if err == nil {
			part, err = p.render(c, all)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			p.cfg.Logger.Error("centre's page", "route", c.R.Pattern, "err", err)
		case part != last:
			event, last = sse(string(part)), part
		}
		if err := send(event); err != nil {
			return nil // the browser went away
		}
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
			stale = true
		case <-changed:
			stale = err != nil
			if !wait(ctx, liveSettle) {
				return nil
			}
		}
	}
}

// wait waits for d and reports whether ctx still holds.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// sse returns a server-sent event, each line of the data on a line of its own.
func sse(data string) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines([]byte(data)) {
		fmt.Fprintf(&b, "data: %s\n", bytes.TrimRight(line, "\r\n"))
	}
	b.WriteByte('\n')
	return b.Bytes()
}
