package display

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/vector"
)

func fill(dst *image.RGBA, r image.Rectangle, c color.RGBA) {
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Src)
}

// path draws a closed polygon with smooth edges.
func path(dst *image.RGBA, c color.RGBA, points ...[2]float64) {
	b := dst.Bounds()
	minX, minY, maxX, maxY := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, p := range points {
		minX, maxX = min(minX, p[0]), max(maxX, p[0])
		minY, maxY = min(minY, p[1]), max(maxY, p[1])
	}
	box := image.Rect(int(minX)-1, int(minY)-1, int(maxX)+2, int(maxY)+2).Intersect(b)
	if box.Empty() {
		return
	}
	r := vector.NewRasterizer(box.Dx(), box.Dy())
	for i, p := range points {
		x, y := float32(p[0])-float32(box.Min.X), float32(p[1])-float32(box.Min.Y)
		if i == 0 {
			r.MoveTo(x, y)
		} else {
			r.LineTo(x, y)
		}
	}
	r.ClosePath()
	r.Draw(dst, box, image.NewUniform(c), image.Point{})
}

func disc(dst *image.RGBA, c color.RGBA, x, y, radius float64) {
	const n = 72
	points := make([][2]float64, n)
	for i := range points {
		a := 2 * math.Pi * float64(i) / n
		points[i] = [2]float64{x + radius*math.Cos(a), y + radius*math.Sin(a)}
	}
	path(dst, c, points...)
}

// roundBox fills a rectangle with round corners.
func roundBox(dst *image.RGBA, r image.Rectangle, radius float64, c color.RGBA) {
	var points [][2]float64
	const n = 12
	for corner, p := range [][2]float64{
		{float64(r.Max.X) - radius, float64(r.Max.Y) - radius}, {float64(r.Min.X) + radius, float64(r.Max.Y) - radius},
		{float64(r.Min.X) + radius, float64(r.Min.Y) + radius}, {float64(r.Max.X) - radius, float64(r.Min.Y) + radius},
	} {
		for i := range n + 1 {
			a := math.Pi / 2 * (float64(corner) + float64(i)/n)
			points = append(points, [2]float64{p[0] + radius*math.Cos(a), p[1] + radius*math.Sin(a)})
		}
	}
	path(dst, c, points...)
}

// tick draws a check mark into a square of the given size.
func tick(dst *image.RGBA, c color.RGBA, x, y, size float64) {
	p := func(px, py float64) [2]float64 { return [2]float64{x + px*size, y + py*size} }
	path(dst, c, p(0.10, 0.52), p(0.22, 0.40), p(0.41, 0.59), p(0.79, 0.20), p(0.91, 0.32), p(0.41, 0.83))
}

// hexFont holds the digits 0 to F, three columns by five rows, row by row from the top.
var hexFont = [16]uint16{
	0b111_101_101_101_111, 0b010_110_010_010_111, 0b111_001_111_100_111, 0b111_001_111_001_111,
	0b101_101_111_001_001, 0b111_100_111_001_111, 0b111_100_111_101_111, 0b111_001_001_001_001,
	0b111_101_111_101_111, 0b111_101_111_001_111, 0b111_101_111_101_101, 0b110_101_110_101_110,
	0b111_100_100_100_111, 0b110_101_101_101_110, 0b111_100_111_100_111, 0b111_100_111_100_100,
}

// drawMissing draws a box with the number of a character that no font has.
func drawMissing(dst *image.RGBA, r rune, box image.Rectangle, ink image.Image) {
	draw.Draw(dst, image.Rect(box.Min.X, box.Min.Y, box.Max.X, box.Min.Y+1), ink, image.Point{}, draw.Over)
	draw.Draw(dst, image.Rect(box.Min.X, box.Max.Y-1, box.Max.X, box.Max.Y), ink, image.Point{}, draw.Over)
	draw.Draw(dst, image.Rect(box.Min.X, box.Min.Y, box.Min.X+1, box.Max.Y), ink, image.Point{}, draw.Over)
	draw.Draw(dst, image.Rect(box.Max.X-1, box.Min.Y, box.Max.X, box.Max.Y), ink, image.Point{}, draw.Over)
	digits := 4
	if r > 0xffff {
		digits = 6
	}
	columns := digits / 2
	unit := min((box.Dx()-2)/(columns*4+1), (box.Dy()-2)/13)
	if unit < 1 {
		return // too small for numbers; the box itself is seen
	}
	left := box.Min.X + (box.Dx()-(columns*4-1)*unit)/2
	top := box.Min.Y + (box.Dy()-11*unit)/2
	for i := range digits {
		d := hexFont[r>>(4*(digits-1-i))&0xf]
		ox, oy := left+i%columns*4*unit, top+i/columns*6*unit
		for bit := range 15 {
			if d>>(14-bit)&1 == 1 {
				x, y := ox+bit%3*unit, oy+bit/3*unit
				draw.Draw(dst, image.Rect(x, y, x+unit, y+unit), ink, image.Point{}, draw.Over)
			}
		}
	}
}
