package device

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// edgeGrace is how long the kernel may take from an edge's time until the edge can be read: it takes the time at once, and
	// queues the edge in a thread of its own.
	edgeGrace = 2 * time.Millisecond
	// edgeNap is how long edges may wait to be read while a contact moves. Their times say the same later, and a line that hums
	// wakes nobody twice a period. It is less than the kernel's queues last at 5 kHz.
	edgeNap = 50 * time.Millisecond
	// edgeDoubts is how often, a millisecond apart, a level may contradict the last edge until edges are taken for lost.
	edgeDoubts = 10
)

// edgeLine is a line whose edges are read from a file, as the kernel writes them.
type edgeLine struct {
	fd   int
	high func() (bool, error) // the level now

	number uint32        // of its last edge
	last   time.Duration // of its last edge
	level  bool          // that it has had since: high or not
	doubts int           // how often its level was another
}

// edgeReader reads lines whose edges have times. What it finds is a function of these times: it may run late, or not for a
// while, as long as the kernel's queue holds what it has missed.
type edgeReader struct {
	cfg   GPIOConfig
	emit  func(Event)
	clock func() time.Duration // by which the edges are timed

	lines    []edgeLine
	contacts *contacts
	presses  *taps
	waiting  []timedEdge   // read and not told to contacts yet
	disputed bool          // levels of lines at rest contradict their edges
	ahead    time.Duration // of cfg.Now before clock
	buf      []byte
}

// timedEdge is an edge of one line, or the place behind which edges are missing.
type timedEdge struct {
	line    int
	at      time.Duration
	high    bool
	missing bool
}

// newEdgeReader reads what level each line has now. Edges from before count for nothing.
func newEdgeReader(cfg GPIOConfig, lines []edgeLine, presses *taps, clock func() time.Duration, emit func(Event)) (*edgeReader, error) {
	r := &edgeReader{cfg: cfg, emit: emit, clock: clock, lines: lines, presses: presses, buf: make([]byte, 64*uapiEventSize)}
	r.ahead = cfg.Now() - clock()
	now := clock()
	var down []bool
	for i := range r.lines {
		l := &r.lines[i]
		high, err := l.high()
		if err != nil {
			return nil, r.explain(i, err)
		}
		l.level, l.last = high, now
		down = append(down, r.down(high))
	}
	r.contacts = newContacts(cfg.Debounce, down, now)
	r.presses.open(now)
	return r, nil
}

func (r *edgeReader) down(high bool) bool { return high == r.cfg.ActiveHigh }

func (r *edgeReader) explain(line int, err error) error {
	return explainLine(string(r.cfg.Lines[line].Code), "", err)
}

// run reads until ctx ends or a line fails.
func (r *edgeReader) run(ctx context.Context) error {
	moved, err := newEdgeWait(ctx, r.lines)
	if err != nil {
		return fmt.Errorf("wait for edges of GPIO lines: %w", err)
	}
	defer moved.close()
	nap := min(2*r.cfg.Debounce+5*time.Millisecond, edgeNap)
	for idle := true; ctx.Err() == nil; {
		next, err := r.round(idle)
		if err != nil {
			return err
		}
		wait := max(next-r.clock(), 0)
		if idle = wait > nap; !idle {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
			continue
		}
		if idle, err = moved.wait(ctx, min(wait, gpioPoll)); err != nil {
			return fmt.Errorf("wait for edges of GPIO lines: %w", err)
		}
	}
	return nil
}

// round reads what has come, emits what is certain, and returns when it is to be called again though no edge comes. All levels
// are compared with the last edges if the lines were idle, for a lost interrupt leaves nothing else behind.
func (r *edgeReader) round(idle bool) (next time.Duration, err error) {
	if idle {
		r.synchronise()
	}
	now := r.clock()
	known := now - edgeGrace
	for i := range r.lines {
		if err := r.read(i); err != nil {
			return 0, r.explain(i, err)
		}
	}
	r.tell(known)
	all := idle || r.disputed
	ok, err := r.agree(known, all)
	if r.disputed = all && !ok; err != nil || !ok {
		return now + time.Millisecond, err
	}
	for _, f := range r.contacts.until(known) {
		emitAll(r.presses.step(r.cfg.event(f)), r.emitAhead)
	}
	emitAll(r.presses.pass(r.contacts.told()), r.emitAhead)
	next = r.contacts.due()
	if due, ok := r.presses.due(); ok && len(r.contacts.held) == 0 {
		next = min(next, due+2*r.cfg.Debounce)
	}
	if len(r.waiting) > 0 {
		next = min(next, r.waiting[0].at+r.cfg.Debounce)
	}
	if next > never-time.Second {
		return never, nil
	}
	return next + edgeGrace + 50*time.Microsecond, nil
}

// emitAhead emits an event by the daemon's clock.
func (r *edgeReader) emitAhead(e Event) {
	e.At += r.ahead
	if e.Times > 0 {
		e.Since += r.ahead
	}
	r.emit(e)
}

