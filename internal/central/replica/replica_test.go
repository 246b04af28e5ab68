package replica_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/central/replica"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// postgres is the server of all tests here.
var postgres dbtest.Shared

func TestMain(m *testing.M) { os.Exit(postgres.Main(m)) }

func onBoth(t *testing.T, test func(t *testing.T, place func(name string) string)) {
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		test(t, func(name string) string { return "sqlite:" + filepath.Join(dir, name, "journal.db") })
	})
	t.Run("postgres", func(t *testing.T) { test(t, func(string) string { return postgres.Database(t) }) })
}

const token = "a token of the province"

// city is a journal with what two boxes have sent, served to whoever copies it.
type city struct {
	t       *testing.T
	db      *db.DB
	journal *journal.Journal
	key     ed25519.PrivateKey
	server  *httptest.Server
	through http.Handler
	broken  atomic.Bool // each answer breaks off once before it is whole
	mu      sync.Mutex
	seen    map[string]bool // guarded by mu
	boxes   []*box
}

type box struct {
	id   rating.DeviceID
	key  ed25519.PrivateKey
	seq  uint64
	prev rating.Hash
}

func newCity(t *testing.T, url string) *city {
	t.Helper()
	j, d, _ := journaltest.Open(t, url)
	c := &city{t: t, db: d, journal: j, key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32)), seen: make(map[string]bool)}
	c.serve(j)
	c.server = httptest.NewServer(http.HandlerFunc(c.answer))
	t.Cleanup(c.server.Close)
	for i := range 2 {
		id := rating.DeviceID(fmt.Sprintf("lz-%d", i))
		b := &box{id: id, key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(9 + i)}, 32)), prev: rating.Genesis(id, 7)}
		e, err := journal.Enrol(journal.Enrolment{Device: id, Key: b.key.Public().(ed25519.PublicKey),
			Window: rating.Window{ID: "1", Name: "1号窗口", Hall: "大厅", Generation: 1}, EnrolledAt: 1}, 1, "1")
		if err != nil {
			t.Fatal(err)
		}
		c.add(e)
		c.boxes = append(c.boxes, b)
	}
	return c
}

func (c *city) serve(j *journal.Journal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.through = replica.Handler(j, func(said string) bool { return said == token }, slog.New(slog.DiscardHandler))
}

// answer breaks each answer off once, in the middle, if the line is bad.
func (c *city) answer(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	whole := !c.broken.Load() || c.seen[r.URL.String()]
	c.seen[r.URL.String()] = true
	through := c.through
	c.mu.Unlock()
	if whole {
		through.ServeHTTP(w, r)
		return
	}
	recorded := httptest.NewRecorder()
	through.ServeHTTP(recorded, r)
	body := recorded.Body.Bytes()
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	_, _ = w.Write(body[:len(body)/2])
	panic(http.ErrAbortHandler)
}

func (c *city) add(e journal.Entry) {
	c.t.Helper()
	if _, err := c.journal.Append(c.t.Context(), e, nil); err != nil {
		c.t.Fatal(err)
	}
}

// grow has each box send some batches, each of a visit that is rated, and signs the head.
func (c *city) grow(batches int) {
	c.t.Helper()
	for range batches {
		for _, b := range c.boxes {
			c.add(b.visit(c.t))
		}
	}
	c.seal()
}

func (c *city) seal() {
	c.t.Helper()
	if _, err := c.journal.Seal(c.t.Context(), c.key); err != nil {
		c.t.Fatal(err)
	}
}

func (b *box) visit(t *testing.T) journal.Entry {
	t.Helper()
	id, at := rating.VisitID(b.seq+1), rating.Stamp{Boot: 1, Mono: int64(b.seq + 1), Wall: 1_790_000_000_000, Synced: true}
	w := wire.Batch{Device: b.id, Epoch: 7, First: b.seq + 1}
	for _, body := range []rating.Body{
		rating.VisitBody(at, rating.Visit{ID: id, Window: rating.Window{ID: "1", Name: "1号窗口", Hall: "大厅", Generation: 1},
			Subjects: []rating.Subject{rating.StaffSubject}, Grouping: rating.Single, Opener: rating.OpenedByPC, WaitSec: 60}),
		rating.EvaluationBody(at.Add(time.Second), rating.Evaluation{Visit: id, Subject: rating.StaffSubject, Level: rating.Level(1 + b.seq%5),
			Channel: rating.Keypad, WaitedMS: 900}),
	} {
		b.seq++
		raw, err := rating.Record{V: rating.RecordVersion, Device: b.id, Epoch: 7, Seq: b.seq, Prev: b.prev, Body: body}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		b.prev = rating.HashOf(raw)
		w.Records = append(w.Records, raw)
	}
	w.Sign(b.key)
	return journal.Entry{Kind: journal.Batch, Source: string(b.id), Received: 1_790_000_001_000, Key: b.key.Public().(ed25519.PublicKey),
		Signature: w.Signature, Epoch: 7, First: w.First, Parts: w.Records}
}

