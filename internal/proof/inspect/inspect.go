// Package inspect looks into a centre's databases as tests and proofs do: what counts, what was found, and whether each box's log is
// there, whole and in its own chain. It may look while centrald runs.
package inspect

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// Centre is a centre's databases, opened. Its methods belong to one goroutine.
type Centre struct {
	Journal *journal.Journal
	Fleet   *fleet.Fleet
	Books   *books.Books
	seal    ed25519.PublicKey // by which the journal's heads are signed; zeros where there is no key
	closers []func() error
}

// Open opens the SQLite databases in a centre's state folder, and creates them if they are missing.
func Open(ctx context.Context, state string) (*Centre, error) {
	return open(ctx, state, "sqlite:"+filepath.Join(state, "journal.db"), "sqlite:"+filepath.Join(state, "books.db"))
}

// OpenServer opens the database on a server of a centre with a state folder.
func OpenServer(ctx context.Context, state, url string) (*Centre, error) {
	return open(ctx, state, url, url)
}

func open(ctx context.Context, state, journal, books string) (*Centre, error) {
	for tries := 1; ; tries++ {
		c := &Centre{}
		err := c.open(ctx, state, journal, books)
		if err == nil {
			return c, nil
		}
		err = errors.Join(err, c.Close())
		// Beside a centre, and many others that look, on a busy machine the writer's lock may not be had in SQLite's five seconds.
		if tries == 10 || !strings.Contains(err.Error(), "SQLITE_BUSY") {
			return nil, err
		}
	}
}

func (c *Centre) open(ctx context.Context, state, journalAt, booksAt string) error {
	quiet := slog.New(slog.DiscardHandler)
	if err := c.readSeal(filepath.Join(state, "seal.key")); err != nil {
		return err
	}
	j, err := c.database(ctx, journalAt)
	if err != nil {
		return err
	}
	// Texts are not read here, so that any secret does.
	c.Journal, err = journal.Open(ctx, journal.Config{DB: j, Secret: make([]byte, 32), Random: rand.Reader, Now: time.Now, Logger: quiet})
	if err != nil {
		return err
	}
	c.background(ctx, c.Journal.Run)
	if c.Fleet, err = fleet.Open(ctx, c.Journal); err != nil {
		return err
	}
	b, err := c.database(ctx, booksAt)
	if err != nil {
		return err
	}
	c.Books, err = books.Open(ctx, books.Config{DB: b, Journal: c.Journal, Holder: rand.Text(), Now: time.Now, Logger: quiet})
	if err == nil {
		c.background(ctx, c.Books.Run)
	}
	return err
}

// readSeal reads the key that signs the journal's heads, if it is there.
func (c *Centre) readSeal(path string) error {
	c.seal = make([]byte, ed25519.PublicKeySize)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%s holds no key", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if k, ok := key.(ed25519.PrivateKey); ok {
		c.seal, _ = k.Public().(ed25519.PublicKey) // always is
	}
	return err
}

func (c *Centre) database(ctx context.Context, url string) (*db.DB, error) {
	d, err := db.Open(ctx, url)
	if err == nil {
		c.closers = append(c.closers, d.Close)
	}
	return d, err
}

func (c *Centre) background(ctx context.Context, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	c.closers = append(c.closers, func() error {
		cancel()
		return <-ended
	})
}

// Close closes the databases.
func (c *Centre) Close() error {
	var errs []error
	for n := len(c.closers) - 1; n >= 0; n-- {
		errs = append(errs, c.closers[n]())
	}
	c.closers = nil
	return errors.Join(errs...)
}

// CatchUp waits until the books hold all that the journal has.
func (c *Centre) CatchUp(ctx context.Context) error {
	size, err := c.Journal.Head(ctx)
	if err != nil {
		return err
	}
	return c.Books.Wait(ctx, size)
}

// Entries returns all evaluations, the newest first, once the books hold what the journal has.
func (c *Centre) Entries(ctx context.Context) ([]books.Entry, error) {
	if err := c.CatchUp(ctx); err != nil {
		return nil, err
	}
	return c.Books.Latest(ctx, 10_000_000)
}

