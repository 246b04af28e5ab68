package evaluations_test

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web/evaluations"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// served lets a member of staff be rated at a window on a day, and the answers arrive at a time. The levels go round.
func (w *world) served(b *box, window rating.Window, staff string, n int, at, arrives time.Time) {
	w.t.Helper()
	for i := range n {
		id := rating.VisitID(uint64(b.seq)<<20 + uint64(i) + 1)
		stamp := rating.Stamp{Boot: 1, Mono: at.UnixMilli() - 1_700_000_000_000 + int64(i)*1000, Wall: at.UnixMilli() + int64(i)*1000,
			Synced: true}
		b.add(w.t, rating.VisitBody(stamp, rating.Visit{ID: id, Opener: rating.OpenedByPC, Grouping: rating.Single, WaitSec: 60,
			Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject}, Window: window,
			Staff: rating.Staff{ID: staff, Name: "赵示例"},
			Cases: []rating.Case{{ProjectNo: fmt.Sprint(b.id, id), TaskCode: "T1", TaskName: "居民身份证换领", Completed: true}}}),
			rating.EvaluationBody(stamp.Add(time.Second), rating.Evaluation{Visit: id, Subject: rating.StaffSubject, Level: rating.Level(5 - i%4),
				Channel: rating.Keypad}),
			rating.EvaluationBody(stamp.Add(2*time.Second), rating.Evaluation{Visit: id, Subject: rating.MatterSubject,
				Level: rating.VeryDissatisfied, Channel: rating.Keypad}))
	}
	m := wire.Batch{Device: b.id, Epoch: epoch, First: b.seq - uint64(len(b.raw)) + 1, Records: b.raw}
	m.Sign(b.key)
	if _, err := w.Journal.Append(w.t.Context(), journal.Entry{Kind: journal.Batch, Source: string(b.id), Received: arrives.UnixMilli(),
		Key: b.key.Public().(ed25519.PublicKey), Signature: m.Signature,
		Epoch: epoch, First: m.First, Parts: b.raw}, nil); err != nil {
		w.t.Fatal(err)
	}
	b.raw = nil
}

// TestOwnFigures: window staff see counts of their closed months, of 20 evaluations at least, of their city, and what arrives later changes
// none of them.
func TestOwnFigures(t *testing.T) {
	w := newWorld(t) // it is 2 March 2026
	here, there := newBox("sl-one"), newBox("sl-two")
	at := rating.Window{ID: "SL-H1-A07", Name: "户政7号窗口", Hall: "大厅", Area: "629900000000", Generation: 1}
	w.serve(here, at)
	day := func(m time.Month, d int) time.Time { return time.Date(2026, m, d, 10, 0, 0, 0, w.Now().Location()) }
	w.served(here, at, "SL-0001", 21, day(1, 12), day(1, 12))
	w.served(here, at, "SL-0002", 30, day(1, 13), day(1, 13))
	w.served(here, at, "SL-0001", 19, day(2, 10), day(2, 10))
	elsewhere := rating.Window{ID: "hand-made", Name: "别处", Hall: "别处", Generation: 1}
	w.served(there, elsewhere, "SL-0001", 40, day(1, 14), day(1, 14)) // the same number at a window that the city does not have
	w.follow()
	staff := w.Add(webtest.Grant(account.Staff, "SL-0001", "629900000000"))
	mine := w.SignIn(staff)
	page := func() string {
		t.Helper()
		answer := w.get("/figures/own", mine)
		webtest.Want(t, answer, 200, "我的汇总", "!SL-0002", "!赵示例")
		_, table, _ := strings.Cut(answer.Body.String(), "<tbody>")
		return table
	}
	january := page()
	for _, want := range []string{"2026-01", "21 份", "非常满意 6（29%）", "不满意 5（24%）", "非常不满意 0（0%）"} {
		if !strings.Contains(january, want) {
			t.Errorf("the page of January lacks %q:\n%s", want, january)
		}
	}
	if strings.Contains(january, "2026-02") || strings.Contains(january, "19 份") {
		t.Errorf("February is shown, which is not closed:\n%s", january)
	}
	webtest.Want(t, w.get("/", mine), 200, "!评价汇总可以查看")
	both := w.SignIn(w.Add(webtest.Grant(account.Staff, "SL-0001", "629900000000"), webtest.Grant(account.Hall, "SL-H1", "629900000000")))
	webtest.Want(t, w.get("/figures/own", both), 200, "您也查看大厅的汇总", "!21 份")
	// One that arrives after the month was closed changes nothing.
	w.served(here, at, "SL-0001", 1, day(1, 15), w.Now())
	w.follow()
	if again := page(); again != january {
		t.Errorf("what arrived late shows:\n%s\n%s", january, again)
	}
	w.Pass(6 * 24 * time.Hour)
	mine = w.SignIn(staff)
	webtest.Want(t, w.get("/", mine), 200, "2026 年 2 月的评价汇总可以查看了")
	if february := page(); !strings.Contains(february, "2026-02") || strings.Contains(february, "19 份") ||
		!strings.Contains(february, "不足 20 份") {
		t.Errorf("of 19 evaluations the page says:\n%s", february)
	}
	// The 20th came in time.
	w.served(here, at, "SL-0001", 1, day(2, 11), day(2, 28))
	w.follow()
	if february := page(); !strings.Contains(february, "20 份") {
		t.Errorf("of 20 evaluations the page says:\n%s", february)
	}
	for _, g := range []account.Grant{webtest.Grant(account.Hall, "SL-H1", "629900000000"),
		webtest.Grant(account.Province, "620000000000", "620000000000"), webtest.Grant(account.Auditor, "620000000000", "620000000000")} {
		webtest.Want(t, w.get("/figures/own", w.SignIn(w.Add(g))), 404)
	}
}

