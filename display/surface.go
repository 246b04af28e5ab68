package display

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"runtime"
	"runtime/debug"
)

// ErrGone is what a panel's errors wrap when its hardware is gone or its screen unplugged: close it and open it again.
var ErrGone = errors.New("the screen is gone")

// surface is a panel's memory, and how images are laid into it. It is not safe for concurrent use.
type surface struct {
	memory   []byte
	format   pixelFormat
	rotation Rotation
	scale    int    // how many of the panel's pixels along a side show one of the image's; 0 for 1
	strip    []byte // some rows of the panel on their way, turned but not yet converted
	narrow   []byte // a row of the image as the panel wants it, where each has several of the panel's
	line     []byte // the same as wide as on the panel

	kept  []image.Rectangle // parts of the panel that are made ready
	ready []byte            // their pixels, as the memory is to have them, one row after the other
	band  []byte            // rows of the panel on their way there
}

// stripRows is how many rows are turned at once: as many as pixels fit a cache line of 64 bytes, so that each line of the
// image is fetched once. stripGap keeps the rows of a strip from falling on one another in the cache.
const (
	stripRows = 16
	stripGap  = 64
)

// panel is the panel's size in pixels of the image.
func (s *surface) panel() image.Point {
	return image.Pt(s.format.width, s.format.height).Div(max(s.scale, 1))
}

// inMemory returns which of the panel's own pixels show a part of it.
func (s *surface) inMemory(r image.Rectangle) image.Rectangle {
	return image.Rectangle{r.Min.Mul(max(s.scale, 1)), r.Max.Mul(max(s.scale, 1))}
}

// bounds are those of the image that the panel shows.
func (s *surface) bounds() image.Rectangle {
	return image.Rectangle{Max: s.rotation.size(s.panel())}
}

// draw lays part r of what the panel shows, which begins at sp of src, into the memory, and returns the part of the panel
// that it wrote.
func (s *surface) draw(r image.Rectangle, src image.Image, sp image.Point) (written image.Rectangle, err error) {
	clipped := r.Intersect(s.bounds())
	if clipped.Empty() {
		return image.Rectangle{}, nil
	}
	sp = sp.Add(clipped.Min.Sub(r.Min))
	m, ok := src.(*image.RGBA)
	if !ok || !(image.Rectangle{Min: sp, Max: sp.Add(clipped.Size())}).In(m.Rect) {
		m = image.NewRGBA(image.Rectangle{Max: clipped.Size()})
		draw.Draw(m, m.Rect, src, sp, draw.Src)
		sp = image.Point{}
	}
	written = s.rotation.onPanel(clipped, s.panel())
	return written, faultless(func() {
		if s.rotation == 0 {
			s.upright(written, m, sp)
		} else {
			s.turned(written, m, sp)
		}
	})
}

// Ready keeps parts of a frame as the panel's memory has them, for DrawReady. It replaces what it kept before.
func (s *surface) Ready(parts []image.Rectangle, frame *image.RGBA) {
	s.kept, s.ready = s.kept[:0], s.ready[:0]
	for _, p := range parts {
		for _, rows := range s.bands(p.Intersect(s.bounds())) {
			s.keep(rows, frame)
		}
	}
}

// bandRows is how many rows of the panel are made ready at once.
const bandRows = 64

// bands cuts a part of what the panel shows so that each lies in few of the panel's rows.
func (s *surface) bands(p image.Rectangle) (all []image.Rectangle) {
	across := s.rotation == 90 || s.rotation == 270
	for !p.Empty() {
		band, rest := p, p
		if across {
			band.Max.X = min(p.Max.X, p.Min.X+bandRows)
			rest.Min.X = band.Max.X
		} else {
			band.Max.Y = min(p.Max.Y, p.Min.Y+bandRows)
			rest.Min.Y = band.Max.Y
		}
		all, p = append(all, band), rest
	}
	return all
}

// keep lays a band of a frame into memory of the panel's kind that holds its rows alone, and keeps it.
func (s *surface) keep(rows image.Rectangle, frame *image.RGBA) {
	at := s.rotation.onPanel(rows, s.panel())
	format := s.format
	format.origin = -at.Min.Y * format.stride
	format.width, format.height = s.panel().X, s.panel().Y
	if s.band == nil {
		s.band = make([]byte, (bandRows+1)*format.stride)
	}
	own := surface{memory: s.band, format: format, rotation: s.rotation, strip: s.strip}
	written, err := own.draw(rows, frame, rows.Min)
	s.strip = own.strip
	if err != nil || written.Empty() {
		return
	}
	s.kept = append(s.kept, written)
	for y := written.Min.Y; y < written.Max.Y; y++ {
		s.ready = append(s.ready, own.row(y, written)...)
	}
}

