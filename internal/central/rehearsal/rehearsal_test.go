package rehearsal

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/central/rectify"
	"haochaping/internal/rating"
)

// sms is a gateway that counts.
type sms struct{ deadline.File }

// TestTwoWeeks plays two weeks into an empty centre: what is signed is believed, bad ratings have orders of several states, silence has
// become something, and a centre that has worked is not played into.
func TestTwoWeeks(t *testing.T) {
	notices, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	days, err := rating.NewCalendar(notices...)
	if err != nil {
		t.Fatal(err)
	}
	clock := new(Clock)
	from := time.Date(2026, 11, 2, 7, 0, 0, 0, rating.Shanghai())
	clock.Set(from)
	dir := t.TempDir()
	c := Config{Clock: clock, Calendar: days, Seed: 1}
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
	b, err := os.ReadFile("../../../cmd/ratingctl/organisation.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := directory.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	until := from.AddDate(0, 0, 14)
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
	figures, err := c.Books.CaseFigures(t.Context())
	if err != nil || figures.Rated == 0 || figures.Default == 0 {
		t.Errorf("of cases there are %+v, %v", figures, err)
	}
	if sent, err := os.ReadFile(gateway.Path); err != nil || len(sent) == 0 {
		t.Errorf("nobody was reminded: %v", err)
	}
	if err := Play(t.Context(), c, lines, until, until.AddDate(0, 0, 7)); !errors.Is(err, ErrWorked) {
		t.Errorf("played again: %v", err)
	}
}
