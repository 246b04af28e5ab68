package display

import (
	"fmt"
	"image"
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
		all[i] = r.Text
	}
	return all
}

// TestReasonsStandAboveTheirKeys holds that each reason has the very place of its key's level on the question's screen, whole, and
// that nothing on the screen names the level or differs by it but the reasons.
func TestReasonsStandAboveTheirKeys(t *testing.T) {
	r := renderer(t)
	for _, size := range sizes {
		for _, order := range [][5]rating.Level{{5, 4, 3, 2, 1}, {1, 2, 3, 4, 5}, {3, 5, 1, 4, 2}} {
			asked := arrange(Screen{State: Asking, Subject: rating.StaffSubject, Order: order}, size)
			var texts []string
			for _, level := range rating.Levels() {
				s := Screen{State: Explaining, Subject: rating.StaffSubject, Order: order, Step: 1, Steps: 1, Reasons: reasonsOf(t, level)}
				l := arrange(s, size)
				var other string
				words := make([]string, 5)
				for _, x := range l.texts {
					inside := false
					for i, c := range l.choices {
						if x.box.In(c.box) {
							words[i] += x.s
							inside = true
						}
					}
					if shown, px := r.fit(x); inside && (shown != x.s || px < x.size*9/10) {
						t.Errorf("%v: %q of size %d is shown as %q of size %d", size, x.s, x.size, shown, px)
					}
					if !inside {
						other += fmt.Sprint(x)
					}
				}
				texts = append(texts, other)
				for i, c := range l.choices {
					if c.box != asked.tiles[i].box || c.level != asked.tiles[i].level {
						t.Errorf("%v: key %d has its reason at %v, its level at %v", size, i, c.box, asked.tiles[i].box)
					}
					if i < rating.KeyReasons && words[i] != s.Reasons[i] {
						t.Errorf("%v: key %d of level %d says %q, want %q", size, i, level, words[i], s.Reasons[i])
					}
				}
				if words[rating.KeyReasons] != "其他跳过" {
					t.Errorf("%v: the right key says %q", size, words[rating.KeyReasons])
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
	faces := renderer(t).faces(20)
	for _, r := range c.Reasons {
		for _, char := range r.Text {
			if faces.face(char) == nil {
				t.Errorf("%s: %c has no shape", r.Text, char)
			}
		}
	}
}

func TestReasonsAreBrokenEvenly(t *testing.T) {
	for s, want := range map[string]string{
		"不用提交证明": "[不用提 交证明]", "在办事指南之外增加新的审批条件": "[在办事指南 之外增加新 的审批条件]", "快": "[快]",
	} {
		if got := fmt.Sprint(breakEvenly(s, image.Pt(170, 150))); got != want {
			t.Errorf("%s is broken as %s, want %s", s, got, want)
		}
	}
}
