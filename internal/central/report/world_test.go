package report

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/central/rectify"
	"haochaping/internal/rating"
)

const (
	district = "629901000000"
	police   = "116299003MB003333Y"
)

// moved is when the window SL-H2-B02 came to another hall, area and unit.
func moved() directory.Day { return directory.Date(2025, 3, 15) }

// world is a journal, books that follow it, orders and aggregates, at a time of the test's choice.
type world struct {
	journal   *journal.Journal
	db        *db.DB // the books'
	books     *books.Books
	stop      func() // has the books follow no more
	directory *directory.Directory
	orders    *rectify.Orders
	reports   *Reports
	runs      int

	mu    sync.Mutex
	ahead time.Duration // guarded by mu; of the machine's clock
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

// fails is what of a test, or of a draw of rapid's, a helper needs.
type fails interface {
	Helper()
	Fatalf(string, ...any)
}

// engine makes an empty world.
type engine func(testing.TB) *world

// TestReports runs the contract of the room on SQLite and on PostgreSQL.
func TestReports(t *testing.T) {
	contract := map[string]func(*testing.T, engine){
		"TheAggregatesAreWhatARecountFinds": checkTheAggregatesAreWhatARecountFinds,
		"WhatBecomesOfOrders":               checkWhatBecomesOfOrders,
		"AWindowThatMovesWithinThePeriod":   checkAWindowThatMovesWithinThePeriod,
		"TwoInstances":                      checkTwoInstances,
		"AMonthOfAHallStays":                checkAMonthOfAHallStays,
		"BundlesFollowTheOrganisation":      checkBundlesFollowTheOrganisation,
	}
	run := func(t *testing.T, on engine) {
		for _, name := range slices.Sorted(maps.Keys(contract)) {
			t.Run(name, func(t *testing.T) { contract[name](t, on) })
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		run(t, func(t testing.TB) *world {
			dir := t.TempDir()
			return newWorld(t, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db"))
		})
	})
	t.Run("postgres", func(t *testing.T) {
		server := dbtest.StartPostgres(t)
		run(t, func(t testing.TB) *world {
			url := server.Database(t)
			return newWorld(t, url, url)
		})
	})
}

func newWorld(t testing.TB, journalAt, booksAt string) *world {
	t.Helper()
	w := new(world)
	w.journal, _, _ = journaltest.Open(t, journalAt)
	var err error
	if w.directory, err = directory.Open(t.Context(), w.journal); err != nil {
		t.Fatal(err)
	}
	directorytest.Enter(t, w.directory, "../../../cmd/ratingctl/organisation.csv")
	w.change(t, "类别,编号,名称,生效日期,所属单位,大厅\n窗口,SL-H2-B02,便民服务3号窗口,"+moved().String()+",,SL-H3\n")
	w.books, w.stop = bookstest.Follow(t, w.journal, booksAt)
	if w.db, err = db.Open(t.Context(), booksAt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	notices, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	for year := 2027; year < 2060; year++ {
		notices = append(notices, rating.Notice{Year: year, Source: "a test's"})
	}
	days, err := rating.NewCalendar(notices...)
	if err != nil {
		t.Fatal(err)
	}
	w.orders, err = rectify.Open(t.Context(), rectify.Config{Journal: w.journal, Books: w.books, Directory: w.directory, Holder: "here",
		Now:    w.now,
		Logger: slog.New(slog.DiscardHandler), Terms: rectify.Terms{Calendar: days, Contact: 1, Office: 5}})
	if err == nil {
		err = w.orders.Once(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	w.serve(t)
	w.reports = w.open(t, "here")
	return w
}

// open returns the aggregates as an instance opens them.
func (w *world) open(t fails, holder string) *Reports {
	t.Helper()
	r, err := Open(context.Background(), Config{DB: w.db, Journal: w.journal, Books: w.books, Orders: w.orders, Directory: w.directory,
		Holder: holder, Now: w.now,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return r
}

func (w *world) change(t testing.TB, text string) {
	t.Helper()
	lines, err := directory.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.directory.Preview(t.Context(), lines, nil)
	if err == nil {
		err = w.directory.Apply(t.Context(), "operator test", "test", journal.Act{}, p)
	}
	if err != nil {
		t.Fatal(err, p.Tell())
	}
}

// boxes is how many boxes serve windows. The last kind serves none of the organisation's.
const boxes = 400

// boxOf returns a box, and the window at which it stands.
func boxOf(n int) (rating.DeviceID, string) {
	windows := []string{"SL-H2-B02", "SL-H1-A07", "SL-H3-C01", "hand-made"}
	return rating.DeviceID(fmt.Sprintf("rp-%04d", n)), windows[n%len(windows)]
}

// serve notes which box serves which window.
func (w *world) serve(t testing.TB) {
	t.Helper()
	_, err := w.journal.Do(t.Context(), "operator test", "", journal.Act{Do: "fleet.test"},
		func(ctx context.Context, tx *db.Tx, pos int64) error {
			for n := range boxes {
				d, window := boxOf(n)
				if window == "hand-made" {
					continue
				}
				if err := directory.Served(ctx, tx, d, rating.Window{ID: window, Generation: 1}, pos); err != nil {
					return err
				}
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
}

// wait returns when the books are at the journal's end.
func (w *world) wait(t fails) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	head, err := w.journal.Head(ctx)
	if err == nil {
		err = w.books.Wait(ctx, head)
	}
	if err != nil {
		t.Fatalf("wait for the books: %v", err)
	}
}

// once has the aggregates follow.
func (w *world) once(t fails) {
	t.Helper()
	if err := w.reports.Once(context.Background()); err != nil {
		t.Fatalf("follow: %v", err)
	}
}

func (w *world) sum(t fails, a Ask) Table {
	t.Helper()
	if a.Fits == nil {
		a.Fits = func(Where) bool { return true }
	}
	out, err := w.reports.Sum(context.Background(), a)
	if err != nil {
		t.Fatalf("sum: %v", err)
	}
	return out
}

// dump returns what the tables say, without the numbers that the order of arrival gives.
func (w *world) dump(t fails) []string {
	t.Helper()
	var all []string
	for _, text := range []string{"SELECT 'fact', item, body, '', '' FROM report_fact",
		"SELECT 'seen', project, item, body, '' FROM report_seen",
		`SELECT 'count', CAST(split AS TEXT) || ' ' || CAST(grain AS TEXT) || ' ' || CAST(at AS TEXT),
			p.device || ' ' || p.window_id || ' ' || p.area || ' ' || p.unit,
			of || ' ' || subject || ' ' || channel, CAST(served AS TEXT) || ' ' || CAST(asked AS TEXT) || ' ' || CAST(n1 AS TEXT) || ' ' || CAST(n2
				AS TEXT) || ' ' ||
			CAST(n3 AS TEXT) || ' ' || CAST(n4 AS TEXT) || ' ' || CAST(n5 AS TEXT) FROM report_count c JOIN report_post p ON p.id = c.post`,
		"SELECT 'order', CAST(order_id AS TEXT), CAST(part AS TEXT), CAST(at AS TEXT), body FROM report_order",
		"SELECT 'name', CAST(split AS TEXT), of, name, '' FROM report_name"} {
		rows, err := db.Query(context.Background(), w.db, func(s db.Scanner) (string, error) {
			var x [5]string
			err := s.Scan(&x[0], &x[1], &x[2], &x[3], &x[4])
			return fmt.Sprint(x), err
		}, text)
		if err != nil {
			t.Fatalf("dump: %v", err)
		}
		all = append(all, rows...)
	}
	slices.Sort(all)
	return all
}

// chain is a box's log.
type chain struct {
	device rating.DeviceID
	window string
	epoch  rating.Epoch
	head   rating.Hash
	seq    uint64
	raw    [][]byte
}

func newChain(n int) *chain {
	d, window := boxOf(n)
	return &chain{device: d, window: window, epoch: rating.Epoch(n + 1), head: rating.Genesis(d, rating.Epoch(n+1))}
}

func (c *chain) add(t fails, body rating.Body) uint64 {
	t.Helper()
	c.seq++
	raw, err := rating.Record{V: rating.RecordVersion, Device: c.device, Epoch: c.epoch, Seq: c.seq, Prev: c.head, Body: body}.Encode()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	c.raw, c.head = append(c.raw, raw), rating.HashOf(raw)
	return c.seq
}

// batch returns some of the records, from 1.
func (c *chain) batch(first, last int, received time.Time) journal.Entry {
	return journal.Entry{Kind: journal.Batch, Source: string(c.device), Received: received.UnixMilli(), Epoch: c.epoch, First: uint64(first),
		Parts: c.raw[first-1 : last]}
}

func (w *world) append(t fails, e journal.Entry) {
	t.Helper()
	if _, err := w.journal.Append(context.Background(), e, nil); err != nil {
		t.Fatalf("append: %v", err)
	}
}
