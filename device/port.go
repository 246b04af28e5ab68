package device

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"

	"haochaping/device/keypad"
)

// readTimeout bounds each read of a port. Tarm/serial rounds to 100 ms.
const readTimeout = 500 * time.Millisecond

// errHungUp says that the port's other end is gone.
var errHungUp = errors.New("the serial port was unplugged")

// ErrPortTaken says that another program has the serial port for itself.
var ErrPortTaken = errors.New("another program has taken the serial port for itself")

// Port is a serial port. Read returns 0 bytes and no error after a silence. Flush drops what was not read and not sent yet,
// and so ends a Write that the other end does not take.
type Port interface {
	io.ReadWriteCloser
	Flush() error
}

// port is a serial port whose silence and whose end can be told apart. Tarm/serial keeps its descriptor to itself, so that what
// it does not set is set through a second one.
type port struct {
	p      *serial.Port
	second *os.File
	now    func() time.Duration
	breaks bool // the driver tells a BREAK from a byte 00
}

// OpenPort opens a serial port for this program alone. The error wraps ErrPortTaken, and says by whom, if another has it.
func OpenPort(name string, l keypad.Line, now func() time.Duration) (Port, error) {
	parity := map[string]serial.Parity{"even": serial.ParityEven, "odd": serial.ParityOdd}[l.Parity]
	if parity == 0 {
		parity = serial.ParityNone
	}
	second, err := reserve(name)
	if err != nil {
		return nil, err
	}
	p, err := serial.OpenPort(&serial.Config{
		Name: name, Baud: l.Baud, Size: byte(l.DataBits), Parity: parity, StopBits: serial.StopBits(l.StopBits), ReadTimeout: readTimeout,
	})
	if err != nil {
		return nil, errors.Join(err, second.Close())
	}
	breaks, err := keysOnly(second)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set the serial port: %w", err), p.Close(), second.Close())
	}
	return &port{p, second, now, breaks}, nil
}

// reserve opens the port and locks it against programs that ask, as this one does, whoever runs them: TIOCEXCL does not hold
// root off.
func reserve(name string) (*os.File, error) {
	f, err := os.OpenFile(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("%w: %s", ErrPortTaken, takenBy(name))
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("no permission for the serial port: add the user to the group of that file, usually dialout: %w", err)
	}
	if err != nil {
		return nil, err
	}
	err = control(f, func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrPortTaken, takenBy(name)), f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the serial port: %w", err), f.Close())
	}
	return f, nil
}

// keysOnly keeps what is no byte from being read as one, a BREAK and bytes with errors, and other programs from opening the port. It
// reports whether the driver knows a BREAK: one that counts them does.
func keysOnly(f *os.File) (breaks bool, err error) {
	err = control(f, func(fd int) error {
		t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		t.Iflag = unix.IGNBRK | unix.INPCK | unix.IGNPAR // drivers hide framing errors without INPCK, also where there is no parity
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
			return err
		}
		var counters [20]int32 // struct serial_icounter_struct
		breaks = ioctlPointer(fd, unix.TIOCGICOUNT, &counters) == nil
		return unix.IoctlSetInt(fd, unix.TIOCEXCL, 0)
	})
	return breaks, err
}

// control calls f with a file's descriptor, which stays what it is.
func control(file *os.File, f func(fd int) error) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return err
	}
	return failed
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

// Close frees the port: a pseudo-terminal that stays open at its other end would else stay closed to others.
func (p *port) Close() error {
	// A port that was unplugged answers with an error, which tells nothing new.
	_ = control(p.second, func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCNXCL, 0) })
	return errors.Join(p.p.Close(), p.second.Close())
}

// tellsBreaks reports whether a port tells a BREAK from a byte 00. One that cannot say does not.
func tellsBreaks(p Port) bool {
	q, ok := p.(*port)
	return ok && q.breaks
}
