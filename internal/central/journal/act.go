package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"haochaping/internal/central/db"
)

// Act is the one part of a row of the kind Acted: what a person did or looked at. The projector passes it over unless a room says what it
// means.
type Act struct {
	Do     string          `json:"do"`               // a room and what it does, as in "directory.put"
	Object string          `json:"object,omitempty"` // to what
	Reason string          `json:"reason,omitempty"` // why, in the person's words
	By     string          `json:"by,omitempty"`     // the session or token by which they were known, as a name that opens nothing
	Data   json.RawMessage `json:"data,omitempty"`   // what the room needs to do it again
	Domain string          `json:"within,omitempty"` // the area, unit or hall in which it was done
	Text   []byte          `json:"text,omitempty"`   // words that can be erased: a ciphertext, which Say makes
	Few    bool            `json:"few,omitempty"`    // it is about a clue (article 23), which the audit shows to those named for clues alone

	Adoption *Adoption `json:"adoption,omitempty"`
}

// Adoption is the part of an act that the books follow: whether an evaluation is adopted (采纳, article 17).
type Adoption struct {
	Evaluation int64    `json:"evaluation"` // its place in the journal, as the books have it
	Adopted    bool     `json:"adopted"`
	Cases      []string `json:"cases,omitempty"` // keys of those of which it is not, none: all
}

// errNobody says that an act has no account or says nothing.
var errNobody = errors.New("an act names who did what")

// Do enters what an account did, and in the same transaction what also writes. A name that was here already enters nothing; an empty one
// tells no repetition.
func (j *Journal) Do(ctx context.Context, account, name string, a Act, also func(ctx context.Context, tx *db.Tx, pos int64) error) (Receipt,
	error) {
	return j.Say(ctx, account, name, a, "", also)
}

// Say is Do with words of its own, which can be erased and stand outside of the act for that.
func (j *Journal) Say(ctx context.Context, account, name string, a Act, words string,
	also func(ctx context.Context, tx *db.Tx, pos int64) error) (Receipt, error) {
	if account == "" || a.Do == "" {
		return Receipt{}, errNobody
	}
	parts, secrets, err := sealedParts(j, []Act{a}, func(a Act) (any, string, func([]byte)) {
		return &a, words,
			func(b []byte) { a.Text = b }
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("enter %s: %w", a.Do, err)
	}
	d, err := j.prepare(Entry{Kind: Acted, Source: account, Name: name, Received: j.Now(), Parts: parts})
	if err != nil {
		return Receipt{}, fmt.Errorf("enter %s: %w", a.Do, err)
	}
	d.secrets, d.also = secrets, also
	r, err := j.await(ctx, d)
	if err != nil {
		return r, fmt.Errorf("enter %s: %w", a.Do, err)
	}
	return r, nil
}

// Act returns the act of a row of the kind Acted.
func (e Entry) Act() (Act, error) {
	var a Act
	if e.Kind != Acted || len(e.Parts) != 1 {
		return a, fmt.Errorf("row %d of the journal is no act", e.Pos)
	}
	if err := json.Unmarshal(e.Parts[0], &a); err != nil {
		return a, fmt.Errorf("row %d of the journal: %w", e.Pos, err)
	}
	return a, nil
}
