package device

import (
	"context"
	"fmt"
	"time"

	"haochaping/device/keypad"
	"haochaping/internal/cli"
)

// WatchPause returns the silence that ends a burst of bytes on a line of that speed in bits per second: 50 ms, since a key is
// hardly ever let go sooner, or the time of ten bytes if that is longer.
func WatchPause(baud int) time.Duration {
	return max(50*time.Millisecond, 100*time.Second/time.Duration(baud))
}

// PortOpener opens a port by its name, as OpenPort and OpenTyped do.
type PortOpener = func(name string, l keypad.Line, now func() time.Duration) (Port, error)

// Watch opens a port and calls heard with what comes without a pause and when it began, until ctx ends, when it returns nil, or the
// port fails. Of a line that never pauses it delivers at most 256 bytes at a time. Heard is called by one goroutine. Opened is
// called when the line is being read, as what came before is lost.
func Watch(ctx context.Context, open PortOpener, name string, l keypad.Line, now func() time.Duration, opened func(),
	heard func([]byte, time.Duration)) (err error) {
	p, err := open(name, l, now)
	if err != nil {
		return cli.Because(err, "打不开端口 "+name, "open the port "+name)
	}
	ctx, cancel := context.WithCancel(ctx)
	in, reading := newInbox(now), make(chan struct{})
	go func() { defer close(reading); in.fill(func() { readPort(ctx, p, l.Baud, in) }) }()
	defer func() {
		cancel()
		<-reading
		if closing := p.Close(); err == nil {
			err = closing
		}
	}()
	opened()
	var b []byte
	var began, last time.Duration
	pause := time.NewTimer(time.Hour)
	defer pause.Stop()
	deliver := func() {
		if len(b) > 0 {
			heard(b, began)
			b = nil
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
			deliver()
		case <-in.wake:
			came, _ := in.take()
			for _, k := range came {
				if k.err != nil {
					return fmt.Errorf("read the port %s: %w", name, k.err)
				}
				if len(k.b) == 0 {
					continue
				}
				if k.at-last > WatchPause(l.Baud) { // a machine that was late sees the pause all the same
					deliver()
				}
				if last = k.at; len(b) == 0 {
					began = k.at
				}
				b = append(b, k.b...)
				if len(b) >= 256 {
					deliver()
				}
				pause.Reset(WatchPause(l.Baud))
			}
		}
	}
}
