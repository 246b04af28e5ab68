package device

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"haochaping/device/keypad"
	"haochaping/internal/crash"
)

// errBabbles says that a line sends without pause.
var errBabbles = errors.New("the line sends without pause, faster than anybody can press: a wrong speed, a loose cable, or a broken keypad")

// errSilent says that a keypad is gone although its port is there.
var errSilent = errors.New("the keypad is silent, which sends a sign of life by itself: its cable or its power")

// lineUser is what a serial line is read for. Its functions are called by one goroutine, but for prompt.
type lineUser struct {
	prompt  func() []byte   // what the keypad is to show now
	changed <-chan struct{} // that has changed; nil for never
	read    func(keypad.Read, time.Duration)
	noise   func(keypad.Read, time.Duration) // a frame came among noise; nil if nobody asks
	spoilt  func(at time.Duration)           // something came that cannot be read; nil if nobody asks
	heard   func(b []byte, at time.Duration) // what came, as it came; nil if nobody asks
	// unread is told of what came between two silences and could not be read, of its first bytes only, and how often in a row that was.
	// It may be nil.
	unread func(head []byte, at time.Duration, times int)
	// passed is told up to when everything has been read, and returns when it wants to be told again, false for never. It may be nil.
	passed func(upTo time.Duration) (time.Duration, bool)
	state  func(err error) // why it cannot be read, nil when it can; may be told twice
}

// runLine opens the port and opens it again whenever it fails, until ctx ends.
func runLine(ctx context.Context, c SerialConfig, u lineUser) error {
	wait := minReopen
	for ctx.Err() == nil {
		err := session(ctx, c, u, func() { wait = minReopen })
		if ctx.Err() != nil {
			return nil
		}
		u.state(err)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, maxReopen)
	}
	return nil
}

// chunk is what one read has returned; empty after a silence.
type chunk struct {
	b       []byte
	at      time.Duration
	babbles bool
	err     error
}

// session opens the port and reads it until it fails or ctx ends.
func session(ctx context.Context, c SerialConfig, u lineUser, opened func()) (err error) {
	line := c.Profile.Line
	if c.Baud != 0 {
		line.Baud = c.Baud
	}
	p, err := c.Open(c.Port, line, c.Now)
	if err != nil {
		return fmt.Errorf("open the serial port %s: %w", c.Port, err)
	}
	// What was pressed before, while no program read or another one did, answers no question that is asked now.
	if err := p.Flush(); err != nil {
		return errors.Join(fmt.Errorf("drop what the serial port %s kept: %w", c.Port, err), p.Close())
	}
	opened()
	u.state(nil)
	ctx, cancel := context.WithCancel(ctx)
	in := newInbox(c.Now)
	answers := make(chan []byte, 4)
	reading, writing := make(chan struct{}), make(chan struct{})
	go func() { defer close(reading); in.fill(func() { readPort(ctx, p, line.Baud, in) }) }()
	go func() { defer close(writing); in.fill(func() { writePort(ctx, p, answers, u) }) }()
	defer func() {
		cancel()
		<-reading
		// A Write that the other end does not take has no timeout: what waits is thrown away, which ends it.
		ended := errors.Join(p.Flush(), p.Close())
		if err == nil {
			err = ended
		}
		select {
		case <-writing:
		case <-time.After(time.Second): // a driver that keeps even that; its goroutine ends with the port
		}
	}()
	if who := holders(c.Port); len(who) > 0 { // while what is pressed is read already, under its own time
		c.Logger.Warn("another program has had the serial port open for longer and may take what is pressed; stop it",
			"port", c.Port, "program", who)
	}
	r := &reader{burst: newBurst(c.Profile, line.Baud, answers, u), user: u, silence: 3 * c.Profile.HeartbeatEvery(), since: c.Now()}
	r.burst.breaks = tellsBreaks(p)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		came, now := in.take()
		for _, k := range came {
			if err := r.take(k); err != nil {
				return fmt.Errorf("read the serial port %s: %w", c.Port, err)
			}
		}
		timer.Reset(r.pass(now))
		select {
		case <-ctx.Done():
			return nil
		case <-in.wake:
		case <-timer.C:
		}
	}
}

// inbox hands what was read to whoever decides. It is safe for concurrent use.
type inbox struct {
	now  func() time.Duration
	wake chan struct{} // something was put; holds one

	mu     sync.Mutex
	chunks []chunk // guarded by mu
}

func newInbox(now func() time.Duration) *inbox { return &inbox{now: now, wake: make(chan struct{}, 1)} }

