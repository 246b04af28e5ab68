package rehearsal

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/central/assess"
	"haochaping/internal/central/books"
	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/db"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/report"
	"haochaping/internal/rating"
)

// sms is a gateway that counts.
type sms struct{ deadline.File }

// TestMonths plays months into an empty centre: what is signed is believed, bad ratings have orders of several states, silence has become
// something, results are proposed, ordered and published, and a centre that has worked is not played into.
func TestMonths(t *testing.T) {
	notices, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	days, err := rating.NewCalendar(notices...)
	if err != nil {
		t.Fatal(err)
	}
	clock := new(Clock)
	from := time.Date(2026, 8, 1, 7, 0, 0, 0, rating.Shanghai())
	clock.Set(from)
	dir := t.TempDir()
	c := Config{Clock: clock, Calendar: days, Seed: 1, Full: 4, Leave: []string{All}}
	c.Journal, _, _ = journaltest.OpenAt(t, "sqlite:"+filepath.Join(dir, "journal.db"), clock.Now)
	c.Books, _ = bookstest.Follow(t, c.Journal, "sqlite:"+filepath.Join(dir, "books.db"))
	if c.Directory, err = directory.Open(t.Context(), c.Journal); err != nil {
		t.Fatal(err)
	}
	if c.Fleet, err = fleet.Open(t.Context(), c.Journal); err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	gateway := &sms{deadline.File{Path: filepath.Join(dir, "sms.jsonl")}}
	if c.Deadlines, err = deadline.Open(t.Context(), deadline.Config{Journal: c.Journal, Books: c.Books, Calendar: days, Defaults: true,
		Gateway: gateway, Text: "{matter}", Secret: []byte("secret"), Holder: "here", Now: clock.Now, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	if c.Orders, err = rectify.Open(t.Context(), rectify.Config{Journal: c.Journal, Books: c.Books, Directory: c.Directory, Holder: "here",
		Now: clock.Now, Logger: quiet, Terms: rectify.Terms{Calendar: days, Contact: 1, Office: 5}}); err != nil {
		t.Fatal(err)
	}
	openResults(t, &c, filepath.Join(dir, "books.db"))
	b, err := os.ReadFile("../../../cmd/ratingctl/organisation.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := directory.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	until := time.Date(2026, 11, 16, 7, 0, 0, 0, rating.Shanghai())
	if err := Play(t.Context(), c, lines, from, until); err != nil {
		t.Fatal(err)
	}
	all, err := c.Orders.Find(t.Context(), rectify.Filter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	states := make(map[rectify.State]int)
	for _, l := range all {
		states[l.Body.State]++
		if l.About.RatedAt < from.UnixMilli() || l.About.RatedAt > until.UnixMilli() {
			t.Errorf("order %s is about a rating of %s", l.Name(), time.UnixMilli(l.About.RatedAt))
		}
	}
	if len(all) < 10 || len(states) < 4 || states[rectify.Closed] == 0 {
		t.Errorf("there are orders %v", states)
	}
	if served, err := c.Books.Search(t.Context(), books.Search{Staff: "SL-0013"}, books.Cursor{}, 10); err != nil || len(served.Entries) == 0 {
		t.Errorf("nobody has rated who serves at a window: %v", err)
	}
	figures, err := c.Books.CaseFigures(t.Context())
	if err != nil || figures.Rated == 0 || figures.Default == 0 {
		t.Errorf("of cases there are %+v, %v", figures, err)
	}
	if sent, err := os.ReadFile(gateway.Path); err != nil || len(sent) == 0 {
		t.Errorf("nobody was reminded: %v", err)
	}
	checkDecided(t, c)
	checkNoBoxStands(t, c)
	if err := Play(t.Context(), c, lines, until, until.AddDate(0, 0, 7)); !errors.Is(err, ErrWorked) {
		t.Errorf("played again: %v", err)
	}
}

// openResults opens the rooms of figures, proposals and decisions.
func openResults(t *testing.T, c *Config, at string) {
	t.Helper()
	d, err := db.Open(t.Context(), "sqlite:"+at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	quiet := slog.New(slog.DiscardHandler)
	c.Reports, err = report.Open(t.Context(), report.Config{DB: d, Journal: c.Journal, Books: c.Books, Orders: c.Orders,
		Directory: c.Directory, Holder: "here", Now: c.Clock.Now, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if c.Dossiers, err = dossier.Open(t.Context(), c.Journal); err != nil {
		t.Fatal(err)
	}
	c.Figures = c.Reports
	c.Proposals = assess.New(assess.Config{Reports: c.Reports, Directory: c.Directory, Dossiers: c.Dossiers, Now: c.Clock.Now, Logger: quiet,
		Cause: func(cause string) string { return cause }})
}

// checkDecided checks that an order to mend, tasks and results have come as far as people bring them.
func checkDecided(t *testing.T, c Config) {
	t.Helper()
	got := make(map[string]int)
	for _, kind := range dossier.Kinds() {
		for _, ended := range []bool{false, true} {
			all, err := c.Dossiers.List(t.Context(), dossier.Filter{Kind: kind, Ended: ended, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range all {
				got[string(kind)+" "+string(k.State)]++
			}
		}
	}
	for _, want := range []string{"mend assigned", "problem assigned", "problem closed", "publication published", "publication submitted",
		"publication open"} {
		if got[want] == 0 {
			t.Errorf("there is no %s among %v", want, got)
		}
	}
	published, err := report.Publications{Reports: c.Reports, Dossiers: c.Dossiers}.Published(t.Context())
	if err != nil || len(published) == 0 || published[0].Whole.Shown != report.Levels {
		t.Errorf("what is published is withheld: %+v, %v", published, err)
	}
}

// checkNoBoxStands checks that boxes that are no more stand at no window.
func checkNoBoxStands(t *testing.T, c Config) {
	t.Helper()
	all, err := c.Fleet.Changed(t.Context(), 0, 100)
	if err != nil || len(all) == 0 {
		t.Fatalf("%d boxes, %v", len(all), err)
	}
	for _, d := range all {
		if d.Retired == nil || d.Follows {
			t.Errorf("%s still stands at %s", d.ID, d.Window.ID)
		}
	}
}
