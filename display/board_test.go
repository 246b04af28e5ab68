package display

import (
	"image"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func comparePanel(t *rapid.T, p *Framebuffer, want *image.RGBA) {
	size := want.Rect.Size()
	for y := range size.Y {
		for x := range size.X {
			c := want.RGBAAt(x, y)
			px, py := onto(x, y, size, p.rotation)
			if got := p.pixel(px, py); got != p.format.pack(c.R, c.G, c.B) {
				t.Fatalf("pixel %d,%d of the screen is %08x on the panel, want %08x", x, y, got, p.format.pack(c.R, c.G, c.B))
			}
		}
	}
}

// TestPressDrawsOneTile counts what is left to draw after a press.
func TestPressDrawsOneTile(t *testing.T) {
	size := image.Pt(1024, 600)
	p := &Framebuffer{surface: *newSurface("XRGB8888", size, 0, 0)}
	b := NewBoard(renderer(t), size, p)
	asking := screens(t)["asking"]
	thanks := asking
	thanks.State, thanks.Chosen = Thanks, 5
	if err := b.Show(asking); err != nil {
		t.Fatal(err)
	}
	b.Prepare(thanks)
	prepared := b.ahead.frame
	thanks.Chosen = 2
	drawn := 0
	if over := b.renderer.choose(image.NewRGBA(prepared.Rect), b.ahead.at, b.ahead.at.choosing(2)); len(over) == 1 {
		drawn = over[0].Dx() * over[0].Dy()
	}
	if drawn == 0 || drawn > size.X*size.Y/12 {
		t.Errorf("%d pixels are drawn after the press, want those of one tile", drawn)
	}
	if err := b.Show(thanks); err != nil || b.frame != prepared || b.ahead != nil {
		t.Errorf("the prepared frame is not shown: %v", err)
	}
	if slices.ContainsFunc(b.at.tiles, func(x tile) bool { return x.chosen != (x.level == 2) }) {
		t.Error("another level than the pressed one is chosen")
	}
}

// BenchmarkPressShown measures a press to the thanks on a panel, prepared and not.
func BenchmarkPressShown(b *testing.B) {
	size := image.Pt(1024, 600)
	for _, r := range []Rotation{0, 90} {
		for name, prepare := range map[string]bool{"prepared": true, "anew": false} {
			b.Run(name+map[Rotation]string{0: "", 90: "-turned"}[r], func(b *testing.B) {
				board := NewBoard(renderer(b), r.size(size), &Framebuffer{surface: *newSurface("XRGB8888", size, 0, r)})
				asking := screens(b)["asking"]
				thanks := asking
				thanks.State, thanks.Chosen = Thanks, 4
				for b.Loop() {
					b.StopTimer()
					if err := board.Show(asking); err != nil {
						b.Fatal(err)
					}
					if prepare {
						board.Prepare(thanks)
					}
					b.StartTimer()
					if err := board.Show(thanks); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
