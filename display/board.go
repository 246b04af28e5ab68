package display

import (
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

// partsDrawer is a panel that takes all changed parts of a frame at once.
type partsDrawer interface {
	DrawParts(parts []image.Rectangle, frame *image.RGBA) error
}

// Show draws a screen on all panels, unless it is the one that they show. Of the panels' pixels only the parts that have
// changed are sent. A panel that fails is drawn again as a whole the next time, whatever the screen.
func (b *Board) Show(s Screen) error {
	if b.shown && s == b.last {
		return nil
	}
	frame, err := b.renderer.Render(s, b.size)
	errs := []error{err}
	parts := []image.Rectangle{frame.Bounds()}
	if b.shown {
		parts = changed(b.frame, frame)
	}
	for _, p := range b.panels {
		errs = append(errs, drawParts(p, parts, frame))
	}
	b.last, b.frame = s, frame
	err = errors.Join(errs...)
	b.shown = err == nil
	return err
}

func drawParts(p display.Drawer, parts []image.Rectangle, frame *image.RGBA) error {
	if len(parts) == 0 {
		return nil
	}
	if all, ok := p.(partsDrawer); ok {
		return all.DrawParts(parts, frame)
	}
	for _, part := range parts {
		if err := p.Draw(part, frame, part.Min); err != nil {
			return err
		}
	}
	return nil
}
