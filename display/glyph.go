package display

import (
	"image"
	"image/color"
	"image/draw"

	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// glyphKey is a drawn form of a font and how far right of a whole pixel it stands.
type glyphKey struct {
	face     *font.Face
	id       font.GID
	size     fixed.Int26_6
	fraction fixed.Int26_6
}

// glyph is a drawn form: its coverage, and where that lies from its dot.
type glyph struct {
	box  image.Rectangle
	mask *image.Alpha
}

// draw draws a line of text with its top left corner at p.
func (t *typesetter) draw(dst *image.RGBA, l setLine, p image.Point, c color.RGBA) {
	ink := image.NewUniform(c)
	dot := fixed.P(p.X, p.Y+l.ascent)
	for _, run := range l.runs {
		for _, g := range run.Glyphs {
			r := l.text[g.TextIndex()]
			switch {
			case g.GlyphID == 0 && g.Advance == 0: // a mark
			case g.GlyphID == 0:
				size := run.Size.Round()
				box := image.Rect(dot.X.Round(), dot.Y.Round()-ascent(size), dot.X.Round()+size, dot.Y.Round()+descent(size))
				drawMissing(dst, r, box.Inset(max(1, size/12)), ink)
			default:
				at := fixed.Point26_6{X: dot.X + g.XOffset, Y: dot.Y - g.YOffset}
				x := at.X + 8 // forms are drawn at quarters of a pixel
				d := t.glyph(glyphKey{run.Face, g.GlyphID, run.Size, x & 0x30})
				draw.DrawMask(dst, d.box.Add(image.Pt(x.Floor(), at.Y.Round())), ink, image.Point{}, d.mask, image.Point{}, draw.Over)
			}
			dot.X += g.Advance
		}
	}
}

// glyph draws a form, or finds it drawn: a press shows a screen most of whose words stood there a moment before.
func (t *typesetter) glyph(key glyphKey) glyph {
	if g, ok := t.glyphs[key]; ok {
		return g
	}
	if len(t.glyphs) >= mostGlyphs {
		clear(t.glyphs)
	}
	g := drawGlyph(key)
	t.glyphs[key] = g
	return g
}

func drawGlyph(key glyphKey) glyph {
	outline, ok := key.face.GlyphDataOutline(key.id)
	if !ok || len(outline.Segments) == 0 {
		return glyph{mask: image.NewAlpha(image.Rectangle{})}
	}
	scale := float32(key.size) / 64 / float32(key.face.Upem())
	right := float32(key.fraction) / 64
	at := func(p opentype.SegmentPoint) (x, y float32) { return p.X*scale + right, -p.Y * scale }
	box := outlineBox(outline, at)
	// A damaged font can say that a form is a kilometre high.
	if most := 4 * key.size.Ceil(); box.Dx() > most || box.Dy() > most || box.Empty() {
		return glyph{mask: image.NewAlpha(image.Rectangle{})}
	}
	r := vector.NewRasterizer(box.Dx(), box.Dy())
	in := func(p opentype.SegmentPoint) (x, y float32) {
		x, y = at(p)
		return x - float32(box.Min.X), y - float32(box.Min.Y)
	}
	for i, s := range outline.Segments {
		x1, y1 := in(s.Args[0])
		x2, y2 := in(s.Args[1])
		x3, y3 := in(s.Args[2])
		switch s.Op {
		case opentype.SegmentOpMoveTo:
			if i > 0 {
				r.ClosePath()
			}
			r.MoveTo(x1, y1)
		case opentype.SegmentOpLineTo:
			r.LineTo(x1, y1)
		case opentype.SegmentOpQuadTo:
			r.QuadTo(x1, y1, x2, y2)
		case opentype.SegmentOpCubeTo:
			r.CubeTo(x1, y1, x2, y2, x3, y3)
		}
	}
	r.ClosePath()
	mask := image.NewAlpha(image.Rectangle{Max: box.Size()})
	r.Draw(mask, mask.Rect, image.Opaque, image.Point{})
	return glyph{box, mask}
}

// outlineBox returns the pixels that an outline's points lie in.
func outlineBox(o font.GlyphOutline, at func(opentype.SegmentPoint) (x, y float32)) image.Rectangle {
	const far = 1 << 14
	minX, minY, maxX, maxY := float32(far), float32(far), float32(-far), float32(-far)
	for _, s := range o.Segments {
		for _, p := range s.ArgsSlice() {
			x, y := at(p)
			minX, minY, maxX, maxY = min(minX, x), min(minY, y), max(maxX, x), max(maxY, y)
		}
	}
	if !(minX > -far && minY > -far && maxX < far && maxY < far) { // which holds for no NaN either
		return image.Rectangle{}
	}
	return image.Rect(int(minX)-1, int(minY)-1, int(maxX)+2, int(maxY)+2)
}
