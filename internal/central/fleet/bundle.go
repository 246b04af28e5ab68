package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

const (
	// BundleLife is how long what a box sent to support is kept.
	BundleLife = 30 * 24 * time.Hour
	// keptBundles is how many of a box are kept, mostBundles how many bytes of all, of which the oldest go first.
	keptBundles = 3
	mostBundles = 256 << 20
	// bundleGrace is how much later than its command's end one may come: the box began in time.
	bundleGrace = 2 * time.Minute
)

// Errors of bundles.
var (
	ErrUnasked  = errors.New("nobody has asked the box for this, or it was too long ago")
	ErrBundled  = errors.New("it has come already")
	ErrNoBundle = errors.New("there is no such bundle, or no more")
)

// Bundle is what a box sent to support. Nobody here looks into it.
type Bundle struct {
	Command string // that asked for it
	Device  rating.DeviceID
	Came    time.Time
	Size    int // bytes
}

// BundleAsked is nil if a box was asked for a bundle by a command, and may still send it.
func (f *Fleet) BundleAsked(ctx context.Context, d rating.DeviceID, command string, now time.Time) error {
	came, err := db.Query(ctx, f.db, func(s db.Scanner) (yes bool, err error) { return yes, s.Scan(&yes) }, bundleAsked,
		command, string(d), wire.CommandSendBundle, now.Add(-bundleGrace).UnixMilli())
	switch {
	case err != nil:
		return fmt.Errorf("find who asked %s for a bundle: %w", d, err)
	case len(came) == 0:
		return ErrUnasked
	case came[0]:
		return ErrBundled
	}
	return nil
}

const bundleAsked = `SELECT EXISTS (SELECT 1 FROM device_bundle b WHERE b.command = c.id) FROM device_command c
	WHERE c.id = $1 AND c.device = $2 AND c.name = $3 AND c.expires > $4`

// KeepBundle keeps what a box sent for a command, and forgets what there is no room for. It is ErrUnasked or ErrBundled as BundleAsked is.
func (f *Fleet) KeepBundle(ctx context.Context, d rating.DeviceID, command string, content []byte, now time.Time) error {
	if len(content) == 0 || len(content) > wire.MaxBundle {
		return fmt.Errorf("a bundle of %d bytes, at most %d are allowed", len(content), wire.MaxBundle)
	}
	if err := f.BundleAsked(ctx, d, command, now); err != nil {
		return err
	}
	err := f.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.ExecContext(ctx, `INSERT INTO device_bundle (command, device, came, size, content) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (command) DO NOTHING`, command, string(d), now.UnixMilli(), len(content), content)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrBundled)
		}
		return forgetMore(ctx, tx, d, now)
	})
	if err != nil && !errors.Is(err, ErrBundled) {
		return fmt.Errorf("keep the bundle of %s: %w", d, err)
	}
	return err
}

// forgetMore forgets bundles that are old or too many.
func forgetMore(ctx context.Context, tx *db.Tx, d rating.DeviceID, now time.Time) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM device_bundle WHERE device = $1 AND command NOT IN
		(SELECT command FROM device_bundle WHERE device = $1 ORDER BY came DESC, command LIMIT $2)`, string(d), keptBundles)
	if err == nil {
		_, err = tx.ExecContext(ctx, `DELETE FROM device_bundle WHERE command IN (SELECT command FROM
			(SELECT command, sum(size) OVER (ORDER BY came DESC, command) AS upto FROM device_bundle) sized WHERE upto > $1)`, mostBundles)
	}
	if err == nil {
		err = forgetBundles(ctx, tx, now)
	}
	return err
}

// forgetBundles forgets bundles whose time is over.
func forgetBundles(ctx context.Context, tx *db.Tx, now time.Time) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM device_bundle WHERE came < $1", now.Add(-BundleLife).UnixMilli())
	return err
}

// Bundles returns what a box has sent, the latest first.
func (f *Fleet) Bundles(ctx context.Context, d rating.DeviceID) ([]Bundle, error) {
	all, err := db.Query(ctx, f.db, scanBundle, "SELECT command, device, came, size FROM device_bundle WHERE device = $1 "+
		"ORDER BY came DESC, command", string(d))
	if err != nil {
		return nil, fmt.Errorf("read the bundles of %s: %w", d, err)
	}
	return all, nil
}

func scanBundle(s db.Scanner) (b Bundle, err error) {
	var came int64
	err = s.Scan(&b.Command, &b.Device, &came, &b.Size)
	b.Came = time.UnixMilli(came)
	return b, err
}

// BundleOf returns what a box sent for a command, as it came, or ErrNoBundle.
func (f *Fleet) BundleOf(ctx context.Context, d rating.DeviceID, command string) ([]byte, error) {
	all, err := db.Query(ctx, f.db, func(s db.Scanner) (b []byte, err error) { return b, s.Scan(&b) },
		"SELECT content FROM device_bundle WHERE command = $1 AND device = $2", command, string(d))
	if err != nil {
		return nil, fmt.Errorf("read a bundle of %s: %w", d, err)
	}
	if len(all) == 0 {
		return nil, ErrNoBundle
	}
	return all[0], nil
}
