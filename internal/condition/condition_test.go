package condition_test

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"haochaping/internal/condition"
	"haochaping/sync/uplink"
)

// Each trouble has a code of its own, a level, and words for what is seen, what it means and what to do, in both languages.
func TestEachTroubleIsWhole(t *testing.T) {
	code := regexp.MustCompile(`^[a-z_]+\.[a-z_]+$`)
	chinese := regexp.MustCompile(`\p{Han}`)
	seen := make(map[condition.Code]bool)
	for _, k := range condition.Kinds() {
		if !code.MatchString(string(k.Code)) || seen[k.Code] {
			t.Errorf("the code %q is not one, or stands twice", k.Code)
		}
		seen[k.Code] = true
		if k.Level != condition.Note && k.Level != condition.Ill {
			t.Errorf("%s has the level %q", k.Code, k.Level)
		}
		for _, text := range []condition.Text{k.What, k.Means, k.Do} {
			if !chinese.MatchString(text.ZH) || text.EN == "" || chinese.MatchString(text.EN) {
				t.Errorf("%s lacks words: %+v", k.Code, text)
			}
		}
		if k.Part() == "" || !strings.HasPrefix(string(k.Code), k.Part()+".") {
			t.Errorf("%s is of no part", k.Code)
		}
	}
	for _, f := range uplink.Faults() {
		if !seen[condition.Code(f)] {
			t.Errorf("the uplink's fault %s has no words", f)
		}
	}
	for _, f := range []condition.Finding{condition.Hangs("keys"), condition.Unseen("disk", errors.New("gone"))} { // which any part may have
		if k, ok := condition.Find(f.Code); !ok || k.Code != f.Code || !strings.HasPrefix(f.What.ZH, k.What.ZH) || k.Do != f.Do {
			t.Errorf("%s reads %+v elsewhere, and %+v here", f.Code, k, f)
		}
	}
	if k, ok := condition.Find("no.such"); ok || k.Level != condition.Ill || k.What.ZH == "" {
		t.Errorf("an unknown code is %+v", k)
	}
}

// The list in the manual has each code with its level, and no other.
func TestTheManualListsEachCode(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+\\.[a-z_]+)` \\| (✗|!) \\|").FindAllStringSubmatch(string(text), -1) {
		if listed[row[1]] != "" {
			t.Errorf("%s is listed twice", row[1])
		}
		listed[row[1]] = row[2]
	}
	for _, k := range condition.Kinds() {
		want := map[condition.Level]string{condition.Ill: "✗", condition.Note: "!"}[k.Level]
		if got := listed[string(k.Code)]; got != want {
			t.Errorf("%s is listed as %q, want %q", k.Code, got, want)
		}
		delete(listed, string(k.Code))
	}
	for code := range listed {
		t.Errorf("%s is listed and there is no such code", code)
	}
}

// A cause in both languages is told in each by itself, whatever else holds a slash stays whole.
func TestACauseInBothLanguagesIsToldInEach(t *testing.T) {
	for detail, want := range map[string]condition.Text{
		"":                      {"坏了", "broken"},
		"gone":                  {"坏了：gone", "broken: gone"},
		"没有证书 / no certificate": {"坏了：没有证书", "broken: no certificate"},
		"/dev/fb0 / 没有 / gone":  {"坏了：/dev/fb0 / 没有 / gone", "broken: /dev/fb0 / 没有 / gone"},
	} {
		if got := (condition.Text{ZH: "坏了", EN: "broken"}).With(detail); got != want {
			t.Errorf("%q: %+v, want %+v", detail, got, want)
		}
	}
}
