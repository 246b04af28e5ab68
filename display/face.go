package display

import (
	"image"
	"image/color"
	"math"
	"strconv"
	"strings"

	"haochaping/internal/rating"
)

// face draws a level's face: a skin with an edge, and on it the lines, shapes and eyes that all of the product's pages share.
func face(dst *image.RGBA, x, y, radius float64, level rating.Level, skin, ink color.RGBA) {
	disc(dst, ink, x, y, radius)
	disc(dst, skin, x, y, radius*0.93)
	unit := radius / 20
	on := func(p [2]float64) [2]float64 { return [2]float64{x + (p[0]-24)*unit, y + (p[1]-24)*unit} }
	f := level.Face()
	for _, line := range trace(f.Lines) {
		stroke(dst, ink, rating.FaceStroke/2*unit, line, on)
	}
	for _, shape := range trace(f.Filled) {
		stroke(dst, ink, rating.FaceStroke/2*unit, shape, on)
		placed := make([][2]float64, len(shape))
		for i, p := range shape {
			placed[i] = on(p)
		}
		path(dst, ink, placed...)
	}
	for _, eye := range f.Eyes {
		p := on([2]float64{eye.X, eye.Y})
		disc(dst, ink, p[0], p[1], eye.R*unit)
	}
}

// stroke draws a line of points with round joints and ends.
func stroke(dst *image.RGBA, c color.RGBA, half float64, points [][2]float64, on func([2]float64) [2]float64) {
	for i := range points {
		b := on(points[i])
		disc(dst, c, b[0], b[1], half)
		if i == 0 {
			continue
		}
		a := on(points[i-1])
		length := math.Hypot(b[0]-a[0], b[1]-a[1])
		if length == 0 {
			continue
		}
		dx, dy := -(b[1]-a[1])/length*half, (b[0]-a[0])/length*half
		path(dst, c, [2]float64{a[0] + dx, a[1] + dy}, [2]float64{b[0] + dx, b[1] + dy},
			[2]float64{b[0] - dx, b[1] - dy}, [2]float64{a[0] - dx, a[1] - dy})
	}
}

// trace returns the lines of path data as rating.Face has it, its curves in short pieces. What is none ends it.
func trace(data string) (lines [][][2]float64) {
	parts := strings.Fields(data)
	var at [2]float64
	for len(parts) > 0 {
		command := parts[0]
		count := map[string]int{"M": 1, "l": 1, "q": 2, "c": 3, "z": 0}[command]
		points, ok := pairs(parts[1:], count)
		if !ok || len(lines) == 0 && command != "M" {
			return lines
		}
		parts = parts[1+2*count:]
		last := len(lines) - 1
		switch command {
		case "M":
			at = points[0]
			lines = append(lines, [][2]float64{at})
		case "z":
			lines[last] = append(lines[last], lines[last][0])
		default:
			curve := [][2]float64{at}
			for _, p := range points {
				curve = append(curve, [2]float64{at[0] + p[0], at[1] + p[1]})
			}
			lines[last] = append(lines[last], bezier(curve)...)
			at = curve[len(curve)-1]
		}
	}
	return lines
}

// pairs reads n pairs of numbers.
func pairs(parts []string, n int) (out [][2]float64, ok bool) {
	if len(parts) < 2*n {
		return nil, false
	}
	for i := range n {
		x, errX := strconv.ParseFloat(parts[2*i], 64)
		y, errY := strconv.ParseFloat(parts[2*i+1], 64)
		if errX != nil || errY != nil {
			return nil, false
		}
		out = append(out, [2]float64{x, y})
	}
	return out, true
}

// bezier returns points of a Bézier curve of any degree, without its first.
func bezier(control [][2]float64) (out [][2]float64) {
	steps := 16
	if len(control) == 2 {
		steps = 1
	}
	for step := 1; step <= steps; step++ {
		t := float64(step) / float64(steps)
		p := append([][2]float64(nil), control...)
		for n := len(p) - 1; n > 0; n-- {
			for i := range n {
				p[i] = [2]float64{p[i][0] + (p[i+1][0]-p[i][0])*t, p[i][1] + (p[i+1][1]-p[i][1])*t}
			}
		}
		out = append(out, p[0])
	}
	return out
}
