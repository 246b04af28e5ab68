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
	strip    []byte // some rows of the panel on their way, turned but not yet converted
}

// stripRows is how many rows are turned at once: as many as pixels fit a cache line of 64 bytes, so that each line of the
// image is fetched once. stripGap keeps the rows of a strip from falling on one another in the cache.
const (
	stripRows = 16
	stripGap  = 64
)

func (s *surface) panel() image.Point { return image.Pt(s.format.width, s.format.height) }

// bounds are those of the image that the panel shows.
func (s *surface) bounds() image.Rectangle {
	return image.Rectangle{Max: s.rotation.size(s.panel())}
}

// draw lays part r of what the panel shows, which begins at sp of src, into the memory, and returns the part of the panel
// that it wrote. Memory that has vanished with its hardware is ErrGone, not the end of the program.
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
	written = s.rotation.onPanel(clipped, s.panel())
	if s.rotation == 0 {
		s.upright(written, m, sp)
	} else {
		s.turned(written, m, sp)
	}
	return written, nil
}

// row returns the bytes of columns [r.Min.X, r.Max.X) in row y of the panel.
func (s *surface) row(y int, r image.Rectangle) []byte {
	at := s.format.origin + y*s.format.stride
	return s.memory[at+r.Min.X*s.format.bytes : at+r.Max.X*s.format.bytes]
}

func (s *surface) upright(r image.Rectangle, src *image.RGBA, sp image.Point) {
	convert := s.format.rowConverter()
	for y := range r.Dy() {
		from := src.PixOffset(sp.X, sp.Y+y)
		convert(s.row(r.Min.Y+y, r), src.Pix[from:from+4*r.Dx()])
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
			convert(s.row(r.Min.Y+top+y, r), s.strip[y*stride:y*stride+4*r.Dx()])
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
