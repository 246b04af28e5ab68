package display

import (
	"encoding/binary"
	"fmt"
	"image"
	"math/bits"
)

// pixelFormat says how a panel's memory keeps its pixels.
type pixelFormat struct {
	width, height    int
	stride           int // bytes of a row, which can be more than its pixels need
	bytes            int // of a pixel: 2, 3 or 4
	red, green, blue channelBits
	origin           int // bytes before the first pixel that is seen
}

// channelBits is the place of a colour in a pixel.
type channelBits struct{ offset, length uint32 }

// xrgb8888 and rgb565 are the formats that nearly all panels have. They have fast conversions.
func xrgb8888(width, height, stride int) pixelFormat {
	return pixelFormat{width, height, stride, 4, channelBits{16, 8}, channelBits{8, 8}, channelBits{0, 8}, 0}
}

func rgb565(width, height, stride int) pixelFormat {
	return pixelFormat{width, height, stride, 2, channelBits{11, 5}, channelBits{5, 6}, channelBits{0, 5}, 0}
}

// memory returns how many bytes the panel's memory has up to its last pixel.
func (p pixelFormat) memory() int { return p.origin + (p.height-1)*p.stride + p.width*p.bytes }

func (p pixelFormat) check() error {
	if p.bytes < 2 || p.bytes > 4 {
		return fmt.Errorf("%d bits a pixel are not supported, 16, 24 and 32 are", 8*p.bytes)
	}
	if p.width <= 0 || p.height <= 0 || p.stride < p.width*p.bytes {
		return fmt.Errorf("%dx%d pixels in rows of %d bytes make no sense", p.width, p.height, p.stride)
	}
	for _, c := range []channelBits{p.red, p.green, p.blue} {
		if c.length < 1 || c.length > 16 || int(c.offset+c.length) > 8*p.bytes {
			return fmt.Errorf("a colour of %d bits at %d is not supported", c.length, c.offset)
		}
	}
	return nil
}

// pack returns the pixel of a colour.
func (p pixelFormat) pack(r, g, b uint8) uint32 {
	put := func(v uint8, c channelBits) uint32 { return (uint32(v) * 0x101 >> (16 - c.length)) << c.offset }
	return put(r, p.red) | put(g, p.green) | put(b, p.blue)
}

// rowConverter returns what turns a row of an image, four bytes a pixel, into a row of the panel. It writes the row from
// left to right and never reads it: a panel's memory is often not cached, and then only writing in order is fast.
func (p pixelFormat) rowConverter() func(to, from []byte) {
	p.origin = 0
	switch p {
	case xrgb8888(p.width, p.height, p.stride):
		return toXRGB8888
	case rgb565(p.width, p.height, p.stride):
		return toRGB565
	}
	return p.toAny
}

func toXRGB8888(to, from []byte) {
	const evenBytes = 0x000000ff_000000ff
	swap := func(v uint64) uint64 { return v&(evenBytes<<8) | v>>16&evenBytes | v&evenBytes<<16 }
	for len(from) >= 32 && len(to) >= 32 {
		binary.LittleEndian.PutUint64(to, swap(binary.LittleEndian.Uint64(from)))
		binary.LittleEndian.PutUint64(to[8:], swap(binary.LittleEndian.Uint64(from[8:])))
		binary.LittleEndian.PutUint64(to[16:], swap(binary.LittleEndian.Uint64(from[16:])))
		binary.LittleEndian.PutUint64(to[24:], swap(binary.LittleEndian.Uint64(from[24:])))
		from, to = from[32:], to[32:]
	}
	for len(from) >= 4 && len(to) >= 4 {
		binary.LittleEndian.PutUint32(to, bits.ReverseBytes32(binary.LittleEndian.Uint32(from))>>8)
		from, to = from[4:], to[4:]
	}
}

func toRGB565(to, from []byte) {
	pack := func(v uint32) uint64 { return uint64(v<<8&0xf800 | v>>5&0x07e0 | v>>19&0x001f) }
	for len(from) >= 16 && len(to) >= 8 {
		a, b := binary.LittleEndian.Uint64(from), binary.LittleEndian.Uint64(from[8:])
		binary.LittleEndian.PutUint64(to, pack(uint32(a))|pack(uint32(a>>32))<<16|pack(uint32(b))<<32|pack(uint32(b>>32))<<48)
		from, to = from[16:], to[8:]
	}
	for len(from) >= 4 && len(to) >= 2 {
		binary.LittleEndian.PutUint16(to, uint16(pack(binary.LittleEndian.Uint32(from))))
		from, to = from[4:], to[2:]
	}
}

func (p pixelFormat) toAny(to, from []byte) {
	for len(from) >= 4 && len(to) >= p.bytes {
		v := p.pack(from[0], from[1], from[2])
		switch p.bytes {
		case 2:
			binary.LittleEndian.PutUint16(to, uint16(v))
		case 3:
			to[0], to[1], to[2] = byte(v), byte(v>>8), byte(v>>16)
		default:
			binary.LittleEndian.PutUint32(to, v)
		}
		from, to = from[4:], to[p.bytes:]
	}
}

// Rotation is how far an image is turned clockwise on a panel, in degrees: 0, 90, 180 or 270. A panel that was mounted
// turned to the left, its own upper edge at the left, needs 90.
type Rotation int

// Valid tells whether r is one of the four.
func (r Rotation) Valid() bool { return r == 0 || r == 90 || r == 180 || r == 270 }

// size returns the size of the image that fills a panel.
func (r Rotation) size(panel image.Point) image.Point {
	if r == 90 || r == 270 {
		return image.Pt(panel.Y, panel.X)
	}
	return panel
}

// onPanel returns where a rectangle of an image comes to stand on a panel.
func (r Rotation) onPanel(p image.Rectangle, panel image.Point) image.Rectangle {
	switch r {
	case 90:
		return image.Rect(panel.X-p.Max.Y, p.Min.X, panel.X-p.Min.Y, p.Max.X)
	case 180:
		return image.Rect(panel.X-p.Max.X, panel.Y-p.Max.Y, panel.X-p.Min.X, panel.Y-p.Min.Y)
	case 270:
		return image.Rect(p.Min.Y, panel.Y-p.Max.X, p.Max.Y, panel.Y-p.Min.X)
	}
	return p
}
