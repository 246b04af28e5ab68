package device

import (
	"errors"
	"io"
	"time"

	"github.com/tarm/serial"

	"haochaping/device/keypad"
)

// readTimeout bounds each read of a port. Tarm/serial rounds to 100 ms.
const readTimeout = 500 * time.Millisecond

// errHungUp says that the port's other end is gone.
var errHungUp = errors.New("the serial port was unplugged")

// Port is a serial port. Read returns 0 bytes and no error after a silence. Flush drops what was not read and not sent yet,
// and so ends a Write that the other end does not take.
type Port interface {
	io.ReadWriteCloser
	Flush() error
}

// port is a serial port whose silence and whose end can be told apart.
type port struct {
	p   *serial.Port
	now func() time.Duration
}

// OpenPort opens a serial port.
func OpenPort(name string, l keypad.Line, now func() time.Duration) (Port, error) {
	parity := map[string]serial.Parity{"even": serial.ParityEven, "odd": serial.ParityOdd}[l.Parity]
	if parity == 0 {
		parity = serial.ParityNone
	}
	p, err := serial.OpenPort(&serial.Config{
		Name: name, Baud: l.Baud, Size: byte(l.DataBits), Parity: parity, StopBits: serial.StopBits(l.StopBits), ReadTimeout: readTimeout,
	})
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

func (p *port) Flush() error { return p.p.Flush() }

func (p *port) Close() error { return p.p.Close() }
