//go:build !race

package display

// What only draws, on one goroutine, runs without the race detector, which finds nothing in it and makes it nine times slower: make test
// runs such files by themselves.

import (
	"image"
	"testing"

	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

// TestPreparedScreensAreTheSame shows screens in any order, prepares any before its press or not, and compares the panel with the
// screen drawn anew, in every rotation and format.
func TestPreparedScreensAreTheSame(t *testing.T) {
	all := screens(t)
	names := []string{"asking", "asking-again", "asking-long", "asking-photo", "idle", "fault", "thanks-phone", "closed"}
	fresh := renderer(t)
	rapid.Check(t, func(t *rapid.T) {
		panel := image.Pt(480, 320)
		rotation := Rotation(rapid.SampledFrom([]int{0, 90, 180, 270}).Draw(t, "rotation"))
		p := &Framebuffer{surface: *newSurface(rapid.SampledFrom([]string{"XRGB8888", "RGB565", "BGRX8888"}).Draw(t, "format"), panel, 4,
			rotation)}
		size := rotation.size(panel)
		other := NewBrowser(size) // a panel that cannot be given parts before
		b := NewBoard(fresh, size, p, other)
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			s := all[rapid.SampledFrom(names).Draw(t, "screen")]
			s.Offline = rapid.Bool().Draw(t, "offline")
			show := func(s Screen) {
				if err := b.Show(s); err != nil {
					t.Fatal(err)
				}
				want, err := fresh.Render(s, size)
				if err != nil {
					t.Fatal(err)
				}
				comparePanel(t, p, want)
				if n := different(other.frame, want); n > 0 {
					t.Fatalf("%d pixels of the browser's panel differ", n)
				}
			}
			show(s)
			thanks := s
			thanks.State, thanks.Chosen, thanks.AskAgain = Thanks, 5, false
			if s.State != Asking {
				continue
			}
			if rapid.Bool().Draw(t, "prepared") {
				b.Prepare(thanks)
			}
			if rapid.Bool().Draw(t, "changes in between") {
				thanks.Offline = !thanks.Offline
			}
			for range rapid.IntRange(0, 3).Draw(t, "presses") {
				thanks.Chosen = rating.Level(rapid.IntRange(1, 5).Draw(t, "level"))
				show(thanks)
			}
		}
	})
}

func TestGolden(t *testing.T) {
	r := renderer(t)
	for name, s := range screens(t) {
		for _, size := range sizesOf(name) {
			golden(t, goldenFile(name, size), render(t, r, s, size))
		}
	}
}
