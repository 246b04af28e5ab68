package hallyear

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/cases"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/intake"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/central/link"
	"haochaping/internal/central/ratepage"
	"haochaping/internal/rating"
)

// centre is the rooms of a centre whose clock is the test's, and its doors.
type centre struct {
	t         *testing.T
	clock     atomic.Int64
	journal   *journal.Journal
	books     *books.Books
	deadlines *deadline.Deadlines
	room      *intake.Room
	doors     *http.ServeMux
	page      *ratepage.Page
	gateway   *gateway
}

// anybody lets every token speak at all doors, under its own name.
type anybody struct{}

func (anybody) Holder(token string) (cases.Holder, bool) {
	return cases.Holder{Name: token, Doors: cases.Doors()}, true
}

func newCentre(t *testing.T, begin time.Time, g *gateway) *centre {
	t.Helper()
	c := &centre{t: t, gateway: g, doors: http.NewServeMux()}
	c.clock.Store(begin.UnixMilli())
	dir := t.TempDir()
	c.journal, _, _ = journaltest.OpenAt(t, "sqlite:"+filepath.Join(dir, "journal.db"), c.now)
	c.books, _ = bookstest.Follow(t, c.journal, "sqlite:"+filepath.Join(dir, "books.db"))
	notices, err := rating.BuiltInNotices()
	must(t, err)
	days, err := rating.NewCalendar(notices...)
	must(t, err)
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	sender, err := deadline.NewHTTP(server.URL, nil, `{"id":{{json .ID}},"to":{{json .Number}},"text":{{json .Text}}}`, "")
	must(t, err)
	sender.Within(2 * time.Minute)
	quiet := slog.New(slog.DiscardHandler)
	c.deadlines, err = deadline.Open(t.Context(), deadline.Config{Journal: c.journal, Books: c.books, Calendar: days, Defaults: true,
		Gateway: sender, Text: "{matter} {letter}",
		Secret: []byte("secret"), Holder: "here", Now: c.now, Logger: quiet})
	must(t, err)
	c.room, err = intake.Open(t.Context(), c.journal)
	must(t, err)
	keeper, err := link.New(make([]byte, 32))
	must(t, err)
	door := cases.Door{Tokens: anybody{}, Logger: quiet}
	links := intake.Links{Keeper: keeper, Base: "https://rate.example.com", Now: c.now}
	hotline := intake.Hotline{Door: door, Journal: c.journal, Requests: c.deadlines, Cases: c.books,
		Keys: map[string]rating.Level{"1": 5, "2": 4, "3": 3, "4": 2, "5": 1}}
	c.doors.Handle("/v1/cases", cases.Handler(cases.Config{Door: door, Journal: c.journal, Books: c.books}))
	c.doors.Handle("/v1/answers", intake.Handler(intake.Config{Door: door, Journal: c.journal}))
	c.doors.Handle("/v1/links", intake.LinksHandler(door, links))
	c.doors.Handle("/v1/sms/replies", hotline.SMSHandler())
	c.doors.Handle("/v1/voice/keys", hotline.VoiceHandler())
	c.doors.Handle("/v1/visits", intake.Terminals{Door: door, Room: c.room, Links: links, Books: c.books}.Handler())
	reasons, err := rating.BuiltInCatalogue()
	must(t, err)
	c.page, err = ratepage.New(ratepage.Config{Journal: c.journal, Books: c.books, Links: keeper, Terminals: c.room, Reasons: reasons,
		Logger: quiet, Now: c.now, Random: rand.Reader})
	must(t, err)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (c *centre) now() time.Time { return time.UnixMilli(c.clock.Load()) }

// ask has a system ask at a door, and returns what it is answered.
func (c *centre) ask(who, path, key string, body any) map[string]any {
	c.t.Helper()
	b, err := json.Marshal(body)
	must(c.t, err)
	r := httptest.NewRequest("POST", path, strings.NewReader(string(b)))
	r.Header.Set("Authorization", "Bearer "+who)
	r.Header.Set("Idempotency-Key", key)
	w := httptest.NewRecorder()
	c.doors.ServeHTTP(w, r)
	said := make(map[string]any)
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || w.Code >= 300 {
		c.t.Fatalf("%s %s: %d %s", path, b, w.Code, w.Body)
	}
	return said
}

// open has a phone open a page, and fill in what is asked about the matter, false if nothing can be rated.
func (c *centre) open(address string, level int) bool {
	c.t.Helper()
	path := strings.TrimPrefix(address, "https://rate.example.com")
	w := httptest.NewRecorder()
	c.page.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	found := regexp.MustCompile(`name="submission" value="([0-9a-f]+)"`).FindStringSubmatch(w.Body.String())
	if found == nil {
		return false
	}
	form := url.Values{"submission": {found[1]}, "matter.level": {fmt.Sprint(level)}}
	for range 2 { // who presses twice has rated once
		r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w = httptest.NewRecorder()
		if c.page.ServeHTTP(w, r); w.Code != http.StatusSeeOther {
			c.t.Fatalf("a form: %d %s", w.Code, w.Body)
		}
	}
	return true
}

// follow waits until the books have all that came.
func (c *centre) follow() {
	c.t.Helper()
	head, err := c.journal.Head(c.t.Context())
	must(c.t, err)
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Minute)
	defer cancel()
	must(c.t, c.books.Wait(ctx, head))
}
