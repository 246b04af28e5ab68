package display

import (
	"bytes"
	"image"
	"testing"

	"pgregory.net/rapid"
)

// TestPackedImagesComeBack packs images of few colours and of many, and draws them into another.
func TestPackedImagesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.SampledFrom([]int{1, 2, 7, shortRun, shortRun + 1, 480, longestRun, longestRun + 1, 2*longestRun + 3}).Draw(t, "width")
		want := image.NewRGBA(image.Rect(0, 0, width, rapid.IntRange(0, 3).Draw(t, "rows")))
		for range rapid.IntRange(0, 20).Draw(t, "spots") {
			if n := len(want.Pix); n > 0 {
				copy(want.Pix[rapid.IntRange(0, n-1).Draw(t, "at"):], rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(t, "spot"))
			}
		}
		at := image.Pt(rapid.IntRange(0, 3).Draw(t, "x"), rapid.IntRange(0, 3).Draw(t, "y"))
		dst := image.NewRGBA(image.Rectangle{Max: want.Rect.Max.Add(at).Add(image.Pt(2, 2))})
		for i := range dst.Pix {
			dst.Pix[i] = 0x55
		}
		pack(want).draw(dst, at)
		for y := range dst.Rect.Dy() {
			for x := range dst.Rect.Dx() {
				inside := image.Pt(x, y).Sub(at)
				pixel := []byte{0x55, 0x55, 0x55, 0x55}
				if inside.In(want.Rect) {
					pixel = want.Pix[want.PixOffset(inside.X, inside.Y):][:4]
				}
				if got := dst.Pix[dst.PixOffset(x, y):][:4]; !bytes.Equal(got, pixel) {
					t.Fatalf("pixel %d,%d is % x, want % x", x, y, got, pixel)
				}
			}
		}
	})
}
