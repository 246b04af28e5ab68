package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"haochaping/internal/central/db"
)

// ErrNotEmpty says that a backup can only be restored into an empty journal.
var ErrNotEmpty = errors.New("the journal is not empty")

// ErrHalfRestored says that the journal holds a part of a backup, since restoring it did not come to its end.
var ErrHalfRestored = errors.New("the journal holds a part of a backup, since \"centrald restore\" did not come to its end")

// Restored is the act of a row of the kind Restore: under its name the journal goes on from a backup. Rows that were entered after the
// backup was made may have the same positions under the name before.
type Restored struct {
	Origin     string `json:"origin"`     // from this row on
	Before     string `json:"before"`     // the origin of the rows before it
	Rows       int64  `json:"rows"`       // of the backup
	LastKnown  string `json:"last_known"` // the last signed head that is known of, of the backup or kept elsewhere; empty if none
	BackedUpAt int64  `json:"backed_up_at"`
}

// Import restores a backup into an empty journal and begins a new origin. Known is the latest signed head that anybody kept, nil if
// nobody did. The journal must run.
func (j *Journal) Import(ctx context.Context, r io.Reader, rooms []Room, known *Checkpoint, who string,
	progress func(done, all int64)) (Restored, error) {
	size, err := j.Head(ctx)
	if err == nil && size > 0 {
		err = fmt.Errorf("%w: it has %d rows", ErrNotEmpty, size)
	}
	if err != nil {
		return Restored{}, err
	}
	in := importer{ctx: ctx, j: j, rooms: rooms, progress: progress}
	if err := errors.Join(readSections(r, in.take), in.flush()); err != nil {
		return Restored{}, fmt.Errorf("restore a backup: %w", err)
	}
	act, err := in.finish(known)
	if err != nil {
		return Restored{}, fmt.Errorf("restore a backup: %w", err)
	}
	return act, j.goOn(ctx, act, who)
}

// GoOn begins a new origin in a journal that lacks what a head that was kept elsewhere says was there: an older copy was put in its place.
// What is missing is named by that head, which the new row holds.
func (j *Journal) GoOn(ctx context.Context, known Checkpoint, who string) (Restored, error) {
	origin, err := j.Origin(ctx)
	if err != nil {
		return Restored{}, err
	}
	act := Restored{Before: origin, LastKnown: string(known.Signed), BackedUpAt: j.Now()}
	if act.Rows, err = j.Head(ctx); err != nil {
		return act, err
	}
	last := origin
	if known.Origin != "" { // a copy of before a restore may be in the place of what came after it
		if last, err = later(origin, known.Origin); err != nil {
			return act, err
		}
	}
	if act.Origin, err = j.nextOrigin(last); err != nil {
		return act, err
	}
	return act, j.goOn(ctx, act, who)
}

// goOn enters the row by which another origin begins.
func (j *Journal) goOn(ctx context.Context, r Restored, who string) error {
	parts, err := act(r)
	if err != nil {
		return err
	}
	_, err = j.Append(ctx, Entry{Kind: Restore, Source: who, Name: r.Origin, Received: j.Now(), Parts: parts},
		func(ctx context.Context, tx *db.Tx, _ int64) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO seal (id, origin) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET origin = excluded.origin",
				r.Origin)
			return err
		})
	return err
}

// importer enters a backup, some rows a transaction.
type importer struct {
	ctx      context.Context
	j        *Journal
	rooms    []Room
	progress func(done, all int64)
	head     BackupHead
	drafts   []*draft
	bytes    int
	done     int64
	last     Checkpoint // the greatest that the backup has
}

func (in *importer) take(kind byte, b []byte) error {
	switch kind {
	case sectionHead:
		if err := json.Unmarshal(b, &in.head); err != nil || in.head.Format != backupFormat {
			return fmt.Errorf("%w: its format is %d, this program knows %d", ErrBackup, in.head.Format, backupFormat)
		}
	case sectionEntry:
		e, err := readEntrySection(b)
		if err != nil {
			return err
		}
		d, err := in.j.prepare(e)
		if err != nil {
			return err
		}
		in.drafts, in.bytes = append(in.drafts, d), in.bytes+len(d.body)
		if len(in.drafts) >= maxGroup || in.bytes >= maxGroupBytes {
			return in.flush()
		}
	case sectionSigned:
		c, err := ParseCheckpoint(b)
		if err != nil {
			return err
		}
		in.last = c
		return in.exec("INSERT INTO checkpoint (size, signed) VALUES ($1, $2)", c.Size, string(b))
	case sectionSecret:
		var s secret
		if err := json.Unmarshal(b, &s); err != nil {
			return fmt.Errorf("%w: a key is damaged", ErrBackup)
		}
		return in.exec("INSERT INTO secret (pos, part, key) VALUES ($1, $2, $3)", s.Pos, s.Part, s.Key)
	case sectionOther:
		return in.other(b)
	}
	return nil
}

