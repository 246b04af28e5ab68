package display

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"

	"golang.org/x/image/draw"
)

// MaxPhotoSide is the greatest width and height in pixels of a photo. What is larger is not decoded: a few bytes can say
// that they are a gigabyte of pixels.
const MaxPhotoSide = 1200

// DecodePhoto reads a JPEG of a person at the window. It is safe for bytes of any kind.
func DecodePhoto(b []byte) (image.Image, error) {
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("read a photo: %w", err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > MaxPhotoSide || c.Height > MaxPhotoSide {
		return nil, fmt.Errorf("read a photo: %d x %d pixels, at most %d each are allowed", c.Width, c.Height, MaxPhotoSide)
	}
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("read a photo: %w", err)
	}
	return m, nil
}

// photo draws a photo so that it fills its box; what is too wide or too high is cut evenly.
func (r *Renderer) photo(dst *image.RGBA, m image.Image, box image.Rectangle) {
	if r.portraitOf != m || r.portrait == nil || r.portrait.Rect.Size() != box.Size() {
		src := m.Bounds()
		if w := src.Dy() * box.Dx() / box.Dy(); w < src.Dx() {
			src.Min.X += (src.Dx() - w) / 2
			src.Max.X = src.Min.X + w
		} else if h := src.Dx() * box.Dy() / box.Dx(); h < src.Dy() {
			src.Min.Y += (src.Dy() - h) / 3 // a face is in the upper part
			src.Max.Y = src.Min.Y + h
		}
		r.portraitOf, r.portrait = m, image.NewRGBA(image.Rectangle{Max: box.Size()})
		draw.CatmullRom.Scale(r.portrait, r.portrait.Rect, m, src, draw.Src, nil)
	}
	draw.Draw(dst, box, r.portrait, image.Point{}, draw.Src)
}
