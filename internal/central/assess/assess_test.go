package assess

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/central/report"
	"haochaping/internal/rating"
)

func rated(good, poor int64) report.Amount {
	return report.Amount{Asked: good + poor, Levels: [6]int64{0, poor, 0, 0, 0, good}}
}

// TestLowAgain: who is surely worse in each of three months is found, and nobody whom chance, few answers or one better month leaves out.
// Of honest peers hardly anybody is.
func TestLowAgain(t *testing.T) {
	peers := func(a report.Amount) []row {
		return []row{{ID: "a", Amount: a}, {ID: "b", Amount: rated(200, 2)}, {ID: "c", Amount: rated(180, 3)}}
	}
	bad, fair, few := peers(rated(80, 20)), peers(rated(98, 2)), peers(rated(10, 10))
	for _, c := range []struct {
		months [][]row
		want   int
	}{{[][]row{bad, bad, bad}, 1}, {[][]row{bad, fair, bad}, 0}, {[][]row{bad, few, bad}, 0}, {[][]row{bad[1:], bad, bad}, 0}} {
		if got := lowAgain(report.LeastRanked, c.months...); len(got) != c.want || c.want == 1 && got[0].ID != "a" {
			t.Errorf("%v: %v, want %d", c.months, got, c.want)
		}
	}
	r := rand.New(rand.NewPCG(20, 21))
	found := 0
	const halls, each = 100, 8
	for range halls {
		var months [][]row
		for range inARow {
			var all []row
			for n := range each {
				var a report.Amount
				for range 150 {
					if r.Float64() < 0.02 {
						a.Levels[1]++
					} else {
						a.Levels[5]++
					}
				}
				all = append(all, row{ID: string(rune('a' + n)), Amount: a})
			}
			months = append(months, all)
		}
		found += len(lowAgain(report.LeastRanked, months...))
	}
	if found > 1 {
		t.Errorf("%d of %d honest people are found", found, halls*each)
	}
}

// TestPiled: what is surely worse is found, and neither few bad answers nor what all have.
func TestPiled(t *testing.T) {
	all := []row{{ID: "a", Amount: rated(60, 20)}, {ID: "b", Amount: rated(300, 3)}, {ID: "c", Amount: rated(5, 5)}, {ID: "d",
		Amount: rated(290, 12)}}
	got := piled(all)
	if len(got) != 1 || got[0].ID != "a" {
		t.Errorf("piled up: %v", got)
	}
	if got := piled(all[:1]); got != nil {
		t.Errorf("without peers: %v", got)
	}
}

// TestCauses: a cause that many name at one place and few at the others is found there, and one that all name nowhere.
func TestCauses(t *testing.T) {
	whole := map[string]row{"a": {ID: "a", Amount: rated(100, 0)}, "b": {ID: "b", Amount: rated(300, 0)},
		"c": {ID: "c", Amount: rated(200, 0)}}
	named := map[string]row{"209/1\na": {Amount: rated(0, 20)}, "209/1\nb": {Amount: rated(0, 3)}, "108/1\na": {Amount: rated(0, 10)},
		"108/1\nb": {Amount: rated(0, 30)}, "108/1\nc": {Amount: rated(0, 20)}}
	all := byCause(whole, named)
	if got := piled(all["209/1"]); len(got) != 1 || got[0].ID != "a" || bad(got[0].Amount) != 20 || got[0].Answered() != 100 {
		t.Errorf("of 209: %v", got)
	}
	if got := piled(all["108/1"]); len(got) != 0 || len(all["108/1"]) != 3 {
		t.Errorf("of 108: %v of %v", got, all["108/1"])
	}
}

// TestBoth: what has halls in two counties is their city's, and all whose business it is see it.
func TestBoth(t *testing.T) {
	a := report.Where{Area: "629901000000", Hall: "H1", Units: []string{"u", "top"}}
	b := report.Where{Area: "629902003000", Hall: "H2", Units: []string{"u", "other"}}
	for _, got := range []report.Where{both(a, b), both(b, a)} {
		if slices.Sort(got.Units[1:]); got.Area != "629900000000" || got.Hall != "" || !slices.Equal(got.Units, []string{"u", "other", "top"}) {
			t.Errorf("both are at %+v", got)
		}
	}
	if got := both(a, a); got.Area != a.Area || got.Hall != "H1" {
		t.Errorf("the same place is %+v", got)
	}
	if got := both(a, report.Where{}); got.Area != "" {
		t.Errorf("beside nowhere it is at %+v", got)
	}
}