// synchronise finds out how far the two clocks are apart, which changes while the machine sleeps.
func (r *edgeReader) synchronise() {
	before := r.clock()
	ahead := r.cfg.Now() - before
	if took := r.clock() - before; took < time.Millisecond && (ahead-r.ahead).Abs() > 2*time.Millisecond {
		r.ahead = ahead
	}
}

// read takes what a line's queue holds. It ends when that is read, though a line may add to it faster.
func (r *edgeReader) read(line int) error {
	for left := uapiQueue; left > 0; {
		n, err := unix.Read(r.lines[line].fd, r.buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return err
		case n == 0:
			return ErrLineGone
		}
		edges, err := parseEdges(r.buf[:n])
		if err != nil {
			return err
		}
		now := r.clock()
		for _, e := range edges {
			e.at = min(e.at, now) // whatever clock a driver may have used
			r.take(line, e)
		}
		if n < len(r.buf) {
			return nil
		}
		left -= len(edges)
	}
	return nil
}

// take keeps an edge until all that go before it are known.
func (r *edgeReader) take(line int, e lineEdge) {
	l := &r.lines[line]
	missing := e.number != l.number+1
	l.number, l.doubts = e.number, 0
	if missing {
		r.waiting = append(r.waiting, timedEdge{line: line, at: l.last, missing: true})
	}
	l.last, l.level = max(l.last, e.at), e.high
	r.waiting = append(r.waiting, timedEdge{line: line, at: l.last, high: e.high})
}

// tell tells the contacts of the edges before a moment, in the order of their times.
func (r *edgeReader) tell(known time.Duration) {
	slices.SortStableFunc(r.waiting, func(a, b timedEdge) int { return cmp.Compare(a.at, b.at) })
	told := 0
	for ; told < len(r.waiting) && r.waiting[told].at < known; told++ {
		switch e := r.waiting[told]; {
		case e.missing:
			r.contacts.lose(e.line, e.at)
		default:
			r.contacts.move(e.line, r.down(e.high), e.at)
		}
	}
	r.waiting = slices.Delete(r.waiting, 0, told)
}

// agree reports whether the levels are what the last edges say, of all lines or of those that are about to be believed. One
// that is not may have an edge on its way; when it stays so, edges were lost.
func (r *edgeReader) agree(known time.Duration, all bool) (bool, error) {
	ok := true
	for i := range r.lines {
		l := &r.lines[i]
		if !all && r.contacts.lines[i].due() >= known {
			continue
		}
		high, err := l.high()
		switch {
		case err != nil:
			return false, r.explain(i, err)
		case high == l.level:
			l.doubts = 0
		case l.doubts < edgeDoubts:
			l.doubts++
			ok = false
		default:
			r.contacts.lose(i, min(l.last, known))
			r.contacts.move(i, r.down(high), known)
			l.doubts, l.level, l.last = 0, high, max(l.last, known)
		}
	}
	return ok, nil
}

// edgeWait waits until one of several files can be read.
type edgeWait struct {
	f    *os.File // an epoll instance, which is itself waited for
	conn interface {
		Read(func(fd uintptr) bool) error
	}
	stop func() bool
}

func newEdgeWait(ctx context.Context, lines []edgeLine) (*edgeWait, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, l.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(l.fd)}); err != nil {
			return nil, errors.Join(err, unix.Close(ep))
		}
	}
	if err := unix.SetNonblock(ep, true); err != nil {
		return nil, errors.Join(err, unix.Close(ep))
	}
	w := &edgeWait{f: os.NewFile(uintptr(ep), "edges of GPIO lines")}
	if w.conn, err = w.f.SyscallConn(); err != nil {
		return nil, errors.Join(err, w.f.Close())
	}
	w.stop = context.AfterFunc(ctx, func() { _ = w.f.SetReadDeadline(time.Unix(1, 0)) })
	return w, nil
}

// wait waits until an edge can be read, a line has failed, ctx has ended or the time is over; only the last is idle.
func (w *edgeWait) wait(ctx context.Context, d time.Duration) (idle bool, err error) {
	if err := w.f.SetReadDeadline(time.Now().Add(d)); err != nil {
		return false, err
	}
	if ctx.Err() != nil {
		return false, nil
	}
	var failed error
	err = w.conn.Read(func(fd uintptr) bool {
		n, err := unix.EpollWait(int(fd), make([]unix.EpollEvent, 1), 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			failed = err
		}
		return n > 0 || failed != nil
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ctx.Err() == nil, nil
	}
	return false, errors.Join(err, failed)
}

func (w *edgeWait) close() {
	w.stop()
	_ = w.f.Close() // it holds nothing
}

// monotonic is the clock by which the kernel times edges.
func monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("clock_gettime(CLOCK_MONOTONIC): " + err.Error()) // there is no Linux without it
	}
	return time.Duration(ts.Nano())
}