// other hands a section to the room that it names.
func (in *importer) other(b []byte) error {
	name, content, _ := bytes.Cut(b, []byte("\n"))
	for _, room := range in.rooms {
		if room.Room() == string(name) {
			return room.Import(in.ctx, content)
		}
	}
	return fmt.Errorf("%w: it holds a part of %q, which this program does not know", ErrBackup, name)
}

func (in *importer) exec(text string, args ...any) error {
	if err := in.flush(); err != nil {
		return err
	}
	return in.j.cfg.DB.Write(in.ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(in.ctx, text, args...)
		return err
	})
}

// flush enters the rows that wait, each at its old position, and puts them into the tree.
func (in *importer) flush() error {
	if len(in.drafts) == 0 {
		return nil
	}
	err := in.j.cfg.DB.Write(in.ctx, func(tx *db.Tx) error {
		g := newGrouping(in.j, tx)
		g.size = in.done
		if err := tx.QueryRowContext(in.ctx, "SELECT logs FROM head WHERE id = 1").Scan(&g.logs); err != nil {
			return err
		}
		if in.done == 0 { // no name until all is here, so that nobody takes a part for the whole
			if _, err := tx.ExecContext(in.ctx, "INSERT INTO seal (id, origin) VALUES (1, '') ON CONFLICT (id) DO UPDATE SET origin = "+
				"excluded.origin"); err != nil {
				return err
			}
		}
		t := newTiles(in.ctx, tx)
		if err := g.reenter(in.ctx, in.drafts, t); err != nil {
			return err
		}
		return t.save(tx)
	})
	if err != nil {
		return err
	}
	in.done += int64(len(in.drafts))
	in.drafts, in.bytes = nil, 0
	in.progress(in.done, in.head.Rows)
	return nil
}

// reenter gives rows the places that they had, and puts them into the tree.
func (g *grouping) reenter(ctx context.Context, drafts []*draft, t *tiles) error {
	for _, d := range drafts {
		if err := g.putBack(ctx, d); err != nil {
			return err
		}
		if err := t.add(0, d.receipt.Pos-1, tlog.Hash(d.leaf)); err != nil {
			return err
		}
	}
	return g.flush(ctx)
}

// putBack gives a row the place that it had. It is ErrBackup if that is not the next one.
func (g *grouping) putBack(ctx context.Context, d *draft) error {
	if d.entry.Kind == Batch {
		k := logKey{d.entry.Source, d.entry.Epoch}
		l, ok := g.changed[k]
		if !ok {
			known, err := loadLogs(ctx, g.tx, []logKey{k})
			if err != nil {
				return err
			}
			l = known[k]
		}
		l.progress = l.with(d.run())
		d.log, d.verdict = g.keep(k, l), verdict{through: l.through}
	}
	g.size++
	d.receipt.Pos = g.size
	if d.entry.Pos != g.size {
		return fmt.Errorf("%w: row %d comes where row %d should", ErrBackup, d.entry.Pos, g.size)
	}
	g.rows = append(g.rows, d.row())
	return nil
}

