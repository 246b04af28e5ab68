package figures_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
)

// TestARecountInAnotherLanguage has a program in Python, written from the descriptions, count single evaluations and compare that with the
// figures.
func TestARecountInAnotherLanguage(t *testing.T) {
	python, err := exec.LookPath("python3")
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal("python3 is missing: install the Debian package python3")
	default:
		t.Skip("python3 is missing: install the Debian package python3")
	}
	w := newWorld(t)
	w.fill()
	w.themes()
	p := w.Program(w.site, webtest.Grant(account.City, city, city), "", account.SeeFigures, account.SeeEvaluations)
	server := httptest.NewServer(w.site)
	t.Cleanup(server.Close)
	c := exec.CommandContext(t.Context(), python, "../../../proof/foreign/recount.py", server.URL, p.Token, "2026-01-01", "2026-02-28")
	if out, err := c.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Errorf("%v\n%s", err, out)
	}
}

// themes has visits with two cases each rated as a whole by key, corrected now and then, and by phone afterwards, of which one of the two
// counts.
func (w *world) themes() {
	w.t.Helper()
	b := newBox(20)
	w.serve(b.id, "SL-H1-A12")
	var phones []journal.Rating
	for n := range 12 {
		day := directory.Date(2026, 1, 8+n)
		at := stamp(day.Start().Add(10 * time.Hour))
		v := rating.Visit{ID: rating.VisitID(90_000 + n), Opener: rating.OpenedByPC, Grouping: rating.Theme, WaitSec: 60,
			Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject},
			Window:   rating.Window{ID: "SL-H1-A12", Name: "窗口", Hall: "大厅", Area: city, Generation: 1},
			Staff:    rating.Staff{ID: "SL-0012", Name: "钱示例"}}
		for i := range 2 {
			v.Cases = append(v.Cases, rating.Case{ProjectNo: fmt.Sprint("T", n, "-", i), Area: city, TaskCode: fmt.Sprint("T", i), TaskName: "事项",
				Completed: true})
		}
		b.add(w.t, rating.VisitBody(at, v))
		for i := range n % 3 { // not at all, once, or corrected
			e := rating.Evaluation{Visit: v.ID, Subject: rating.MatterSubject, Level: rating.Level(n%5 + 1), Channel: rating.Keypad}
			if i > 0 {
				e.Replaces = uint64(len(b.raw))
			}
			b.add(w.t, rating.EvaluationBody(at.Add(time.Duration(4+i)*time.Second), e))
			if i+1 == n%3 {
				b.add(w.t, rating.ReasonBody(at.Add(15*time.Second), rating.Reason{Visit: v.ID, Subject: rating.MatterSubject, Of: uint64(len(b.raw)),
					Code: []string{"115", "207", "309", "406", "510"}[n%5], Catalogue: 1}))
			}
		}
		phones = append(phones, journal.Rating{Device: b.id, Name: fmt.Sprint("p", n), Received: at.Time().Add(time.Minute).UnixMilli(),
			Answers: []rating.Evaluation{
				{Visit: v.ID, Subject: rating.MatterSubject, Level: rating.Level(n%4 + 1), Channel: rating.Phone},
				{Visit: v.ID, Subject: rating.StaffSubject, Level: rating.Level(n%2 + 1), Channel: rating.Phone, Reasons: []string{"213", "214"},
					Catalogue: 1}}})
	}
	b.send(w.t, w.Journal)
	for _, r := range phones {
		if _, err := w.Journal.Rate(w.t.Context(), r); err != nil {
			w.t.Fatal(err)
		}
	}
	w.follow()
}
