package display

import (
	"bytes"
	"image"
)

// tileSide is the side in pixels of the squares in which changes are looked for. A face, a word and a tile's border are
// about that large; smaller ones cost more to tell of than they save.
const tileSide = 64

// mostParts bounds the parts that a driver is told of at once: it takes 256, and tiles may come over them.
const mostParts = 240

// changed returns the parts in which two images of one size differ, at most mostParts, which don't overlap: runs of squares, or
// the one rectangle around them where that is hardly more.
func changed(a, b *image.RGBA) []image.Rectangle {
	bounds := b.Bounds()
	var parts []image.Rectangle
	var around image.Rectangle
	area := 0
	for y := bounds.Min.Y; y < bounds.Max.Y; y += tileSide {
		band := image.Rect(bounds.Min.X, y, bounds.Max.X, min(y+tileSide, bounds.Max.Y))
		for _, run := range changedRuns(a, b, band) {
			around = around.Union(run)
			area += run.Dx() * run.Dy()
			parts = stack(parts, run)
		}
	}
	if len(parts) > mostParts || len(parts) > 0 && area*8 >= around.Dx()*around.Dy()*7 {
		return []image.Rectangle{around}
	}
	return parts
}

// stack adds a run to parts, below one of the same breadth if it continues that.
func stack(parts []image.Rectangle, run image.Rectangle) []image.Rectangle {
	for i, p := range parts {
		if p.Max.Y == run.Min.Y && p.Min.X == run.Min.X && p.Max.X == run.Max.X {
			parts[i].Max.Y = run.Max.Y
			return parts
		}
	}
	return append(parts, run)
}

// changedRuns returns the changed squares of a band, neighbours joined.
func changedRuns(a, b *image.RGBA, band image.Rectangle) []image.Rectangle {
	var runs []image.Rectangle
	for x := band.Min.X; x < band.Max.X; x += tileSide {
		square := image.Rect(x, band.Min.Y, min(x+tileSide, band.Max.X), band.Max.Y)
		if same(a, b, square) {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1].Max.X == square.Min.X {
			runs[n-1].Max.X = square.Max.X
		} else {
			runs = append(runs, square)
		}
	}
	return runs
}

func same(a, b *image.RGBA, r image.Rectangle) bool {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		i, j := a.PixOffset(r.Min.X, y), b.PixOffset(r.Min.X, y)
		if !bytes.Equal(a.Pix[i:i+4*r.Dx()], b.Pix[j:j+4*r.Dx()]) {
			return false
		}
	}
	return true
}
