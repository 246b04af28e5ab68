package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"haochaping/internal/central/db"
)

// sealVerifier makes the tree anew from the rows.
type sealVerifier struct {
	tree   ranges
	open   map[int64][]byte // the hashes of each level's last tile
	heads  []Checkpoint     // that are still to come, by size
	read   int64            // the greatest size of a head that was read
	origin string           // the journal's name as the rows so far have it; empty: they do not say
}

func newSealVerifier() sealVerifier { return sealVerifier{open: make(map[int64][]byte)} }

// ranges is a Merkle tree that grows: the roots of its whole subtrees, the largest first.
type ranges struct {
	size  int64
	roots []tlog.Hash
}

func (r *ranges) add(h tlog.Hash) {
	r.roots = append(r.roots, h)
	r.size++
	for n := r.size; n&1 == 0; n >>= 1 {
		k := len(r.roots)
		r.roots = append(r.roots[:k-2], tlog.NodeHash(r.roots[k-2], r.roots[k-1]))
	}
}

func (r *ranges) root() tlog.Hash {
	if len(r.roots) == 0 {
		return tlog.Hash{}
	}
	h := r.roots[len(r.roots)-1]
	for i := len(r.roots) - 2; i >= 0; i-- {
		h = tlog.NodeHash(r.roots[i], h)
	}
	return h
}

// readHeads reads the signed heads that were not read yet.
func (v *verifier) readHeads(ctx context.Context, q db.Querier) error {
	type row struct {
		size   int64
		signed string
	}
	rows, err := db.Query(ctx, q, func(s db.Scanner) (r row, err error) { return r, s.Scan(&r.size, &r.signed) },
		"SELECT size, signed FROM checkpoint WHERE size > $1 ORDER BY size", v.read)
	if err != nil {
		return fmt.Errorf("read the signed heads: %w", err)
	}
	for _, r := range rows {
		before := v.read
		v.read = r.size
		c, err := v.openHead([]byte(r.signed))
		if err == nil && c.Size != r.size {
			err = fmt.Errorf("it is of %d rows", c.Size)
		}
		if err == nil && c.Chained && c.Previous != before {
			v.problem("the signed head of %d rows follows on one of %d, and before it is one of %d: heads were taken away", c.Size, c.Previous,
				before)
		}
		if err != nil {
			v.problem("the signed head of %d rows: %v", r.size, err)
			continue
		}
		v.LastSigned, v.Sealed = c, c.Size
		if c.Size > v.tree.size {
			v.heads = append(v.heads, c)
			continue
		}
		root, err := tlog.TreeHash(c.Size, newTiles(ctx, q)) // signed meanwhile; the tiles are compared by themselves
		if err != nil || root != c.Root {
			v.problem("the head that was signed over %d rows is not that of these rows", c.Size)
			continue
		}
		v.Heads++
	}
	return nil
}

// openHead reads a signed head of this journal, or of one that it goes on from.
func (v *verifier) openHead(signed []byte) (Checkpoint, error) {
	c, err := ParseCheckpoint(signed)
	if err != nil {
		return c, err
	}
	known, err := Verifier(c.Origin, v.key)
	if err != nil {
		return c, err
	}
	return OpenCheckpoint(signed, known)
}

// leaf puts a row's leaf into the tree, and compares the tiles and the heads that end there.
func (v *verifier) leaf(ctx context.Context, q db.Querier, h tlog.Hash) error {
	place := v.tree.size
	v.tree.add(h)
	for level := int64(0); ; level++ {
		v.open[level] = append(v.open[level], h[:]...)
		if len(v.open[level]) < tileWidth*tlog.HashSize {
			break
		}
		n := place >> (tileHeight * (level + 1))
		if err := v.tile(ctx, q, tileID{level, n}); err != nil {
			return err
		}
		h = rootOf(v.open[level])
		v.open[level] = nil
	}
	for len(v.heads) > 0 && v.heads[0].Size <= v.tree.size {
		v.head(v.heads[0])
		v.heads = v.heads[1:]
	}
	return nil
}

