package journal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/mod/sumdb/tlog"

	"haochaping/internal/central/db"
)

const (
	pageRows  = 500
	pageBytes = 8 << 20 // from which on a page of rows ends
)

// WritePage writes the rows after a position, up to a last one, as whoever copies the journal reads them: sections like those of a
// backup. It ends sooner after pageRows rows or pageBytes. The keys of texts are not in it.
func (j *Journal) WritePage(ctx context.Context, w io.Writer, after, last int64) error {
	some, err := j.Read(ctx, after, int(min(pageRows, max(last-after, 0))))
	if err != nil {
		return err
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	out, bytes := &sections{w: z, sum: sha256.New()}, 0
	for _, e := range some {
		if bytes >= pageBytes {
			break
		}
		for _, p := range e.Parts {
			bytes += len(p)
		}
		if err := out.putEntry(e); err != nil {
			return errors.Join(fmt.Errorf("write a page of rows: %w", err), z.Close())
		}
	}
	if err := errors.Join(out.put(sectionEnd, out.sum.Sum(nil)), z.Close()); err != nil {
		return fmt.Errorf("write a page of rows: %w", err)
	}
	return nil
}

// ReadPage calls take with each row of a page. It is ErrBackup if the page is not whole, and take's error if that fails.
func ReadPage(r io.Reader, take func(Entry) error) error {
	read := 0
	return readSections(r, func(kind byte, b []byte) error {
		if read += len(b); kind != sectionEntry || read > pageBytes+maxSection {
			return fmt.Errorf("%w: it is no page of rows, or a larger one than there are", ErrBackup)
		}
		e, err := readEntrySection(b)
		if err != nil {
			return err
		}
		return take(e)
	})
}

// NextCheckpoint returns the first head that was signed over more than so many rows, or ErrNoEntry.
func (j *Journal) NextCheckpoint(ctx context.Context, size int64) (Checkpoint, error) {
	all, err := db.Query(ctx, j.cfg.DB, scanText, "SELECT signed FROM checkpoint WHERE size > $1 ORDER BY size LIMIT 1", size)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read a head of the journal: %w", err)
	}
	if len(all) == 0 {
		return Checkpoint{}, fmt.Errorf("a head of more than %d rows: %w", size, ErrNoEntry)
	}
	return ParseCheckpoint([]byte(all[0]))
}

// Extend enters the rows of another centre's journal that a head covers beyond those that are here, and the head, all of them or none. Rows
// may be called more than once. It is ErrSeal if the rows are not those under the head, or if a box has not signed what is said to be its
// own. Nothing else may be entered into such a journal. The head's signature was checked before.
func (j *Journal) Extend(ctx context.Context, head Checkpoint, rows func(take func(Entry) error) error) error {
	err := j.cfg.DB.Write(ctx, func(tx *db.Tx) error {
		x := extension{ctx: ctx, j: j, g: newGrouping(j, tx), tiles: newTiles(ctx, tx), origin: head.Origin}
		if err := tx.QueryRowContext(ctx, "SELECT size, logs FROM head WHERE id = 1").Scan(&x.g.size, &x.g.logs); err != nil {
			return err
		}
		if err := rows(x.take); err != nil {
			return err
		}
		return x.end(head)
	})
	if err != nil {
		return fmt.Errorf("go on with a copied journal: %w", err)
	}
	j.growth.Tell(head.Size)
	return nil
}

// extension enters rows in one transaction.
type extension struct {
	ctx    context.Context
	j      *Journal
	g      *grouping
	tiles  *tiles
	drafts []*draft
	bytes  int
	origin string
}

func (x *extension) take(e Entry) error {
	d, err := x.j.prepare(e)
	if err != nil {
		return err
	}
	x.drafts, x.bytes = append(x.drafts, d), x.bytes+len(d.body)
	if len(x.drafts) < maxGroup && x.bytes < maxGroupBytes {
		return nil
	}
	return x.flush()
}

func (x *extension) flush() error {
	var signed []Signed
	var of []int64
	for _, d := range x.drafts {
		if d.entry.Kind == Batch && len(d.entry.Signature) > 0 {
			signed, of = append(signed, d.header.signed()), append(of, d.entry.Pos)
		}
	}
	for i, good := range CheckSignatures(signed) {
		if !good {
			return fmt.Errorf("%w: row %d: %w", ErrSeal, of[i], errBoxSignature)
		}
	}
	err := x.g.reenter(x.ctx, x.drafts, x.tiles)
	if errors.Is(err, ErrBackup) { // the centre's page lacks a row; anything else is this database's
		err = fmt.Errorf("%w: %w", ErrSeal, err)
	}
	x.drafts, x.bytes = nil, 0
	return err
}

// end compares what was entered with the head, and keeps it.
func (x *extension) end(head Checkpoint) error {
	if err := x.flush(); err != nil {
		return err
	}
	if x.g.size != head.Size {
		return fmt.Errorf("%w: there are %d rows, and the head is of %d", ErrSeal, x.g.size, head.Size)
	}
	root, err := tlog.TreeHash(head.Size, x.tiles)
	if err != nil {
		return err
	}
	if root != head.Root {
		return fmt.Errorf("%w: the head of %d rows is not that of the rows that are shown", ErrSeal, head.Size)
	}
	if err := x.tiles.save(x.g.tx); err != nil {
		return err
	}
	if _, err := x.g.tx.ExecContext(x.ctx, "INSERT INTO seal (id, origin) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET origin = "+
		"excluded.origin", x.origin); err != nil {
		return err
	}
	_, err = x.g.tx.ExecContext(x.ctx, "INSERT INTO checkpoint (size, signed) VALUES ($1, $2)", head.Size, string(head.Signed))
	return err
}
