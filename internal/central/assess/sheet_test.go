package assess

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/report"
	"haochaping/internal/rating"
)

const unit = "116299006MB0066664"

// months are how members of staff were rated, by month of 2026.
type months struct {
	*reports
	of map[string][12]report.Amount
}

func (m months) Sum(_ context.Context, a report.Ask) (t report.Table, err error) {
	w := report.Where{Area: "629901000000", Hall: "SL-H2", Window: "SL-H2-B01", Units: []string{unit}}
	if !a.Fits(w) {
		return t, errors.New("asked for another place")
	}
	for id, all := range m.of {
		r := report.Row{ID: id}
		for i, amount := range all {
			if i >= 10 { // the last two stand for months of the year before
				i -= 22
			}
			if a.Days.Holds(directory.Date(2026, time.Month(i+1), 5)) {
				r.Add(report.Sums{Counts: map[report.Key]report.Amount{{Subject: rating.StaffSubject, Channel: rating.Keypad}: amount}})
			}
		}
		t.Total.Add(r.Sums)
		if a.Group != nil {
			t.Rows = append(t.Rows, r)
		}
	}
	return t, nil
}

// TestSheets: a year's sheets are drafted once, thirty days after its end, for the unit and each person; who has few answers, or
// months with few, reads no levels.
func TestSheets(t *testing.T) {
	d, dossiers := rooms(t)
	now := directory.Date(2027, 1, 30).Start()
	s := Sheets{Reports: names{months{of: map[string][12]report.Amount{
		"steady": {rated(28, 2), rated(40, 0), 10: rated(60, 1)}, "few": {rated(9, 3)},
		"gap": {rated(50, 0), rated(4, 1)}, "gaps": {rated(15, 1), rated(9, 0), 10: rated(50, 0), 11: rated(6, 1)}}}},
		Directory: d, Dossiers: dossiers, Now: func() time.Time { return now }, Least: 20}
	by := dossier.By{Account: "acc1"}
	if _, err := s.Draft(t.Context(), by, unit, 2026); !errors.Is(err, ErrNotOver) {
		t.Errorf("too early: %v", err)
	}
	now = directory.Date(2027, 1, 31).Start()
	if _, err := s.Draft(t.Context(), by, "x", 2026); !errors.Is(err, ErrNoUnit) {
		t.Errorf("of nobody: %v", err)
	}
	if n, err := s.Draft(t.Context(), by, unit, 2026); n != 5 || err != nil {
		t.Fatalf("drafted %d, %v", n, err)
	}
	if n, err := s.Draft(t.Context(), by, unit, 2026); n != 0 || err != nil {
		t.Errorf("drafted again: %d, %v", n, err)
	}
	for staff, want := range map[string]string{"": "非常满意=155", "steady": "非常满意=68", "few": "", "gap": "", "gaps": "非常满意=24"} {
		k, err := dossiers.Named(t.Context(), dossier.Sheet, unit+" "+staff+" 2026")
		if err != nil || k.State != dossier.Waiting || k.Staff != staff || k.Units[0] != unit {
			t.Fatalf("%q: %+v, %v", staff, k, err)
		}
		var f Found
		if err := json.Unmarshal(k.Found, &f); err != nil || f.Table == nil {
			t.Fatal(err, f)
		}
		var all string
		for _, row := range f.Table.Rows {
			all += fmt.Sprintf("%s=%s ", row[0], row[1])
			if row[0] == "非常满意" && staff != "" && row[2] != map[string]string{"steady": "60", "gaps": "–"}[staff] {
				t.Errorf("%q reads of the year before: %v", staff, row)
			}
		}
		if levels := strings.Contains(all, "满意"); levels != (want != "") || !strings.Contains(all, want) || !strings.Contains(all, "实评数=") {
			t.Errorf("%q reads %s", staff, all)
		}
	}
}

// names are months with what people are called.
type names struct{ months }

func (names) Names(_ context.Context, _ report.Split, of []string) (map[string]string, error) {
	out := make(map[string]string)
	for _, id := range of {
		out[id] = "示例" + id
	}
	return out, nil
}
