package display

import (
	"encoding/binary"
	"fmt"
	"image"
	"testing"

	"pgregory.net/rapid"
)

// pixel returns what a panel's memory holds at a place.
func (s *surface) pixel(x, y int) uint32 {
	at := s.memory[s.format.origin+y*s.format.stride+x*s.format.bytes:]
	if s.format.bytes == 2 {
		return uint32(binary.LittleEndian.Uint16(at))
	}
	if s.format.bytes == 3 {
		return uint32(at[0]) | uint32(at[1])<<8 | uint32(at[2])<<16
	}
	return binary.LittleEndian.Uint32(at)
}

var formats = map[string]func(w, h, stride int) pixelFormat{
	"XRGB8888": xrgb8888,
	"RGB565":   rgb565,
	"RGB888": func(w, h, stride int) pixelFormat {
		return pixelFormat{w, h, stride, 3, channelBits{16, 8}, channelBits{8, 8}, channelBits{0, 8}, 0}
	},
	"BGRX8888": func(w, h, stride int) pixelFormat {
		return pixelFormat{w, h, stride, 4, channelBits{0, 8}, channelBits{8, 8}, channelBits{16, 8}, 0}
	},
}

func newSurface(format string, panel image.Point, gap int, r Rotation) *surface {
	f := formats[format](panel.X, panel.Y, 0)
	f.stride = panel.X*f.bytes + gap
	f.origin = 3*f.stride + gap // a screen that was scrolled
	return &surface{memory: make([]byte, f.memory()+gap), format: f, rotation: r}
}

// onto is where a pixel of the image belongs, said another way than the code does: by turning the panel's corners.
func onto(x, y int, image image.Point, r Rotation) (px, py int) {
	for ; r > 0; r -= 90 {
		x, y = image.Y-1-y, x
		image.X, image.Y = image.Y, image.X
	}
	return x, y
}

// Whatever parts are drawn one after the other, at once or made ready before, in any rotation, format and scale, each pixel of the panel is
// that of the image, and the memory between its rows stays untouched.
func TestPartsMakeTheWholeInEveryRotation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drawn := image.Pt(rapid.IntRange(1, 90).Draw(t, "width"), rapid.IntRange(1, 70).Draw(t, "height"))
		scale := rapid.IntRange(1, 3).Draw(t, "scale")
		panel := drawn.Mul(scale).Add(image.Pt(rapid.IntRange(0, scale-1).Draw(t, "right"), rapid.IntRange(0, scale-1).Draw(t, "below")))
		r := Rotation(rapid.SampledFrom([]int{0, 90, 180, 270}).Draw(t, "rotation"))
		s := newSurface(rapid.SampledFrom([]string{"XRGB8888", "RGB565", "RGB888", "BGRX8888"}).Draw(t, "format"), panel,
			rapid.IntRange(0, 12).Draw(t, "gap"), r)
		s.scale = scale
		size := r.size(drawn)
		m := image.NewRGBA(image.Rectangle{Max: size})
		if s.bounds() != m.Rect {
			t.Fatalf("bounds %v, want %v", s.bounds(), m.Rect)
		}
		for n := range rapid.IntRange(1, 5).Draw(t, "frames") {
			next := image.NewRGBA(m.Rect)
			copy(next.Pix, m.Pix)
			for range rapid.IntRange(1, 40).Draw(t, "changes") {
				next.Pix[rapid.IntRange(0, len(m.Pix)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "value")
			}
			parts := []image.Rectangle{next.Rect}
			if n > 0 {
				parts = changed(m, next)
			}
			if rapid.Bool().Draw(t, "made ready") {
				s.Ready(parts, next)
				parts = nil
				if _, err := s.drawReady(nil, next); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range parts {
				if _, err := s.draw(p, next, p.Min); err != nil {
					t.Fatal(err)
				}
			}
			m = next
			for y := range size.Y {
				for x := range size.X {
					c := m.RGBAAt(x, y)
					px, py := onto(x, y, size, r)
					for i := range scale * scale {
						at := image.Pt(px*scale+i%scale, py*scale+i/scale)
						if got, want := s.pixel(at.X, at.Y), s.format.pack(c.R, c.G, c.B); got != want {
							t.Fatalf("frame %d: pixel %d,%d of the image is %08x at %v of the panel, want %08x", n, x, y, got, at, want)
						}
					}
				}
			}
			for i, b := range s.memory[:s.format.origin] {
				if b != 0 {
					t.Fatalf("byte %d before the screen was written", i)
				}
			}
			for y := range panel.Y {
				row := s.memory[s.format.origin+y*s.format.stride:]
				for i, b := range row[scale*drawn.X*s.format.bytes : s.format.stride] {
					if b != 0 {
						t.Fatalf("byte %d behind row %d was written", i, y)
					}
				}
			}
		}
	})
}

// The parts never overlap, and are never more than the rectangle around the changes.
func TestChangedPartsAreFew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := image.Pt(rapid.IntRange(1, 300).Draw(t, "width"), rapid.IntRange(1, 300).Draw(t, "height"))
		a, b := image.NewRGBA(image.Rectangle{Max: size}), image.NewRGBA(image.Rectangle{Max: size})
		for range rapid.IntRange(0, 8).Draw(t, "changes") {
			b.Pix[rapid.IntRange(0, len(b.Pix)-1).Draw(t, "at")] = 1
		}
		var around image.Rectangle
		area := 0
		parts := changed(a, b)
		for i, p := range parts {
			if !p.In(b.Rect) || p.Empty() {
				t.Fatalf("part %v of %v", p, b.Rect)
			}
			for _, q := range parts[:i] {
				if p.Overlaps(q) {
					t.Fatalf("%v overlaps %v", p, q)
				}
			}
			around, area = around.Union(p), area+p.Dx()*p.Dy()
		}
		if area > around.Dx()*around.Dy() || len(parts) > mostParts {
			t.Fatalf("%d parts of %d pixels for a rectangle of %v", len(parts), area, around)
		}
	})
}

func BenchmarkConvert(b *testing.B) {
	for _, format := range []string{"XRGB8888", "RGB565", "RGB888", "BGRX8888"} {
		for _, r := range []Rotation{0, 90, 180, 270} {
			b.Run(fmt.Sprintf("%s/%d", format, r), func(b *testing.B) {
				s := newSurface(format, image.Pt(1024, 600), 0, r)
				m := image.NewRGBA(s.bounds())
				for b.Loop() {
					if _, err := s.draw(m.Rect, m, image.Point{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
