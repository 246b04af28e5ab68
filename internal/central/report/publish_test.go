package report

import (
	"bytes"
	"encoding/csv"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/directory"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/rating"
)

// rated has a box's window rated on days of 2025, so often well and so often badly.
func (w *world) rated(t *testing.T, n int, good, bad int) {
	t.Helper()
	c := newChain(n)
	for i := range good + bad {
		at := (directory.Date(2025, 5, 1) + directory.Day(i/10)).Start().Add(9*time.Hour + time.Duration(i%10)*10*time.Minute)
		s := rating.Stamp{Boot: 1, Mono: at.Sub(directory.Date(2025, 5, 1).Start()).Milliseconds(), Wall: at.UnixMilli(), Synced: true}
		id := rating.VisitID(10_000*(n+1) + i)
		c.add(t, rating.VisitBody(s, rating.Visit{ID: id, Opener: rating.OpenedByPC, Grouping: rating.Single, WaitSec: 60, Subjects: []rating.Subject{rating.StaffSubject},
			Window: rating.Window{ID: c.window, Name: "窗口", Hall: "大厅", Generation: 1}}))
		level := rating.VerySatisfied
		if i >= good {
			level = rating.VeryDissatisfied
		}
		c.add(t, rating.EvaluationBody(s.Add(4*time.Second), rating.Evaluation{Visit: id, Subject: rating.StaffSubject, Level: level, Channel: rating.Keypad}))
	}
	for first := 1; first <= len(c.raw); first += 100 {
		w.append(t, c.batch(first, min(first+99, len(c.raw)), directory.Date(2025, 6, 30).Start()))
	}
	w.wait(t)
	w.once(t)
}

// TestAYearIsPublished publishes a year of three halls, of which one has few bad answers, and looks at the page with axe.
func TestAYearIsPublished(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db"))
	w.rated(t, 0, 40, 2)  // SL-H3 by then, with SL-H3-C01
	w.rated(t, 1, 80, 5)  // SL-H1
	w.rated(t, 2, 60, 11) // SL-H3
	w.rated(t, 3, 4, 0)   // nowhere
	y, err := w.reports.Publish(t.Context(), 2025)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := y.CSV(&out); err != nil {
		t.Fatal(err)
	}
	text, marked := strings.CutPrefix(out.String(), "\xef\xbb\xbf")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked {
		t.Fatal(err, marked)
	}
	got := make(map[string]string)
	for _, r := range rows[1:] {
		got[r[0]+" "+r[1]] = strings.Join(r[2:], " ")
	}
	for name, want := range map[string]string{
		"0 全部":         "198 180 0 0 0 18 0 90.91% 90.91%",
		"1 示例市":        "198 180 0 0 0 18 0 90.91% 90.91%",
		"2 示例市本级":      "85 * * * * * * * *",  // five bad answers
		"2 示例市乙县":      "113 * * * * * * * *", // else those were what is left
		"3 市民中心政务服务大厅": "85 * * * * * * * *",
		"3 北川镇便民服务中心":  "113 * * * * * * * *",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q in\n%s", name, got[name], want, text)
		}
	}
	if _, err := w.reports.Publish(t.Context(), time.Now().Year()); !errors.Is(err, ErrNotOver) {
		t.Errorf("this year is published: %v", err)
	}
	script := axe.Script(t)
	ctx := chromium.Start(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := y.HTML(w); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL), chromedp.WaitVisible(chromedp.CSS("table"))); err != nil {
		t.Fatal(err)
	}
	axe.Look(t, ctx, script, "open")
}