// TestAReviewMovesNoOwnFigures: what a review has not adopted stays in a closed month, and what counts instead of it is not added.
func TestAReviewMovesNoOwnFigures(t *testing.T) {
	w := newWorld(t)
	here := newBox("sl-one")
	at := rating.Window{ID: "SL-H1-A07", Name: "户政7号窗口", Hall: "大厅", Area: "629900000000", Generation: 1}
	w.serve(here, at)
	served := time.Date(2026, 1, 12, 10, 0, 0, 0, w.Now().Location())
	w.served(here, at, "SL-0001", 20, served, served)
	w.follow()
	some := func(s rating.Standing) []books.Entry {
		t.Helper()
		w.follow()
		found, err := w.books.Search(t.Context(), books.Search{Staff: "SL-0001", Subject: rating.StaffSubject, Standings: []rating.Standing{s}},
			books.Cursor{}, books.MaxPage)
		if err != nil {
			t.Fatal(err)
		}
		return found.Entries
	}
	one := some(rating.Counted)[0]
	if _, err := w.Journal.Rate(t.Context(), journal.Rating{Device: one.Device, Name: "again", Received: served.Add(time.Hour).UnixMilli(),
		Answers: []rating.Evaluation{{Visit: one.Visit, Subject: rating.StaffSubject, Level: rating.VeryDissatisfied,
			Channel: rating.Phone}}}); err != nil {
		t.Fatal(err)
	}
	w.follow()
	mine := w.SignIn(w.Add(webtest.Grant(account.Staff, "SL-0001", "629900000000")))
	page := func() string {
		_, table, _ := strings.Cut(w.get("/figures/own", mine).Body.String(), "<tbody>")
		return table
	}
	before := page()
	if !strings.Contains(before, "20 份") {
		t.Fatalf("the page of January says:\n%s", before)
	}
	for _, adopted := range []bool{false, true, false} { // an appeal brings it back
		act := journal.Act{Do: "rectify.uphold", Adoption: &journal.Adoption{Evaluation: one.Cursor, Adopted: adopted}}
		if _, err := w.Journal.Do(t.Context(), "reviewer", "", act, nil); err != nil {
			t.Fatal(err)
		}
		refused := some(rating.NotAdopted)
		if (len(refused) == 0) != adopted || len(some(rating.Counted)) != 20 {
			t.Fatalf("adopted %t: refused are %v", adopted, refused)
		}
		if after := page(); after != before {
			t.Errorf("adopted %t, the page says:\n%s\nand said:\n%s", adopted, after, before)
		}
	}
}

// TestSilenceOnHome: the home page counts the cases that silence rates when today is over, to the offices in whose area they lie.
func TestSilenceOnHome(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	var notices []rating.Notice
	for y := range 3 {
		notices = append(notices, rating.Notice{Year: now.Year() - 1 + y, Source: "test"})
	}
	days, err := rating.NewCalendar(notices...)
	if err != nil {
		t.Fatal(err)
	}
	w.site = w.Site(evaluations.Section(evaluations.Config{Books: w.books, Journal: w.Journal, Directory: w.directory, Silence: &days}))
	for i, area := range []string{"629901000000", "629901000000", "629902000000", "620100000000"} {
		f := rating.CaseFact{Area: area, ProjectNo: fmt.Sprint("S", i), TaskCode: "T1", CompletedAt: now.Add(-time.Hour).UnixMilli(),
			AsOf: now.UnixMilli()}
		if _, err := w.Journal.Tell(t.Context(), "test", fmt.Sprint("silence", i), []journal.Fact{{Fact: f}}); err != nil {
			t.Fatal(err)
		}
	}
	w.follow()
	end := days.Default(time.Now()).At // a case begins when the centre has heard of it
	if !days.Default(now).At.Equal(end) {
		t.Skip("a day has ended meanwhile")
	}
	for _, x := range []struct {
		grant account.Grant
		words string
	}{
		{webtest.Grant(account.County, "629901000000", "629901000000"), "2 件办件今天评价期满"},
		{webtest.Grant(account.City, "629900000000", "629900000000"), "3 件办件今天评价期满"},
		{webtest.Grant(account.Province, "620000000000", "620000000000"), "4 件办件今天评价期满"},
		{webtest.Grant(account.County, "629902000000", "629902000000"), "1 件办件今天评价期满"},
		{webtest.Grant(account.County, "620102000000", "620102000000"), "!评价期满"},
		{webtest.Grant(account.Unit, "116299002MB002222J", "629900000000"), "!评价期满"},
		{webtest.Grant(account.Hall, "SL-H2", "629901000000"), "!评价期满"},
	} {
		w.Pass(end.Add(-50 * time.Hour).Sub(w.Now()))
		person := w.Add(x.grant)
		for i, words := range []string{"!评价期满", x.words, "!评价期满"} { // days before, an hour before, and after it
			w.Pass(end.Add([]time.Duration{-49 * time.Hour, -time.Hour, time.Hour}[i]).Sub(w.Now()))
			webtest.Want(t, w.get("/", w.SignIn(person)), 200, words)
		}
	}
}
