package journal

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// ErrErased says that a free text was made unreadable.
var ErrErased = errors.New("the text was erased")

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// keySize is that of AES-256.
const keySize = 32

func newWrap(secret []byte) (cipher.AEAD, error) {
	if len(secret) != keySize {
		return nil, fmt.Errorf("the secret for texts has %d bytes, want %d", len(secret), keySize)
	}
	return gcm(secret)
}

func gcm(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// Rating is what a citizen has sent by phone about one visit.
type Rating struct {
	Device   rating.DeviceID
	Name     string // tells the sendings about a device's visits apart
	Received int64  // milliseconds since 1970-01-01 UTC
	Answers  []rating.Evaluation
}

// Rate appends a rating by phone. One with the name of an earlier one of the same box changes nothing. The texts are encrypted, each
// with a key of its own.
func (j *Journal) Rate(ctx context.Context, r Rating) (Receipt, error) {
	e := Entry{Kind: Phone, Source: string(r.Device), Name: r.Name, Received: r.Received}
	if r.Name == "" || len(r.Answers) == 0 {
		return Receipt{}, errors.New("append a rating by phone: nothing was sent, or it has no name")
	}
	secrets := make([][]byte, len(r.Answers))
	for i, a := range r.Answers {
		if err := a.Check(); err != nil {
			return Receipt{}, fmt.Errorf("append a rating by phone: %w", err)
		}
		part := PhoneAnswer{Evaluation: a}
		if a.Text != "" {
			part.Evaluation.Text = ""
			var err error
			if part.Text, secrets[i], err = j.encrypt([]byte(a.Text)); err != nil {
				return Receipt{}, fmt.Errorf("append a rating by phone: %w", err)
			}
		}
		b, err := json.Marshal(part)
		if err != nil {
			return Receipt{}, fmt.Errorf("append a rating by phone: %w", err)
		}
		e.Parts = append(e.Parts, b)
	}
	d, err := j.prepare(e)
	if err != nil {
		return Receipt{}, err
	}
	d.secrets = secrets
	return j.await(ctx, d)
}

// encrypt returns a text under a new key, and that key wrapped.
func (j *Journal) encrypt(text []byte) (sealed, wrapped []byte, err error) {
	key := make([]byte, keySize)
	nonce := make([]byte, j.wrap.NonceSize())
	if _, err := io.ReadFull(j.cfg.Random, key); err != nil {
		return nil, nil, err
	}
	if _, err := io.ReadFull(j.cfg.Random, nonce); err != nil {
		return nil, nil, err
	}
	a, err := gcm(key)
	if err != nil {
		return nil, nil, err
	}
	// The key is used once, so that its nonce may be zero.
	return a.Seal(nil, make([]byte, a.NonceSize()), text, nil), j.wrap.Seal(nonce, nonce, key, nil), nil
}

// Text returns the free text of an answer, or the contact of a fact of a case, empty if it has none, or ErrErased.
func (j *Journal) Text(ctx context.Context, pos int64, part int) (string, error) {
	e, err := j.Entry(ctx, pos)
	if err != nil {
		return "", err
	}
	sealed, err := e.sealedText(part)
	if err != nil {
		return "", fmt.Errorf("row %d, part %d: %w", pos, part, err)
	}
	if len(sealed) == 0 {
		return "", nil
	}
	keys, err := db.Query(ctx, j.cfg.DB, func(s db.Scanner) (k []byte, err error) { return k, s.Scan(&k) },
		"SELECT key FROM secret WHERE pos = $1 AND part = $2", pos, part)
	if err != nil {
		return "", fmt.Errorf("read the key of a text: %w", err)
	}
	if len(keys) == 0 {
		return "", ErrErased
	}
	text, err := j.decrypt(sealed, keys[0])
	if err != nil {
		return "", fmt.Errorf("row %d, answer %d: decrypt the text: %w", pos, part, err)
	}
	return string(text), nil
}

// Said reports whether the free text or contact of a part is text. Of an erased one it is known only that there was one.
func (j *Journal) Said(ctx context.Context, pos int64, part int, text string) (bool, error) {
	got, err := j.Text(ctx, pos, part)
	if errors.Is(err, ErrErased) {
		return text != "", nil
	}
	return got == text, err
}

func (j *Journal) decrypt(sealed, wrapped []byte) ([]byte, error) {
	n := j.wrap.NonceSize()
	if len(wrapped) < n {
		return nil, errors.New("its key is damaged")
	}
	key, err := j.wrap.Open(nil, wrapped[:n], wrapped[n:], nil)
	if err != nil {
		return nil, errors.New("its key is wrapped by another centre's secret, or damaged")
	}
	a, err := gcm(key)
	if err != nil {
		return nil, err
	}
	return a.Open(nil, make([]byte, a.NonceSize()), sealed, nil)
}

// Erased is the act of a row of the kind Erasure.
type Erased struct {
	Pos    int64  `json:"pos"`
	Part   int    `json:"part"`
	Reason string `json:"reason"`
}

// Erase destroys the key of a text, which nobody can read then any more, and enters who did it and why.
func (j *Journal) Erase(ctx context.Context, pos int64, part int, who, reason string) error {
	text, err := j.Text(ctx, pos, part)
	if err != nil && !errors.Is(err, ErrErased) {
		return fmt.Errorf("erase a text: %w", err)
	}
	if err == nil && text == "" {
		return fmt.Errorf("erase a text: answer %d in row %d has none; only answers and contacts can be erased, and nothing was changed", part,
			pos)
	}
	parts, err := act(Erased{pos, part, reason})
	if err != nil {
		return err
	}
	// The name makes an erasure one row, whoever asks for it again since the answer was lost.
	name := fmt.Sprintf("%d/%d", pos, part)
	before, err := db.Query(ctx, j.cfg.DB, scanText, "SELECT source FROM entry WHERE kind = $1 AND name = $2", string(Erasure), name)
	if err != nil {
		return fmt.Errorf("erase a text: %w", err)
	}
	if len(before) > 0 {
		who = before[0]
	}
	destroy := func(ctx context.Context, tx *db.Tx, _ int64) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM secret WHERE pos = $1 AND part = $2", pos, part)
		return err
	}
	e := Entry{Kind: Erasure, Source: who, Name: name, Received: j.Now(), Parts: parts}
	if _, err = j.Append(ctx, e, destroy); err != nil {
		return fmt.Errorf("erase a text: %w", err)
	}
	return j.cfg.DB.Scrub(ctx, "secret")
}
