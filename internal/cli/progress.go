package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// progressPause is from when on progress is told, and how often elsewhere than on a terminal.
const progressPause = 2 * time.Second

// Progress tells how far something is that takes longer than two seconds: by a bar on a terminal, by lines elsewhere. It is safe for
// concurrent use.
type Progress struct {
	what string
	lang Lang
	out  io.Writer
	now  func() time.Time
	bar  bool // on a terminal

	mu    sync.Mutex
	began time.Time // guarded by mu, as all below
	last  time.Time
	shown bool // a bar is on the screen
}

// NewProgress begins to tell about something.
func NewProgress(lang Lang, out io.Writer, now func() time.Time, zh, en string) *Progress {
	at := now()
	return &Progress{what: lang.Say(zh, en), lang: lang, out: out, now: now, bar: isTerminal(out), began: at, last: at}
}

// Tell says how much is done. It may be called often, and speaks now and then; all is 0 while nobody knows.
func (p *Progress) Tell(done, all int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pause := progressPause
	if p.shown {
		pause = progressPause / 8
	}
	now := p.now()
	if now.Sub(p.last) < pause {
		return
	}
	p.last = now
	text := p.text(done, all, now.Sub(p.began))
	if p.bar {
		p.shown = true
		text = "\r\x1b[K" + text
	} else {
		text += "\n"
	}
	_, _ = io.WriteString(p.out, text) // who does not read it loses nothing
}

// text returns what is said.
func (p *Progress) text(done, all int64, took time.Duration) string {
	if all <= 0 {
		return fmt.Sprintf("%s … %s", p.what, took.Round(time.Second))
	}
	done = min(max(done, 0), all)
	left := "?"
	if done > 0 {
		left = time.Duration(float64(took) * float64(all-done) / float64(done)).Round(time.Second).String()
	}
	bar := ""
	if p.bar {
		const width = 24
		full := int(done * width / all)
		bar = "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "] "
	}
	return fmt.Sprintf("%s: %s%d / %d (%d %%), %s", p.what, bar, done, all, done*100/all, p.lang.Say("约剩 "+left, left+" left"))
}

// End takes a bar off the screen.
func (p *Progress) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		p.shown = false
		_, _ = io.WriteString(p.out, "\r\x1b[K")
	}
}

// Waiting tells until the function that it returns is called how long something of unknown length takes already.
func Waiting(ctx context.Context, out io.Writer, zh, en string) (end func()) {
	p := NewProgress(LangOf(ctx), out, time.Now, zh, en)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(progressPause)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				p.Tell(0, 0)
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		p.End()
	}
}

// isTerminal reports whether somebody watches.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
