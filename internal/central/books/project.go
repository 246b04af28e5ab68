package books

import (
	"context"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

const (
	channel   = "books" // under which other instances hear of commits
	leaseName = "projector"
	leaseTime = 7 * time.Second // with the time between two looks, another instance takes over within 10 s
	// writeTime is how long a chunk may take; a server may be gone without a word.
	writeTime = 2 * time.Minute
	// maxChunk is about how many records share a transaction.
	maxChunk = 2_000
	// maxLook is how many rows are taken at one look, and maxBehind how many while boxes wait for their answers: a chunk of them takes the
	// processor for less than a tenth of a second.
	maxLook   = 16_384
	maxBehind = 512
	// maxRead is how many rows are read from the journal at once; it stops at some megabytes besides.
	maxRead = 2048
	// Between two looks it rests restFactor times as long as the last one took, and no longer than maxRest: while rows come fast, more of them
	// share a transaction, and who acknowledges them has the processor.
	restFactor = 4
	maxRest    = 250 * time.Millisecond
)

// errOvertaken says that somebody else has made the books meanwhile.
var errOvertaken = errors.New("the books have been changed by another projector")

// Run makes the books from the journal until ctx ends, while this instance holds the lease, and tells subscribers of what others do.
func (b *Books) Run(ctx context.Context) error {
	return b.RunBeside(ctx, func() bool { return false })
}

// RunBeside does what Run does, with a fifth of a processor while behind reports that boxes wait for their answers.
func (b *Books) RunBeside(ctx context.Context, behind func() bool) error {
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		b.cfg.DB.Listen(ctx, channel, func() {
			if pos, err := b.Position(ctx); err == nil { // whoever needs the database finds out by itself
				b.growth.Tell(pos)
			}
		})
	}()
	grown, stop := b.cfg.Journal.Subscribe()
	defer stop()
	p := &projector{b: b}
	failing := ""
	for ctx.Err() == nil {
		pause, wake := leaseTime/4, grown
		began := b.cfg.Now()
		waiting := behind()
		switch more, err := p.follow(ctx, waiting); {
		case ctx.Err() != nil:
		case errors.Is(err, errOvertaken): // a rebuild has put other books in the place of these
			pause = time.Millisecond
		case err != nil:
			if err.Error() != failing {
				failing = err.Error()
				b.cfg.Logger.Error("the books cannot be made at present; it is tried again", "error", err)
			}
			pause, wake = time.Second, nil // not as fast as rows come
		case p.leased.IsZero(): // another instance makes them
			failing, wake = "", nil
		default:
			failing = ""
			if more {
				pause = 0
			}
			if more && !waiting {
				break
			}
			select {
			case <-ctx.Done():
			case <-time.After(min(restFactor*b.cfg.Now().Sub(began), maxRest)):
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case <-wake:
		}
	}
	<-heard
	if p.leased.IsZero() {
		return nil
	}
	return journal.GiveBack(ctx, b.cfg.Journal, leaseName, b.cfg.Holder)
}

// projector makes one generation from the journal.
type projector struct {
	b      *Books
	t      tables
	live   bool // it is the generation that is read, whose decisions go to the feed
	state  *state
	pos    int64
	leased time.Time // when the lease was taken last; zero: not held
}

// lease takes the lease or keeps it, and reports whether this instance has it.
func (p *projector) lease(ctx context.Context) (bool, error) {
	now := p.b.cfg.Now()
	if !p.leased.IsZero() && now.Sub(p.leased) < leaseTime/4 {
		return true, nil
	}
	held, err := p.b.cfg.Journal.Lease(ctx, leaseName, p.b.cfg.Holder, leaseTime)
	if err != nil || !held {
		p.leased = time.Time{}
		return false, err
	}
	p.leased = now
	return true, nil
}

// follow takes what is in the journal by now and not in the books, if this instance has the lease, and reports whether it has left some.
func (p *projector) follow(ctx context.Context, behind bool) (more bool, err error) {
	held, err := p.lease(ctx)
	if err != nil || !held {
		p.state = nil
		return false, err
	}
	if p.state == nil {
		g, err := readGeneration(ctx, p.b.cfg.DB)
		if err != nil {
			return false, err
		}
		if !current(g.schema, g.rules) {
			return false, ErrStale
		}
		p.t, p.live = newTables(p.b.cfg.DB.Engine(), g.number), true
		if err := p.start(ctx); err != nil {
			return false, err
		}
	}
	head, err := p.b.cfg.Journal.Head(ctx)
	if err != nil {
		return false, err
	}
	last := min(head, p.pos+maxLook)
	if behind {
		last = min(head, p.pos+maxBehind)
	}
	err = p.catchUp(ctx, last, func() (bool, error) { return p.lease(ctx) })
	return last < head, err
}

// start reads how far the generation is.
func (p *projector) start(ctx context.Context) error {
	c, pos, err := readPosition(ctx, p.b.cfg.DB, p.t)
	if err != nil {
		return fmt.Errorf("read how far the books are: %w", err)
	}
	p.state, p.pos = newState(c), pos
	return nil
}

func readPosition(ctx context.Context, q db.Querier, t tables) (counters, int64, error) {
	type at struct {
		counters
		pos int64
	}
	all, err := db.Query(ctx, q, func(s db.Scanner) (a at, err error) {
		return a, s.Scan(&a.pos, &a.devices, &a.logs, &a.visits, &a.findings, &a.cases)
	}, t.of("SELECT pos, devices, logs, visits, findings, cases FROM {position} WHERE id = 1"))
	if err != nil || len(all) != 1 {
		return counters{}, 0, errors.Join(err, fmt.Errorf("%d positions, want one", len(all)))
	}
	return all[0].counters, all[0].pos, nil
}

// catchUp takes the rows up to the last one of the journal, or to a given one, while goOn says so. It reads and decodes on while
// a chunk is written.
func (p *projector) catchUp(ctx context.Context, last int64, goOn func() (bool, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	chunks := make(chan []decoded)
	read := make(chan error, 1)
	go func() {
		defer close(chunks)
		read <- p.readAhead(ctx, p.pos, last, chunks)
	}()
	for c := range chunks {
		more, err := goOn()
		if err == nil && !more {
			p.state = nil
			return nil
		}
		if err == nil {
			err = p.write(ctx, c)
		}
		if err != nil {
			p.state = nil
			return err
		}
	}
	return <-read
}

// readAhead reads rows after a position and hands them on decoded, a chunk at a time.
func (p *projector) readAhead(ctx context.Context, pos, last int64, out chan<- []decoded) error {
	next := p.b.cfg.Journal.Read
	if p.live {
		next = p.b.cfg.Journal.Follow
	}
	for pos < last {
		entries, err := next(ctx, pos, int(min(maxRead, last-pos)))
		if err != nil || len(entries) == 0 {
			return err
		}
		for len(entries) > 0 {
			n := chunkOf(entries)
			c, err := decode(entries[:n])
			if err != nil {
				return err
			}
			pos, entries = entries[n-1].Pos, entries[n:]
			select {
			case out <- c:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// chunkOf returns how many of some rows share a transaction, one at least.
func chunkOf(entries []journal.Entry) int {
	records := 0
	for i, e := range entries {
		if records += len(e.Parts); records > maxChunk && i > 0 {
			return i
		}
	}
	return len(entries)
}

// write takes some rows in one transaction.
func (p *projector) write(ctx context.Context, rows []decoded) error {
	attempt := 0
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	err := p.b.cfg.DB.Write(ctx, func(tx *db.Tx) error {
		if attempt++; attempt > 1 { // what was remembered has seen these rows
			c, _, err := readPosition(ctx, tx, p.t)
			if err != nil {
				return err
			}
			p.state = newState(c)
		}
		return p.writeIn(ctx, tx, rows)
	})
	if err != nil {
		return fmt.Errorf("make the books from row %d of the journal: %w", p.pos+1, err)
	}
	p.done(rows)
	return nil
}

func (p *projector) done(rows []decoded) {
	p.pos = rows[len(rows)-1].Pos
	p.state.end()
	if p.live {
		p.b.growth.Tell(p.pos)
	}
}

// writeIn takes some rows inside a transaction.
func (p *projector) writeIn(ctx context.Context, tx *db.Tx, rows []decoded) error {
	if rows[0].Pos != p.pos+1 {
		return fmt.Errorf("row %d follows row %d", rows[0].Pos, p.pos)
	}
	s := p.state
	last := rows[len(rows)-1].Pos
	// First, so that no other projector goes on before this one has committed.
	moved, err := tx.ExecContext(ctx, p.t.of("UPDATE {position} SET pos = $1 WHERE id = 1 AND pos = $2"), last, p.pos)
	if err != nil {
		return err
	}
	n, err := moved.RowsAffected()
	if err != nil {
		return err
	}
	if n != 1 {
		return errOvertaken
	}
	if p.live { // a rebuild may have taken its place before this one could go on
		g, err := one(ctx, tx, "SELECT generation FROM books_state WHERE id = 1")
		if err != nil {
			return err
		}
		if g != p.t.generation {
			return errOvertaken
		}
	}
	s.ctx, s.load = ctx, reader{tx, p.t, p.b.cfg.Journal}
	if err := s.prefetch(rows); err != nil {
		return err
	}
	for _, d := range rows {
		if err := s.project(d); err != nil {
			return err
		}
	}
	// What is written is not interrupted, since watching for that costs the driver a goroutine a row.
	if err := s.flush(context.WithoutCancel(ctx), tx, p.t); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, p.t.of("UPDATE {position} SET devices = $1, logs = $2, visits = $3, findings = $4, cases = $5 WHERE id "+
		"= 1"),
		s.counters.devices, s.counters.logs, s.counters.visits, s.counters.findings, s.counters.cases); err != nil {
		return err
	}
	if !p.live {
		return nil
	}
	if err := appendDecisions(ctx, tx, s.decisions); err != nil {
		return err
	}
	return tx.Notify(ctx, channel)
}
