package display

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"haochaping/internal/rating"
	"haochaping/qrcode"
)

// Renderer draws screens. What it keeps between two calls is only there to save time. It is not safe for concurrent use.
type Renderer struct {
	fonts *Fonts
	sizes map[int]*faces
	tiles map[tileKey]*image.RGBA

	link string // whose code is kept
	code qrcode.Code

	portraitOf image.Image // whose scaled form is kept
	portrait   *image.RGBA
}

// NewRenderer returns a Renderer that uses the fonts.
func NewRenderer(f *Fonts) *Renderer {
	return &Renderer{fonts: f, sizes: make(map[int]*faces), tiles: make(map[tileKey]*image.RGBA)}
}

// Render draws a screen. The error is that of a link that does not fit a QR code; the image is whole but for that.
func (r *Renderer) Render(s Screen, size image.Point) (*image.RGBA, error) {
	dst := image.NewRGBA(image.Rectangle{Max: size})
	l := arrange(s, size)
	fill(dst, dst.Bounds(), paper)
	fill(dst, l.head, band)
	if !l.mark.Empty() {
		roundBox(dst, l.mark, float64(l.mark.Dy())/5, warning)
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
	r.drawChoices(dst, l)
	if !l.photo.Empty() {
		r.photo(dst, s.Photo, l.photo)
	}
	for _, t := range l.texts {
		r.text(dst, t)
	}
	if l.qr.Empty() {
		return dst, nil
	}
	return dst, r.qr(dst, s.Link, l.qr)
}

func (r *Renderer) faces(size int) *faces {
	f, ok := r.sizes[size]
	if !ok {
		f = newFaces(r.fonts, size)
		r.sizes[size] = f
	}
	return f
}

// tileKey is what a tile's pixels depend on.
type tileKey struct {
	size   image.Point
	level  rating.Level
	chosen bool
}

// mostTiles bounds what is kept: five tiles, chosen and not, at two sizes.
const mostTiles = 20

// tile draws a level's tile. Their shapes are most of the work of drawing a screen, and they are the same each time.
func (r *Renderer) tile(dst *image.RGBA, t tile) {
	key := tileKey{t.box.Size(), t.level, t.chosen}
	kept, ok := r.tiles[key]
	if !ok {
		if len(r.tiles) >= mostTiles {
			clear(r.tiles)
		}
		kept = image.NewRGBA(image.Rectangle{Max: key.size})
		fill(kept, kept.Rect, paper)
		at := t
		at.box = kept.Rect
		r.drawTile(kept, at)
		r.tiles[key] = kept
	}
	draw.Draw(dst, t.box, kept, image.Point{}, draw.Src)
}

// drawTile draws a level's tile, its number and its face; the words are among the texts.
func (r *Renderer) drawTile(dst *image.RGBA, t tile) {
	radius := float64(t.box.Dx()) / 14
	border, width := line, max(1, t.box.Dx()/80)
	if t.chosen {
		border, width = inkDark, max(3, t.box.Dx()/28)
	}
	roundBox(dst, t.box, radius, border)
	roundBox(dst, t.box.Inset(width), radius-float64(width)/2, card)
	h := float64(t.box.Dy())
	size := min(h*0.24, float64(t.box.Dx())*0.3)
	face(dst, float64(t.box.Min.X+t.box.Max.X)/2, float64(t.box.Min.Y)+h*0.33, size, mood(t.level), skin(t.level), inkDark)
	digits := max(11, t.box.Dy()*13/100)
	r.faces(digits).draw(dst, number(t.level), t.box.Min.Add(image.Pt(t.box.Dx()*8/100, t.box.Dy()*4/100)), digits, image.NewUniform(inkDark))
}

// fit returns a text's words and size so that they fit its box.
func (r *Renderer) fit(t text) (string, int) {
	size := min(t.size, t.box.Dy()*10/13)
	for least := max(8, size/2); size > least && r.faces(size).width(t.s, size) > t.box.Dx(); size -= max(1, size/16) {
		continue
	}
	f := r.faces(size)
	if f.width(t.s, size) <= t.box.Dx() {
		return t.s, size
	}
	words := []rune(t.s)
	for len(words) > 0 && f.width(string(words)+"…", size) > t.box.Dx() {
		words = words[:len(words)-1]
	}
	return string(words) + "…", size
}

func (r *Renderer) text(dst *image.RGBA, t text) {
	s, size := r.fit(t)
	f := r.faces(size)
	p := image.Pt(t.box.Min.X, t.box.Min.Y+(t.box.Dy()-lineHeight(size))/2)
	if t.centre {
		p.X += (t.box.Dx() - f.width(s, size)) / 2
	}
	f.draw(dst, s, p, size, image.NewUniform(t.ink))
}

// qr draws a link's code with whole pixels a module, as large as fits the box.
func (r *Renderer) qr(dst *image.RGBA, link string, box image.Rectangle) error {
	if r.link != link {
		c, err := qrcode.Draw(link)
		if err != nil {
			return err
		}
		r.link, r.code = link, c
	}
	n := len(r.code.Modules) + 2*qrcode.QuietZone
	module := min(box.Dx(), box.Dy()) / n
	if module < 1 {
		return fmt.Errorf("draw the QR code: %d modules do not fit %d pixels", n, min(box.Dx(), box.Dy()))
	}
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
	return nil
}

// number is the level as the tile shows it.
func number(l rating.Level) string { return string(rune('0' + l)) }
