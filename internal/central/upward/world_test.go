package upward

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
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
	"haochaping/internal/guomi"
	"haochaping/internal/proof/province"
	"haochaping/internal/rating"
)

const (
	district = "629901000000"
	police   = "116299003MB003333Y"
)

// fails is what of a test, or of a draw of rapid's, a helper needs.
type fails interface {
	Helper()
	Fatalf(string, ...any)
}

// world is a journal, books that follow it, what goes upward, and a province above, at a time of the test's choice.
type world struct {
	journal   *journal.Journal
	db        *db.DB // the books'
	books     *books.Books
	directory *directory.Directory
	room      *Room
	push      *Push
	province  *province.Province
	server    *httptest.Server
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

// engine makes an empty world.
type engine func(testing.TB) *world

// TestUpward runs the contract of the room on SQLite and on PostgreSQL.
func TestUpward(t *testing.T) {
	contract := map[string]func(*testing.T, engine){
		"TheProvinceEndsWithWhatARecountFinds": checkTheProvinceEndsWithWhatARecountFinds,
		"ReasonsAreWaitedFor":                  checkReasonsAreWaitedFor,
		"WhatIsRefused":                        checkWhatIsRefused,
		"TwoInstances":                         checkTwoInstances,
	}
	run := func(t *testing.T, on engine) {
		for _, name := range slices.Sorted(maps.Keys(contract)) {
			t.Run(name, func(t *testing.T) { contract[name](t, on) })
		}
	}
	t.Run("sqlite", func(t *testing.T) { run(t, onSQLite) })
	t.Run("postgres", func(t *testing.T) {
		server := dbtest.StartPostgres(t)
		run(t, func(t testing.TB) *world {
			url := server.Database(t)
			return newWorld(t, url, url)
		})
	})
}

func onSQLite(t testing.TB) *world {
	dir := t.TempDir()
	return newWorld(t, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db"))
}

func newWorld(t testing.TB, journalAt, booksAt string) *world {
	t.Helper()
	w := new(world)
	w.journal, _, _ = journaltest.OpenAt(t, journalAt, w.now)
	var err error
	if w.directory, err = directory.Open(t.Context(), w.journal); err != nil {
		t.Fatal(err)
	}
	directorytest.Enter(t, w.directory, "../../../cmd/ratingctl/organisation.csv")
	w.books, _ = bookstest.Follow(t, w.journal, booksAt)
	if w.db, err = db.Open(t.Context(), booksAt); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	w.serve(t)
	w.room = w.open(t, "here")
	ours, err := guomi.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := guomi.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.province = &province.Province{Key: theirs, Sender: ours.Public()}
	w.server = httptest.NewUnstartedServer(w.province)
	w.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	w.server.Start()
	t.Cleanup(w.server.Close)
	w.push = w.sender(w.room, ours)
	return w
}

func (w *world) sender(r *Room, key guomi.Key) *Push {
	return &Push{Room: r, Post: NewPost(w.server.URL, &http.Transport{DisableKeepAlives: true}), App: "gov-62", Key: key,
		Theirs: w.province.Key.Public(),
		Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)}
}

// open returns what goes upward as an instance opens it.
func (w *world) open(t fails, holder string) *Room {
	t.Helper()
	table, err := Load("gansu")
	if err != nil {
		t.Fatalf("the table: %v", err)
	}
	r, err := Open(context.Background(), Config{DB: w.db, Journal: w.journal, Books: w.books, Directory: w.directory, Table: table,
		Holder: holder, Now: w.now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return r
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
	d, window := boxOf(0)
	for patience := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // the copy of the organisation is believed for a second
		a, err := w.directory.Atlas(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := a.Place(d, window, 1, time.Now()); ok {
			return
		}
		if time.Now().After(patience) {
			t.Fatal("the boxes stand nowhere")
		}
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

// once has the records follow.
func (w *world) once(t fails) {
	t.Helper()
	if err := w.room.Once(context.Background()); err != nil {
		t.Fatalf("follow: %v", err)
	}
}

// settle has all go that can, with nothing going wrong any more, and what was refused go again.
func (w *world) settle(t fails) {
	t.Helper()
	w.province.Breaks(nil, nil)
	for range 20 {
		w.once(t)
		w.pass(49 * time.Hour) // longer than anything is waited for
		if err := w.push.Once(context.Background()); err != nil {
			t.Fatalf("send: %v", err)
		}
		refused, err := w.room.Refused(context.Background(), 0, 1000)
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		var changes []int64
		for _, x := range refused {
			changes = append(changes, x.Change)
		}
		if _, err := w.room.Again(context.Background(), changes); err != nil {
			t.Fatalf("again: %v", err)
		}
		if w.quiet(t) && len(changes) == 0 {
			return
		}
	}
	t.Fatalf("it does not come to an end: %+v", w.left(t))
}

// left returns the records about which something is to be done.
func (w *world) left(t fails) (all []Record) {
	t.Helper()
	all, err := w.room.records(context.Background(), "WHERE state IN (0, 2, 4) OR state = 1 AND gone = 0 AND sure < version ORDER BY n")
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return all
}

func (w *world) quiet(t fails) bool { t.Helper(); return len(w.left(t)) == 0 }

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