// put adds a chunk under the time of this moment.
func (q *inbox) put(k chunk) {
	q.mu.Lock()
	k.at = q.now()
	q.chunks = append(q.chunks, k)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// fill runs what puts chunks; a panic of it ends the line like an error of the port.
func (q *inbox) fill(f func()) {
	if err := crash.Contain(func() error { f(); return nil }); err != nil {
		q.put(chunk{err: err})
	}
}

// take returns what was put, and a moment before which nothing will be put any more.
func (q *inbox) take() (all []chunk, now time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	all, q.chunks = q.chunks, nil
	return all, q.now()
}

// reader turns what a line's reads have returned into keys.
type reader struct {
	burst    *burst
	user     lineUser
	babbling bool
	silence  time.Duration // after which the keypad is gone, as it sends by itself more often; 0 for never
	since    time.Duration // when it sent last
	silent   bool          // and has been reported
}

// take takes what a read has returned. It returns the error that ends the session: what is not decided then is no key, as the
// plug's contact may have added it.
func (r *reader) take(k chunk) error {
	switch {
	case k.err != nil:
		r.burst.drop()
		return k.err
	case k.babbles:
		r.burst.drop()
		if !r.babbling {
			r.babbling = true
			r.user.state(fmt.Errorf("read the serial port: %w", errBabbles))
		}
	case len(k.b) == 0:
		if r.babbling {
			r.babbling = false
			r.user.state(nil)
		}
	case !r.babbling:
		if r.since = k.at; r.silent {
			r.silent = false
			r.user.state(nil)
		}
		r.settle(k.at)
		if r.user.heard != nil {
			r.user.heard(k.b, k.at)
		}
		r.burst.feed(k.b, k.at)
	}
	return nil
}

// settle ends the burst if it was over at a moment.
func (r *reader) settle(now time.Duration) {
	if end, ok := r.burst.over(); ok && now > end {
		r.burst.settled()
	}
}

// pass tells that nothing more came up to now, and returns for how long nothing is to be done if nothing more comes.
func (r *reader) pass(now time.Duration) time.Duration {
	r.settle(now)
	next := now + time.Hour
	if r.user.passed != nil && !r.babbling {
		if due, ok := r.user.passed(r.burst.told(now)); ok {
			next = due
		}
	}
	if end, ok := r.burst.over(); ok { // until then nothing more is known
		next = end + 1
	}
	if r.silence > 0 && !r.silent && !r.babbling {
		if now-r.since > r.silence {
			r.silent = true
			r.user.state(fmt.Errorf("%w: nothing for %s", errSilent, r.silence))
		} else {
			next = min(next, r.since+r.silence+1)
		}
	}
	return max(next-now, 0)
}

// Bounds of what a line may send: somewhat more than its speed allows, over a tenth of a second. USB adapters deliver in
// lumps, and some keypads that are USB devices send at any speed.
const babbleWindow = 100 * time.Millisecond

// babblePause is a silence that a line which babbles does not make. Card readers send a card again after some 40 ms for as
// long as it is there.
const babblePause = 25 * time.Millisecond

// calmReads is how many reads in a row of a line that babbled must have waited for a byte longer than that pause, for the line to be
// believed again without a silence: a program that was late has found at once what a card that is held had sent meanwhile.
const calmReads = 5

// readPort reads until the port fails or ctx ends. A line that sends for a second without a pause, or more than its speed
// allows, is read ten times a second and thrown away, so that it costs little, until it is silent.
func readPort(ctx context.Context, p Port, baud int, in *inbox) {
	buf := make([]byte, 256)
	allowed := max(2*baud/10/10, 64) // bytes a window
	count, since, lastByte := 0, in.now(), in.now()
	began := in.now() // of bytes without a pause
	babbles, calm := false, 0
	pause := max(babblePause, 30*time.Second/time.Duration(baud))
	for ctx.Err() == nil {
		asked := in.now()
		n, err := p.Read(buf)
		at := in.now()
		if at-lastByte > pause {
			began = at
		}
		if calm++; !babbles || at-asked <= pause {
			calm = 0
		}
		if n > 0 {
			lastByte = at
		}
		if at-since > babbleWindow {
			count, since = 0, at
		}
		count += n
		before := babbles
		babbles = n > 0 && (babbles && calm < calmReads || count > allowed || at-began > time.Second)
		if before && !babbles {
			n = 0 // what was left of a frame
		}
		in.put(chunk{b: append([]byte(nil), buf[:n]...), babbles: babbles, err: err})
		if err != nil {
			return
		}
		if !babbles {
			continue
		}
		if err := p.Flush(); err != nil {
			continue // the next read says what is wrong
		}
		select {
		case <-ctx.Done():
		case <-time.After(babbleWindow):
		}
		if err := p.Flush(); err != nil {
			continue
		}
	}
}

// writePort sends answers and prompts until ctx ends or the port fails, which the reader notices.
func writePort(ctx context.Context, p Port, answers <-chan []byte, u lineUser) {
	send := func(b []byte) bool {
		if len(b) == 0 {
			return true
		}
		_, err := p.Write(b)
		return err == nil
	}
	select {
	case <-u.changed: // what is current is sent now, and need not be said twice
	default:
	}
	for ok := send(u.prompt()); ok; {
		select {
		case <-ctx.Done():
			return
		case b := <-answers:
			ok = send(b)
		case <-u.changed:
			select {
			case b := <-answers: // an answer does not wait for a prompt
				ok = send(b)
			default:
			}
			ok = ok && send(u.prompt())
		}
	}
}
