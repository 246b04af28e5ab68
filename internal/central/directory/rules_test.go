package directory

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDays(t *testing.T) {
	for s, want := range map[string]string{"2026-01-31": "2026-01-31", "2026/1/31": "2026-01-31", "2026.1.31": "2026-01-31",
		"2026年1月31日": "2026-01-31", "20260131": "2026-01-31",
		"1970-01-01": "1970-01-01", "1949-10-01": "1949-10-01", "2000-02-29": "2000-02-29"} {
		if d, err := ParseDay(s); err != nil || d.String() != want {
			t.Errorf("%s reads as %s, %v; want %s", s, d, err, want)
		}
	}
	for _, s := range []string{"", "2026-02-29", "2026-13-01", "1949-09-30", "2100-01-01", "31/01/2026", "2026-1", "二〇二六年",
		"2026-01-31 00:00"} {
		if d, err := ParseDay(s); err == nil {
			t.Errorf("%q reads as %s", s, d)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := Day(rapid.IntRange(int(firstDay), int(lastDay)).Draw(t, "day"))
		if again, err := ParseDay(d.String()); err != nil || again != d {
			t.Fatalf("day %d is %s and reads as %d: %v", d, d, again, err)
		}
		within := time.Duration(rapid.Int64Range(0, int64(24*time.Hour)-1).Draw(t, "within"))
		if got := DayOf(d.Start().Add(within)); got != d {
			t.Fatalf("%s after the start of %s is %s", within, d, got)
		}
	})
	// Midnight in Shanghai is 16:00 UTC.
	if a, b := DayOf(time.Date(2026, 1, 31, 15, 59, 59, 0, time.UTC)),
		DayOf(time.Date(2026, 1, 31, 16, 0, 0, 0, time.UTC)); a.String() != "2026-01-31" || b.String() != "2026-02-01" {
		t.Errorf("the days before and after midnight are %s and %s", a, b)
	}
}

func TestAreas(t *testing.T) {
	for _, c := range []struct {
		code, parent string
		level        Level
	}{
		{"620000000000", "", Province}, {"620100000000", "620000000000", City}, {"620102000000", "620100000000", County},
		{"620102003000", "620102000000", Township},
		{"620102003017", "620102003000", Village}, {"620200100000", "620200000000", Township}, {"620102", "620100000000", County},
		{"620110000000", "620100000000", County},
	} {
		code, err := ParseArea(c.code)
		if err != nil || LevelOf(code) != c.level || ParentArea(code) != c.parent {
			t.Errorf("%s is %s below %q, %v; want %s below %q", c.code, LevelOf(code).Chinese(), ParentArea(code), err, c.level.Chinese(), c.parent)
		}
	}
	for _, s := range []string{"", "62010200000", "6201020000000", "62010200000x", "000000000000", "6.20102E+11", "6201", "６２０１０２"} {
		if code, err := ParseArea(s); err == nil {
			t.Errorf("%q is the area %s", s, code)
		}
	}
}

// The codes are the example of GB 32100 and those of two companies, as printed on their sites.
func TestCreditCodes(t *testing.T) {
	for _, s := range []string{"91350100M000100Y43", "91330100799655058B", "9144030071526726XG", "9144030071526726xg"} {
		if code, err := ParseCreditCode(s); err != nil || code != strings.ToUpper(s) {
			t.Errorf("%s: %s, %v", s, code, err)
		}
	}
	// Any one wrong character is noticed, and any two neighbours that are exchanged.
	good := "91350100M000100Y43"
	for i := range good {
		for _, c := range creditDigits {
			if bad := good[:i] + string(c) + good[i+1:]; bad != good {
				if _, err := ParseCreditCode(bad); err == nil {
					t.Errorf("%s was taken", bad)
				}
			}
		}
		if i > 0 && good[i] != good[i-1] {
			if bad := good[:i-1] + good[i:i+1] + good[i-1:i] + good[i+1:]; true {
				if _, err := ParseCreditCode(bad); err == nil {
					t.Errorf("%s was taken", bad)
				}
			}
		}
	}
	for _, s := range []string{"", "91350100M000100Y4", "91350100M000100Y433", "91350100I000100Y43", "1.16201020000000E+17"} {
		if _, err := ParseCreditCode(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

// model is how a person's name is on each of a few days, the simplest thing that records can be.
type model [40]string

// TestPeriodsAsAModel draws changes of one person and of the unit that employs them, and compares the records with a list of days.
func TestPeriodsAsAModel(t *testing.T) {
	const unit = "91350100M000100Y43"
	start := Date(2026, 1, 1)
	rapid.Check(t, func(t *rapid.T) {
		records := []Record{
			{Kind: Area, ID: "620000000000", Period: Period{start - 1, Forever}, Name: "省"},
			{Kind: Unit, ID: unit, Period: Period{start, Forever}, Name: "单位", Area: "620000000000"},
		}
		var days model
		for range rapid.IntRange(1, 12).Draw(t, "changes") {
			from := rapid.IntRange(-1, len(days)-1).Draw(t, "from")
			to := rapid.IntRange(from, len(days)).Draw(t, "to")
			name := rapid.SampledFrom([]string{"甲", "乙", "丙"}).Draw(t, "name")
			r := Record{Kind: Staff, ID: "1", Period: Period{start + Day(from), start + Day(to)}, Name: name, Unit: unit}
			if to == len(days) {
				r.To = Forever
			}
			remove := rapid.Bool().Draw(t, "remove")
			want, allowed := days.apply(records, r, remove, start)
			tree := newTree(records)
			p := preview(tree, 0, []Line{{Record: r, Remove: remove}}, nil)
			if allowed != (p.Refused() == 0) {
				t.Fatalf("%v, removed: %t: allowed %t, refused for %v", r, remove, allowed, p.Lines[0].Refused)
			}
			if !allowed {
				continue
			}
			days = want
			records = records[:0]
			for _, k := range Kinds() {
				for _, all := range tree[k] {
					records = append(records, all...)
				}
			}
			for i, want := range days {
				got, ok := tree.at(Staff, "1", start+Day(i))
				if got.Name != want || ok != (want != "") {
					t.Fatalf("on day %d the name is %q, want %q, after %v", i, got.Name, want, r)
				}
			}
			if wrong := tree.check(); len(wrong) > 0 {
				t.Fatalf("a change that was allowed left %v", wrong)
			}
		}
	})
}

// apply returns the days after a change, and whether it is allowed: that is worked out day by day.
func (m model) apply(records []Record, r Record, remove bool, start Day) (model, bool) {
	index := func(d Day) int { return min(int(d-start), len(m)) }
	var before *Record
	for _, x := range records {
		if x.Kind == Staff && x.From == r.From {
			before = &x
		}
	}
	if r.From >= r.To || remove && before == nil {
		return m, false
	}
	if before != nil {
		for i := index(before.From); i < index(before.To); i++ {
			m[i] = ""
		}
	}
	if remove {
		return m, true
	}
	if r.From < start { // the unit does not exist then
		return m, false
	}
	// One without an end gives way.
	for _, x := range records {
		if x.Kind == Staff && x.To == Forever && x.From < r.From {
			for i := index(r.From); i < len(m); i++ {
				m[i] = ""
			}
		}
	}
	for i := index(r.From); i < index(r.To); i++ {
		if m[i] != "" {
			return m, false
		}
		m[i] = r.Name
	}
	return m, true
}
