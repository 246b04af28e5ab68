package display

import (
	"image"

	"golang.org/x/image/draw"
)

// photo draws a photo so that it fills its box; what is too wide or too high is cut evenly.
func (r *Renderer) photo(dst *image.RGBA, m image.Image, box image.Rectangle) {
	if r.portraitOf != m || r.portrait == nil || r.portrait.Rect.Size() != box.Size() {
		src := m.Bounds()
		if w := max(1, src.Dy()*box.Dx()/box.Dy()); w < src.Dx() {
			src.Min.X += (src.Dx() - w) / 2
			src.Max.X = src.Min.X + w
		} else if h := max(1, src.Dx()*box.Dy()/box.Dx()); h < src.Dy() {
			src.Min.Y += (src.Dy() - h) / 3 // a face is in the upper part
			src.Max.Y = src.Min.Y + h
		}
		r.portraitOf, r.portrait = m, image.NewRGBA(image.Rectangle{Max: box.Size()})
		draw.CatmullRom.Scale(r.portrait, r.portrait.Rect, m, src, draw.Src, nil)
	}
	draw.Draw(dst, box, r.portrait, image.Point{}, draw.Src)
}
