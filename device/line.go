package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"haochaping/device/keypad"
)

// errBabbles says that a line sends without pause.
var errBabbles = errors.New("the line sends without pause, faster than anybody can press: a wrong speed, a loose cable, or a broken keypad")

// lineUser is what a serial line is read for. Its functions are called by one goroutine, but for prompt.
type lineUser struct {
	prompt  func() []byte   // what the keypad is to show now
	changed <-chan struct{} // that has changed; nil for never
	read    func(keypad.Read, time.Duration)
	state   func(err error) // why it cannot be read, nil when it can; may be told twice
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
	opened()
	u.state(nil)
	ctx, cancel := context.WithCancel(ctx)
	chunks := make(chan chunk)
	answers := make(chan []byte, 4)
	reading, writing := make(chan struct{}), make(chan struct{})
	go func() { defer close(reading); readPort(ctx, p, line.Baud, c.Now, chunks) }()
	go func() { defer close(writing); writePort(ctx, p, answers, u) }()
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
	b := newBurst(c.Profile, line.Baud, answers, u.read)
	settle := time.NewTimer(time.Hour)
	defer settle.Stop()
	babbling := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case k := <-chunks:
			switch {
			case k.err != nil:
				b.settled()
				return fmt.Errorf("read the serial port %s: %w", c.Port, k.err)
			case k.babbles:
				b.drop()
				if !babbling {
					babbling = true
					u.state(fmt.Errorf("read the serial port %s: %w", c.Port, errBabbles))
				}
			case len(k.b) == 0:
				if babbling {
					babbling = false
					u.state(nil)
				}
			case !babbling:
				b.feed(k.b, k.at)
				settle.Reset(b.settle)
			}
		case <-settle.C:
			select {
			case k := <-chunks: // it came before the silence was over
				if !babbling && k.err == nil && !k.babbles && len(k.b) > 0 {
					b.feed(k.b, k.at)
					settle.Reset(b.settle)
					continue
				}
				b.settled()
				if k.err != nil {
					return fmt.Errorf("read the serial port %s: %w", c.Port, k.err)
				}
			default:
				b.settled()
			}
		}
	}
}

// Bounds of what a line may send: somewhat more than its speed allows, over a tenth of a second. USB adapters deliver in
// lumps, and some keypads that are USB devices send at any speed.
const babbleWindow = 100 * time.Millisecond

// babblePause is a silence that a line which babbles does not make. Card readers send a card again after some 40 ms for as
// long as it is there.
const babblePause = 25 * time.Millisecond

// readPort reads until the port fails or ctx ends. A line that sends for a second without a pause, or more than its speed
// allows, is read ten times a second and thrown away, so that it costs little, until it is silent.
func readPort(ctx context.Context, p Port, baud int, now func() time.Duration, out chan<- chunk) {
	buf := make([]byte, 256)
	allowed := max(2*baud/10/10, 64) // bytes a window
	count, since, lastByte := 0, now(), now()
	began := now() // of bytes without a pause
	babbles := false
	for ctx.Err() == nil {
		n, err := p.Read(buf)
		at := now()
		if at-lastByte > max(babblePause, 30*time.Second/time.Duration(baud)) {
			began = at
		}
		if n > 0 {
			lastByte = at
		}
		if at-since > babbleWindow {
			count, since = 0, at
		}
		count += n
		babbles = n > 0 && (babbles || count > allowed || at-began > time.Second)
		k := chunk{b: append([]byte(nil), buf[:n]...), at: at, babbles: babbles, err: err}
		select {
		case out <- k:
		case <-ctx.Done():
			return
		}
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
