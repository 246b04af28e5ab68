package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/proof/pgserver"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// bench is one run.
type bench struct {
	dir      string
	records  int
	messages int
	visits   int
	history  int // visits of the books that have years behind them; 0: the ratios are measured
}

// part is something that is measured.
type part struct {
	name string
	run  func(context.Context, *place) error
}

func (b *bench) run(ctx context.Context, only string) error {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		parts := []part{{"journal_backlog", b.backlog}, {"journal_live", b.live}, {"books", b.project}}
		if b.history > 0 {
			parts = []part{{"history", b.years}}
		}
		for _, p := range parts {
			name := p.name
			if engine == db.Postgres {
				name += "_pg"
			}
			if only != "" && only != name {
				continue
			}
			at, err := newPlace(ctx, b.dir, engine, name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			err = p.run(ctx, at)
			if err = errors.Join(err, at.close()); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// say prints a figure and, after it, what it was made of.
func say(name string, value float64, format string, args ...any) {
	fmt.Printf("%s %.3f\n", name, value)
	fmt.Printf("# "+format+"\n", args...)
}

// boxes makes n boxes' messages of one visit each: three records that are signed.
type box struct {
	id    rating.DeviceID
	key   ed25519.PrivateKey
	seq   uint64
	prev  rating.Hash
	visit uint64
}

const epoch rating.Epoch = 0x1234

func newBox(n int) *box {
	id := rating.DeviceID(fmt.Sprintf("bx-%06d", n))
	seed := sha256.Sum256([]byte(id))
	return &box{id: id, key: ed25519.NewKeyFromSeed(seed[:]), prev: rating.Genesis(id, epoch)}
}

func (b *box) public() ed25519.PublicKey { return b.key.Public().(ed25519.PublicKey) }

// add returns the next record.
func (b *box) add(body rating.Body) ([]byte, error) {
	b.seq++
	raw, err := rating.Record{V: rating.RecordVersion, Device: b.id, Epoch: epoch, Seq: b.seq, Prev: b.prev, Body: body}.Encode()
	b.prev = rating.HashOf(raw)
	return raw, err
}

// rate returns the records of one visit: that it was opened, an answer about its matter, and how it ended.
func (b *box) rate() ([][]byte, error) {
	b.visit++
	at := rating.Stamp{Boot: 1, Mono: int64(b.visit) * 60_000, Wall: 1_790_000_000_000 + int64(b.visit)*60_000, Synced: true}
	id := rating.VisitID(sum(string(b.id), b.visit))
	project := fmt.Sprintf("6201%s%09d", b.id, b.visit)
	v := rating.Visit{ID: id, Opener: rating.OpenedByPC, Grouping: rating.Single, WaitSec: 60,
		Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject},
		Window:   rating.Window{ID: "A12", Name: "综合受理12号窗口", Hall: "市民中心政务服务大厅", Generation: 1},
		Staff:    rating.Staff{ID: "0417", Name: "王丽", Department: "市公安局"},
		Cases:    []rating.Case{{ProjectNo: project, TaskCode: "11620100MB0153721", TaskName: "居民身份证换领", Completed: true}}}
	var all [][]byte
	for _, body := range []rating.Body{rating.VisitBody(at, v),
		rating.EvaluationBody(at.Add(4*time.Second), rating.Evaluation{Visit: id, Subject: rating.MatterSubject, Level: 5, Channel: rating.Keypad,
			WaitedMS: 3200}),
		rating.OutcomeBody(at.Add(9*time.Second), rating.Closing{Visit: id, Outcome: rating.Rated,
			Rated: []rating.Subject{rating.MatterSubject}})} {
		raw, err := b.add(body)
		if err != nil {
			return nil, err
		}
		all = append(all, raw)
	}
	return all, nil
}

func sum(s string, n uint64) uint64 {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %d", s, n))
	var x uint64
	for _, c := range h[:8] {
		x = x<<8 | uint64(c)
	}
	return x
}

// message returns a signed batch of so many visits as it stands on the wire, and its records.
func (b *box) message(visits int) (payload []byte, records [][]byte, err error) {
	first := b.seq + 1
	for range visits {
		some, err := b.rate()
		if err != nil {
			return nil, nil, err
		}
		records = append(records, some...)
	}
	w := wire.Batch{Device: b.id, Epoch: epoch, First: first, Released: first - 1, Records: records}
	w.Sign(b.key)
	payload, err = w.Encode()
	return payload, records, err
}

// place is a database with a journal on it and a table for the yardstick.
type place struct {
	name    string
	dir     string
	url     string // of the database
	db      *db.DB
	file    *sql.DB // the same file, for the yardstick alone; nil on PostgreSQL
	journal *journal.Journal
	close   func() error
}

func newPlace(ctx context.Context, dir string, engine db.Engine, name string) (*place, error) {
	tmp, err := os.MkdirTemp(dir, "centrebench")
	if err != nil {
		return nil, err
	}
	p := &place{name: name, dir: tmp, close: func() error { return os.RemoveAll(tmp) }}
	url := "sqlite:" + filepath.Join(tmp, "journal.db")
	if engine == db.Postgres {
		server, err := pgserver.New("shared_buffers=256MB", "max_wal_size=2GB") // and else as PostgreSQL comes, which keeps what it has committed
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		remove := p.close
		p.close = func() error { return errors.Join(server.Close(), remove()) }
		if url, err = server.Database(); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	p.url = url
	if p.db, err = db.Open(ctx, url); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if engine == db.SQLite {
		if p.file, err = openPlain(strings.TrimPrefix(url, "sqlite:")); err != nil {
			return nil, errors.Join(err, p.db.Close(), p.close())
		}
		remove := p.close
		p.close = func() error { return errors.Join(p.file.Close(), remove()) }
	}
	if p.journal, err = openJournal(ctx, p.db); err != nil {
		return nil, errors.Join(err, p.db.Close(), p.close())
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- p.journal.Run(running) }()
	remove := p.close
	p.close = func() error {
		stop()
		return errors.Join(<-ended, p.db.Close(), remove())
	}
	return p, p.yardstickTable(ctx)
}

func openJournal(ctx context.Context, d *db.DB) (*journal.Journal, error) {
	return journal.Open(ctx, journal.Config{DB: d, Secret: make([]byte, 32), Random: rand.Reader, Now: time.Now,
		Logger: slog.New(slog.DiscardHandler)})
}

// take reads, verifies and appends payloads as ingest does, on all cores, with so many under way, and returns how long it took.
func (p *place) take(ctx context.Context, keys map[rating.DeviceID]ed25519.PublicKey, payloads [][]byte, underWay int) (time.Duration,
	error) {
	began := time.Now()
	lanes := make([]chan []byte, runtime.GOMAXPROCS(0))
	t := taking{p: p, keys: keys, room: make(chan struct{}, underWay), failed: make(chan error, 1)}
	var working sync.WaitGroup
	for i := range lanes {
		lanes[i] = make(chan []byte, 64)
		working.Go(func() {
			for payload := range lanes[i] {
				t.fail(t.some(ctx, waiting(payload, lanes[i])))
			}
		})
	}
	for _, payload := range payloads {
		device := payload[:40] // its beginning names the box
		n := 0
		for _, c := range device {
			n = n*31 + int(c)
		}
		lanes[uint(n)%uint(len(lanes))] <- payload
	}
	for _, l := range lanes {
		close(l)
	}
	working.Wait()
	t.answered.Wait()
	select {
	case err := <-t.failed:
		return 0, err
	default:
		return time.Since(began), nil
	}
}

// waiting returns a payload and those that wait behind it in the lane, as many as ingest takes together.
func waiting(first []byte, lane <-chan []byte) [][]byte {
	all := [][]byte{first}
	for len(all) < 32 {
		select {
		case payload, ok := <-lane:
			if !ok {
				return all
			}
			all = append(all, payload)
		default:
			return all
		}
	}
	return all
}

// taking is one run of take.
type taking struct {
	p        *place
	keys     map[rating.DeviceID]ed25519.PublicKey
	room     chan struct{}
	answered sync.WaitGroup
	failed   chan error // the first
}

func (t *taking) fail(err error) {
	if err != nil {
		select {
		case t.failed <- err:
		default:
		}
	}
}

// some takes payloads that are checked together.
func (t *taking) some(ctx context.Context, payloads [][]byte) error {
	entries, signed := make([]journal.Entry, len(payloads)), make([]journal.Signed, len(payloads))
	for i, payload := range payloads {
		w, err := wire.DecodeBatch(payload)
		if err != nil {
			return err
		}
		hashes := w.Hashes()
		signed[i] = journal.Signed{Key: t.keys[w.Device], Text: wire.BatchText(w.Device, w.Epoch, w.First, w.Released, hashes),
			Signature: w.Signature}
		entries[i] = journal.Entry{Kind: journal.Batch, Source: string(w.Device), Received: 1_790_000_000_000, Key: t.keys[w.Device],
			Signature: w.Signature, Epoch: w.Epoch, First: w.First, Released: w.Released, Parts: w.Records, Hashes: hashes}
	}
	good := journal.CheckSignatures(signed)
	for i, e := range entries {
		if !good[i] {
			return errors.New("the signature does not verify")
		}
		t.room <- struct{}{}
		t.answered.Add(1)
		if err := t.p.journal.Submit(ctx, e, func(r journal.Receipt, err error) {
			if err == nil && (!r.Entered || r.Ack != e.Last() || len(r.Quarantined) > 0) {
				err = fmt.Errorf("%s: got %+v, want %d acknowledged", e.Source, r, e.Last())
			}
			t.fail(err)
			<-t.room
			t.answered.Done()
		}); err != nil {
			t.answered.Done()
			return err
		}
	}
	return nil
}
