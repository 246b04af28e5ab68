//go:build !race

package display

import (
	"strings"
	"testing"

	"haochaping/internal/rating"
)

// TestWordsOfTheLevelsAbove writes the longest words that a level above may set: at every size they are whole in Chinese and in their
// place, and what is fixed is still said.
func TestWordsOfTheLevelsAbove(t *testing.T) {
	r := renderer(t)
	zh, en := strings.Repeat("政务服务评", 4)[:3*rating.MaxScreenText], strings.Repeat("of service ", 6)[:rating.MaxScreenEnglish]
	long := rating.Words{ZH: zh, EN: strings.TrimSpace(en)}
	question := rating.Words{ZH: zh[:3*rating.MaxQuestion], EN: long.EN}
	texts := rating.ScreenTexts{Welcome: long, Later: long, Question: question, Matter: question, Thanks: long}
	for name, also := range map[string]string{"idle": "", "asking": "非常满意", "asking-long": longMatter, "thanks": "按错了？现在按其他键即可更正"} {
		s, ok := screens(t)[name]
		if !ok {
			t.Fatalf("there is no screen %s", name)
		}
		s.Texts = texts
		whole := zh
		if s.State == Asking {
			whole = question.ZH
		}
		for _, size := range append(sizes, oddSizes...) {
			l, err := r.arrange(s, size)
			if err != nil {
				t.Fatal(err)
			}
			checkLayout(t, l)
			var all strings.Builder
			for _, x := range l.texts {
				for _, line := range x.lines {
					all.WriteString(line.shown())
				}
			}
			said := strings.ReplaceAll(all.String(), " ", "")
			for _, want := range []string{whole, also} {
				if !strings.Contains(said, strings.ReplaceAll(want, " ", "")) {
					t.Errorf("%s at %v does not say %q but %s", name, size, want, said)
				}
			}
		}
	}
	if s := screens(t)["idle"]; s.Texts != (rating.ScreenTexts{}) {
		t.Errorf("a screen has the words %+v of nobody", s.Texts)
	}
}
