package integrity

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/report"
	"haochaping/internal/rating"
)

// world is the demonstration's city with boxes at four windows of a hall, and what looks for signs there.
type world struct {
	journal  *journal.Journal
	db       *db.DB // the books'
	books    *books.Books
	reports  *report.Reports
	dossiers *dossier.Dossiers
	room     *Room

	mu sync.Mutex
	at time.Time // guarded by mu
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

const windows = 4

func windowOf(n int) string          { return fmt.Sprintf("SL-H2-B%02d", n+1) }
func deviceOf(n int) rating.DeviceID { return rating.DeviceID(fmt.Sprintf("jia-b%02d", n+1)) }
func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func newWorld(t *testing.T, journalAt, booksAt string) *world {
	t.Helper()
	w := &world{at: (directory.Date(2026, 3, 30)).Start().Add(2 * time.Hour)}
	w.journal, _, _ = journaltest.OpenAt(t, journalAt, w.now)
	d, err := directory.Open(t.Context(), w.journal)
	must(t, err)
	directorytest.Enter(t, d, "../../../cmd/ratingctl/organisation.csv")
	w.books, _ = bookstest.Follow(t, w.journal, booksAt)
	w.db, err = db.Open(t.Context(), booksAt)
	must(t, err)
	t.Cleanup(func() { _ = w.db.Close() })
	notices, err := rating.BuiltInNotices()
	must(t, err)
	days, err := rating.NewCalendar(notices...)
	must(t, err)
	log := slog.New(slog.DiscardHandler)
	orders, err := rectify.Open(t.Context(), rectify.Config{Journal: w.journal, Books: w.books, Directory: d, Holder: "here", Now: w.now,
		Logger: log, Terms: rectify.Terms{Calendar: days, Contact: 1, Office: 5}})
	must(t, err)
	w.reports, err = report.Open(t.Context(), report.Config{DB: w.db, Journal: w.journal, Books: w.books, Orders: orders, Directory: d,
		Holder: "here", Now: w.now, Logger: log})
	must(t, err)
	w.dossiers, err = dossier.Open(t.Context(), w.journal)
	must(t, err)
	_, err = w.journal.Do(t.Context(), "operator test", "", journal.Act{Do: "fleet.test"}, func(ctx context.Context, tx *db.Tx,
		pos int64) error {
		for n := range windows {
			if err := directory.Served(ctx, tx, deviceOf(n), rating.Window{ID: windowOf(n), Generation: 1}, pos); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, err)
	w.room, err = Open(t.Context(), Config{DB: w.db, Journal: w.journal, Books: w.books, Reports: w.reports, Directory: d,
		Dossiers: w.dossiers,
		Closes:   func(context.Context) (map[string]int, int, error) { return nil, 17 * 60, nil },
		Served: func(context.Context) (map[string]time.Time, error) {
			return map[string]time.Time{windowOf(windows - 1): w.now().Add(-100 * 24 * time.Hour)}, nil
		},
		Secret: []byte("secret"), Salt: rand.Text, Holder: "here", Now: w.now, Logger: log})
	must(t, err)
	return w
}

// box is a box's log as it is sent.
type box struct {
	n    int
	seq  uint64
	head rating.Hash
	sent int
	raw  [][]byte
}

func (b *box) add(t testing.TB, body rating.Body) {
	t.Helper()
	b.seq++
	raw, err := rating.Record{V: rating.RecordVersion, Device: deviceOf(b.n), Epoch: 7, Seq: b.seq, Prev: b.head, Body: body}.Encode()
	must(t, err)
	b.raw, b.head = append(b.raw, raw), rating.HashOf(raw)
}

// visit adds a visit that is answered some seconds after the question.
func (b *box) visit(t testing.TB, id int, at time.Time, wait time.Duration) {
	t.Helper()
	stamp := func(d time.Duration) rating.Stamp {
		return rating.Stamp{Boot: 1, Mono: at.Add(d).UnixMilli() - directory.Date(2026, 1, 1).Start().UnixMilli(), Wall: at.Add(d).UnixMilli(),
			Synced: true}
	}
	v := rating.Visit{ID: rating.VisitID(1000*(b.n+1) + id), Opener: rating.OpenedByPC, Grouping: rating.Single, WaitSec: 60,
		Subjects: []rating.Subject{rating.StaffSubject},
		Window:   rating.Window{ID: windowOf(b.n), Name: "窗口", Hall: "大厅", Area: "629901000000", Generation: 1},
		Staff:    rating.Staff{ID: "SL-0016"}}
	b.add(t, rating.VisitBody(stamp(0), v))
	b.add(t, rating.EvaluationBody(stamp(wait), rating.Evaluation{Visit: v.ID, Subject: rating.StaffSubject, Level: rating.VerySatisfied,
		Channel: rating.Keypad, WaitedMS: wait.Milliseconds()}))
	b.add(t, rating.OutcomeBody(stamp(wait+5*time.Second), rating.Closing{Visit: v.ID, Outcome: rating.Rated,
		Rated: []rating.Subject{rating.StaffSubject}}))
}

// send sends what was added, from some records before on, as a box does that has heard no answer.
func (w *world) send(t testing.TB, b *box, again int) {
	t.Helper()
	first := max(0, b.sent-again)
	_, err := w.journal.Append(t.Context(), journal.Entry{Kind: journal.Batch, Source: string(deviceOf(b.n)), Received: w.now().UnixMilli(),
		Epoch: 7, First: uint64(first + 1), Parts: b.raw[first:]}, nil)
	must(t, err)
	b.sent = len(b.raw)
}

// follow has books, figures and the room follow.
func (w *world) follow(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	head, err := w.journal.Head(ctx)
	must(t, err, w.books.Wait(ctx, head), w.reports.Once(ctx), w.room.Once(ctx))
}

// TestRoom runs the contract of the room on SQLite and on PostgreSQL.
func TestRoom(t *testing.T) {
	contract := map[string]func(*testing.T, *world){"SignsAreFound": checkSignsAreFound, "PhonesAreForgotten": checkPhonesAreForgotten}
	run := func(t *testing.T, open func(*testing.T) *world) {
		for _, name := range slices.Sorted(maps.Keys(contract)) {
			t.Run(name, func(t *testing.T) { contract[name](t, open(t)) })
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		run(t, func(t *testing.T) *world {
			dir := t.TempDir()
			return newWorld(t, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db"))
		})
	})
	t.Run("postgres", func(t *testing.T) {
		server := dbtest.StartPostgres(t)
		run(t, func(t *testing.T) *world {
			url := server.Database(t)
			return newWorld(t, url, url)
		})
	})
}

// signs returns the rules and windows of the dossiers that need somebody.
func (w *world) signs(t testing.TB) (all []string) {
	t.Helper()
	some, err := w.dossiers.List(t.Context(), dossier.Filter{Kind: dossier.Sign, Limit: 100})
	must(t, err)
	for _, k := range some {
		all = append(all, k.Name[:strings.LastIndexByte(k.Name, ' ')])
	}
	slices.Sort(all)
	return all
}

// checkSignsAreFound has the staff of one window press at once, at another window one phone rate for many, and a third window with a box
// never ask: each is raised once, with evidence that leads to evaluations, until people have judged those days.
func checkSignsAreFound(t *testing.T, w *world) {
	var boxes []*box
	for n := range windows - 1 {
		b := &box{n: n, head: rating.Genesis(deviceOf(n), 7)}
		boxes = append(boxes, b)
		for i := range 40 {
			wait := 6 * time.Second
			if n == 0 && i%2 == 0 {
				wait = time.Second
			}
			b.visit(t, i, directory.Date(2026, 3, 4+i/2).Start().Add(time.Duration(9+3*(i%2))*time.Hour), wait)
			w.send(t, b, i%5)
		}
	}
	for i := range onePhone {
		r, err := w.journal.Rate(t.Context(), journal.Rating{Device: deviceOf(1), Name: fmt.Sprint("p", i), Received: w.now().UnixMilli(),
			Answers: []rating.Evaluation{{Visit: rating.VisitID(2000 + i), Subject: rating.MatterSubject, Level: 5, Channel: rating.Phone}}})
		must(t, err, w.room.Phoned(t.Context(), From{deviceOf(1), rating.VisitID(2000 + i), r.Pos, "203.0.113.9", "a phone"}))
	}
	w.pass(24 * time.Hour)
	w.follow(t)
	must(t, w.room.daily(t.Context()), w.room.daily(t.Context()))
	want := []string{"fast_presses SL-H2-B01", "never_asks SL-H2-B04", "phone_burst SL-H2-B02"}
	if got := w.signs(t); !slices.Equal(got, want) {
		t.Fatalf("signs %v, want %v", got, want)
	}
	all, err := w.dossiers.Begun(t.Context(), dossier.Sign, "fast_presses ")
	must(t, err)
	k, err := w.dossiers.Dossier(t.Context(), all[0].ID)
	must(t, err)
	var f Finding
	must(t, json.Unmarshal(k.Found, &f))
	if k.Area != "629901000000" || k.Hall != "SL-H2" || len(k.Units) == 0 || f.Lines[0].Value != "20 / 40（50.00%）" ||
		len(f.Examples) != mostExamples {
		t.Errorf("found %+v of %+v", f, k.Dossier)
	}
	for _, id := range f.Examples {
		if e, found, err := w.books.Entry(t.Context(), id); err != nil || !found || e.Window.ID != "SL-H2-B01" {
			t.Errorf("example %d is %+v, %v, %v", id, e, found, err)
		}
	}
	if n, err := w.room.Examine(t.Context()); n != 0 || err != nil {
		t.Errorf("found again: %d, %v", n, err)
	}
	phoned, err := w.dossiers.Begun(t.Context(), dossier.Sign, "phone_burst ")
	must(t, err)
	k2, err := w.dossiers.Dossier(t.Context(), phoned[0].ID)
	must(t, err)
	var one Finding
	must(t, json.Unmarshal(k2.Found, &one))
	if one.Examples != nil || one.Day != f.Days.To-1 {
		t.Errorf("a dossier says which ratings are of one phone, or not on which day: %+v", one)
	}
	paces, ok, err := w.room.Paces(t.Context(), f.Days, func(p report.Where) bool { return p.Hall == "SL-H2" },
		func(p report.Where) string { return p.Window })
	if p := paces["SL-H2-B01"]; err != nil || !ok || p.Keys != 40 || p.Fast != 20 || p.Median() != 1500*time.Millisecond ||
		paces["SL-H2-B02"].Median() != 6500*time.Millisecond || len(paces) != windows-1 {
		t.Errorf("keys were pressed so fast: %+v, %v, %v", paces, ok, err)
	}
	by := dossier.By{Account: "acc1"}
	k, err = w.dossiers.Do(t.Context(), by, k, dossier.Event{Do: dossier.Acknowledge}, "")
	must(t, err)
	_, err = w.dossiers.Do(t.Context(), by, k, dossier.Event{Do: dossier.Confirm}, "工作人员代按，已批评教育")
	must(t, err)
	w.pass(24 * time.Hour)
	if n, err := w.room.Examine(t.Context()); n != 0 || err != nil {
		t.Errorf("raised again by days that were judged: %d, %v", n, err)
	}
	w.pass(compared * 24 * time.Hour)
	for i := range 40 {
		boxes[0].visit(t, 100+i, directory.Date(2026, 4, 2+i/2).Start().Add(time.Duration(9+3*(i%2))*time.Hour), time.Second)
		boxes[1].visit(t, 100+i, directory.Date(2026, 4, 2+i/2).Start().Add(time.Duration(9+3*(i%2))*time.Hour), 7*time.Second)
	}
	w.send(t, boxes[0], 0)
	w.send(t, boxes[1], 0)
	w.follow(t)
	if n, err := w.room.Examine(t.Context()); n != 1 || err != nil {
		t.Errorf("what goes on is raised %d times, %v: %v", n, err, w.signs(t))
	}
}

// checkPhonesAreForgotten: two days later nothing is left of phones, and nothing was ever kept of what is no address of the internet.
func checkPhonesAreForgotten(t *testing.T, w *world) {
	count := func(table string) (n int64) {
		t.Helper()
		all, err := db.Query(t.Context(), w.db, func(s db.Scanner) (n int64, err error) { return n, s.Scan(&n) }, "SELECT count(*) FROM "+table)
		must(t, err)
		return all[0]
	}
	must(t, w.room.Phoned(t.Context(), From{"jia-b01", 1, 1, "10.0.0.7", "a phone"}))
	if n := count("integrity_origin"); n != 0 {
		t.Errorf("%d private addresses are noted", n)
	}
	must(t, w.room.Phoned(t.Context(), From{"jia-b01", 1, 2, "203.0.113.9", "a phone"}), w.room.Phoned(t.Context(),
		From{"jia-b01", 2, 3, "203.0.113.9", "a phone"}), w.room.Phoned(t.Context(), From{"jia-b01", 3, 4, "203.0.113.9", "another phone"}))
	all, err := w.room.origins(t.Context(), directory.DayOf(w.now()))
	must(t, err)
	if len(all) != 3 || all[0].phone != all[1].phone || all[0].phone == all[2].phone || all[0].network != all[2].network ||
		strings.Contains(fmt.Sprint(all), "203.0.113") {
		t.Errorf("origins %+v", all)
	}
	w.pass(24 * time.Hour)
	must(t, w.room.Phoned(t.Context(), From{"jia-b01", 4, 5, "203.0.113.9", "a phone"}), w.room.forget(t.Context(), new(directory.Day)))
	if again, err := w.room.origins(t.Context(), directory.DayOf(w.now())); err != nil || len(again) != 1 || again[0].phone == all[0].phone {
		t.Errorf("the same phone has the same tag on another day: %+v, %v", again, err)
	}
	w.pass(48 * time.Hour)
	must(t, w.room.forget(t.Context(), new(directory.Day)))
	if a, b := count("integrity_origin"), count("integrity_salt"); a != 0 || b != 0 {
		t.Errorf("%d tags and %d salts are left", a, b)
	}
	// Also where signs cannot be looked for, and after a clock that was far ahead.
	w.pass(1000 * time.Hour)
	must(t, w.room.Phoned(t.Context(), From{"jia-b01", 5, 6, "203.0.113.9", "a phone"}))
	w.pass(-1000 * time.Hour)
	must(t, w.room.Phoned(t.Context(), From{"jia-b01", 6, 7, "203.0.113.9", "a phone"}))
	w.pass(48 * time.Hour)
	w.room.cfg.Closes = func(context.Context) (map[string]int, int, error) { return nil, 0, errors.New("away") }
	ctx, stop := context.WithCancel(t.Context())
	var runs sync.WaitGroup
	runs.Go(func() { _ = w.room.Run(ctx) }) // it ends with its context
	defer runs.Wait()
	defer stop()
	for end := time.Now().Add(time.Minute); count("integrity_origin")+count("integrity_salt") > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("tags of phones are kept for ever where signs cannot be looked for")
		}
	}
}
