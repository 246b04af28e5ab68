package journal

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"haochaping/internal/central/db"
)

// Account is what Verify found.
type Account struct {
	Rows       int64
	Signed     int64 // batches whose box's signature verifies
	Unsigned   int64 // batches of books of the first version that came without one
	Sealed     int64 // rows under the last signed head
	Heads      int64 // signed heads, each of which fits the rows
	Problems   []string
	More       int // problems beyond those
	LastSigned Checkpoint
}

// maxProblems bounds the problems that an Account spells out.
const maxProblems = 50

func (a *Account) problem(format string, args ...any) {
	if len(a.Problems) >= maxProblems {
		a.More++
		return
	}
	a.Problems = append(a.Problems, fmt.Sprintf(format, args...))
}

// verifier reads the journal once, from the first row to the last.
type verifier struct {
	Account
	j     *Journal
	key   ed25519.PublicKey // by which heads are signed
	tree  ranges
	heads []Checkpoint // that are still to come, by size
	keys  map[string][][]byte
	tiles *tiles
}

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

// Verify reads the whole journal and checks that no row is missing, that each is what its leaf says, that each box has signed what is said
// to be its own with a key that was enrolled, and that the signed heads are those of the rows. Progress is told now and then.
func (j *Journal) Verify(ctx context.Context, key ed25519.PublicKey, progress func(done, all int64)) (Account, error) {
	v := verifier{j: j, key: key, keys: make(map[string][][]byte), tiles: newTiles(ctx, j.cfg.DB)}
	if err := v.readHeads(ctx); err != nil {
		return v.Account, err
	}
	size, err := j.Head(ctx) // later than the heads, so that it has their rows, while the journal grows
	if err != nil {
		return v.Account, err
	}
	for after := int64(0); after < size; {
		n, err := v.some(ctx, after, size)
		if err != nil {
			return v.Account, err
		}
		if n == 0 {
			v.problem("the journal says that it has %d rows, and row %d is the last; the others were taken away", size, after)
			break
		}
		after += n
		progress(after, size)
	}
	for _, h := range v.heads {
		v.problem("a head of %d rows was signed, and there are %d", h.Size, v.tree.size)
	}
	return v.Account, nil
}

func (v *verifier) readHeads(ctx context.Context) error {
	texts, err := db.Query(ctx, v.j.cfg.DB, scanText, "SELECT signed FROM checkpoint ORDER BY size")
	if err != nil {
		return fmt.Errorf("read the signed heads: %w", err)
	}
	for i, t := range texts {
		c, err := v.open([]byte(t))
		if err != nil {
			v.problem("the signed head number %d: %v", i+1, err)
			continue
		}
		v.heads = append(v.heads, c)
	}
	if len(v.heads) > 0 {
		v.LastSigned = v.heads[len(v.heads)-1]
		v.Sealed = v.LastSigned.Size
	}
	return nil
}

