package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
)

// Bounds of a group, which is committed together.
const (
	maxGroup      = 1024    // rows
	maxGroupBytes = 8 << 20 // of their bodies
)

// write takes what waits, a group at a time, until ctx ends and nothing waits any more.
func (j *Journal) write(ctx context.Context) {
	last := context.WithoutCancel(ctx) // a group under way is finished
	for {
		var group []*draft
		select {
		case d := <-j.queue:
			group = j.gather(d)
		default:
			select {
			case d := <-j.queue:
				group = j.gather(d)
			case <-ctx.Done():
				return
			}
		}
		j.commit(last, group)
	}
}

// gather returns a draft with those that wait behind it, as many as a group holds.
func (j *Journal) gather(first *draft) []*draft {
	group, bytes := []*draft{first}, len(first.body)
	for len(group) < maxGroup && bytes < maxGroupBytes {
		select {
		case d := <-j.queue:
			group, bytes = append(group, d), bytes+len(d.body)
		default:
			return group
		}
	}
	return group
}

// commit writes a group. If it fails though the connection holds and the database can be written, it is some row's fault, and each is
// written by itself, until the database is found not to be writable after all: all that waits is told so then, since each would find it out
// anew.
func (j *Journal) commit(ctx context.Context, group []*draft) {
	defer j.since.Store(nil)
	err := j.commitTogether(ctx, group)
	if err == nil || len(group) == 1 || errors.Is(err, ErrUnavailable) {
		for _, d := range group {
			d.done(d.receipt, err)
		}
		j.refuseWaiting(err)
		return
	}
	var down error
	for _, d := range group {
		err := down
		if down == nil {
			err = j.commitTogether(ctx, []*draft{d})
		}
		if errors.Is(err, ErrUnavailable) {
			down = err
		}
		d.done(d.receipt, err)
	}
	j.refuseWaiting(down)
}

