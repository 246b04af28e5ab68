package device

import (
	"errors"
	"io"
	"time"

	"github.com/tarm/serial"
)

// readTimeout bounds each read of a port. Tarm/serial rounds to 100 ms.
const readTimeout = 500 * time.Millisecond

// errHungUp says that the port's other end is gone.
var errHungUp = errors.New("the serial port was unplugged")

// port is a serial port whose silence and whose end can be told apart.
type port struct {
	p   *serial.Port
	now func() time.Duration
}

// openPort opens a serial port with 8 data bits, no parity and one stop bit.
func openPort(name string, baud int, now func() time.Duration) (io.ReadWriteCloser, error) {
	p, err := serial.OpenPort(&serial.Config{Name: name, Baud: baud, ReadTimeout: readTimeout})
	if err != nil {
		return nil, err
	}
	return &port{p, now}, nil
}

// Read returns 0 and no error after a silence, and errHungUp once the port is gone.
func (p *port) Read(b []byte) (int, error) {
	began := p.now()
	n, err := p.p.Read(b)
	switch {
	case n > 0:
		return n, nil
	case errors.Is(err, io.EOF) && p.now()-began >= readTimeout/2:
		return 0, nil // silence
	case err == nil || errors.Is(err, io.EOF):
		return 0, errHungUp
	}
	return 0, err
}

func (p *port) Write(b []byte) (int, error) { return p.p.Write(b) }

func (p *port) Close() error { return p.p.Close() }
