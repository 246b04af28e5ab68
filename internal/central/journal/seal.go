package journal

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"haochaping/internal/central/db"
)

const (
	sealEvery = time.Minute
	sealLease = "seal"
	sealLook  = time.Second
	// sealChunk is how many rows a head covers beyond the one before it, at most. So many do not wait for the minute to end: what takes the
	// processor for long at once is felt at the windows.
	sealChunk = 1 << 14
)

// Origin returns the name under which the journal's heads are signed, and draws it at the first use.
func (j *Journal) Origin(ctx context.Context) (string, error) {
	all, err := db.Query(ctx, j.cfg.DB, scanText, "SELECT origin FROM seal WHERE id = 1")
	if err == nil && len(all) == 0 {
		var id [8]byte
		if _, err := io.ReadFull(j.cfg.Random, id[:]); err != nil {
			return "", fmt.Errorf("name the journal: %w", err)
		}
		err = j.cfg.DB.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO seal (id, origin) VALUES (1, $1) ON CONFLICT DO NOTHING",
				"haochaping-journal/"+hex.EncodeToString(id[:])+"/1")
			return err
		})
		if err == nil {
			all, err = db.Query(ctx, j.cfg.DB, scanText, "SELECT origin FROM seal WHERE id = 1")
		}
	}
	if err != nil {
		return "", fmt.Errorf("read the journal's name: %w", err)
	}
	if len(all) != 1 {
		return "", errors.New("read the journal's name: the row is missing")
	}
	if all[0] == "" {
		return "", ErrHalfRestored
	}
	return all[0], nil
}

func scanText(s db.Scanner) (t string, err error) { return t, s.Scan(&t) }

// RunSeal signs the journal's head each minute, and sooner where many rows come, on one of several instances, until ctx ends, and once more
// then. Before each it asks right whether the database is still the one whose heads were signed, since a head of another one would fork
// the seal. After is called with each new head.
func (j *Journal) RunSeal(ctx context.Context, key ed25519.PrivateKey, holder string, right func(context.Context) error,
	after func(Checkpoint)) error {
	tick := time.NewTicker(sealLook)
	defer tick.Stop()
	began, from := time.Now(), j.growth.Last()
	for {
		last := false
		select {
		case <-ctx.Done():
			last = true
		case <-tick.C:
		}
		if !last && time.Since(began) < sealEvery && j.growth.Last()-from < sealChunk {
			continue
		}
		began, from = time.Now(), j.growth.Last()
		work, cancel := context.WithTimeout(context.WithoutCancel(ctx), sealEvery)
		if err := j.sealOnce(work, key, holder, right, after); err != nil {
			j.cfg.Logger.Error("the journal's head could not be signed; it is tried again in a minute", "error", err)
		}
		if last {
			err := j.Unlease(work, sealLease, holder)
			cancel()
			return err
		}
		cancel()
	}
}

func (j *Journal) sealOnce(ctx context.Context, key ed25519.PrivateKey, holder string, right func(context.Context) error,
	after func(Checkpoint)) error {
	held, err := j.Lease(ctx, sealLease, holder, 2*sealEvery)
	if err != nil || !held {
		return err
	}
	if err := right(ctx); err != nil {
		return err
	}
	c, err := j.Seal(ctx, key)
	if err == nil && c.Size > 0 {
		after(c)
	}
	return err
}

// Seal puts all rows into the tree and signs its head, which it returns. Two that seal at once make the same tree.
func (j *Journal) Seal(ctx context.Context, key ed25519.PrivateKey) (Checkpoint, error) {
	origin, err := j.Origin(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	last, err := j.LastCheckpoint(ctx)
	if err != nil && !errors.Is(err, ErrNoEntry) {
		return last, err
	}
	for {
		next, err := j.sealChunk(ctx, NewSigner(origin, key), last)
		if err != nil {
			return last, fmt.Errorf("sign the journal's head: %w", err)
		}
		if next.Size == last.Size {
			return last, nil
		}
		last = next
	}
}

// sealChunk puts up to sealChunk rows after a head into the tree and signs the new one, which is the old one if there are none. Boxes are
// acknowledged meanwhile: the database is held only while what was worked out is written.
func (j *Journal) sealChunk(ctx context.Context, signer Signer, last Checkpoint) (next Checkpoint, err error) {
	leaves, err := db.Query(ctx, j.cfg.DB, func(s db.Scanner) (l leaf, err error) { return l, s.Scan(&l.pos, &l.hash) },
		"SELECT pos, leaf FROM entry WHERE pos > $1 ORDER BY pos LIMIT $2", last.Size, sealChunk)
	if err != nil || len(leaves) == 0 {
		return last, err
	}
	t := newTiles(ctx, j.cfg.DB)
	for i, l := range leaves {
		if l.pos != last.Size+int64(i)+1 || len(l.hash) != tlog.HashSize {
			return last, fmt.Errorf("%w: row %d follows row %d", ErrSeal, l.pos, last.Size+int64(i))
		}
		if err := t.add(0, l.pos-1, tlog.Hash(l.hash)); err != nil {
			return last, err
		}
	}
	next = Checkpoint{Origin: signer.Name(), Size: last.Size + int64(len(leaves)), Chained: true, Previous: last.Size}
	if next.Root, err = tlog.TreeHash(next.Size, t); err != nil {
		return last, err
	}
	if next, err = next.sign(signer); err != nil {
		return last, err
	}
	return j.keepHead(ctx, t, last, next)
}

// keepHead writes tiles and their head, and returns the latest: another's, if one was signed since the last one that is known here.
func (j *Journal) keepHead(ctx context.Context, t *tiles, last, next Checkpoint) (Checkpoint, error) {
	kept := next
	err := j.cfg.DB.Write(ctx, func(tx *db.Tx) error {
		kept = next
		if tx.Engine() == db.Postgres { // an instance whose lease has run out may still be at it
			if _, err := tx.ExecContext(ctx, "SELECT 1 FROM seal WHERE id = 1 FOR UPDATE"); err != nil {
				return err
			}
		}
		later, err := db.Query(ctx, tx, scanText, "SELECT signed FROM checkpoint WHERE size > $1 ORDER BY size DESC LIMIT 1", last.Size)
		if err != nil {
			return err
		}
		if len(later) > 0 {
			kept, err = ParseCheckpoint([]byte(later[0]))
			return err
		}
		if err := t.save(tx); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO checkpoint (size, signed) VALUES ($1, $2)", next.Size, string(next.Signed))
		return err
	})
	return kept, err
}

type leaf struct {
	pos  int64
	hash []byte
}

// LastCheckpoint returns the latest signed head, or ErrNoEntry.
func (j *Journal) LastCheckpoint(ctx context.Context) (Checkpoint, error) {
	all, err := db.Query(ctx, j.cfg.DB, scanText, "SELECT signed FROM checkpoint ORDER BY size DESC LIMIT 1")
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read the journal's last head: %w", err)
	}
	if len(all) == 0 {
		return Checkpoint{}, fmt.Errorf("the journal's head: %w", ErrNoEntry)
	}
	return ParseCheckpoint([]byte(all[0]))
}
