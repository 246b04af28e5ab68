package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// maxStrangers bounds how many devices that nobody has enrolled are remembered: on a broker without logins anybody can
// invent names.
const maxStrangers = 1000

// Note is what was heard of a device besides its records. Its zero parts change nothing.
type Note struct {
	Device     rating.DeviceID
	Presence   *wire.Presence
	PresenceAt time.Time
	Health     *wire.Health
	HealthAt   time.Time
	Refused    int // batches that were not believed
	RefusedAt  time.Time
	RefusedWhy string
}

// Note writes what was heard of some devices, in one transaction.
func (l *Ledger) Note(ctx context.Context, notes []Note) error {
	err := l.write(ctx, func(tx *sql.Tx) error {
		var strangers int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM device_state s
			WHERE NOT EXISTS (SELECT 1 FROM device d WHERE d.id = s.id)`).Scan(&strangers); err != nil {
			return err
		}
		for _, n := range notes {
			var known bool
			if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM device WHERE id = ?1)
				OR EXISTS (SELECT 1 FROM device_state WHERE id = ?1)`, n.Device).Scan(&known); err != nil {
				return err
			}
			if !known {
				if strangers >= maxStrangers {
					continue
				}
				strangers++
			}
			if err := note(ctx, tx, n); err != nil {
				return fmt.Errorf("%s: %w", n.Device, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note the state of %d devices: %w", len(notes), err)
	}
	l.changed()
	return nil
}

func note(ctx context.Context, tx *sql.Tx, n Note) error {
	var parts [2]sql.NullString
	var times [2]sql.NullInt64
	for i, p := range []struct {
		there bool
		value any
		at    time.Time
	}{{n.Presence != nil, n.Presence, n.PresenceAt}, {n.Health != nil, n.Health, n.HealthAt}} {
		if !p.there {
			continue
		}
		b, err := wire.EncodeState(p.value)
		if err != nil {
			return err
		}
		parts[i], times[i] = sql.NullString{String: string(b), Valid: true}, sql.NullInt64{Int64: p.at.UnixMilli(), Valid: true}
	}
	refused := sql.NullInt64{Int64: n.RefusedAt.UnixMilli(), Valid: n.Refused > 0}
	why := sql.NullString{String: n.RefusedWhy, Valid: n.Refused > 0}
	_, err := tx.ExecContext(ctx, `INSERT INTO device_state (id, presence, presence_at, health, health_at, refused, refused_at, refused_why)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET
		presence = coalesce(excluded.presence, presence), presence_at = coalesce(excluded.presence_at, presence_at),
		health = coalesce(excluded.health, health), health_at = coalesce(excluded.health_at, health_at),
		refused = refused + excluded.refused,
		refused_at = coalesce(excluded.refused_at, refused_at), refused_why = coalesce(excluded.refused_why, refused_why)`,
		n.Device, parts[0], times[0], parts[1], times[1], n.Refused, refused, why)
	return err
}
