package display

import (
	"fmt"
	"image"
	"math"
	"testing"

	"haochaping/internal/rating"
)

// reasonsOf returns the words of what the keys stand for after a level.
func reasonsOf(t testing.TB, l rating.Level) (all [rating.KeyReasons]string) {
	t.Helper()
	c, err := rating.BuiltInCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range c.OnKeys(l) {
		all[i] = r.Label()
	}
	return all
}

// TestReasonsStandAboveTheirKeys holds that each reason has the very place of its key's level on the question's screen, whole, and
// that nothing on the screen names the level or differs by it but the reasons.
func TestReasonsStandAboveTheirKeys(t *testing.T) {
	r := renderer(t)
	for _, size := range append(sizes, oddSizes...) {
		for _, order := range [][5]rating.Level{{5, 4, 3, 2, 1}, {1, 2, 3, 4, 5}, {3, 5, 1, 4, 2}} {
			asked := arrange(r.typesetter, Screen{State: Asking, Subject: rating.StaffSubject, Order: order}, size, 0)
			var texts []string
			for _, level := range rating.Levels() {
				s := Screen{State: Explaining, Subject: rating.StaffSubject, Order: order, Step: 1, Steps: 1, Reasons: reasonsOf(t, level)}
				l := arrange(r.typesetter, s, size, 0)
				checkLayout(t, l)
				var other string
				words := make([]string, 5)
				for _, x := range l.texts {
					inside := false
					for i, c := range l.choices {
						if x.box.In(c.box) {
							words[i] += x.s
							inside = true
							if x.cut || x.box.Overlaps(c.digit.box) {
								t.Errorf("%v: %q is cut or lies on the number", size, x.s)
							}
						}
					}
					if !inside {
						other += fmt.Sprint(x.s, x.box, x.size)
					}
				}
				texts = append(texts, other)
				for i, c := range l.choices {
					if c.box != asked.tiles[i].box || c.digit.s != asked.tiles[i].digit.s {
						t.Errorf("%v: key %d has its reason at %v, its level at %v", size, i, c.box, asked.tiles[i].box)
					}
					if want := append(s.Reasons[:], skipEnglish+skip); words[i] != want[i] {
						t.Errorf("%v: key %d of level %d says %q, want %q", size, i, level, words[i], want[i])
					}
				}
			}
			for i := range texts {
				if texts[i] != texts[0] {
					t.Errorf("%v: beside the reasons the screen says %s, with another level %s", size, texts[i], texts[0])
				}
			}
		}
	}
}

// TestReasonsCanBeDrawn looks for characters of the built-in catalogue that the built-in font lacks.
func TestReasonsCanBeDrawn(t *testing.T) {
	c, err := rating.BuiltInCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	f := fonts(t)
	for _, r := range c.Reasons {
		if missing := f.Missing(r.Text); len(missing) > 0 {
			t.Errorf("%s: %q have no shape", r.Text, missing)
		}
	}
}

func checkLayout(t *testing.T, l layout) {
	t.Helper()
	screen := image.Rectangle{Max: l.size}
	for i, x := range l.texts {
		if !x.box.In(screen) || x.box.Empty() {
			t.Errorf("%q stands at %v, outside the screen", x.s, x.box)
		}
		if x.width > x.box.Dx() || x.height() > x.box.Dy() || len(x.lines) == 0 {
			t.Errorf("%q is %d x %d in a box of %v", x.s, x.width, x.height(), x.box.Size())
		}
		// The least size of the terminal: 3.5 mm on a panel of 7 inches, of which 1024x600 pixels are 24; a twentieth of a bar's height.
		least := min(int(math.Hypot(float64(l.size.X), float64(l.size.Y))*3.5/177.8), min(l.size.X, l.size.Y)/20)
		if least = max(14, least); x.size < least || l.size == image.Pt(1024, 600) && x.size < 24 {
			t.Errorf("%q is %d pixels high, want at least %d", x.s, x.size, least)
		}
		for _, y := range l.texts[:i] {
			if x.box.Overlaps(y.box) {
				t.Errorf("%q %v lies on %q %v", x.s, x.box, y.s, y.box)
			}
		}
		if x.box.Overlaps(l.qr) || x.box.Overlaps(l.photo) || x.box.Overlaps(l.icon) {
			t.Errorf("%q lies on the QR code, the photo or the icon", x.s)
		}
	}
	if !l.qr.Empty() && l.qr.Dx() < 2*l.modules {
		t.Errorf("the QR code has %d modules in %d pixels, want at least two for each", l.modules, l.qr.Dx())
	}
	for i, x := range l.tiles {
		if !x.box.In(screen) || x.box.Overlaps(l.qr) || x.box.Size() != l.tiles[0].box.Size() || i > 0 && x.box.Overlaps(l.tiles[i-1].box) {
			t.Errorf("tile %d at %v: outside, on another or of another size", i, x.box)
		}
		if !x.face.In(x.box) || !x.digit.box.In(x.box) || x.face.Dx() < l.least*3/2 || x.face.Size() != l.tiles[0].face.Size() {
			t.Errorf("tile %d at %v: face at %v, number at %v", i, x.box, x.face, x.digit.box)
		}
		for _, words := range l.texts {
			if words.box.Overlaps(x.face) || words.box.Overlaps(x.digit.box) {
				t.Errorf("%q lies on a face or a number", words.s)
			}
		}
	}
}
