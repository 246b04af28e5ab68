package display

import (
	"encoding/binary"
	"image"
)

// packed is a rectangle of pixels, each row as runs of one colour. What is drawn is mostly flat, so that it takes a tenth of its
// pixels or less.
type packed struct {
	size  image.Point
	bytes int    // of a pixel: 2 or 4
	data  []byte // of each run its length in two bytes, and its pixel
}

// longestRun is what two bytes can count; a longer one is several.
const longestRun = 1<<16 - 1

// add adds a row of size.X pixels.
func (p *packed) add(row []byte) {
	for len(row) > 0 {
		n := p.run(row)
		p.data = append(binary.NativeEndian.AppendUint16(p.data, uint16(n)), row[:p.bytes]...)
		row = row[n*p.bytes:]
	}
	p.size.Y++
}

// run returns how many pixels at the beginning of a row are the same.
func (p *packed) run(row []byte) int {
	n := 1
	if p.bytes == 2 {
		for first := binary.NativeEndian.Uint16(row); n < longestRun && 2*n < len(row) && binary.NativeEndian.Uint16(row[2*n:]) == first; {
			n++
		}
		return n
	}
	for first := binary.NativeEndian.Uint32(row); n < longestRun && 4*n < len(row) && binary.NativeEndian.Uint32(row[4*n:]) == first; {
		n++
	}
	return n
}

// unpack calls each with the number and the pixels of each row.
func (p *packed) unpack(each func(y int, row []byte)) {
	data, row := p.data, make([]byte, p.size.X*p.bytes)
	for y := range p.size.Y {
		for rest := row; len(rest) > 0; {
			n := p.bytes * int(binary.NativeEndian.Uint16(data))
			run := rest[:n]
			for done := copy(run, data[2:2+p.bytes]); done < n; done *= 2 {
				copy(run[done:], run[:done])
			}
			rest, data = rest[n:], data[2+p.bytes:]
		}
		each(y, row)
	}
}
