package policy

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/journal/journaltest"
)

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time       { return time.UnixMilli(c.at.Load()) }
func (c *clock) pass(d time.Duration) { c.at.Add(d.Milliseconds()) }
func keyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+n)), 32)))
}
func public(n byte) ed25519.PublicKey { return keyOf(n).Public().(ed25519.PublicKey) }
func signed(t *testing.T, d Document, n byte) Signed {
	t.Helper()
	s, err := Sign(d, keyOf(n))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// world is a place for journals, and a clock.
type world struct {
	clock
	url func() string
}

func (w *world) room(t *testing.T, above ed25519.PublicKey, own byte) *Room {
	t.Helper()
	j, _, _ := journaltest.OpenAt(t, w.url(), w.now)
	r, err := Open(t.Context(), Config{Journal: j, Above: above, Own: keyOf(own)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRoom(t *testing.T) {
	contract := map[string]func(*testing.T, *world){"Take": checkTake, "Choose": checkChoose, "Issue": checkIssue, "Line": checkLine,
		"TwoInstances": checkTwo, "Backup": checkBackup}
	run := func(t *testing.T, url func(*testing.T) string) {
		for name, check := range contract {
			t.Run(name, func(t *testing.T) {
				w := &world{url: func() string { return url(t) }}
				w.at.Store(time.Date(2026, 11, 27, 4, 0, 0, 0, time.UTC).UnixMilli())
				check(t, w)
			})
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		run(t, func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "journal.db") })
	})
	t.Run("postgres", func(t *testing.T) {
		server := dbtest.StartPostgres(t)
		run(t, func(t *testing.T) string { return server.Database(t) })
	})
}

var me = By{Account: "acc1"}

func take(t *testing.T, r *Room, s Signed, fresh bool, want error) {
	t.Helper()
	if got, err := r.Take(t.Context(), me, FromFile, s); got != fresh || !errors.Is(err, want) {
		t.Errorf("taken: %v, %v; want %v, %v", got, err, fresh, want)
	}
}

// checkTake: a policy is taken once, and only one that the level above has signed and whose number is greater; each stands in the
// journal.
func checkTake(t *testing.T, w *world) {
	r := w.room(t, public(0), 1)
	second := signed(t, document(2, "2026-11-01"), 0)
	take(t, r, second, true, nil)
	take(t, r, second, false, nil)
	take(t, r, signed(t, document(1, "2026-11-01"), 0), false, ErrOlder)
	other := document(2, "2026-11-01")
	other.Title = "另一份"
	take(t, r, signed(t, other, 0), false, ErrOther)
	take(t, r, signed(t, document(3, "2026-11-01"), 2), false, ErrSignature)
	for i := range second.Policy { // each byte counts
		changed := second
		changed.Policy = second.Policy[:i] + string(rune(second.Policy[i]^1)) + second.Policy[i+1:]
		take(t, r, changed, false, ErrSignature)
	}
	old := document(3, "2026-11-01")
	old.Until = "2026-11-26"
	take(t, r, signed(t, old, 0), false, ErrExpired)
	take(t, r, signed(t, document(4, "2026-12-01"), 0), true, nil)
	s, err := r.Standing(t.Context(), w.now())
	if err != nil || len(s.All) != 2 || s.Holding == nil || s.Holding.Document.Number != 2 || s.Holding.Signed != second {
		t.Fatalf("holds %+v, %v", s.Holding, err)
	}
	w.pass(4 * 24 * time.Hour)
	if s, err = r.Standing(t.Context(), w.now()); err != nil || s.Holding.Document.Number != 4 {
		t.Errorf("on its first day holds %+v, %v", s.Holding, err)
	}
	entries, err := r.cfg.Journal.Follow(t.Context(), 0, 100)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d rows in the journal, %v", len(entries), err)
	}
	if a, err := entries[0].Act(); err != nil || a.Do != "policy.take" || !strings.Contains(string(a.Data), second.Signature) {
		t.Errorf("the journal says %+v, %v", a, err)
	}
	if _, err := r.Issue(t.Context(), me, document(5, "2026-12-01")); err == nil {
		t.Error("a centre below issues a policy")
	}
}

func checkChoose(t *testing.T, w *world) {
	r := w.room(t, public(0), 1)
	var refusal *Refusal
	if err := r.Choose(t.Context(), me, "orders.office_days", "4", false); !errors.As(err, &refusal) {
		t.Errorf("chosen without a policy: %v", err)
	}
	take(t, r, signed(t, document(1, "2026-11-01"), 0), true, nil)
	for value, ok := range map[string]bool{"4": true, "5": false, "x": false} {
		if err := r.Choose(t.Context(), me, "orders.office_days", value, false); (err == nil) != ok {
			t.Errorf("%s days: %v", value, err)
		}
	}
	for _, n := range []Name{"deadline.late_answers_replace", "orders.contact_days", "else"} {
		if err := r.Choose(t.Context(), me, n, "false", false); !errors.As(err, &refusal) {
			t.Errorf("%s was chosen: %v", n, err)
		}
	}
	holds := func(want string, level Level) {
		t.Helper()
		s, err := r.Standing(t.Context(), w.now())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range Resolve(s.Document(), s.Choices, nil) {
			if h.Name == "orders.office_days" && (h.Value != want || h.Level != level) {
				t.Errorf("holds %+v, want %s", h, want)
			}
		}
	}
	holds("4", Here)
	narrow := document(2, "2026-11-01")
	narrow.Settings[1].Most = number(3)
	take(t, r, signed(t, narrow, 0), true, nil)
	holds("3", Above)
	take(t, r, signed(t, document(3, "2026-11-01"), 0), true, nil)
	holds("4", Here)
	if err := r.Choose(t.Context(), me, "orders.office_days", "", true); err != nil {
		t.Fatal(err)
	}
	holds("3", Above)
}

func checkIssue(t *testing.T, w *world) {
	r := w.room(t, nil, 0)
	s, err := r.Issue(t.Context(), me, document(1, "2026-11-01"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(public(0)); err != nil {
		t.Error(err)
	}
	if _, err := r.Issue(t.Context(), me, document(1, "2026-12-01")); !errors.Is(err, ErrMeanwhile) {
		t.Errorf("the number was issued already: %v", err)
	}
	if _, err := r.Take(t.Context(), me, FromFile, s); err == nil {
		t.Error("a centre without a level above takes a policy")
	}
}

// checkLine: a centre below that is away for three weeks goes on with what it has, takes all that follows when the line is back, in
// whatever pieces it breaks, and says since when it was away; an answer that was played before, changed or cut is refused and named.
func checkLine(t *testing.T, w *world) {
	province, city := w.room(t, nil, 0), w.room(t, public(0), 1)
	issue := func(n int64) {
		t.Helper()
		if _, err := province.Issue(t.Context(), me, document(n, "2026-11-01")); err != nil {
			t.Fatal(err)
		}
	}
	var breaks atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	way := Handler(province)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, q *http.Request) {
		if b := breaks.Load(); b != nil && (*b)(rw, q) {
			return
		}
		way.ServeHTTP(rw, q)
	}))
	defer server.Close()
	turn := func(f func(http.ResponseWriter, *http.Request) bool) { breaks.Store(&f) }
	pull := &Pull{Room: city, URL: server.URL + "/", Client: server.Client(), Holder: "here", Every: time.Minute,
		Logger: slog.New(slog.DiscardHandler)}
	state := func(n int64, failing bool) {
		t.Helper()
		s, err := city.Standing(t.Context(), w.now())
		if err != nil {
			t.Fatal(err)
		}
		if (s.Holding == nil) != (n == 0) || n > 0 && s.Holding.Document.Number != n || s.Line.Failing.IsZero() == failing {
			t.Errorf("holds %+v with the line %+v, want number %d, failing %v", s.Holding, s.Line, n, failing)
		}
	}
	once := func(ok bool) {
		t.Helper()
		if err := pull.Once(t.Context()); (err == nil) != ok {
			t.Errorf("asked: %v", err)
		}
	}
	once(true)
	state(0, false)
	issue(1)
	once(true)
	state(1, false)
	first, err := province.After(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	turn(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	down := w.now()
	for n := range int64(3 * mostAnswered) { // more than one answer holds
		issue(n + 2)
		w.pass(8 * time.Hour)
	}
	once(false)
	w.pass(24 * time.Hour)
	once(false)
	state(1, true)
	if l, err := city.Line(t.Context()); err != nil || !l.Heard.Equal(down) || l.Words == "" {
		t.Errorf("the line is %+v, %v, heard last at %v", l, err, down)
	}
	turn(func(rw http.ResponseWriter, _ *http.Request) bool { // cut within the answer
		rw.Header().Set("Content-Length", "100000")
		_, _ = rw.Write([]byte(`[{"policy":`))
		panic(http.ErrAbortHandler)
	})
	once(false)
	turn(func(rw http.ResponseWriter, _ *http.Request) bool { // one of another key
		_ = json.NewEncoder(rw).Encode([]Signed{signed(t, document(99, "2026-11-01"), 2)})
		return true
	})
	once(false)
	turn(func(rw http.ResponseWriter, _ *http.Request) bool {
		http.Error(rw, "away", http.StatusBadGateway)
		return true
	})
	once(false)
	state(1, true)
	turn(func(http.ResponseWriter, *http.Request) bool { return false })
	once(true)
	state(3*mostAnswered+1, false)
	turn(func(rw http.ResponseWriter, _ *http.Request) bool { // an older one is played again
		_ = json.NewEncoder(rw).Encode([]Signed{first[0].Signed})
		return true
	})
	once(true) // it is here, so it changes nothing
	state(3*mostAnswered+1, false)
	turn(func(rw http.ResponseWriter, _ *http.Request) bool { _, _ = rw.Write([]byte("[]")); return true })
	if err := pull.Once(t.Context()); !errors.Is(err, ErrBehind) {
		t.Errorf("the level above lost what is here: %v", err)
	}
}

// checkTwo: of two instances that issue or take at once, one does.
func checkTwo(t *testing.T, w *world) {
	url := w.url()
	both := []*Room{}
	w.url = func() string { return url }
	for range 2 {
		both = append(both, w.room(t, nil, 0))
	}
	var done, lost atomic.Int32
	var all sync.WaitGroup
	for i, r := range both {
		all.Go(func() {
			d := document(1, "2026-11-01")
			d.Title += strconv.Itoa(i)
			switch _, err := r.Issue(t.Context(), me, d); {
			case err == nil:
				done.Add(1)
			case errors.Is(err, ErrMeanwhile):
				lost.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if done.Load() != 1 || lost.Load() != 1 {
		t.Errorf("%d issued number 1, %d were told that somebody else had", done.Load(), lost.Load())
	}
	for _, r := range both {
		if some, err := r.After(t.Context(), 0); err != nil || len(some) != 1 {
			t.Errorf("%d policies, %v", len(some), err)
		}
	}
}

func checkBackup(t *testing.T, w *world) {
	from, to := w.room(t, nil, 0), (*Room)(nil)
	if _, err := from.Issue(t.Context(), me, document(1, "2026-11-01")); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(w.url(), "sqlite:") {
		w.url = func() string { return "sqlite:" + filepath.Join(t.TempDir(), "journal.db") }
	}
	to = w.room(t, nil, 0)
	if err := from.Export(t.Context(), func(b []byte) error { return to.Import(t.Context(), b) }); err != nil {
		t.Fatal(err)
	}
	if all, err := to.After(t.Context(), 0); err != nil || len(all) != 1 || all[0].Document.Number != 1 {
		t.Errorf("restored %+v, %v", all, err)
	}
}