// drawReady copies what Ready has kept into the memory, draws parts of a frame over it, and returns the parts of the panel that it wrote.
func (s *surface) drawReady(over []image.Rectangle, frame *image.RGBA) (written []image.Rectangle, err error) {
	err = faultless(func() {
		pixels := s.ready
		for _, p := range s.kept {
			for y := p.Min.Y; y < p.Max.Y; y++ {
				n := p.Dx() * s.format.bytes
				s.put(y, p, pixels[:n])
				pixels = pixels[n:]
			}
		}
	})
	written = append(written, s.kept...)
	for _, p := range over {
		drawn, drawErr := s.draw(p, frame, p.Min)
		written, err = append(written, drawn), errors.Join(err, drawErr)
	}
	return written, err
}

// faultless writes into a panel's memory. Memory that has vanished with its hardware is ErrGone, not the end of the program.
func faultless(write func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case interface {
			runtime.Error
			Addr() uintptr
		}:
			err = fmt.Errorf("draw: %w: %w", ErrGone, fault)
		default:
			panic(fault)
		}
	}()
	write()
	return nil
}

// row returns the bytes of columns [r.Min.X, r.Max.X) in row y of the panel.
func (s *surface) row(y int, r image.Rectangle) []byte {
	at := s.format.origin + y*s.format.stride
	return s.memory[at+r.Min.X*s.format.bytes : at+r.Max.X*s.format.bytes]
}

// put writes a row of part r, which is as the panel wants it.
func (s *surface) put(y int, r image.Rectangle, pixels []byte) {
	if s.scale <= 1 {
		copy(s.row(y, r), pixels)
		return
	}
	all, n := s.inMemory(r), s.format.bytes
	if need := all.Dx() * n; len(s.line) < need {
		s.line = make([]byte, need)
	}
	wide := s.line[:0]
	for ; len(pixels) >= n; pixels = pixels[n:] {
		for range s.scale {
			wide = append(wide, pixels[:n]...)
		}
	}
	for i := range s.scale {
		copy(s.row(y*s.scale+i, all), wide)
	}
}

// convert writes a row of part r, given four bytes a pixel.
func (s *surface) convert(convert func(to, from []byte), y int, r image.Rectangle, from []byte) {
	if s.scale <= 1 {
		convert(s.row(y, r), from)
		return
	}
	if need := r.Dx() * s.format.bytes; len(s.narrow) < need {
		s.narrow = make([]byte, need)
	}
	row := s.narrow[:r.Dx()*s.format.bytes]
	convert(row, from)
	s.put(y, r, row)
}

func (s *surface) upright(r image.Rectangle, src *image.RGBA, sp image.Point) {
	convert := s.format.rowConverter()
	for y := range r.Dy() {
		from := src.PixOffset(sp.X, sp.Y+y)
		s.convert(convert, r.Min.Y+y, r, src.Pix[from:from+4*r.Dx()])
	}
}

// turned fills r of the panel with the part of src that begins at sp, strip by strip.
func (s *surface) turned(r image.Rectangle, src *image.RGBA, sp image.Point) {
	convert := s.format.rowConverter()
	stride := 4*r.Dx() + stripGap
	if need := stripRows * stride; len(s.strip) < need {
		s.strip = make([]byte, need)
	}
	for top := 0; top < r.Dy(); top += stripRows {
		rows := min(stripRows, r.Dy()-top)
		s.turnStrip(stride, top, rows, r.Size(), src, sp)
		for y := range rows {
			s.convert(convert, r.Min.Y+top+y, r, s.strip[y*stride:y*stride+4*r.Dx()])
		}
	}
}

// turnStrip puts rows top to top+rows of a turned part into the strip. size is the part's on the panel.
func (s *surface) turnStrip(stride, top, rows int, size image.Point, src *image.RGBA, sp image.Point) {
	if s.rotation == 180 {
		for y := range rows {
			at := src.PixOffset(sp.X, sp.Y+size.Y-1-top-y)
			from, to := src.Pix[at:at+4*size.X], s.strip[y*stride:y*stride+4*size.X]
			for x := 0; x+4 <= len(from) && x+4 <= len(to); x += 4 {
				binary.LittleEndian.PutUint32(to[len(to)-4-x:len(to)-x], binary.LittleEndian.Uint32(from[x:x+4]))
			}
		}
		return
	}
	// A column of the image becomes a row of the strip, in blocks whose part of the image stays in the first cache.
	const block = 64
	for left := 0; left < size.X; left += block {
		columns := min(block, size.X-left)
		for y := range rows {
			var at, step int
			if s.rotation == 90 {
				at, step = src.PixOffset(sp.X+top+y, sp.Y+size.X-1-left), -src.Stride
			} else {
				at, step = src.PixOffset(sp.X+size.Y-1-top-y, sp.Y+left), src.Stride
			}
			to := s.strip[y*stride+4*left : y*stride+4*(left+columns)]
			for x := 0; x+4 <= len(to); x += 4 {
				binary.LittleEndian.PutUint32(to[x:x+4], binary.LittleEndian.Uint32(src.Pix[at:at+4]))
				at += step
			}
		}
	}
}