// reports tells the same of each month.
type reports struct {
	counting bool
	asked    int
}

func (r *reports) Progress(context.Context) (report.Progress, error) {
	return report.Progress{Counting: r.counting}, nil
}

func (r *reports) Names(_ context.Context, _ report.Split, of []string) (map[string]string, error) {
	return map[string]string{of[0]: "赵示例"}, nil
}

func (r *reports) Sum(_ context.Context, a report.Ask) (report.Table, error) {
	r.asked++
	w := report.Where{Area: "629901000000", Hall: "SL-H2", Window: "SL-H2-B01", Units: []string{"116299006MB0066664"}}
	sums := make(map[string]report.Sums)
	for of, amount := range map[string]report.Amount{"one": rated(80, 20), "two": rated(200, 2), "three": rated(180, 3)} {
		if a.Split == report.Whole {
			of = ""
		}
		subject := rating.StaffSubject
		if a.Split == report.ByMatter {
			subject = rating.MatterSubject
		}
		id := a.Group(w, of)
		s := sums[id]
		s.Add(report.Sums{Counts: map[report.Key]report.Amount{{Subject: subject, Channel: rating.Keypad}: amount}})
		sums[id] = s
	}
	var t report.Table
	for id, s := range sums {
		t.Rows = append(t.Rows, report.Row{ID: id, Sums: s})
	}
	return t, nil
}

// rooms opens what proposals and sheets need, with an organisation.
func rooms(t *testing.T) (*directory.Directory, *dossier.Dossiers) {
	t.Helper()
	j, _, _ := journaltest.Open(t, "sqlite:"+t.TempDir()+"/journal.db")
	d, err := directory.Open(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	directorytest.Enter(t, d, "../../../cmd/ratingctl/organisation.csv")
	dossiers, err := dossier.Open(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return d, dossiers
}

// TestProposals: what is found is proposed once, with what it rests on, as dossiers that wait; not while figures are being counted.
func TestProposals(t *testing.T) {
	d, dossiers := rooms(t)
	now := time.Date(2026, 4, 8, 3, 0, 0, 0, rating.Shanghai())
	from := &reports{counting: true}
	open := func() *Room {
		return New(Config{Reports: from, Directory: d, Dossiers: dossiers, Now: func() time.Time { return now },
			Cause: func(c string) string { return "原因 " + c }, Logger: slog.New(slog.DiscardHandler)})
	}
	r := open()
	if n, err := r.Once(t.Context()); n != 0 || err != nil || from.asked != 0 {
		t.Errorf("proposed of figures that are not whole: %d, %v", n, err)
	}
	from.counting = false
	if n, err := r.Once(t.Context()); n != 2 || err != nil {
		t.Fatalf("proposed %d, %v", n, err)
	}
	asked := from.asked
	if n, err := r.Once(t.Context()); n != 0 || err != nil || from.asked != asked {
		t.Errorf("looked at again: %d, %v", n, err)
	}
	if n, err := open().Once(t.Context()); n != 0 || err != nil {
		t.Errorf("proposed again after a start: %d, %v", n, err)
	}
	var titles []string
	for _, k := range []dossier.Kind{dossier.Mend, dossier.Problem} {
		all, err := dossiers.List(t.Context(), dossier.Filter{Kind: k, Limit: 10})
		if err != nil || len(all) != 1 || all[0].State != dossier.Waiting {
			t.Fatalf("%s: %+v, %v", k, all, err)
		}
		x, err := dossiers.Dossier(t.Context(), all[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		var f Found
		if err := json.Unmarshal(x.Found, &f); err != nil || len(f.Lines) < 2 {
			t.Errorf("found %+v, %v", f, err)
		}
		titles = append(titles, x.Title+" "+x.Area+" "+x.Hall+" "+x.Staff)
	}
	want := []string{"工号 one 赵示例：连续三个月靠后 629901000000 SL-H2 one", "事项 one 赵示例：差评集中 629900000000  "}
	if !slices.Equal(titles, want) {
		t.Errorf("proposed %q, want %q", titles, want)
	}
}
