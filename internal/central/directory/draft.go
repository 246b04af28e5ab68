package directory

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"haochaping/internal/central/db"
)

// draftLife is how long a preview may be confirmed.
const draftLife = time.Hour

// Keep keeps the lines of a preview until its account confirms it, previews something else, or an hour is over.
func (d *Directory) Keep(ctx context.Context, account string, p Preview) error {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := errors.Join(json.NewEncoder(z).Encode(p.Lines), z.Close()); err != nil {
		return fmt.Errorf("keep a preview: %w", err)
	}
	now := d.journal.Now()
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM organisation_draft WHERE account = $1 OR made < $2", account,
			now-draftLife.Milliseconds()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO organisation_draft (account, hash, made, body) VALUES ($1, $2, $3, $4)", account, p.Hash, now,
			b.Bytes())
		return err
	})
	if err != nil {
		return fmt.Errorf("keep a preview: %w", err)
	}
	return nil
}

// Kept works out once more the preview of an account that has a hash. One that was replaced, is too old, or has become another one is
// ErrMeanwhile.
func (d *Directory) Kept(ctx context.Context, account, hash string, may May) (Preview, error) {
	all, err := db.Query(ctx, d.db, func(s db.Scanner) (b []byte, err error) { return b, s.Scan(&b) },
		"SELECT body FROM organisation_draft WHERE account = $1 AND hash = $2 AND made >= $3", account, hash,
		d.journal.Now()-draftLife.Milliseconds())
	if err != nil {
		return Preview{}, fmt.Errorf("read a preview: %w", err)
	}
	if len(all) == 0 {
		return Preview{}, ErrMeanwhile
	}
	var lines []Line
	z, err := gzip.NewReader(bytes.NewReader(all[0]))
	if err == nil {
		err = json.NewDecoder(io.LimitReader(z, 64<<20)).Decode(&lines)
	}
	if err != nil {
		return Preview{}, fmt.Errorf("read a preview: %w", err)
	}
	p, err := d.Preview(ctx, lines, may)
	if err == nil && p.Hash != hash {
		err = ErrMeanwhile
	}
	return p, err
}
