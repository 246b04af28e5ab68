package display

import (
	"encoding/binary"
	"image"
)

// packed is an image whose rows are kept as runs of one colour. What is drawn is mostly flat, so that it takes a tenth of its
// pixels or less.
type packed struct {
	size image.Point
	data []byte // of each run its length in two bytes, and its pixel in four
}

const (
	runBytes   = 6
	longestRun = 1<<16 - 1
	// shortRun is up to how many pixels are written one by one.
	shortRun = 16
)

// pack keeps an image.
func pack(m *image.RGBA) *packed {
	p := &packed{size: m.Rect.Size()}
	for y := range p.size.Y {
		for row := m.Pix[y*m.Stride:][:4*p.size.X]; len(row) > 0; {
			n, first := 1, binary.NativeEndian.Uint32(row)
			for n < longestRun && 4*n < len(row) && binary.NativeEndian.Uint32(row[4*n:]) == first {
				n++
			}
			p.data = append(binary.NativeEndian.AppendUint16(p.data, uint16(n)), row[:4]...)
			row = row[4*n:]
		}
	}
	return p
}

// draw draws the image with its corner at a point of dst, in which it lies as a whole.
func (p *packed) draw(dst *image.RGBA, at image.Point) {
	data := p.data
	for y := range p.size.Y {
		for row := dst.Pix[dst.PixOffset(at.X, at.Y+y):][:4*p.size.X]; len(row) > 0; data = data[runBytes:] {
			n, pixel := int(binary.NativeEndian.Uint16(data)), binary.NativeEndian.Uint32(data[2:])
			run := row[:4*n]
			for i := range min(n, shortRun) {
				binary.NativeEndian.PutUint32(run[4*i:], pixel)
			}
			for done := 4 * shortRun; done < len(run); done *= 2 {
				copy(run[done:], run[:done])
			}
			row = row[4*n:]
		}
	}
}
