package fleet

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
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
	AckedAt    time.Time // of the last batch that was acknowledged
	Refused    int       // batches that were not believed
	RefusedAt  time.Time
	RefusedWhy string
	Replies    []wire.Reply // to commands of the pages
	RepliedAt  time.Time
}

// Note writes what was heard of some devices, in one transaction.
func (f *Fleet) Note(ctx context.Context, notes []Note) error {
	err := f.db.Write(ctx, func(tx *db.Tx) error {
		strangers := -1
		var rows [][]any
		for _, n := range notes {
			ok, err := remembered(ctx, tx, n.Device, &strangers)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if err := answered(ctx, tx, n); err != nil {
				return fmt.Errorf("%s: %w", n.Device, err)
			}
			row, err := n.row()
			if err != nil {
				return fmt.Errorf("%s: %w", n.Device, err)
			}
			rows = append(rows, row)
		}
		return tx.Each(ctx, `INSERT INTO device_state (id, presence, presence_at, health, health_at, acked_at, refused, refused_at, refused_why)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (id) DO UPDATE SET
			presence = coalesce(excluded.presence, device_state.presence), presence_at = coalesce(excluded.presence_at, device_state.presence_at),
			health = coalesce(excluded.health, device_state.health), health_at = coalesce(excluded.health_at, device_state.health_at),
			acked_at = CASE WHEN excluded.acked_at > coalesce(device_state.acked_at, 0) THEN excluded.acked_at ELSE device_state.acked_at END,
			refused = device_state.refused + excluded.refused, refused_at = coalesce(excluded.refused_at, device_state.refused_at),
			refused_why = coalesce(excluded.refused_why, device_state.refused_why)`, rows)
	})
	if err != nil {
		return fmt.Errorf("note the state of %d devices: %w", len(notes), err)
	}
	return nil
}

// remembered reports whether something may be noted about a device. Strangers is how many are there that nobody has enrolled, -1 if they
// were not counted yet.
func remembered(ctx context.Context, tx *db.Tx, d rating.DeviceID, strangers *int) (bool, error) {
	var known bool
	err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM device WHERE id = $1) OR EXISTS (SELECT 1 FROM device_state WHERE id = $1)",
		string(d)).Scan(&known)
	if err != nil || known {
		return known, err
	}
	if *strangers < 0 {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM device_state s WHERE NOT EXISTS (SELECT 1 FROM device d WHERE d.id = s.id)").
			Scan(strangers); err != nil {
			return false, err
		}
	}
	if *strangers >= maxStrangers {
		return false, nil
	}
	*strangers++
	return true, nil
}

// row returns the note as the table has it.
func (n Note) row() ([]any, error) {
	var presence, health, presenceAt, healthAt, ackedAt, refusedAt, why any
	if n.Presence != nil {
		b, err := wire.EncodeState(n.Presence)
		if err != nil {
			return nil, err
		}
		presence, presenceAt = string(b), n.PresenceAt.UnixMilli()
	}
	if n.Health != nil {
		b, err := wire.EncodeState(n.Health)
		if err != nil {
			return nil, err
		}
		health, healthAt = string(b), n.HealthAt.UnixMilli()
	}
	if !n.AckedAt.IsZero() {
		ackedAt = n.AckedAt.UnixMilli()
	}
	if n.Refused > 0 {
		refusedAt, why = n.RefusedAt.UnixMilli(), n.RefusedWhy
	}
	return []any{string(n.Device), presence, presenceAt, health, healthAt, ackedAt, int64(n.Refused), refusedAt, why}, nil
}

// State is what is known of a device besides its records. It may be one that nobody has enrolled.
type State struct {
	ID         rating.DeviceID
	Enrolled   bool
	Retired    bool // it was replaced
	Window     rating.Window
	Rules      string         // that it is told, by rating.RulesID
	Presence   *wire.Presence // nil if it never said
	PresenceAt time.Time
	Health     *wire.Health // nil if it never said
	HealthAt   time.Time
	AckedAt    time.Time // of the last batch that was acknowledged, as of the last health
	Refused    int       // batches that were not believed
	RefusedAt  time.Time
	RefusedWhy string
}

// Says returns what was heard last of a box: online, offline, unenrolled, refused, or nothing.
func (s State) Says() string {
	switch {
	case !s.Enrolled:
		return "unenrolled"
	case s.Refused > 0 && s.RefusedAt.After(s.PresenceAt):
		return "refused"
	case s.Presence == nil:
		return ""
	case !s.Presence.Online:
		return "offline"
	}
	return "online"
}

// States returns the states of devices, enrolled or not, by their names: up to n that come after one.
func (f *Fleet) States(ctx context.Context, after rating.DeviceID, n int) ([]State, error) {
	all, err := db.Query(ctx, f.db, scanState, `SELECT i.id, d.assignment, s.presence, s.presence_at, s.health, s.health_at, s.acked_at,
		s.refused, s.refused_at, s.refused_why
		FROM (SELECT id FROM device WHERE id > $1 UNION SELECT id FROM device_state WHERE id > $1 ORDER BY id LIMIT $2) i
		LEFT JOIN device d ON d.id = i.id LEFT JOIN device_state s ON s.id = i.id ORDER BY i.id`, string(after), n)
	if err != nil {
		return nil, fmt.Errorf("read the states of devices: %w", err)
	}
	return all, nil
}

// Online reports whether a device is connected, as far as was heard. One that was never heard is not.
func (f *Fleet) Online(ctx context.Context, id rating.DeviceID) (bool, error) {
	all, err := db.Query(ctx, f.db, func(s db.Scanner) (p *wire.Presence, err error) {
		var text sql.NullString
		if err := s.Scan(&text); err != nil {
			return nil, err
		}
		return p, unmarshal(text, &p)
	}, "SELECT presence FROM device_state WHERE id = $1", string(id))
	if err != nil {
		return false, fmt.Errorf("read whether %s is online: %w", id, err)
	}
	return len(all) > 0 && all[0] != nil && all[0].Online, nil
}

func scanState(s db.Scanner) (d State, err error) {
	var window, presence, health, why sql.NullString
	var presenceAt, healthAt, ackedAt, refused, refusedAt sql.NullInt64
	if err := s.Scan(&d.ID, &window, &presence, &presenceAt, &health, &healthAt, &ackedAt, &refused, &refusedAt, &why); err != nil {
		return d, err
	}
	d.Enrolled, d.Refused, d.RefusedWhy = window.Valid, int(refused.Int64), why.String
	for _, t := range []struct {
		to   *time.Time
		from sql.NullInt64
	}{{&d.PresenceAt, presenceAt}, {&d.HealthAt, healthAt}, {&d.AckedAt, ackedAt}, {&d.RefusedAt, refusedAt}} {
		if t.from.Valid {
			*t.to = time.UnixMilli(t.from.Int64)
		}
	}
	var at struct {
		rating.Window
		Retired *struct{} `json:"retired"`
		Rules   string    `json:"rules"`
	}
	err = unmarshal(window, &at)
	d.Window, d.Rules, d.Retired = at.Window, at.Rules, at.Retired != nil
	return d, errors.Join(err, unmarshal(presence, &d.Presence), unmarshal(health, &d.Health))
}

// unmarshal reads a JSON column that may be NULL.
func unmarshal(text sql.NullString, v any) error {
	if !text.Valid {
		return nil
	}
	return json.Unmarshal([]byte(text.String), v)
}
