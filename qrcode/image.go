package qrcode

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"

	qr "github.com/skip2/go-qrcode"
)

// QuietZone is the width in modules of the blank border that a scanner needs.
const QuietZone = 4

// Code is a QR code as a square of modules, without its quiet zone.
type Code struct {
	Version int      // 1 to 40
	Modules [][]bool // by row and column; true is dark
}

// Draw returns the QR code of a link at level M, which survives 15 % of damage.
func Draw(link string) (Code, error) {
	q, err := qr.New(link, qr.Medium)
	if err != nil {
		return Code{}, fmt.Errorf("draw the QR code: %w", err)
	}
	q.DisableBorder = true
	return Code{Version: q.VersionNumber, Modules: q.Bitmap()}, nil
}

// PNG returns the QR code of a link as a black and white PNG with its quiet zone, each module of scale × scale pixels, 1 to 32.
func PNG(link string, scale int) ([]byte, error) {
	if scale < 1 || scale > 32 {
		return nil, fmt.Errorf("draw the QR code: %d pixels a module, 1 to 32 are allowed", scale)
	}
	c, err := Draw(link)
	if err != nil {
		return nil, err
	}
	side := (len(c.Modules) + 2*QuietZone) * scale
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y, row := range c.Modules {
		for x, dark := range row {
			if !dark {
				continue
			}
			at := image.Pt((x+QuietZone)*scale, (y+QuietZone)*scale)
			draw.Draw(img, image.Rectangle{at, at.Add(image.Pt(scale, scale))}, image.NewUniform(color.Black), image.Point{}, draw.Src)
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return nil, fmt.Errorf("draw the QR code: %w", err)
	}
	return out.Bytes(), nil
}
