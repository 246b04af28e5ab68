package sound

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"haochaping/internal/crash"
)

// overtime is how much longer than its clip aplay may take.
const overtime = 2 * time.Second

// Config names what a Player plays through.
type Config struct {
	Command string      // "aplay"
	Device  string      // ALSA's name of the card; empty for its default
	Cards   string      // "/proc/asound/cards"
	Report  func(error) // is told what became of each clip, nil for one that was played; may be nil
	Logger  *slog.Logger
}

// Player plays one clip at a time. Play is safe for concurrent use.
type Player struct {
	cfg  Config
	wake chan struct{}

	mu   sync.Mutex
	next *Clip // guarded by mu; nil if nothing waits
}

// NewPlayer returns a Player that is silent before Run.
func NewPlayer(c Config) *Player { return &Player{cfg: c, wake: make(chan struct{}, 1)} }

// Play plays a clip as soon as what plays now has been ended. It never blocks. A clip that has not begun when the next
// comes is not played.
func (p *Player) Play(c Clip) {
	p.mu.Lock()
	p.next = &c
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *Player) take() *Clip {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.next
	p.next = nil
	return c
}

func (p *Player) waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next != nil
}

// Run plays until ctx ends, when it ends what plays and returns nil. What cannot be played is logged, once until it can.
func (p *Player) Run(ctx context.Context) error {
	failed := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		}
		for clip := p.take(); clip != nil && ctx.Err() == nil; clip = p.take() {
			superseded, err := p.playUnlessNewer(ctx, *clip)
			if superseded || ctx.Err() != nil {
				continue // its error is that it was ended
			}
			if err != nil && !failed {
				p.cfg.Logger.Warn("no sound; all else works", "error", err)
			}
			failed = err != nil
			if p.cfg.Report != nil {
				p.cfg.Report(err)
			}
		}
	}
}

// playUnlessNewer plays a clip to its end, or until a newer one waits.
func (p *Player) playUnlessNewer(ctx context.Context, c Clip) (superseded bool, err error) {
	playing, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- crash.Contain(func() error { return p.play(playing, c) }) }()
	for {
		select {
		case err := <-done:
			return false, err
		case <-p.wake:
			if p.waits() { // else it woke for the clip that plays
				stop()
				return true, <-done
			}
		}
	}
}

// PlayNow plays one clip to its end, beside whatever Run does.
func (p *Player) PlayNow(ctx context.Context, c Clip) error { return p.play(ctx, c) }

// play plays one clip to its end.
func (p *Player) play(ctx context.Context, c Clip) error {
	if err := cardThere(p.cfg.Cards); err != nil {
		return err
	}
	args := []string{"-q"}
	if p.cfg.Device != "" {
		args = append(args, "-D", p.cfg.Device)
	}
	limit := c.Length() + overtime
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var said bytes.Buffer
	cmd := exec.CommandContext(timed, p.cfg.Command, append(args, "-")...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(c.WAV()), &said
	cmd.WaitDelay = 100 * time.Millisecond
	// A group of its own, so that what the command has started, if it is a script, ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("install the Debian package alsa-utils: %w", err)
	case ctx.Err() == nil && timed.Err() != nil:
		return fmt.Errorf("%s did not end within %v of a clip of %v and was killed; does the card %q hang?", p.cfg.Command, limit, c.Length(),
			p.cfg.Device)
	}
	return fmt.Errorf("%s: %w: %s", p.cfg.Command, err, strings.TrimSpace(said.String()))
}

// cardThere returns an error if the kernel has no sound card.
func cardThere(cards string) error {
	b, err := os.ReadFile(cards)
	if err == nil && !regexp.MustCompile(`(?m)^\s*\d+ \[`).Match(b) {
		err = errors.New(strings.TrimSpace(string(b)))
	}
	if err != nil {
		return fmt.Errorf("the box has no sound card: %w", err)
	}
	return nil
}