// head compares a signed head with the rows under it.
func (v *verifier) head(c Checkpoint) {
	if v.origin == "" {
		v.origin = c.Origin
	}
	switch {
	case c.Origin != v.origin:
		v.problem("the head of %d rows is signed for the journal %s, which was %s then", c.Size, c.Origin, v.origin)
	case c.Root != v.tree.root():
		v.problem("the head that was signed over %d rows is not that of these rows", c.Size)
	default:
		v.Heads++
	}
}

// tile compares a tile's hashes with those that follow from the rows, as far as it has them.
func (v *verifier) tile(ctx context.Context, q db.Querier, id tileID) error {
	stored, err := newTiles(ctx, q).read(id)
	if err != nil {
		return err
	}
	want := v.open[id.level]
	n := min(len(stored), len(want))
	for at := 0; at < n; at += tlog.HashSize {
		if end := min(at+tlog.HashSize, n); !bytes.Equal(stored[at:end], want[at:end]) {
			first := (id.n*tileWidth + int64(at/tlog.HashSize)) << (tileHeight * id.level)
			v.problem("row %d, or one of those after it, is not the one that was sealed: tile %d/%d differs", first+1, id.level, id.n)
			return nil
		}
	}
	return nil
}

// restored takes the row by which the journal goes on under another name.
func (v *verifier) restored(r Entry) {
	var act Restored
	if len(r.Parts) != 1 || json.Unmarshal(r.Parts[0], &act) != nil {
		v.problem("row %d is said to restore the journal and cannot be read", r.Pos)
		return
	}
	if v.origin != "" && act.Before != v.origin {
		v.problem("row %d says that the journal was %s before, and it was %s", r.Pos, act.Before, v.origin)
	}
	v.origin = act.Origin
}

// endSeal checks that there are exactly the tiles of the last signed head, and the journal's name.
func (v *verifier) endSeal(ctx context.Context, tx *db.Tx) error {
	for _, h := range v.heads {
		v.problem("a head of %d rows was signed, and there are %d", h.Size, v.tree.size)
	}
	names, err := db.Query(ctx, tx, scanText, "SELECT CASE WHEN id = 1 THEN origin ELSE '?' END FROM seal")
	if err != nil {
		return err
	}
	switch {
	case len(names) > 1, len(names) == 0 && v.Sealed > 0:
		v.problem("the journal has %d names, want one", len(names))
	case len(names) == 1 && names[0] == "":
		v.problem("%v", ErrHalfRestored)
		return nil // whose tiles no head covers yet
	case len(names) == 1 && v.origin != "" && names[0] != v.origin:
		v.problem("the journal's name is said to be %s, and it is %s", names[0], v.origin)
	}
	for level, want := range v.open {
		if len(want) > 0 {
			if err := v.tile(ctx, tx, tileID{level, v.tree.size >> (tileHeight * (level + 1))}); err != nil {
				return err
			}
		}
	}
	return v.endTiles(ctx, tx)
}

func (v *verifier) endTiles(ctx context.Context, tx *db.Tx) error {
	type tile struct {
		tileID
		bytes int64
	}
	all, err := db.Query(ctx, tx, func(s db.Scanner) (t tile, err error) { return t, s.Scan(&t.level, &t.n, &t.bytes) },
		"SELECT level, n, length(hashes) FROM tile")
	if err != nil {
		return err
	}
	found := int64(0)
	for _, t := range all {
		want := int64(0)
		if t.level >= 0 && t.level < 8 && t.n >= 0 {
			want = min(max(v.Sealed>>(tileHeight*t.level)-t.n*tileWidth, 0), tileWidth) * tlog.HashSize
		}
		if found++; t.bytes != want || want == 0 {
			v.problem("tile %d/%d has %d bytes, want %d", t.level, t.n, t.bytes, want)
		}
	}
	expected := int64(0)
	for n := v.Sealed; n > 0; n >>= tileHeight {
		expected += (n + tileWidth - 1) / tileWidth
	}
	if found < expected {
		v.problem("%d tiles of the tree were taken away", expected-found)
	}
	return nil
}
