package device

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"haochaping/device/keypad"
	"haochaping/internal/terminal"
)

// onTerminal plays a history over a pseudo-terminal in real time, with the port as it is opened for a keypad, and returns the desk, and how
// late the machine was at its latest. The history's times become those at which it was read.
func onTerminal(t *testing.T, h *history, folder string) (d *desk, late time.Duration, err error) {
	master, tty, err := pty.Open()
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, master.Close()) }()
	path := filepath.Join(folder, "keypad")
	if err := errors.Join(os.Symlink(tty.Name(), path), tty.Close()); err != nil {
		return nil, 0, err
	}
	clock := now()
	heard := &heardPort{now: clock, begun: make(chan struct{})}
	events := make(chan Event, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := NewSerial(SerialConfig{Port: path, Profile: h.kind.parsed(t), Now: clock, Logger: quiet})
	for _, b := range h.kind.codes().keys {
		s.cfg.Keys = append(s.cfg.Keys, b.Code)
	}
	open := s.cfg.Open
	s.cfg.Open = func(name string, l keypad.Line, now func() time.Duration) (Port, error) {
		p, err := open(name, l, now)
		heard.Port = p
		return heard, err
	}
	go func() { done <- s.Run(ctx, func(e Event) { events <- e }) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-done)
	}()
	<-heard.begun // opening throws away what came before
	d = newDesk(h.kind.codes())
	start := clock()
	h.shift(start)
	written, sent := make(map[time.Duration]int), 0 // how many bytes had been written when it was
	writes, opens := h.writes, h.opens
	for now := clock(); now < h.end || len(writes)+len(opens) > 0; now = clock() {
		next := h.end
		if due, ok := d.due(); ok {
			next = min(next, due)
		}
		if len(writes) > 0 {
			next = min(next, writes[0].at)
		}
		if len(opens) > 0 {
			next = min(next, opens[0])
		}
		select {
		case e := <-events:
			if e.Action == ActionLost {
				return d, late, fmt.Errorf("the keypad was lost: %w", e.Err)
			}
			d.event(clock(), e)
			continue
		case <-time.After(next - now):
		}
		now = clock()
		late = max(late, now-next)
		if due, ok := d.due(); ok && due <= now {
			d.do(now, terminal.Tick{At: stamp(now)})
		}
		if len(opens) > 0 && opens[0] <= now {
			opens = opens[1:]
			d.open(now)
		}
		if len(writes) > 0 && writes[0].at <= now {
			sent += len(writes[0].b)
			written[writes[0].at] = sent
			if _, err := master.Write(writes[0].b); err != nil {
				return d, late, err
			}
			writes = writes[1:]
		}
	}
	h.happened(func(at time.Duration) heardSoFar { return heard.when(written[at], at) })
	return d, late, nil
}

// heardPort remembers when how many bytes had been read. What is done with them is done before the next read.
type heardPort struct {
	Port
	now func() time.Duration

	once  sync.Once
	begun chan struct{} // closed when the first read begins

	mu    sync.Mutex
	total int          // guarded by mu
	reads []heardSoFar // guarded by mu
}

type heardSoFar struct {
	bytes     int
	at, until time.Duration
}

func (p *heardPort) Read(b []byte) (int, error) {
	p.once.Do(func() { close(p.begun) })
	p.mu.Lock()
	if n := len(p.reads); n > 0 {
		p.reads[n-1].until = p.now()
	}
	p.mu.Unlock()
	n, err := p.Port.Read(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += n
	p.reads = append(p.reads, heardSoFar{p.total, p.now(), 0})
	return n, err
}

// when returns when so many bytes had been read, or else what is given.
func (p *heardPort) when(bytes int, other time.Duration) heardSoFar {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.reads {
		if bytes > 0 && r.bytes >= bytes {
			return r
		}
	}
	return heardSoFar{at: other}
}

// shift moves a history to a later time.
func (h *history) shift(by time.Duration) {
	h.end += by
	for i := range h.writes {
		h.writes[i].at += by
	}
	for i := range h.comings {
		h.comings[i].at += by
	}
	for i := range h.presses {
		h.presses[i].at += by
	}
	for i := range h.spoilt {
		h.spoilt[i] += by
	}
	for i := range h.opens {
		h.opens[i] += by
	}
}

// happened sets the times at which things were read.
func (h *history) happened(when func(at time.Duration) heardSoFar) {
	for i := range h.comings {
		r := when(h.comings[i].at)
		h.comings[i].at, h.comings[i].until = r.at, r.until
	}
	for i := range h.presses {
		h.presses[i].at = when(h.presses[i].at).at
	}
	for i := range h.spoilt {
		h.spoilt[i] = when(h.spoilt[i]).at
	}
}

// tooLate is from what lateness on a history that went wrong says nothing of the keypad: the machine had something else to do.
const tooLate = 20 * ms

// inTime plays histories of a kind in real time, up to some, until one came out right, or wrong although the machine was in time. It
// returns how late that was; a history that was late may have no answers, and wrong ones alone are no error.
func inTime(t *testing.T, i int, k keypadKind, folder func() string) (answers int, late time.Duration, err error) {
	const tries = 5
	played := 0
	for seed := uint64(i); ; seed += 1000 {
		h := newHistory(rand.New(rand.NewPCG(seed, 2)), k, 6*time.Second, time.Second)
		if len(h.losses) > 0 || h.end > 14*time.Second { // what is unplugged is tried elsewhere
			continue
		}
		d, late, err := onTerminal(t, h, folder())
		if err == nil {
			answers, _, err = verdict(h, d, 10*ms, 2*time.Second)
		}
		if err == nil {
			return answers, late, nil
		}
		if late < tooLate {
			return 0, late, fmt.Errorf("seed %d, at most %v late: %w\n%v%v", seed, late, err, h, d)
		}
		if played++; played == tries {
			return 0, late, nil
		}
	}
}

// TestKeypadHistoriesOnTerminals plays some histories of each kind over pseudo-terminals, in real time and all at once. A machine that is
// too busy for it is no fault of the keypad.
func TestKeypadHistoriesOnTerminals(t *testing.T) {
	const each = 8
	kinds := keypadKinds()
	type result struct {
		answers int
		late    time.Duration
		err     error
	}
	results := make(chan result)
	for i := range each * len(kinds) {
		go func() {
			n, late, err := inTime(t, i, kinds[i%len(kinds)], t.TempDir)
			results <- result{n, late, err}
		}()
	}
	answers, late := 0, 0
	for range each * len(kinds) {
		r := <-results
		answers += r.answers
		if r.late >= tooLate {
			late++
		}
		if r.err != nil {
			t.Error(r.err)
		}
	}
	t.Logf("%d answers, %d histories that were played late", answers, late)
	if answers < 2*len(kinds) && !t.Failed() {
		if late > 0 {
			t.Skipf("the machine is too busy to press keys in time: %d of %d histories were late", late, each*len(kinds))
		}
		t.Errorf("%d answers in %d histories", answers, each*len(kinds))
	}
}