// commitTogether writes a group in one transaction. ErrUnavailable says that no other would come further.
func (j *Journal) commitTogether(ctx context.Context, group []*draft) error {
	began := j.cfg.Now()
	j.since.Store(&began)
	var g *grouping
	bounded, cancel := context.WithTimeout(ctx, j.cfg.Patience)
	defer cancel()
	err := j.cfg.DB.Write(bounded, func(tx *db.Tx) error {
		g = newGrouping(j, tx)
		return g.write(bounded, group)
	})
	if err != nil {
		j.logs.at(-1, "") // what was remembered may be another instance's by now
		for _, d := range group {
			d.receipt = Receipt{}
		}
		if bounded.Err() != nil || errors.Is(err, db.ErrLost) || j.Check(ctx) != nil {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return fmt.Errorf("write the journal: %w", err)
	}
	j.logs.size, j.logs.last = g.size, string(g.last)
	for k, l := range g.changed {
		j.logs.rows[k] = l
	}
	j.recent.add(group)
	j.growth.Tell(g.size)
	return nil
}

// ErrStuck says that the writer neither comes to an end with a group nor gives it up, which only a new start can change.
var ErrStuck = errors.New("the journal's writer hangs")

// Alive returns ErrStuck if the writer has been at one transaction for much longer than it may take.
func (j *Journal) Alive() error {
	if began := j.since.Load(); began != nil && j.cfg.Now().Sub(*began) > 3*j.cfg.Patience {
		return fmt.Errorf("%w, since %s", ErrStuck, began.Format(time.RFC3339))
	}
	return nil
}

// grouping writes one group inside its transaction.
type grouping struct {
	j       *Journal
	tx      *db.Tx
	size    int64  // of the journal
	logs    int64  // the greatest id of a log
	last    []byte // the leaf of the journal's last row
	changed map[logKey]keptLog
	unsaved map[logKey]bool   // what has changed since flush, and whether the log is new
	names   map[rowName]int64 // positions of rows, 0: there is none with this name
	crowded map[int64]int     // how often a log was found crowded
	rows    [][]any
	secrets [][]any
}

func newGrouping(j *Journal, tx *db.Tx) *grouping {
	return &grouping{j: j, tx: tx, changed: make(map[logKey]keptLog), unsaved: make(map[logKey]bool), names: make(map[rowName]int64),
		crowded: make(map[int64]int)}
}

func (g *grouping) write(ctx context.Context, group []*draft) error {
	// The lock, on a server; a statement of its own, since what is read together with the lock may be older than it.
	if g.tx.Engine() == db.Postgres {
		if _, err := g.tx.ExecContext(ctx, "SELECT 1 FROM head WHERE id = 1 FOR UPDATE"); err != nil {
			return err
		}
	}
	if err := g.tx.QueryRowContext(ctx, "SELECT h.size, h.logs, e.leaf FROM head h LEFT JOIN entry e ON e.pos = h.size WHERE h.id = 1").
		Scan(&g.size, &g.logs, &g.last); err != nil {
		return err
	}
	before := g.size
	g.j.logs.at(g.size, string(g.last))
	if err := g.load(ctx, group); err != nil {
		return err
	}
	if err := g.loadNames(ctx, group); err != nil {
		return err
	}
	for _, d := range group {
		if err := g.enter(ctx, d); err != nil {
			return err
		}
	}
	if g.size == before {
		return nil // repetitions
	}
	if err := g.flush(ctx); err != nil {
		return err
	}
	for _, d := range group {
		if d.also != nil && d.receipt.Entered {
			if err := d.also(ctx, g.tx, d.receipt.Pos); err != nil {
				return err
			}
		}
	}
	return nil
}

// load reads the state of the group's logs that is not remembered.
func (g *grouping) load(ctx context.Context, group []*draft) error {
	var logs []logKey
	for _, d := range group {
		k := logKey{d.entry.Source, d.entry.Epoch}
		if _, ok := g.j.logs.rows[k]; !ok && d.entry.Kind == Batch {
			logs = append(logs, k)
		}
	}
	if len(logs) == 0 {
		return nil
	}
	known, err := loadLogs(ctx, g.tx, logs)
	for k, l := range known {
		g.j.logs.rows[k] = l
	}
	return err
}

// enter gives a draft its place, unless it is here.
func (g *grouping) enter(ctx context.Context, d *draft) error {
	d.receipt, d.verdict, d.log = Receipt{}, verdict{enter: true}, 0
	switch {
	case d.entry.Kind == Batch:
		if err := g.take(ctx, d); err != nil || !d.verdict.enter {
			return err
		}
	case d.entry.Name != "":
		pos, err := g.named(ctx, d.entry)
		if err != nil {
			return err
		}
		if pos > 0 {
			d.receipt.Pos = pos
			return nil
		}
	}
	g.size++
	g.last = d.leaf
	d.receipt.Pos, d.receipt.Entered = g.size, true
	if d.entry.Name != "" {
		g.names[d.entry.rowName()] = g.size
	}
	g.rows = append(g.rows, d.row())
	for part, key := range d.secrets {
		if key != nil {
			g.secrets = append(g.secrets, []any{g.size, int64(part), key})
		}
	}
	return nil
}

// take decides a batch.
func (g *grouping) take(ctx context.Context, d *draft) error {
	e := d.entry
	k := logKey{e.Source, e.Epoch}
	l, ok := g.changed[k]
	if !ok {
		l = g.j.logs.rows[k]
	}
	next, v, err := l.take(d.run(), func(first, last uint64) ([]run, error) { return g.here(ctx, l.id, first, last) })
	if errors.Is(err, errScattered) || errors.Is(err, errCrowded) {
		d.verdict, d.receipt = verdict{}, Receipt{Refused: err.Error()} // the box keeps it, and sends it again
		return nil
	}
	if err != nil {
		return err
	}
	d.verdict = v
	d.receipt = Receipt{Ack: v.ack, AckHead: v.ackHead, Quarantined: e.Quarantined, Forks: v.forks, Missing: v.missing}
	if !v.enter {
		d.log = l.id
		return nil
	}
	l.progress = next
	d.log = g.keep(k, l)
	return nil
}

// keep remembers a log's new state and returns its id.
func (g *grouping) keep(k logKey, l keptLog) int64 {
	isNew := l.id == 0
	if isNew {
		g.logs++
		l.id = g.logs
	}
	g.changed[k], g.unsaved[k] = l, isNew || g.unsaved[k]
	return l.id
}

// run returns what a batch brings.
func (d *draft) run() run {
	return run{first: d.entry.First, prev: d.prev, hashes: d.header.Hashes, released: d.entry.Released}
}

// maxCrowded bounds how often a log is looked through in one group though it is crowded. What is refused then, its box sends again.
const maxCrowded = 4

// here returns the batches of a log that hold a record from first to last, this group's among them, or errCrowded.
func (g *grouping) here(ctx context.Context, log int64, first, last uint64) ([]run, error) {
	if log == 0 {
		return nil, nil
	}
	if g.crowded[log] >= maxCrowded {
		return nil, errCrowded
	}
	if err := g.flush(ctx); err != nil { // rows of this group may be among them
		return nil, err
	}
	all, err := g.j.runs(ctx, g.tx, log, first, last)
	if errors.Is(err, errCrowded) {
		g.crowded[log]++
	}
	return all, err
}

// flush writes what was entered so far.
func (g *grouping) flush(ctx context.Context) error {
	if len(g.rows) == 0 {
		return nil
	}
	if err := g.tx.Insert(ctx, "entry", entryColumns(), g.rows); err != nil {
		return err
	}
	if err := g.tx.Insert(ctx, "secret", []string{"pos", "part", "key"}, g.secrets); err != nil {
		return err
	}
	if err := saveLogs(ctx, g.tx, g.changed, g.unsaved); err != nil {
		return err
	}
	if _, err := g.tx.ExecContext(ctx, "UPDATE head SET size = $1, logs = $2 WHERE id = 1", g.size, g.logs); err != nil {
		return err
	}
	g.rows, g.secrets = nil, nil
	clear(g.unsaved)
	return g.tx.Notify(ctx, channel)
}

func entryColumns() []string {
	return []string{"pos", "kind", "source", "name", "received", "log", "first", "last", "released", "signer", "signature", "through",
		"quarantine",
		"leaf", "packed", "body"}
}

// row returns a draft as the table entry has it.
func (d *draft) row() []any {
	packed := int64(0)
	if d.packed {
		packed = 1
	}
	return append(d.entry.columns(d.receipt.Pos, d.log, d.verdict.through, d.leaf), packed, d.body)
}

// columns returns a row but for its contents.
func (e Entry) columns(pos, logID int64, throughSeq uint64, leaf []byte) []any {
	var name, log, first, last, released, through any
	if e.Name != "" {
		name = e.Name
	}
	if e.Kind == Batch {
		log, first, last, released, through = logID, int64(e.First), int64(e.Last()), int64(e.Released), int64(throughSeq)
	}
	return []any{pos, string(e.Kind), e.Source, name, e.Received, log, first, last, released, bytesOrNil(e.Key), bytesOrNil(e.Signature),
		through,
		bytesOrNil(quarantineText(e.Quarantined)), leaf}
}

// bytesOrNil makes no bytes NULL.
func bytesOrNil(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}
