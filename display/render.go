package display

import (
	"fmt"
	"image"
	"image/color"

	"haochaping/internal/rating"
	"haochaping/qrcode"
)

// Renderer draws screens. What it keeps between two calls is only there to save time. It is not safe for concurrent use.
type Renderer struct {
	typesetter *typesetter
	tiles      map[tileKey]*packed

	link string // whose code is kept
	code qrcode.Code

	portraitOf image.Image // whose scaled form is kept
	portrait   *image.RGBA
}

// NewRenderer returns a Renderer that uses the fonts.
func NewRenderer(f *Fonts) *Renderer {
	return &Renderer{typesetter: newTypesetter(f), tiles: make(map[tileKey]*packed)}
}

// arrange lays out a screen. One whose link fits no QR code has none.
func (r *Renderer) arrange(s Screen, size image.Point) (layout, error) {
	modules, err := r.modules(s.Link)
	l := arrange(r.typesetter, s, size, modules)
	if err == nil && !l.qr.Empty() && min(l.qr.Dx(), l.qr.Dy()) < modules {
		err = fmt.Errorf("draw the QR code: %d modules do not fit %d pixels", modules, min(l.qr.Dx(), l.qr.Dy()))
	}
	return l, err
}

func (r *Renderer) draw(dst *image.RGBA, s Screen, l layout) {
	fill(dst, dst.Bounds(), paper)
	fill(dst, l.head, band)
	for _, w := range l.swatches {
		fill(dst, w.box, w.colour)
	}
	for _, field := range []image.Rectangle{l.mark, l.letGo} {
		if !field.Empty() {
			roundBox(dst, field, float64(field.Dy())/8, warning)
		}
	}
	if !l.alert.Empty() {
		roundBox(dst, l.alert, float64(l.alert.Dy())/8, warning)
	}
	if !l.icon.Empty() {
		x, y, side := float64(l.icon.Min.X), float64(l.icon.Min.Y), float64(l.icon.Dx())
		disc(dst, band, x+side/2, y+side/2, side/2)
		tick(dst, card, x+side*0.15, y+side*0.15, side*0.7)
	}
	for _, t := range l.tiles {
		r.tile(dst, t)
	}
	for _, c := range l.choices {
		r.drawChoice(dst, c)
	}
	if !l.photo.Empty() {
		r.photo(dst, s.Photo, l.photo)
	}
	for _, t := range l.texts {
		r.text(dst, t)
	}
	if !l.qr.Empty() {
		r.qr(dst, l.qr)
	}
}

// choose draws the tiles anew in which two arrangements of one screen differ, which are those of the chosen levels. It returns
// their places.
func (r *Renderer) choose(dst *image.RGBA, before, after layout) (parts []image.Rectangle) {
	for i, t := range after.tiles {
		if t.chosen == before.tiles[i].chosen {
			continue
		}
		r.tile(dst, t)
		for _, words := range after.texts {
			if words.box.In(t.box) {
				r.text(dst, words)
			}
		}
		parts = append(parts, t.box)
	}
	return parts
}

// tileKey is what a tile's pixels depend on.
type tileKey struct {
	size   image.Point
	face   image.Rectangle // from the tile's corner
	level  rating.Level
	chosen bool
}

// mostTiles bounds what is kept: five tiles, chosen and not, and some of another order.
const mostTiles = 12

// tile puts a level's tile into its place.
func (r *Renderer) tile(dst *image.RGBA, t tile) {
	r.drawnTile(t).draw(dst, t.box.Min)
}

// drawnTile draws a level's tile, or finds it drawn. Their shapes are most of the work of drawing a screen, and they are the same
// each time.
func (r *Renderer) drawnTile(t tile) *packed {
	key := tileKey{t.box.Size(), t.face.Sub(t.box.Min), t.level, t.chosen}
	if kept, ok := r.tiles[key]; ok {
		return kept
	}
	if len(r.tiles) >= mostTiles {
		clear(r.tiles)
	}
	drawn := image.NewRGBA(image.Rectangle{Max: key.size})
	fill(drawn, drawn.Rect, paper)
	at := t
	at.box, at.face, at.digit.box = drawn.Rect, key.face, t.digit.box.Sub(t.box.Min)
	r.drawTile(drawn, at)
	kept := pack(drawn)
	r.tiles[key] = kept
	return kept
}

// drawTile draws a level's tile, its number and its face; the words are among the texts.
func (r *Renderer) drawTile(dst *image.RGBA, t tile) {
	radius := float64(t.box.Dx()) / 14
	border, width := edge, max(1, t.box.Dx()/80)
	if t.chosen {
		border, width = inkDark, max(3, t.box.Dx()/28)
	}
	roundBox(dst, t.box, radius, border)
	roundBox(dst, t.box.Inset(width), radius-float64(width)/2, card)
	x, y := float64(t.face.Min.X+t.face.Max.X)/2, float64(t.face.Min.Y+t.face.Max.Y)/2
	face(dst, x, y, float64(t.face.Dx())/2, t.level, skin(t.level), inkDark)
	r.text(dst, t.digit)
}

// text draws a text's lines below one another.
func (r *Renderer) text(dst *image.RGBA, t text) {
	p := image.Pt(t.box.Min.X, t.box.Min.Y+(t.box.Dy()-t.height())/2)
	for _, line := range t.lines {
		at := p
		if t.centre {
			at.X += (t.box.Dx() - line.width) / 2
		}
		r.typesetter.draw(dst, line, at, t.ink)
		p.Y += line.height()
	}
}

// modules returns how many modules a link's code has along a side with its quiet zone, 0 for no link.
func (r *Renderer) modules(link string) (int, error) {
	if link == "" {
		return 0, nil
	}
	if r.link != link {
		c, err := qrcode.Draw(link)
		if err != nil {
			return 0, err
		}
		r.link, r.code = link, c
	}
	return len(r.code.Modules) + 2*qrcode.QuietZone, nil
}

// qr draws the kept code with whole pixels a module, as large as fits the box.
func (r *Renderer) qr(dst *image.RGBA, box image.Rectangle) {
	n := len(r.code.Modules) + 2*qrcode.QuietZone
	module := min(box.Dx(), box.Dy()) / n
	side := n * module
	at := box.Min.Add(image.Pt((box.Dx()-side)/2, (box.Dy()-side)/2))
	fill(dst, image.Rectangle{at, at.Add(image.Pt(side, side))}, card)
	black := color.RGBA{A: 0xff}
	for y, row := range r.code.Modules {
		for x, dark := range row {
			if dark {
				p := at.Add(image.Pt((x+qrcode.QuietZone)*module, (y+qrcode.QuietZone)*module))
				fill(dst, image.Rectangle{p, p.Add(image.Pt(module, module))}, black)
			}
		}
	}
}

// number is the level as the tile shows it.
func number(l rating.Level) string { return string(rune('0' + l)) }
