package evdev

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of linux/input.h. Each is direction, size, the letter E, and a number; the encoding is that of asm-generic/ioctl.h,
// which amd64, arm64 and arm use.
const (
	ioWrite = 1
	ioRead  = 2
)

func request(direction, number, size uintptr) uintptr {
	return direction<<30 | size<<16 | 'E'<<8 | number
}

var (
	errNoDevice = errors.New("no such input device")
	// ErrGrabbed says that another program has the keypad for itself.
	ErrGrabbed = errors.New("another program has taken the keypad for itself; is ratingd running already?")
)

// Device is an open input device. Read and Close may be called by different goroutines.
type Device struct {
	f    *os.File
	name string
}

// Open opens an input device by its path, or by "name:" and its name as List shows it.
func Open(which string) (*Device, error) {
	if name, ok := strings.CutPrefix(which, "name:"); ok {
		return openNamed(name)
	}
	return openPath(which)
}

func openPath(path string) (*Device, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("no permission for the input device: add the user to the group of that file, usually input: %w", err)
	case err != nil:
		return nil, fmt.Errorf("open the input device: %w", err)
	}
	d := &Device{f: f}
	buf := make([]byte, 256)
	n, err := d.ioctl(request(ioRead, 0x06, uintptr(len(buf))), unsafe.Pointer(&buf[0]))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is no input device: %w", path, err), f.Close())
	}
	name, _, _ := bytes.Cut(buf[:min(int(n), len(buf))], []byte{0})
	d.name = string(name)
	clock := int32(unix.CLOCK_BOOTTIME)
	if _, err := d.ioctl(request(ioWrite, 0xa0, unsafe.Sizeof(clock)), unsafe.Pointer(&clock)); err != nil {
		return nil, errors.Join(fmt.Errorf("%s tells no times since the machine started: %w", path, err), f.Close())
	}
	return d, nil
}

// openNamed opens the one device of that name which has keys.
func openNamed(name string) (*Device, error) {
	all, err := List()
	if err != nil {
		return nil, err
	}
	var found []Info
	for _, i := range all {
		if i.Name == name {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w: none is called %q", errNoDevice, name)
	case 1:
		return openPath(found[0].Path)
	}
	return nil, fmt.Errorf("%d input devices are called %q; name one by its path under /dev/input/by-id or by-path", len(found), name)
}

// Info is what List tells of a device.
type Info struct {
	Path, Name string
	Keys       []uint16 // that it can send
}

// List returns the input devices of this machine that have keys and can be opened.
func List() ([]Info, error) {
	paths, err := filepath.Glob("/dev/input/event*")
	if err != nil {
		return nil, fmt.Errorf("list the input devices: %w", err)
	}
	var all []Info
	var errs []error
	for _, p := range paths {
		d, err := openPath(p)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		keys, err := d.keys(0x20+TypeKey, KeyCount/8)
		if err == nil && len(keys) > 0 {
			all = append(all, Info{p, d.name, keys})
		}
		errs = append(errs, err, d.Close())
	}
	slices.SortFunc(all, func(a, b Info) int { return strings.Compare(a.Path, b.Path) })
	if len(all) == 0 {
		return nil, errors.Join(append(errs, fmt.Errorf("%w: this machine has none with keys under /dev/input", errNoDevice))...)
	}
	return all, nil
}

// Name returns the device's name.
func (d *Device) Name() string { return d.name }

// Grab keeps what is typed from every other program, the console included, until Close. It is ErrGrabbed if another program
// has done so.
func (d *Device) Grab() error {
	conn, err := d.f.SyscallConn()
	if err != nil {
		return fmt.Errorf("grab the keypad: %w", err)
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = unix.IoctlSetInt(int(fd), uint(request(ioWrite, 0x90, 4)), 1) }); err != nil {
		failed = err
	}
	if errors.Is(failed, unix.EBUSY) {
		return ErrGrabbed
	}
	if failed != nil {
		return fmt.Errorf("grab the keypad: %w", failed)
	}
	return nil
}

// Held returns the keys that are down now.
func (d *Device) Held() ([]uint16, error) { return d.keys(0x18, KeyCount/8) }

// keys asks for a set of keys of size bytes.
func (d *Device) keys(number uintptr, size int) ([]uint16, error) {
	buf := make([]byte, size)
	n, err := d.ioctl(request(ioRead, number, uintptr(size)), unsafe.Pointer(&buf[0]))
	if err != nil {
		return nil, fmt.Errorf("ask the keypad %s for its keys: %w", d.name, err)
	}
	return keysIn(buf[:min(int(n), size)]), nil
}

// Read waits for events, for at most that long, and returns none after it. At 0 or less it returns what is there. After the device
// was unplugged it is an error; after Close it is os.ErrClosed.
func (d *Device) Read(wait time.Duration) ([]Event, error) {
	buf := make([]byte, 64*(2*nativeLong()+8))
	n, err := 0, os.ErrDeadlineExceeded
	if wait > 0 {
		if err := d.f.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return nil, fmt.Errorf("read the keypad %s: %w", d.name, err)
		}
		n, err = d.f.Read(buf)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) { // which tells nothing of what is there
		n, err = d.readNow(buf)
	}
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil, nil
	case errors.Is(err, unix.ENODEV):
		return nil, fmt.Errorf("the keypad %s was unplugged: %w", d.name, err)
	case err != nil:
		return nil, fmt.Errorf("read the keypad %s: %w", d.name, err)
	}
	return Decode(buf[:n], nativeLong(), binary.NativeEndian)
}

// readNow reads what is there. The descriptor does not block.
func (d *Device) readNow(buf []byte) (n int, err error) {
	conn, err := d.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { n, failed = unix.Read(int(fd), buf) }); err != nil {
		return 0, err
	}
	return max(n, 0), failed
}

// Close closes the device, which ends the grab and a Read in progress.
func (d *Device) Close() error { return d.f.Close() }

// ioctl makes a request that fills what p points to, and returns its result.
func (d *Device) ioctl(req uintptr, p unsafe.Pointer) (uintptr, error) {
	conn, err := d.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n uintptr
	var errno unix.Errno
	if err := conn.Control(func(fd uintptr) { n, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, req, uintptr(p)) }); err != nil {
		return 0, err
	}
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}
