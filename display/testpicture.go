package display

import (
	"fmt"
	"image"
	"image/color"

	"haochaping/internal/rating"
)

// swatch is a field of one colour.
type swatch struct {
	box    image.Rectangle
	colour color.RGBA
}

// testColours are the bars of the test picture: what a panel can mix of its three colours.
func testColours() []color.RGBA {
	return []color.RGBA{{0xff, 0xff, 0xff, 0xff}, {0xff, 0xff, 0, 0xff}, {0, 0xff, 0xff, 0xff}, {0, 0xff, 0, 0xff}, {0xff, 0, 0xff, 0xff},
		{0xff, 0, 0, 0xff}, {0, 0, 0xff, 0xff}, {0, 0, 0, 0xff}}
}

// testGreys are its steps from black to white.
func testGreys() (all []color.RGBA) {
	const steps = 16
	for i := range steps {
		g := uint8(i * 0xff / (steps - 1))
		all = append(all, color.RGBA{g, g, g, 0xff})
	}
	return all
}

// testPicture shows what somebody before the screen has to see whole: its edges, colours, greys, words and a code to scan.
func (l *layout) testPicture(s Screen) {
	whole, width := image.Rectangle{Max: l.size}, max(2, min(l.size.X, l.size.Y)/150)
	l.swatches = append(l.swatches, swatch{whole, color.RGBA{0xff, 0, 0, 0xff}}, swatch{whole.Inset(width), paper})
	body := whole.Inset(width + l.pad)
	high := body.Dy()
	body = l.bars(body, high*13/100, testColours())
	body = l.bars(body, high*7/100, testGreys())
	body.Min.Y += l.pad
	body = l.levels(body)
	u := l.least
	l.write(column{box: l.code(s, body, "扫码测试", "Scan to test"), on: paper, centre: true, most: l.growth()},
		block{s: "测试画面", size: u * 2, ink: inkDark}, block{s: "Test picture", size: u, ink: inkSoft, gap: 40, spare: 3},
		block{s: s.Window, size: u * 4 / 3, lines: 2, ink: inkDark, gap: 20},
		block{s: fmt.Sprintf("%d × %d", l.size.X, l.size.Y), size: u, ink: inkDark},
		block{s: s.Version, size: u, ink: inkDark, gap: 40},
		block{s: "四边应见红框；按任意键结束", size: u, lines: 2, ink: inkDark, spare: 1},
		block{s: "The red frame is whole; any key ends this", size: u, lines: 2, ink: inkSoft, spare: 2})
}

// bars puts colours side by side at the top of a box, and returns what is left of it.
func (l *layout) bars(box image.Rectangle, high int, colours []color.RGBA) image.Rectangle {
	for i, c := range colours {
		l.swatches = append(l.swatches, swatch{image.Rect(box.Min.X+box.Dx()*i/len(colours), box.Min.Y,
			box.Min.X+box.Dx()*(i+1)/len(colours), box.Min.Y+high), c})
	}
	box.Min.Y += high
	return box
}

// levels puts the colour of each level with its name at the bottom of a box, and returns what is left of it: side by side, or below one
// another where the screen is upright.
func (l *layout) levels(box image.Rectangle) image.Rectangle {
	all, line := rating.Levels(), lineHeight(l.least)
	high := line * 2
	if l.upright() {
		high = line * len(all)
	}
	top := box.Max.Y - high
	for i, level := range all {
		field := image.Rect(box.Min.X+box.Dx()*i/len(all), top, box.Min.X+box.Dx()*(i+1)/len(all), top+line)
		words := field.Add(image.Pt(0, line))
		if l.upright() {
			words = image.Rect(box.Min.X, top+line*i, box.Max.X, top+line*(i+1))
			field, words.Min.X = words, box.Min.X+box.Dx()/2
			field.Max.X = words.Min.X
		}
		l.swatches = append(l.swatches, swatch{field, skin(level)})
		l.write(column{box: words, on: paper, centre: true}, block{s: level.Chinese(), size: l.least, ink: inkDark})
	}
	box.Max.Y = top - l.pad
	return box
}
