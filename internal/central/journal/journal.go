package journal

import (
	"context"
	"crypto/cipher"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"

	"haochaping/internal/central/db"
)

//go:embed schema/*.sql
var schemas embed.FS

// ErrUnavailable says that the database cannot be written at present, so that another try makes sense.
var ErrUnavailable = errors.New("the database cannot be written at present")

// channel is the name under which other instances hear of commits.
const channel = "journal"

// Config names what a Journal needs.
type Config struct {
	DB     *db.DB
	Secret []byte // 32 bytes: wraps the keys of free texts; the same for all instances
	Random io.Reader
	Now    func() time.Time
	Logger *slog.Logger
	// Copied says that it is a copy of another centre's journal, whose keys of texts are not here.
	Copied bool
	// Patience is how long a transaction may take, after which the database counts as not writable: a server may be gone without a word. 0: 30
	// s.
	Patience time.Duration
}

// Journal is the open journal. Its methods are safe for concurrent use.
type Journal struct {
	cfg   Config
	wrap  cipher.AEAD // of the keys of free texts
	pack  *zstd.Encoder
	queue chan *draft
	ended chan struct{} // closed when Run has ended

	unpack sync.Pool // *zstd.Decoder

	logs  *logCache                 // belongs to the writer
	since atomic.Pointer[time.Time] // when the writer began what it is at; nil: it waits

	growth Growth
	recent recent
}

// Open brings the journal's tables up to date. Run must run for Append to return.
func Open(ctx context.Context, c Config) (*Journal, error) {
	if c.Patience == 0 {
		c.Patience = 30 * time.Second
	}
	wrap, err := newWrap(c.Secret)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	scripts, err := fs.Sub(schemas, "schema")
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	if err := c.DB.Migrate(ctx, "journal", scripts); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(true),
		zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	j := &Journal{cfg: c, wrap: wrap, pack: pack, queue: make(chan *draft, maxGroup), ended: make(chan struct{}), logs: newLogCache()}
	j.unpack.New = func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBody), zstd.WithDecoderLowmem(true))
		if err != nil {
			return err
		}
		return d
	}
	return j, nil
}

// DB returns the database in which the journal is, for rooms that share it.
func (j *Journal) DB() *db.DB { return j.cfg.DB }

// Now returns the centre's time in milliseconds since 1970-01-01 UTC.
func (j *Journal) Now() int64 { return j.cfg.Now().UnixMilli() }

// Run writes what is appended until ctx ends, and then what was appended before that. It runs once; what is appended later is
// ErrUnavailable.
func (j *Journal) Run(ctx context.Context) error {
	heard := make(chan struct{})
	listening, stop := context.WithCancel(ctx)
	go func() {
		defer close(heard)
		j.cfg.DB.Listen(listening, channel, func() { j.grown(listening) })
	}()
	j.write(ctx)
	close(j.ended)
	j.refuseWaiting(errEnded)
	stop()
	<-heard
	return nil
}

// Subscribe returns a channel that has a value after a commit, here or by another instance, and a function that ends this.
func (j *Journal) Subscribe() (<-chan struct{}, func()) { return j.growth.Subscribe() }

// grown tells the subscribers if the journal is larger than this instance knew.
func (j *Journal) grown(ctx context.Context) {
	n, err := j.Head(ctx)
	if err != nil {
		return // whoever needs the database finds out by itself
	}
	j.growth.Tell(n)
}

// Head returns the position of the last row, 0 if there is none.
func (j *Journal) Head(ctx context.Context) (size int64, err error) {
	sizes, err := db.Query(ctx, j.cfg.DB, scanInt, "SELECT size FROM head WHERE id = 1")
	if err != nil {
		return 0, fmt.Errorf("read the journal's head: %w", err)
	}
	if len(sizes) != 1 {
		return 0, errors.New("read the journal's head: the row is missing")
	}
	return sizes[0], nil
}

func scanInt(s db.Scanner) (n int64, err error) { return n, s.Scan(&n) }

// Check reports whether the journal can be written.
func (j *Journal) Check(ctx context.Context) error { return j.cfg.DB.Check(ctx) }
