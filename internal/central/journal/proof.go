package journal

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"haochaping/internal/rating"
)

// Proof shows that the journal holds one part of one row, without showing the others and without the journal.
type Proof struct {
	Checkpoint string      `json:"checkpoint"`
	Index      int64       `json:"index"`     // of the row in the tree, its position less one
	Inclusion  []tlog.Hash `json:"inclusion"` // as RFC 6962 has it
	Header     Header      `json:"header"`
	Part       int         `json:"part"`    // which of the header's hashes is the content's
	Content    []byte      `json:"content"` // the part: a box's record, an answer by phone, or an act
}

// Prove returns the proof of a part of a row that is sealed, ErrNoEntry or ErrUnsealed.
func (j *Journal) Prove(ctx context.Context, pos int64, part int) (Proof, error) {
	e, err := j.Entry(ctx, pos)
	if err != nil {
		return Proof{}, err
	}
	if part < 0 || part >= len(e.Parts) {
		return Proof{}, fmt.Errorf("row %d has no part %d: %w", pos, part, ErrNoEntry)
	}
	c, err := j.LastCheckpoint(ctx)
	if err != nil {
		return Proof{}, err
	}
	return j.prove(ctx, c, e, part)
}

// Restores returns the proofs of the rows by which the journal goes on under another name, all under the last signed head, in their order.
func (j *Journal) Restores(ctx context.Context) ([]Proof, error) {
	c, err := j.LastCheckpoint(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := j.restores(ctx)
	if err != nil {
		return nil, err
	}
	all := []Proof{}
	for _, e := range rows {
		if e.Pos > c.Size || len(e.Parts) != 1 {
			continue
		}
		p, err := j.prove(ctx, c, e, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// prove returns the proof of a part of a row under a head.
func (j *Journal) prove(ctx context.Context, c Checkpoint, e Entry, part int) (p Proof, err error) {
	pos := e.Pos
	if c.Size < pos {
		return Proof{}, fmt.Errorf("row %d is under no signed head yet; centrald signs one each minute while it runs, so try again then: %w", pos,
			ErrUnsealed)
	}
	p = Proof{Checkpoint: string(c.Signed), Index: pos - 1, Header: e.Header(), Part: part, Content: e.Parts[part]}
	if p.Inclusion, err = tlog.ProveRecord(c.Size, p.Index, newTiles(ctx, j.cfg.DB)); err != nil {
		return Proof{}, fmt.Errorf("prove row %d: %w", pos, err)
	}
	return p, p.check(c)
}

// Check reports why the proof proves nothing, if so: the head must be signed by the verifier, the row's header must be in its tree, the
// content must be what the header names, and a batch must carry the signature of the box's key that stands in the header.
func (p Proof) Check(v note.Verifier) (Checkpoint, error) {
	c, err := OpenCheckpoint([]byte(p.Checkpoint), v)
	if err != nil {
		return c, err
	}
	return c, p.check(c)
}

func (p Proof) check(c Checkpoint) error {
	if p.Part < 0 || p.Part >= len(p.Header.Hashes) || p.Header.Hashes[p.Part] != rating.HashOf(p.Content) {
		return errors.New("the content is not what the row's header names")
	}
	if p.Index < 0 || p.Index >= c.Size {
		return fmt.Errorf("the row %d is not among the %d of the signed head", p.Index+1, c.Size)
	}
	if err := tlog.CheckRecord(p.Inclusion, c.Size, c.Root, p.Index, p.Header.Leaf()); err != nil {
		return fmt.Errorf("the row is not in the tree of the signed head: %w", err)
	}
	if p.Header.Kind == Batch && len(p.Header.Signature) > 0 {
		return p.Header.CheckSignature()
	}
	return nil
}
