package display

import (
	"errors"
	"image"
	"slices"

	"periph.io/x/conn/v3/display"

	"haochaping/internal/rating"
)

// Board shows screens on panels of one size. It is not safe for concurrent use.
type Board struct {
	renderer *Renderer
	size     image.Point
	panels   []display.Drawer

	shown bool // the panels show last
	last  Screen
	at    layout      // of last
	frame *image.RGBA // its pixels
	spare *image.RGBA // for the next ones

	ahead *ahead // nil if nothing is prepared
}

// ahead is a screen with tiles that was drawn before it is wanted, none of its levels chosen yet.
type ahead struct {
	screen Screen
	at     layout
	frame  *image.RGBA
	parts  []image.Rectangle // in which it differs from what is shown
}

// NewBoard returns a Board that has shown nothing yet.
func NewBoard(r *Renderer, size image.Point, panels ...display.Drawer) *Board {
	return &Board{renderer: r, size: size, panels: panels}
}

// partsDrawer is a panel that takes all changed parts of a frame at once.
type partsDrawer interface {
	DrawParts(parts []image.Rectangle, frame *image.RGBA) error
}

// readyDrawer is a panel that can be given parts of a frame before they are to be seen.
type readyDrawer interface {
	// Ready keeps parts of a frame as the panel wants them.
	Ready(parts []image.Rectangle, frame *image.RGBA)
	// DrawReady shows what Ready has kept, and over it parts of a frame.
	DrawReady(over []image.Rectangle, frame *image.RGBA) error
}

// Show draws a screen on all panels, unless it is the one that they show. Of the panels' pixels only the parts that have
// changed are sent. A panel that fails is drawn again as a whole the next time, whatever the screen.
func (b *Board) Show(s Screen) error {
	if b.shown && s == b.last {
		return nil
	}
	next := b.ahead
	b.ahead = nil
	switch {
	case b.shown && next != nil && alike(s, next.screen):
		return b.showAhead(s, next)
	case next != nil:
		b.spare = next.frame // nobody has seen it
	}
	switch {
	case b.shown && alike(s, b.last):
		over := b.choose(s)
		return b.sent(s, b.frame, b.at, func(p display.Drawer) error { return drawParts(p, over, b.frame) })
	}
	at, err := b.renderer.arrange(s, b.size)
	frame := b.blank()
	b.renderer.draw(frame, s, at)
	parts := []image.Rectangle{frame.Bounds()}
	if b.shown {
		parts = changed(b.frame, frame)
	}
	return errors.Join(err, b.sent(s, frame, at, func(p display.Drawer) error { return drawParts(p, parts, frame) }))
}

// Prepare draws a screen on which a level is chosen ahead of the press that will choose one of the five, which can be any. Show then
// has to draw that level's tile alone.
func (b *Board) Prepare(s Screen) {
	if !b.shown || s.Chosen == 0 || b.ahead != nil && alike(s, b.ahead.screen) {
		return
	}
	at, err := b.renderer.arrange(s, b.size)
	if err != nil {
		return // Show will say so
	}
	at = at.choosing(0)
	frame := b.blank()
	b.renderer.draw(frame, s, at)
	b.ahead = &ahead{s, at, frame, changed(b.frame, frame)}
	for _, p := range b.panels {
		if r, ok := p.(readyDrawer); ok {
			r.Ready(b.ahead.parts, frame)
		}
	}
}

// Warm draws a screen that nobody sees, so that its characters and tiles are kept when one like it is shown.
func (b *Board) Warm(s Screen) {
	at, err := b.renderer.arrange(s, b.size)
	if err != nil {
		return // Show will say so
	}
	frame := b.blank()
	b.renderer.draw(frame, s, at)
	b.spare = frame
}

// showAhead shows a screen that was prepared.
func (b *Board) showAhead(s Screen, next *ahead) error {
	at := next.at.choosing(s.Chosen)
	over := b.renderer.choose(next.frame, next.at, at)
	return b.sent(s, next.frame, at, func(p display.Drawer) error {
		if r, ok := p.(readyDrawer); ok {
			return r.DrawReady(over, next.frame)
		}
		return errors.Join(drawParts(p, next.parts, next.frame), drawParts(p, over, next.frame))
	})
}

// choose draws another level as the chosen one into what is shown, and returns what that has changed.
func (b *Board) choose(s Screen) []image.Rectangle {
	at := b.at.choosing(s.Chosen)
	over := b.renderer.choose(b.frame, b.at, at)
	b.at = at
	return over
}

// sent sends a frame to all panels and remembers it.
func (b *Board) sent(s Screen, frame *image.RGBA, at layout, send func(display.Drawer) error) error {
	var errs []error
	for _, p := range b.panels {
		errs = append(errs, send(p))
	}
	if b.frame != frame {
		b.frame, b.spare = frame, b.frame
	}
	err := errors.Join(errs...)
	b.last, b.at, b.shown = s, at, err == nil
	return err
}

// blank returns a frame that is not shown.
func (b *Board) blank() *image.RGBA {
	frame := b.spare
	b.spare = nil
	if frame == nil {
		frame = image.NewRGBA(image.Rectangle{Max: b.size})
	}
	return frame
}

// alike reports whether two screens differ in the level at most that is chosen on both.
func alike(a, b Screen) bool {
	if a.Chosen == 0 || b.Chosen == 0 {
		return false
	}
	a.Chosen = b.Chosen
	return a == b
}

// choosing returns the layout with another level chosen, or none.
func (l layout) choosing(level rating.Level) layout {
	l.tiles = slices.Clone(l.tiles)
	for i := range l.tiles {
		l.tiles[i].chosen = level != 0 && l.tiles[i].level == level
	}
	return l
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
