package ratepage

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"haochaping/internal/rating"
	"haochaping/qrcode"
)

// The colours that stand on one another keep a contrast of at least 7:1, as WCAG's level AAA wants.
func TestContrast(t *testing.T) {
	colour := func(name string) float64 {
		found := regexp.MustCompile(`--` + name + `:#([0-9a-f]{6})`).FindStringSubmatch(styleCSS)
		if found == nil {
			t.Fatalf("style.css has no colour %s", name)
		}
		return luminance(t, found[1])
	}
	for _, pair := range [][2]string{{"ink", "paper"}, {"ink", "ground"}, {"ink", "tint"}, {"soft", "paper"}, {"soft", "ground"},
		{"paper", "accent"}, {"accent", "tint"}, {"warn", "warnpaper"}} {
		a, b := colour(pair[0]), colour(pair[1])
		if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 7 {
			t.Errorf("%s on %s: contrast %.1f, want at least 7", pair[0], pair[1], ratio)
		}
	}
}

// FuzzForm holds that whatever a phone sends is either refused or gives evaluations that a record can hold.
func FuzzForm(f *testing.F) {
	id := strings.Repeat("0a", submissionSize)
	f.Add("submission=" + id + "&staff.level=5&staff.reason=510&staff.reason=214&staff.text=%E5%A5%BD%0D%0A")
	f.Add("submission=" + id + "&matter.level=1&matter.text=" + strings.Repeat("%F0%9F%98%80", 151))
	f.Add("submission=" + id)
	f.Add("submission=" + id + "&matter.level=5&matter2.level=1&matter3.level=1")
	f.Add("submission=zz&staff.level=5")
	f.Add("staff.level=5;&%zz=1")
	f.Add("submission=" + id + "&staff.level=%2F&staff.text=%ff%00%e2%80%ae")
	reasons, err := rating.BuiltInCatalogue()
	if err != nil {
		f.Fatal(err)
	}
	asked := accepted(qrcode.Claim{Staff: true, Matter: true}, &rating.Visit{Separate: true, Cases: []rating.Case{
		{ProjectNo: "1", Completed: true}, {ProjectNo: "2", Completed: true}}})
	f.Fuzz(func(t *testing.T, body string) {
		values, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		form, err := readForm(values, asked, reasons)
		if errors.Is(err, errForm) {
			return
		}
		evaluations := form.evaluations(visitID, asked, reasons)
		if err == nil && len(evaluations) == 0 {
			t.Errorf("%q was accepted without an evaluation", body)
		}
		for _, e := range evaluations {
			if err != nil && !errors.Is(err, errLongText) {
				t.Errorf("%q: %v, yet there is %+v", body, err, e)
			}
			if checkErr := e.Check(); err == nil && checkErr != nil {
				t.Errorf("%q: %v", body, checkErr)
			}
			for _, code := range e.Reasons {
				if r, ok := reasons.Find(code); !ok || r.Level != e.Level {
					t.Errorf("%q: reason %s with level %d", body, code, e.Level)
				}
			}
			if len(slices.Compact(slices.Sorted(slices.Values(e.Reasons)))) != len(e.Reasons) {
				t.Errorf("%q: a reason stands twice", body)
			}
		}
	})
}
