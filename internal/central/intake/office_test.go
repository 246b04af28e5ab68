package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/cases"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
)

// exchange is a gateway between the centre and telephones. It loses messages, hands replies on twice or more, late and in another order,
// and forgets that an answer of the centre came.
type exchange struct {
	random *rand.Rand
	server *httptest.Server
	mu     sync.Mutex
	sent   []map[string]string // to telephones, guarded by mu
	kind   bool                // loses nothing
}

func newExchange(t *testing.T, seed uint64) *exchange {
	x := &exchange{random: rand.New(rand.NewPCG(seed, 1))}
	x.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m map[string]string
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.kind || x.random.IntN(5) > 0 {
			x.sent = append(x.sent, m)
		}
		if !x.kind && x.random.IntN(6) == 0 {
			w.WriteHeader(http.StatusBadGateway) // though it may have been sent
		}
	}))
	t.Cleanup(x.server.Close)
	return x
}

func (x *exchange) take() []map[string]string {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := x.sent
	x.sent = nil
	return all
}

// hotlineOffice is a centre with the doors of 12345 and a clock of the test's.
type hotlineOffice struct {
	t         *testing.T
	clock     atomic.Int64 // milliseconds since 1970
	journal   *journal.Journal
	books     *books.Books
	deadlines *deadline.Deadlines
	hotline   Hotline
	judged    []string // about what, and what was said
	over      bool     // nothing of that is asked any more
	door      *httptest.Server
	log       *bytes.Buffer
}

func newOffice(t *testing.T, gateway string) *hotlineOffice {
	t.Helper()
	o := &hotlineOffice{t: t, log: new(bytes.Buffer)}
	o.set(time.Date(2026, 3, 2, 9, 0, 0, 0, rating.Shanghai()))
	dir := t.TempDir()
	o.journal, _, _ = journaltest.OpenAt(t, "sqlite:"+filepath.Join(dir, "journal.db"), o.now)
	o.books, _ = bookstest.Follow(t, o.journal, "sqlite:"+filepath.Join(dir, "books.db"))
	quiet := slog.New(slog.DiscardHandler)
	sender, err := deadline.NewHTTP(gateway, nil, `{"id":{{json .ID}},"to":{{json .Number}},"text":{{json .Text}}}`, "")
	if err != nil {
		t.Fatal(err)
	}
	sender.Within(2 * time.Minute) // a message that took too long on a slow machine would change all that is drawn after it
	notices, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	days, err := rating.NewCalendar(notices...)
	if err != nil {
		t.Fatal(err)
	}
	if o.deadlines, err = deadline.Open(t.Context(), deadline.Config{Journal: o.journal, Books: o.books, Calendar: days, Gateway: sender,
		Text:   "{matter} {letter}",
		Secret: []byte("secret"), Holder: "here", Now: o.now, Logger: slog.New(slog.NewTextHandler(o.log, nil))}); err != nil {
		t.Fatal(err)
	}
	o.hotline = Hotline{Door: cases.Door{Tokens: oneToken{}, Logger: quiet}, Journal: o.journal, Requests: o.deadlines, Cases: o.books,
		Keys: map[string]rating.Level{"1": 5, "2": 4, "3": 3, "4": 2, "5": 1},
		Judge: func(_ context.Context, about string, satisfied bool, words string) (bool, error) {
			o.judged = append(o.judged, fmt.Sprintf("%s %t %s", about, satisfied, words))
			return !o.over, nil
		}}
	m := http.NewServeMux()
	m.Handle("/sms", o.hotline.SMSHandler())
	m.Handle("/voice", o.hotline.VoiceHandler())
	o.door = httptest.NewServer(m)
	t.Cleanup(o.door.Close)
	return o
}

func (o *hotlineOffice) now() time.Time { return time.UnixMilli(o.clock.Load()) }

func (o *hotlineOffice) set(t time.Time) { o.clock.Store(t.UnixMilli()) }

func (o *hotlineOffice) complete(project, number string) {
	o.t.Helper()
	o.completeIn("620100000000", project, number)
}

func (o *hotlineOffice) completeIn(area, project, number string) {
	o.t.Helper()
	f := rating.CaseFact{Area: area, ProjectNo: project, TaskName: "M" + project, AsOf: o.now().UnixMilli(), CompletedAt: o.now().UnixMilli()}
	if _, err := o.journal.Tell(o.t.Context(), "system", project, []journal.Fact{{Fact: f, Contact: number}}); err != nil {
		o.t.Fatal(err)
	}
}

func (o *hotlineOffice) once() {
	o.t.Helper()
	if err := o.deadlines.Once(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	o.follow()
}

func (o *hotlineOffice) follow() {
	o.t.Helper()
	head, err := o.journal.Head(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	if err := o.books.Wait(ctx, head); err != nil {
		o.t.Fatal(err)
	}
}

// post hands on a message or key, and returns the status and what was said.
func (o *hotlineOffice) post(path string, body map[string]string) (int, map[string]any) {
	o.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		o.t.Fatal(err)
	}
	r, err := http.NewRequest("POST", o.door.URL+path, bytes.NewReader(b))
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	text, err := io.ReadAll(resp.Body)
	said := make(map[string]any)
	if err = errors.Join(err, json.Unmarshal(text, &said)); err != nil {
		o.t.Fatal(err)
	}
	return resp.StatusCode, said
}

func (o *hotlineOffice) sms(id, number, text string, at time.Time) map[string]string {
	return map[string]string{"id": id, "number": number, "text": text, "received_at": at.Format(time.RFC3339)}
}

// levels returns the levels of the answers in the books, in the order in which they came, by project number.
func (o *hotlineOffice) levels() map[string][]rating.Level {
	o.t.Helper()
	o.follow()
	all, err := o.books.Since(o.t.Context(), 0, 1000)
	if err != nil {
		o.t.Fatal(err)
	}
	out := make(map[string][]rating.Level)
	for _, e := range all {
		_, project, _ := strings.Cut(e.Case, " ")
		out[project] = append(out[project], e.Level)
	}
	return out
}
