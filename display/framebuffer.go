package display

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Framebuffer is a Linux framebuffer of 16 or 32 bits a pixel. It is not safe for concurrent use.
type Framebuffer struct {
	file    *os.File
	console *os.File // nil if left alone
	memory  []byte
	format  pixelFormat
}

// pixelFormat says how a framebuffer keeps its pixels.
type pixelFormat struct {
	width, height    int
	stride           int // bytes of a row, which can be more than its pixels need
	bytes            int // of a pixel: 2 or 4
	red, green, blue channelBits
}

// channelBits is the place of a colour in a pixel.
type channelBits struct{ offset, length uint32 }

// The kernel's structures and requests, from linux/fb.h and linux/kd.h.
const (
	fbGetVarInfo = 0x4600
	fbGetFixInfo = 0x4602
	kdSetMode    = 0x4b3a
	kdGetMode    = 0x4b3b
	kdText       = 0
	kdGraphics   = 1
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

// OpenFramebuffer opens a framebuffer, as /dev/fb0, and keeps the text of a console, as /dev/tty0, off it. An empty
// console is left alone.
func OpenFramebuffer(path, console string) (f *Framebuffer, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open the screen: %w; is the user in the group video?", err)
	}
	f = &Framebuffer{file: file}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Halt())
		}
	}()
	var v fbVarInfo
	var x fbFixInfo
	if err := f.ioctl(fbGetVarInfo, unsafe.Pointer(&v)); err != nil {
		return nil, fmt.Errorf("ask %s for its size: %w", path, err)
	}
	if err := f.ioctl(fbGetFixInfo, unsafe.Pointer(&x)); err != nil {
		return nil, fmt.Errorf("ask %s for its memory: %w", path, err)
	}
	f.format = pixelFormat{
		width: int(v.xres), height: int(v.yres), stride: int(x.lineLength), bytes: int(v.bitsPerPixel) / 8,
		red: channelBits{v.red.offset, v.red.length}, green: channelBits{v.green.offset, v.green.length}, blue: channelBits{v.blue.offset, v.blue.length},
	}
	if err := f.format.check(); err != nil {
		return nil, fmt.Errorf("screen %s: %w", path, err)
	}
	f.memory, err = unix.Mmap(int(file.Fd()), 0, f.format.stride*f.format.height, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the memory of %s: %w", path, err)
	}
	if console != "" {
		if f.console, err = os.OpenFile(console, os.O_RDWR, 0); err != nil {
			return nil, fmt.Errorf("open the console: %w", err)
		}
		if err := unix.IoctlSetInt(int(f.console.Fd()), kdSetMode, kdGraphics); err != nil {
			if !silent(f.console) {
				return nil, fmt.Errorf("silence the console %s: %w; only root may: let it run \"ratingctl console silent\" before", console, err)
			}
			// Whoever has silenced it will let it speak again.
			err = f.console.Close()
			f.console = nil
			if err != nil {
				return nil, fmt.Errorf("close the console: %w", err)
			}
		}
	}
	return f, nil
}

// silent reports whether somebody has silenced the console already, which everybody may ask.
func silent(console *os.File) bool {
	var mode int32
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, console.Fd(), kdGetMode, uintptr(unsafe.Pointer(&mode)))
	return errno == 0 && mode == kdGraphics
}

func (f *Framebuffer) ioctl(request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.file.Fd(), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

func (p pixelFormat) check() error {
	if p.bytes != 2 && p.bytes != 4 {
		return fmt.Errorf("%d bits a pixel are not supported, 16 and 32 are", 8*p.bytes)
	}
	if p.width <= 0 || p.height <= 0 || p.stride < p.width*p.bytes {
		return fmt.Errorf("%dx%d pixels in rows of %d bytes make no sense", p.width, p.height, p.stride)
	}
	for _, c := range []channelBits{p.red, p.green, p.blue} {
		if c.length < 1 || c.length > 8 || int(c.offset+c.length) > 8*p.bytes {
			return fmt.Errorf("a colour of %d bits at %d is not supported", c.length, c.offset)
		}
	}
	return nil
}

// pack returns the pixel of a colour.
func (p pixelFormat) pack(r, g, b uint8) uint32 {
	put := func(v uint8, c channelBits) uint32 { return uint32(v>>(8-c.length)) << c.offset }
	return put(r, p.red) | put(g, p.green) | put(b, p.blue)
}

// convert writes a rectangle of an image into memory that has the format. The rectangle lies inside both.
func (p pixelFormat) convert(memory []byte, src *image.RGBA, r image.Rectangle, sp image.Point) {
	for y := range r.Dy() {
		from := src.Pix[src.PixOffset(sp.X, sp.Y+y):]
		to := memory[(r.Min.Y+y)*p.stride+r.Min.X*p.bytes:]
		for x := range r.Dx() {
			v := p.pack(from[4*x], from[4*x+1], from[4*x+2])
			if p.bytes == 2 {
				to[2*x], to[2*x+1] = byte(v), byte(v>>8)
				continue
			}
			to[4*x], to[4*x+1], to[4*x+2], to[4*x+3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
		}
	}
}

// String implements conn.Resource.
func (f *Framebuffer) String() string { return "framebuffer " + f.file.Name() }

// Halt gives the console its text back and closes the framebuffer.
func (f *Framebuffer) Halt() error {
	var errs []error
	if f.console != nil {
		errs = append(errs, unix.IoctlSetInt(int(f.console.Fd()), kdSetMode, kdText), f.console.Close())
		f.console = nil
	}
	if f.memory != nil {
		errs = append(errs, unix.Munmap(f.memory))
		f.memory = nil
	}
	return errors.Join(append(errs, f.file.Close())...)
}

// ColorModel implements display.Drawer.
func (f *Framebuffer) ColorModel() color.Model { return color.RGBAModel }

// Bounds implements display.Drawer.
func (f *Framebuffer) Bounds() image.Rectangle {
	return image.Rect(0, 0, f.format.width, f.format.height)
}

// Draw implements display.Drawer.
func (f *Framebuffer) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	clipped := r.Intersect(f.Bounds())
	sp = sp.Add(clipped.Min.Sub(r.Min))
	m, ok := src.(*image.RGBA)
	if !ok || !(image.Rectangle{Min: sp, Max: sp.Add(clipped.Size())}).In(m.Rect) {
		m = image.NewRGBA(image.Rectangle{Max: clipped.Size()})
		draw.Draw(m, m.Rect, src, sp, draw.Src)
		sp = image.Point{}
	}
	f.format.convert(f.memory, m, clipped, sp)
	return nil
}