// open reads a signed head of this journal, or of one that it goes on from.
func (v *verifier) open(signed []byte) (Checkpoint, error) {
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

// some checks the next rows after a position, up to a last one, and returns how many positions were passed.
func (v *verifier) some(ctx context.Context, after, last int64) (int64, error) {
	rows, err := db.Query(ctx, v.j.cfg.DB, v.j.scanVerified, "SELECT e.leaf, e.last, "+readColumns+readFrom+"WHERE e.pos > $1 AND e.pos <= $2 ORDER BY e.pos LIMIT 200", after, last)
	if err != nil {
		return 0, fmt.Errorf("read the journal after row %d: %w", after, err)
	}
	next := after
	for _, r := range rows {
		for next+1 < r.Pos {
			next++
			v.problem("row %d was taken away", next)
			v.leaf(tlog.Hash{})
		}
		next = r.Pos
		v.row(r)
	}
	if len(rows) == 0 {
		return 0, nil
	}
	return next - after, nil
}

// verified is a row with what else stands in it.
type verified struct {
	Entry
	leaf   []byte
	last   *int64
	damage error
}

func (j *Journal) scanVerified(s db.Scanner) (r verified, err error) {
	r.Entry, _, err = j.scan(scanAfter{s, []any{&r.leaf, &r.last}})
	if r.Pos != 0 && err != nil { // its contents are damaged; the others are still looked at
		r.damage, err = err, nil
	}
	return r, err
}

// scanAfter scans a row that has some columns before those that are asked for.
type scanAfter struct {
	db.Scanner
	before []any
}

// Scan implements db.Scanner.
func (s scanAfter) Scan(to ...any) error { return s.Scanner.Scan(append(s.before, to...)...) }

// row checks one row.
func (v *verifier) row(r verified) {
	v.Rows++
	if r.damage != nil {
		v.problem("%v", r.damage)
		v.leaf(tlog.Hash{})
		return
	}
	h := r.Header()
	leaf := h.Leaf()
	if !bytes.Equal(leaf[:], r.leaf) {
		v.problem("row %d (%s of %s) is not what was entered", r.Pos, r.Kind, r.Source)
	}
	v.leaf(leaf)
	switch r.Kind {
	case Device:
		var e Enrolment
		if len(r.Parts) != 1 || json.Unmarshal(r.Parts[0], &e) != nil {
			v.problem("row %d is said to enrol %s and cannot be read", r.Pos, r.Source)
			return
		}
		v.keys[r.Source] = append(v.keys[r.Source], e.Key)
	case Batch:
		v.batch(r, h)
	}
}

func (v *verifier) batch(r verified, h Header) {
	if r.last == nil || *r.last != int64(r.Last()) {
		v.problem("row %d of %s does not end where its records do", r.Pos, r.Source)
	}
	if len(r.Signature) == 0 {
		v.Unsigned++
		return
	}
	enrolled := false
	for _, k := range v.keys[r.Source] {
		enrolled = enrolled || bytes.Equal(k, r.Key)
	}
	if !enrolled {
		v.problem("row %d of %s names a key with which no box of this name was enrolled before", r.Pos, r.Source)
	}
	if err := h.CheckSignature(); err != nil {
		v.problem("row %d of %s: %v", r.Pos, r.Source, err)
		return
	}
	v.Signed++
}

// leaf puts a row's leaf into the tree, and compares the tiles and the head that end there.
func (v *verifier) leaf(h tlog.Hash) {
	place := v.tree.size
	v.tree.add(h)
	if place < v.Sealed {
		id := tileID{0, place / tileWidth}
		b, err := v.tiles.tile(id)
		at := int(place%tileWidth) * tlog.HashSize
		if err != nil || len(b) < at+tlog.HashSize || tlog.Hash(b[at:at+tlog.HashSize]) != h {
			v.problem("row %d is not the one that was sealed", place+1)
		}
		if place%tileWidth == tileWidth-1 {
			delete(v.tiles.known, id)
		}
	}
	for len(v.heads) > 0 && v.heads[0].Size <= v.tree.size {
		c := v.heads[0]
		v.heads = v.heads[1:]
		if c.Root != v.tree.root() {
			v.problem("the head that was signed over %d rows is not that of these rows", c.Size)
			continue
		}
		v.Heads++
	}
}

// CheckHead compares the journal with a head that was signed earlier and kept elsewhere: it must have its rows, unchanged as far as the
// tree tells. An error is ErrSeal where it does not.
func (j *Journal) CheckHead(ctx context.Context, c Checkpoint) error {
	last, err := j.LastCheckpoint(ctx)
	if errors.Is(err, ErrNoEntry) {
		last, err = Checkpoint{Origin: c.Origin}, nil
	}
	if err != nil {
		return err
	}
	switch {
	case last.Origin != c.Origin:
		return fmt.Errorf("%w: the head that was kept is of the journal %s, this one is %s", ErrSeal, c.Origin, last.Origin)
	case last.Size < c.Size:
		return fmt.Errorf("%w: a head of %d rows was signed, and only %d of them are sealed here", ErrSeal, c.Size, last.Size)
	case c.Size == 0:
		return nil
	}
	root, err := tlog.TreeHash(c.Size, newTiles(ctx, j.cfg.DB))
	if err != nil {
		return err
	}
	if root != c.Root {
		return fmt.Errorf("%w: the first %d rows are not those under the head that was signed", ErrSeal, c.Size)
	}
	return nil
}