// copied is a copy of a city's journal.
type copied struct {
	*replica.Follower
	journal *journal.Journal
	db      *db.DB
}

func (c *city) copyTo(url, folder string) copied {
	c.t.Helper()
	d, err := db.Open(c.t.Context(), url)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := d.Close(); err != nil {
			c.t.Error(err)
		}
	})
	j, err := journal.Open(c.t.Context(), journal.Config{DB: d, Secret: make([]byte, 32), Random: rand.Reader, Now: time.Now,
		Logger: slog.New(slog.DiscardHandler), Copied: true})
	if err != nil {
		c.t.Fatal(err)
	}
	return copied{&replica.Follower{URL: c.server.URL, Token: token, Journal: j, Folder: folder, Client: c.server.Client(),
		Verifier: func(origin string) (note.Verifier, error) {
			return journal.Verifier(origin, c.key.Public().(ed25519.PublicKey))
		}}, j, d}
}

// all steps until the centre has nothing more, at most so often, and returns how many steps failed.
func (x copied) all(t *testing.T, most int) (failed int) {
	t.Helper()
	for range most {
		switch _, more, err := x.Step(t.Context()); {
		case err != nil && (errors.Is(err, replica.ErrChanged) || errors.Is(err, replica.ErrOtherOrigin)):
			t.Fatal(err)
		case err != nil:
			failed++
		case !more:
			return failed
		}
	}
	t.Fatal("the copy does not come to an end")
	return failed
}

// equal fails the test unless the copy has the city's rows and heads, and verifies.
func (x copied) equal(t *testing.T, c *city) {
	t.Helper()
	rows := func(j *journal.Journal) (lines []string) {
		all, err := j.Read(t.Context(), 0, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			leaf := e.Header().Leaf()
			lines = append(lines, fmt.Sprintf("%d %x %x", e.Pos, leaf, sha256.Sum256(bytes.Join(e.Parts, []byte("|")))))
		}
		return lines
	}
	if diff := cmp.Diff(rows(c.journal), rows(x.journal)); diff != "" {
		t.Errorf("the copy differs:\n%s", diff)
	}
	a, err := x.journal.Verify(t.Context(), c.key.Public().(ed25519.PublicKey), func(int64, int64) {})
	if err != nil || len(a.Problems) > 0 || a.Rows == 0 || a.Sealed != a.Rows {
		t.Errorf("the copy does not verify: %+v, %v", a, err)
	}
}

func TestACopyIsTheJournalThroughALineThatBreaks(t *testing.T) {
	onBoth(t, func(t *testing.T, place func(string) string) {
		c, folder := newCity(t, place("city")), t.TempDir()
		c.grow(3)
		c.grow(700) // more rows than a page has
		c.broken.Store(true)
		at := place("copy")
		x := c.copyTo(at, folder)
		if failed := x.all(t, 100); failed < 5 {
			t.Errorf("only %d answers broke off", failed)
		}
		x.equal(t, c)
		for range 3 { // each time by a follower that begins anew
			c.grow(20)
			x = c.copyTo(at, folder)
			x.all(t, 100)
			x.equal(t, c)
		}
	})
}

// The books that follow from the copy are those of the city.
func TestBooksOfACopyAreThoseOfTheCity(t *testing.T) {
	onBoth(t, func(t *testing.T, place func(string) string) {
		c := newCity(t, place("city"))
		c.grow(40)
		x := c.copyTo(place("copy"), t.TempDir())
		x.all(t, 10)
		latest := func(j *journal.Journal, url string) string {
			b, stop := bookstest.Follow(t, j, url)
			defer stop()
			size, err := j.Head(t.Context())
			if err == nil {
				err = b.Wait(t.Context(), size)
			}
			all, also := b.Latest(t.Context(), 1000)
			if err = errors.Join(err, also); err != nil || len(all) != 80 {
				t.Fatalf("%d evaluations, %v", len(all), err)
			}
			text, err := json.MarshalIndent(all, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		want := latest(c.journal, strings.Replace(place("city-books"), "journal.db", "books.db", 1))
		got := latest(x.journal, strings.Replace(place("copy-books"), "journal.db", "books.db", 1))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the books of the copy differ:\n%s", diff)
		}
	})
}