// Findings returns all findings, the newest first, once the books hold what the journal has.
func (c *Centre) Findings(ctx context.Context) (all []books.Finding, err error) {
	if err := c.CatchUp(ctx); err != nil {
		return nil, err
	}
	for after := int64(0); ; {
		some, err := c.Books.Findings(ctx, books.Filter{After: after, Limit: 500})
		if err != nil || len(some) == 0 {
			return all, err
		}
		all, after = append(all, some...), some[len(some)-1].ID
	}
}

// Verify returns what does not verify: of the journal, and of the books beside it.
func (c *Centre) Verify(ctx context.Context) ([]string, error) {
	a, err := c.Journal.Verify(ctx, c.seal, func(int64, int64) {})
	if err != nil {
		return nil, err
	}
	if err := c.CatchUp(ctx); err != nil {
		return nil, err
	}
	for {
		v, err := c.Books.Verify(ctx, func(books.Progress) {})
		if !errors.Is(err, books.ErrBusy) {
			return append(a.Problems, v.Differences...), err
		}
		select { // who looks at the same centre ends
		case <-ctx.Done():
			return nil, err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Log is what is here of one log of a device.
type Log struct {
	Device      rating.DeviceID
	Epoch       rating.Epoch
	Records     uint64
	First, Last uint64
	Forks       uint64 // further records of numbers that are taken
	Bad         uint64 // records that cannot be read
	Err         error  // why it is not a whole chain
}

// logKey names a log.
type logKey struct {
	device rating.DeviceID
	epoch  rating.Epoch
}

// line is a log as it is put together.
type line struct {
	records map[uint64]record
	forks   map[rating.Hash]bool
}

type record struct {
	hash, prev rating.Hash
	bad        bool
}

// Logs reads the whole journal and returns the logs in it, salvaged records in their own.
func (c *Centre) Logs(ctx context.Context) ([]Log, error) {
	lines := make(map[logKey]*line)
	var order []logKey
	var add func(k logKey, seq uint64, raw []byte)
	add = func(k logKey, seq uint64, raw []byte) {
		if lines[k] == nil {
			lines[k] = &line{make(map[uint64]record), make(map[rating.Hash]bool)}
			order = append(order, k)
		}
		r, err := rating.DecodeRecord(raw)
		x := record{rating.HashOf(raw), r.Prev, err != nil}
		if known, ok := lines[k].records[seq]; !ok {
			lines[k].records[seq] = x
		} else if known.hash != x.hash {
			lines[k].forks[x.hash] = true
		}
		if err == nil && r.Salvaged != nil {
			if inner, err := rating.DecodeRecord(r.Salvaged.Record); err == nil {
				add(logKey{inner.Device, inner.Epoch}, inner.Seq, r.Salvaged.Record)
			}
		}
	}
	for after := int64(0); ; {
		some, err := c.Journal.Read(ctx, after, 500)
		if err != nil {
			return nil, err
		}
		if len(some) == 0 {
			break
		}
		for _, e := range some {
			if e.Kind != journal.Batch {
				continue
			}
			for i, raw := range e.Parts {
				add(logKey{rating.DeviceID(e.Source), e.Epoch}, e.First+uint64(i), raw)
			}
		}
		after = some[len(some)-1].Pos
	}
	var all []Log
	for _, k := range order {
		all = append(all, lines[k].check(k))
	}
	return all, nil
}

// check follows the chain from the first record to the last.
func (l *line) check(k logKey) Log {
	out := Log{Device: k.device, Epoch: k.epoch, Records: uint64(len(l.records)), Forks: uint64(len(l.forks))}
	for seq := range l.records {
		if out.First == 0 || seq < out.First {
			out.First = seq
		}
		out.Last = max(out.Last, seq)
	}
	before := rating.Genesis(k.device, k.epoch)
	for seq := out.First; seq <= out.Last && out.Err == nil; seq++ {
		r, ok := l.records[seq]
		switch {
		case !ok:
			out.Err = fmt.Errorf("record %d is not here", seq)
		case r.bad:
			out.Bad++
		case (seq > out.First || seq == 1) && r.prev != before:
			out.Err = fmt.Errorf("record %d does not follow from the one before it", seq)
		}
		before = r.hash
	}
	return out
}