// finish compares what was entered with what the backup says of itself, and returns the act by which the journal goes on.
func (in *importer) finish(known *Checkpoint) (Restored, error) {
	if in.done != in.head.Rows {
		return Restored{}, fmt.Errorf("%w: it has %d of %d rows", ErrBackup, in.done, in.head.Rows)
	}
	if in.last.Size > 0 {
		root, err := tlog.TreeHash(in.last.Size, newTiles(in.ctx, in.j.cfg.DB))
		if err != nil {
			return Restored{}, err
		}
		if root != in.last.Root {
			return Restored{}, fmt.Errorf("%w: its rows are not those under its last signed head", ErrSeal)
		}
	}
	act := Restored{Before: in.head.Origin, Rows: in.head.Rows, LastKnown: string(in.last.Signed), BackedUpAt: in.head.At}
	if known != nil {
		if err := in.compare(*known); err != nil {
			return act, err
		}
		act.LastKnown = string(known.Signed)
	}
	last := in.head.Origin
	var err error
	if known != nil { // a name that was used once must not be used for other rows
		if last, err = later(last, known.Origin); err != nil {
			return act, err
		}
	}
	act.Origin, err = in.j.nextOrigin(last)
	return act, err
}

// compare reports why a head that was kept elsewhere contradicts the backup. One of rows that came after it does not.
func (in *importer) compare(known Checkpoint) error {
	if known.Origin != in.head.Origin { // the backup is of before a restore, or of after one that the head does not know
		return nil
	}
	if known.Size > in.done || known.Size == 0 {
		return nil
	}
	root, err := tlog.TreeHash(known.Size, newTiles(in.ctx, in.j.cfg.DB))
	if err != nil {
		return err
	}
	if root != known.Root {
		return fmt.Errorf("%w: the backup's first %d rows are not those under the head that was kept elsewhere", ErrSeal, known.Size)
	}
	return nil
}

// nextOrigin returns the name of a journal that goes on from another: the number at its end grows, and what is drawn behind it keeps two
// apart that go on from one backup in two places.
func (j *Journal) nextOrigin(origin string) (string, error) {
	id, n, err := splitOrigin(origin)
	if err != nil {
		return "", err
	}
	var drawn [4]byte
	if _, err := io.ReadFull(j.cfg.Random, drawn[:]); err != nil {
		return "", fmt.Errorf("name the journal: %w", err)
	}
	return fmt.Sprintf("%s/%d-%x", id, n+1, drawn), nil
}

// splitOrigin returns what stays of a journal's name, and its number.
func splitOrigin(origin string) (id string, n int, err error) {
	i := strings.LastIndexByte(origin, '/')
	number, _, _ := strings.Cut(origin[i+1:], "-")
	if n, err = strconv.Atoi(number); i < 0 || err != nil {
		return "", 0, fmt.Errorf("the journal's name %q has no number at its end", origin)
	}
	return origin[:i], n, nil
}

// later returns the later one of two names of the same journal, or an error if they are of two.
func later(a, b string) (string, error) {
	idA, nA, errA := splitOrigin(a)
	idB, nB, errB := splitOrigin(b)
	switch {
	case errA != nil || errB != nil:
		return "", errors.Join(errA, errB)
	case idA != idB:
		return "", fmt.Errorf("the head that was kept is of the journal %s, the backup of %s", b, a)
	case nA < nB:
		return b, nil
	}
	return a, nil
}

// restores returns the rows by which the journal goes on under another name.
func (j *Journal) restores(ctx context.Context) ([]Entry, error) {
	rows, err := db.Query(ctx, j.cfg.DB, j.scanEntry, readEntry+"WHERE e.kind = $1 AND e.name IS NOT NULL ORDER BY e.pos", string(Restore))
	if err != nil {
		return nil, fmt.Errorf("read from what the journal goes on: %w", err)
	}
	return rows, nil
}

// GoesOnFrom reports whether the journal goes on, under another name, from one whose head was kept: a row says so, and either has what is
// under that head or names it, or a later one, as lost.
func (j *Journal) GoesOnFrom(ctx context.Context, kept Checkpoint) (bool, error) {
	rows, err := j.restores(ctx)
	if err != nil {
		return false, err
	}
	for _, e := range rows {
		var act Restored
		if len(e.Parts) != 1 || json.Unmarshal(e.Parts[0], &act) != nil {
			continue
		}
		if act.Before == kept.Origin && kept.Size <= act.Rows {
			root, err := tlog.TreeHash(kept.Size, newTiles(ctx, j.cfg.DB))
			return err == nil && root == kept.Root, err
		}
		known, err := ParseCheckpoint([]byte(act.LastKnown))
		if err == nil && known.Origin == kept.Origin && (known.Size > kept.Size || known.Size == kept.Size && known.Root == kept.Root) {
			return true, nil
		}
	}
	return false, nil
}
