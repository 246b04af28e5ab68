package journal

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

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

// verifier reads the journal once, from the first row to the last, and makes anew what follows from it.
type verifier struct {
	Account
	j    *Journal
	key  ed25519.PublicKey // by which heads are signed
	keys map[string][][]byte
	sealVerifier
	logVerifier
	textVerifier
}

// Verify reads the whole journal and checks that no row is missing or too many, that each is what its leaf says, that each box has signed
// what is said to be its own with a key that was enrolled, that the signed heads and the tree are those of the rows, that each log's state
// follows from them, and that each text can be read or was erased. Progress is told now and then.
func (j *Journal) Verify(ctx context.Context, key ed25519.PublicKey, progress func(done, all int64)) (Account, error) {
	v := verifier{j: j, key: key, keys: make(map[string][][]byte), sealVerifier: newSealVerifier(), logVerifier: newLogVerifier(),
		textVerifier: newTextVerifier()}
	for {
		if err := v.readHeads(ctx, j.cfg.DB); err != nil {
			return v.Account, err
		}
		size, err := j.Head(ctx) // later than the heads, so that it has their rows, while the journal grows
		if err != nil {
			return v.Account, err
		}
		if size <= v.tree.size {
			break
		}
		for before := v.tree.size; v.tree.size < size; before = v.tree.size {
			if err := v.some(ctx, j.cfg.DB, size); err != nil {
				return v.Account, err
			}
			if v.tree.size == before {
				v.problem("the journal says that it has %d rows, and row %d is the last; the others were taken away", size, before)
				return v.Account, v.end(ctx)
			}
			progress(v.tree.size, size)
		}
	}
	return v.Account, v.end(ctx)
}

// end checks, at one moment, what is beside the rows.
func (v *verifier) end(ctx context.Context) error {
	return v.j.cfg.DB.Read(ctx, func(tx *db.Tx) error {
		type head struct{ size, logs int64 }
		heads, err := db.Query(ctx, tx, func(s db.Scanner) (h head, err error) { return h, s.Scan(&h.size, &h.logs) },
			"SELECT size, logs FROM head")
		if err != nil {
			return err
		}
		if len(heads) != 1 {
			v.problem("the table of the journal's size has %d rows, want one", len(heads))
			return nil
		}
		if err := v.readHeads(ctx, tx); err != nil {
			return err
		}
		for before := int64(-1); before < v.tree.size && v.tree.size < heads[0].size; {
			before = v.tree.size
			if err := v.some(ctx, tx, heads[0].size); err != nil {
				return err
			}
		}
		outside, err := db.Query(ctx, tx, scanInt, "SELECT pos FROM entry WHERE pos < 1 OR pos > $1 ORDER BY pos LIMIT $2", heads[0].size,
			maxProblems)
		if err != nil {
			return err
		}
		for _, pos := range outside {
			v.problem("row %d is outside of the journal, which has the rows 1 to %d", pos, heads[0].size)
		}
		return errors.Join(v.endSeal(ctx, tx), v.endLogs(ctx, tx, heads[0].logs), v.endTexts(ctx, tx))
	})
}

// some checks the next rows, up to a last one.
func (v *verifier) some(ctx context.Context, q db.Querier, last int64) error {
	after := v.tree.size
	rows, err := db.Query(ctx, q, v.j.scanVerified, "SELECT "+verifiedColumns+", l.device, "+readColumns+readFrom+
		"WHERE e.pos > $1 AND e.pos <= $2 ORDER BY e.pos LIMIT 200", after, last)
	if err != nil {
		return fmt.Errorf("read the journal after row %d: %w", after, err)
	}
	if len(rows) == 0 {
		return nil
	}
	if err := v.readKeys(ctx, q, after, rows[len(rows)-1].Pos); err != nil {
		return err
	}
	checkSigned(rows)
	for _, r := range rows {
		for v.tree.size+1 < r.Pos {
			v.problem("row %d was taken away", v.tree.size+1)
			if err := v.leaf(ctx, q, tlog.Hash{}); err != nil {
				return err
			}
		}
		leaf := v.row(r)
		if err := v.leaf(ctx, q, leaf); err != nil {
			return err
		}
	}
	return nil
}

// verified is a row with its columns as the database has them.
type verified struct {
	Entry
	columns []any
	device  *string // of the row's log
	damage  error
	signed  bool // the box's signature covers the records
}

// checkSigned hashes the rows' parts once, and checks the signatures of those that have one.
func checkSigned(rows []verified) {
	var signed []Signed
	var of []*verified
	for i := range rows {
		r := &rows[i]
		if r.damage != nil {
			continue
		}
		h := r.Header()
		r.Hashes = h.Hashes
		if r.Kind == Batch && len(r.Signature) > 0 {
			signed, of = append(signed, h.signed()), append(of, r)
		}
	}
	for i, good := range CheckSignatures(signed) {
		of[i].signed = good
	}
}

// verifiedColumns are those that Entry.columns gives.
var verifiedColumns = "e." + strings.Join(entryColumns()[:len(entryColumns())-2], ", e.")

func (j *Journal) scanVerified(s db.Scanner) (r verified, err error) {
	r.columns = make([]any, len(entryColumns())-2)
	to := make([]any, len(r.columns), len(r.columns)+1)
	for i := range r.columns {
		to[i] = &r.columns[i]
	}
	r.Entry, _, err = j.scan(scanAfter{s, append(to, &r.device)})
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

// row checks one row and returns its leaf.
func (v *verifier) row(r verified) tlog.Hash {
	v.Rows++
	if r.damage != nil {
		v.problem("%v", r.damage)
		return tlog.Hash{}
	}
	h := r.Header()
	leaf := h.Leaf()
	log, through := v.follow(r.Entry)
	if r.Kind == Batch && (r.device == nil || *r.device != r.Source) {
		v.problem("row %d of %s is said to be of another device's log", r.Pos, r.Source)
	}
	want := r.Entry.columns(r.Pos, log, through, leaf[:])
	for i, name := range entryColumns()[:len(want)] {
		if !same(want[i], r.columns[i]) {
			v.problem("row %d (%s of %s) is not what was entered: its column %s", r.Pos, r.Kind, r.Source, name)
		}
	}
	switch r.Kind {
	case Device:
		var e Enrolment
		if len(r.Parts) != 1 || json.Unmarshal(r.Parts[0], &e) != nil {
			v.problem("row %d is said to enrol %s and cannot be read", r.Pos, r.Source)
			break
		}
		v.keys[r.Source] = append(v.keys[r.Source], e.Key)
	case Batch:
		v.batch(r)
	case Phone, Answered, Cases, Acted:
		v.sealed(r.Entry)
	case Erasure:
		v.erased(r.Entry)
	case Restore:
		v.restored(r.Entry)
	}
	return leaf
}

// same reports whether a column has the value that it should.
func same(want, got any) bool {
	w, ok := want.([]byte)
	if !ok {
		return want == got
	}
	g, ok := got.([]byte)
	return ok && bytes.Equal(w, g)
}

func (v *verifier) batch(r verified) {
	if len(r.Parts) == 0 {
		v.problem("row %d of %s holds no record", r.Pos, r.Source)
		return
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
	if !r.signed {
		v.problem("row %d of %s: %v", r.Pos, r.Source, errBoxSignature)
		return
	}
	v.Signed++
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
