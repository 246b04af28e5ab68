package upward

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/guomi"
	"haochaping/internal/rating"
)

const (
	pushName  = "upward push" // the lease of the instance that sends
	pushLease = 5 * time.Minute

	mostRecords = 200 // of a batch
	leastPause  = 5 * time.Second
	mostPause   = 30 * time.Minute
	// mostEarly is how often a service is sent again of which the superior system says that it lacks it.
	mostEarly = 5
	// checkAfter is how long after it was accepted a record is asked for again, where that can be done.
	checkAfter = 24 * time.Hour
)

// Push sends records to a superior system. One instance sends at a time. Its methods are for one goroutine.
type Push struct {
	Room   *Room
	Post   Post
	App    string // application mark, which the superior system has given out
	Key    guomi.Key
	Theirs guomi.Public
	Random io.Reader
	Logger *slog.Logger

	size  int            // of the next batch, 0: mostRecords
	alone map[int64]bool // records that failed by themselves since one went well
	wait  time.Duration  // after the last failure, 0: it went well
	until time.Time      // when that is over
	ask   time.Time      // not before is it asked what is there
	clear bool           // the way is noted as good
}

// Run sends until ctx ends, and gives back the lease.
func (p *Push) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	said := ""
	for {
		err := p.Once(ctx)
		switch {
		case ctx.Err() != nil:
			return p.Room.giveBack(ctx, pushName)
		case err == nil && p.wait == 0:
			said = ""
		case err != nil && err.Error() != said:
			said = err.Error()
			p.Logger.Error("the superior system does not take what goes upward; it is sent again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// phase is a kind of records that go together, in the order in which they go.
type phase struct {
	kind  Kind
	where string
}

func phases() []phase {
	return []phase{{Evaluation, "kind = 2 AND gone = 1"}, {Service, "kind = 1"}, {Evaluation, "kind = 2 AND gone = 0"}}
}

// Once sends all that is to go now, if no other instance does. It returns why that was not possible, and pauses after failures.
func (p *Push) Once(ctx context.Context) error {
	if p.Room.cfg.Now().Before(p.until) {
		return nil
	}
	err := p.all(ctx)
	switch {
	case errors.Is(err, journal.ErrElsewhere):
		return nil
	case err == nil:
		p.wait = 0
		return p.good(ctx)
	case ctx.Err() != nil:
		return err
	}
	p.clear = false
	p.wait = min(max(2*p.wait, leastPause), mostPause)
	p.until = p.Room.cfg.Now().Add(p.wait)
	return errors.Join(err, p.note(ctx, err))
}

func (p *Push) all(ctx context.Context) error {
	for _, ph := range phases() {
		if ph.kind == Evaluation {
			if err := p.unblock(ctx); err != nil {
				return err
			}
		}
		for {
			if err := p.Room.keep(ctx, pushName, pushLease); err != nil {
				return err
			}
			batch, err := p.Room.records(ctx, "WHERE state = 0 AND "+ph.where+" AND due <= $1 ORDER BY change LIMIT $2", p.Room.now(), p.most())
			if err != nil {
				return err
			}
			if len(batch) == 0 {
				break
			}
			if err := p.send(ctx, ph.kind, batch); err != nil {
				return err
			}
		}
	}
	if now := p.Room.cfg.Now(); !now.Before(p.ask) {
		if err := p.check(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, journal.ErrElsewhere) {
			p.ask = now.Add(time.Hour)
			p.Logger.Warn("the superior system does not say what it has; it is asked again in an hour", "error", err)
		}
	}
	return nil
}

func (p *Push) most() int {
	if p.size == 0 {
		p.size = mostRecords
	}
	return p.size
}

// unblock lets evaluations go whose services are there.
func (p *Push) unblock(ctx context.Context) error {
	return p.Room.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE upward_record SET state = 0 WHERE state = 4 AND EXISTS (SELECT 1 FROM upward_record s
			WHERE s.item = upward_record.item AND s.project = upward_record.project AND s.kind = 1 AND s.taken > 0)`)
		return err
	})
}

// letter is what an envelope holds. The salt makes its digest say nothing to who guesses.
type letter struct {
	Salt    string              `json:"salt"`
	Records []map[string]string `json:"records"`
}

// send sends a batch and writes what was answered.
func (p *Push) send(ctx context.Context, kind Kind, batch []Record) error {
	r := p.Room
	var l letter
	for _, x := range batch {
		text, err := r.text(ctx, x)
		if err != nil {
			return err
		}
		l.Records = append(l.Records, r.cfg.Table.fields(x, text))
	}
	if err := p.left(ctx, batch); err != nil {
		return err
	}
	path := r.cfg.Table.Paths.Evaluation
	if kind == Service {
		path = r.cfg.Table.Paths.Service
	}
	answer, id, err := p.post(ctx, path, kind.String(), l)
	table := r.cfg.Table
	switch {
	case err != nil:
	case len(answer.Results) == 0 && slices.Contains(table.Answers.Later, string(answer.Code)):
		err = fmt.Errorf("%w: it says to come again: %s %s", errAway, answer.Code, answer.Message)
	case !said(table, answer, batch):
		err = fmt.Errorf("the superior system says nothing of any record: %s %s", answer.Code, answer.Message)
	}
	if err != nil {
		return p.shrink(ctx, batch, err)
	}
	p.size, p.alone = min(2*p.most(), mostRecords), nil
	return p.take(ctx, kind, batch, answer, id)
}

// said reports whether an answer is about one record of a batch at least.
func said(t *Table, answer heard, batch []Record) bool {
	all := t.results(answer.receipt, batch)
	for _, x := range batch {
		if _, ok := all[x.ID()]; ok {
			return true
		}
	}
	return false
}

// left writes that versions leave, before they do.
func (p *Push) left(ctx context.Context, batch []Record) error {
	var rows [][]any
	for _, x := range batch {
		rows = append(rows, []any{x.Version, x.n})
	}
	return p.Room.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Each(ctx, "UPDATE upward_record SET tried = $1 WHERE n = $2 AND tried < $1", rows)
	})
}

// heard is a receipt with the digest of the bytes in which it came.
type heard struct {
	receipt
	digest string
}

// post closes an envelope, posts it, and reads the answer.
func (p *Push) post(ctx context.Context, path, kind string, l letter) (h heard, batch string, err error) {
	salt := make([]byte, 32)
	if _, err := io.ReadFull(p.Random, salt); err != nil {
		return h, "", err
	}
	l.Salt, batch = hex.EncodeToString(salt[:16]), hex.EncodeToString(salt[16:])
	text, err := json.Marshal(l)
	if err != nil {
		return h, batch, err
	}
	e, err := guomi.Seal(p.Random, p.Key, p.Theirs, guomi.Head{App: p.App, Kind: kind, Batch: batch,
		Time: p.Room.cfg.Now().In(rating.Shanghai()).Format(time.DateTime)}, text)
	if err != nil {
		return h, batch, err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return h, batch, err
	}
	answer, err := p.Post.do(ctx, path, body)
	if err != nil {
		return h, batch, err
	}
	h.digest = guomi.Digest(answer)
	h.receipt, err = parseReceipt(answer)
	return h, batch, err
}

// mostAlone is from how many records on that fail by themselves it is not the records' fault.
const mostAlone = 3

// shrink makes the next batch smaller, since one record may be why an answer fails, and returns nil to go on with that. One that fails
// alone waits by itself.
func (p *Push) shrink(ctx context.Context, batch []Record, why error) error {
	if errors.Is(why, errAway) {
		return why
	}
	if len(batch) > 1 {
		p.size = max(1, len(batch)/2)
		return nil
	}
	x := batch[0]
	p.size = 1
	if p.alone == nil {
		p.alone = make(map[int64]bool)
	}
	p.alone[x.n] = true
	err := p.Room.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE upward_record SET tries = tries + 1, due = $1, words = $2 WHERE n = $3 AND version = $4",
			p.Room.now()+backOff(x.tries).Milliseconds(), clip(why.Error()), x.n, x.Version)
		return err
	})
	if err == nil && len(p.alone) >= mostAlone {
		err = why
	}
	return err
}

// backOff returns for how long a record waits after so many tries in vain.
func backOff(tries int64) time.Duration {
	return min(leastPause<<min(tries, 10), mostPause)
}
