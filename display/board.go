package display

import (
	"bytes"
	"errors"
	"image"

	"periph.io/x/conn/v3/display"
)

// Board shows screens on panels of one size. It is not safe for concurrent use.
type Board struct {
	renderer *Renderer
	size     image.Point
	panels   []display.Drawer

	shown bool
	last  Screen
	frame *image.RGBA
}

// NewBoard returns a Board that has shown nothing yet.
func NewBoard(r *Renderer, size image.Point, panels ...display.Drawer) *Board {
	return &Board{renderer: r, size: size, panels: panels}
}

// Show draws a screen on all panels, unless it is the one that they show. Of the panels' pixels only the rectangle that
// has changed is sent. A panel that fails is drawn again as a whole the next time, whatever the screen.
func (b *Board) Show(s Screen) error {
	if b.shown && s == b.last {
		return nil
	}
	frame, err := b.renderer.Render(s, b.size)
	errs := []error{err}
	part := frame.Bounds()
	if b.shown {
		part = changed(b.frame, frame)
	}
	for _, p := range b.panels {
		if !part.Empty() {
			errs = append(errs, p.Draw(part, frame, part.Min))
		}
	}
	b.last, b.frame = s, frame
	err = errors.Join(errs...)
	b.shown = err == nil
	return err
}

// changed returns the smallest rectangle outside which two images of one size are the same.
func changed(a, b *image.RGBA) image.Rectangle {
	r := b.Bounds()
	row := func(y int) (p, q []byte) {
		i := a.PixOffset(r.Min.X, y)
		return a.Pix[i : i+4*r.Dx()], b.Pix[i : i+4*r.Dx()]
	}
	same := func(y int) bool { p, q := row(y); return bytes.Equal(p, q) }
	for r.Min.Y < r.Max.Y && same(r.Min.Y) {
		r.Min.Y++
	}
	for r.Min.Y < r.Max.Y && same(r.Max.Y-1) {
		r.Max.Y--
	}
	left, right := r.Dx(), 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		p, q := row(y)
		for x := 0; x < left; x++ {
			if !bytes.Equal(p[4*x:4*x+4], q[4*x:4*x+4]) {
				left = x
			}
		}
		for x := r.Dx() - 1; x >= right; x-- {
			if !bytes.Equal(p[4*x:4*x+4], q[4*x:4*x+4]) {
				right = x + 1
			}
		}
	}
	if left >= right {
		return image.Rectangle{}
	}
	return image.Rect(r.Min.X+left, r.Min.Y, r.Min.X+right, r.Max.Y)
}
