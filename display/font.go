package display

import (
	_ "embed"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"io/fs"
	"os"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

//go:embed fonts/NotoSansSC-Medium-subset.ttf
var embedded []byte

// Fonts are the fonts that characters are looked for in, in this order.
type Fonts struct{ all []*sfnt.Font }

// LoadFonts returns the built-in font followed by those of the files, of which collections give their first font. Files
// that do not exist are skipped; one that is no font is an error.
func LoadFonts(paths []string) (*Fonts, error) {
	f, err := opentype.Parse(embedded)
	if err != nil {
		return nil, fmt.Errorf("read the built-in font: %w", err)
	}
	out := &Fonts{[]*sfnt.Font{f}}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the font: %w", err)
		}
		c, err := opentype.ParseCollection(b) // a single font is a collection of one
		if err != nil {
			return nil, fmt.Errorf("read the font %s: %w", path, err)
		}
		f, err := c.Font(0)
		if err != nil {
			return nil, fmt.Errorf("read the font %s: %w", path, err)
		}
		out.all = append(out.all, f)
	}
	return out, nil
}

// faces keeps what has been made of the fonts at one size.
type faces struct {
	all  []font.Face
	have []*sfnt.Font
	buf  sfnt.Buffer
	kept map[glyphKey]glyph
}

// mostGlyphs bounds what is kept at one size: a screen has about a hundred, and names bring new ones.
const mostGlyphs = 1000

// glyphKey is a character and how far right of a whole pixel it stands.
type glyphKey struct {
	r        rune
	fraction fixed.Int26_6
}

// glyph is a drawn character: where it lies from its dot, its coverage, and how far the next one is.
type glyph struct {
	box     image.Rectangle
	mask    *image.Alpha
	advance fixed.Int26_6
}

func newFaces(f *Fonts, size int) *faces {
	out := &faces{have: f.all, kept: make(map[glyphKey]glyph)}
	for _, ft := range f.all {
		// NewFace fails for options only, and these are the defaults.
		face, err := opentype.NewFace(ft, &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingNone})
		if err != nil {
			panic("display: " + err.Error())
		}
		out.all = append(out.all, face)
	}
	return out
}

// face returns the first face that has r, nil if none has.
func (f *faces) face(r rune) font.Face {
	for i, ft := range f.have {
		if g, err := ft.GlyphIndex(&f.buf, r); err == nil && g != 0 {
			return f.all[i]
		}
	}
	return nil
}

// advance returns the width of r at a size in pixels. A character that no font has is a square.
func (f *faces) advance(r rune, size int) fixed.Int26_6 {
	face := f.face(r)
	if face == nil {
		return fixed.I(size)
	}
	a, _ := face.GlyphAdvance(r)
	return a
}

func (f *faces) width(s string, size int) int {
	var w fixed.Int26_6
	for _, r := range s {
		w += f.advance(r, size)
	}
	return w.Ceil()
}

// lineHeight is the height of a line of text for its size.
func lineHeight(size int) int { return size * 13 / 10 }

// baseline is how far below the top of its line a text stands.
func baseline(size int) int { return size * 105 / 100 }

// draw draws one line of text with its top left corner at p.
func (f *faces) draw(dst *image.RGBA, s string, p image.Point, size int, ink image.Image) {
	dot := fixed.P(p.X, p.Y+baseline(size))
	for _, r := range s {
		face := f.face(r)
		if face == nil {
			drawMissing(dst, r, image.Rect(dot.X.Round(), p.Y, dot.X.Round()+size, p.Y+lineHeight(size)).Inset(max(1, size/12)), ink)
			dot.X += fixed.I(size)
			continue
		}
		g := f.glyph(face, r, dot.X&63)
		at := g.box.Add(image.Pt(dot.X.Floor(), dot.Y.Floor()))
		draw.DrawMask(dst, at, ink, image.Point{}, g.mask, image.Point{}, draw.Over)
		dot.X += g.advance
	}
}

// glyph draws a character, or finds it drawn: a press shows a screen most of whose words stood there a moment before.
func (f *faces) glyph(face font.Face, r rune, fraction fixed.Int26_6) glyph {
	key := glyphKey{r, fraction}
	if g, ok := f.kept[key]; ok {
		return g
	}
	if len(f.kept) >= mostGlyphs {
		clear(f.kept)
	}
	box, mask, maskp, advance, ok := face.Glyph(fixed.Point26_6{X: fraction}, r)
	g := glyph{advance: advance, mask: image.NewAlpha(image.Rectangle{Max: box.Size()}), box: box}
	if ok {
		// The face draws the next character into the same mask.
		draw.Draw(g.mask, g.mask.Rect, mask, maskp, draw.Src)
	}
	f.kept[key] = g
	return g
}
