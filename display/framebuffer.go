package display

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Framebuffer is a Linux framebuffer of 16, 24 or 32 bits a pixel. It is not safe for concurrent use.
type Framebuffer struct {
	file *os.File
	surface
}

// The kernel's structures and requests, from linux/fb.h.
const (
	fbGetVarInfo = 0x4600
	fbGetFixInfo = 0x4602
)

type fbBitfield struct{ offset, length, msbRight uint32 }

type fbVarInfo struct {
	xres, yres, xresVirtual, yresVirtual, xoffset, yoffset, bitsPerPixel, grayscale uint32
	red, green, blue, transp                                                        fbBitfield
	_                                                                               [20]uint32
}

type fbFixInfo struct {
	id                    [16]byte
	smemStart             uintptr
	smemLen               uint32
	kind, kindAux, visual uint32
	xpan, ypan, ywrap     uint16
	lineLength            uint32
	mmioStart             uintptr
	mmioLen, accel        uint32
	capabilities          uint16
	_                     [2]uint16
}

// OpenFramebuffer opens a framebuffer, as /dev/fb0. The console's text shares it: see SilenceConsole.
func OpenFramebuffer(path string, rotation Rotation) (*Framebuffer, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("open the framebuffer: %w; put the daemon's user into the group video", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the framebuffer: %w", err)
	}
	f := &Framebuffer{file: file, surface: surface{rotation: rotation}}
	if err := f.start(); err != nil {
		return nil, errors.Join(err, f.Halt())
	}
	return f, nil
}

func (f *Framebuffer) start() (err error) {
	if f.format, err = f.ask(); err != nil {
		return err
	}
	if err := f.format.check(); err != nil {
		return fmt.Errorf("framebuffer %s: %w", f.file.Name(), err)
	}
	if f.scale = scaleOf(f.format.width, f.format.height); f.scale == 0 {
		return fmt.Errorf("framebuffer %s: its size of %dx%d cannot be drawn, as %s can", f.file.Name(), f.format.width, f.format.height,
			sizesDrawn)
	}
	f.memory, err = unix.Mmap(int(f.file.Fd()), 0, f.format.memory(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map the memory of %s: %w", f.file.Name(), err)
	}
	return nil
}

// ask returns the format that the framebuffer has now.
func (f *Framebuffer) ask() (pixelFormat, error) {
	var v fbVarInfo
	var x fbFixInfo
	if err := ioctl(f.file, fbGetVarInfo, unsafe.Pointer(&v)); err != nil {
		return pixelFormat{}, fmt.Errorf("ask %s for its size: %w", f.file.Name(), err)
	}
	if err := ioctl(f.file, fbGetFixInfo, unsafe.Pointer(&x)); err != nil {
		return pixelFormat{}, fmt.Errorf("ask %s for its memory: %w", f.file.Name(), err)
	}
	return fbFormat(v, x), nil
}

// fbFormat returns how a framebuffer keeps what is seen of it, which can begin in the middle of its memory.
func fbFormat(v fbVarInfo, x fbFixInfo) pixelFormat {
	bytes := int(v.bitsPerPixel) / 8
	return pixelFormat{
		width: int(v.xres), height: int(v.yres), stride: int(x.lineLength), bytes: bytes,
		origin: int(v.yoffset)*int(x.lineLength) + int(v.xoffset)*bytes,
		red:    channelBits{v.red.offset, v.red.length}, green: channelBits{v.green.offset, v.green.length},
		blue: channelBits{v.blue.offset, v.blue.length},
	}
}

// ioctl asks a device's driver, again when a signal came between.
func ioctl(f *os.File, request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return errno
	}
}

// Check returns an error that wraps ErrGone when the framebuffer is gone or has another size or format than it had.
func (f *Framebuffer) Check() error {
	now, err := f.ask()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if now != f.format {
		return fmt.Errorf("%w: the framebuffer %s has been set to %dx%d", ErrGone, f.file.Name(), now.width, now.height)
	}
	return nil
}

// String implements conn.Resource.
func (f *Framebuffer) String() string { return "framebuffer " + f.file.Name() }

// Halt closes the framebuffer.
func (f *Framebuffer) Halt() error {
	var errs []error
	if f.memory != nil {
		errs = append(errs, unix.Munmap(f.memory))
		f.memory = nil
	}
	return errors.Join(append(errs, f.file.Close())...)
}

// ColorModel implements display.Drawer.
func (f *Framebuffer) ColorModel() color.Model { return color.RGBAModel }

// Bounds implements display.Drawer.
func (f *Framebuffer) Bounds() image.Rectangle { return f.bounds() }

// Draw implements display.Drawer.
func (f *Framebuffer) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	_, err := f.draw(r, src, sp)
	return err
}

// DrawReady shows what Ready has kept, and over it parts of a frame.
func (f *Framebuffer) DrawReady(over []image.Rectangle, frame *image.RGBA) error {
	_, err := f.drawReady(over, frame)
	return err
}
