package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// Finding is something wrong with what a device has sent.
type Finding struct {
	Device     rating.DeviceID
	Epoch      rating.Epoch
	From, To   uint64 // seqs, both included
	Kind       FindingKind
	Detail     string
	FoundAt    time.Time
	ResolvedAt time.Time // zero while it stands
}

const findingColumns = "SELECT device, epoch, first, last, kind, detail, found_at, resolved_at FROM finding "

// Findings returns all findings, newest first.
func (l *Ledger) Findings(ctx context.Context) ([]Finding, error) {
	return query(ctx, l.db, scanFinding, findingColumns+"ORDER BY id DESC")
}

func scanFinding(s scanner) (Finding, error) {
	var f Finding
	var epoch string
	var found int64
	var resolved sql.NullInt64
	if err := s.Scan(&f.Device, &epoch, &f.From, &f.To, &f.Kind, &f.Detail, &found, &resolved); err != nil {
		return f, err
	}
	f.FoundAt = time.UnixMilli(found)
	if resolved.Valid {
		f.ResolvedAt = time.UnixMilli(resolved.Int64)
	}
	var err error
	f.Epoch, err = rating.ParseEpoch(epoch)
	return f, err
}

// Report is what VerifyChain found.
type Report struct {
	Records     uint64
	First, Last uint64
}

// Epochs returns the epochs of a device in the order in which the books met them.
func (l *Ledger) Epochs(ctx context.Context, device rating.DeviceID) ([]rating.Epoch, error) {
	return query(ctx, l.db, func(s scanner) (rating.Epoch, error) {
		var text string
		if err := s.Scan(&text); err != nil {
			return 0, err
		}
		return rating.ParseEpoch(text)
	}, "SELECT epoch FROM record WHERE device = ? GROUP BY epoch ORDER BY min(received_at), epoch", device)
}

// VerifyChain reads all records of a device's epoch and checks numbering, hashes and chain from the first to the last.
func (l *Ledger) VerifyChain(ctx context.Context, device rating.DeviceID, epoch rating.Epoch) (rep Report, err error) {
	rows, err := l.db.QueryContext(ctx, "SELECT seq, hash, raw, quarantine IS NOT NULL FROM record WHERE device = ? AND epoch = ? ORDER BY seq", device, epoch.String())
	if err != nil {
		return rep, fmt.Errorf("verify %s: %w", device, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	head := rating.Genesis(device, epoch)
	for rows.Next() {
		var seq uint64
		var hash, raw []byte
		var quarantined bool
		if err := rows.Scan(&seq, &hash, &raw, &quarantined); err != nil {
			return rep, err
		}
		if rep.Records == 0 {
			rep.First = seq
		}
		if seq != rep.Last+1 {
			return rep, fmt.Errorf("verify %s, epoch %s: record %d follows %d", device, epoch, seq, rep.Last)
		}
		if rating.HashOf(raw) != rating.Hash(hash) {
			return rep, fmt.Errorf("verify %s, epoch %s: record %d is not what was received", device, epoch, seq)
		}
		r, err := rating.DecodeRecord(raw)
		if !quarantined && (err != nil || r.Prev != head) {
			return rep, fmt.Errorf("verify %s, epoch %s: record %d does not follow from the one before it (%v)", device, epoch, seq, err)
		}
		head = rating.HashOf(raw)
		rep.Last = seq
		rep.Records++
	}
	return rep, rows.Err()
}

// DeviceState is what is known of a device besides its records. It may be one that nobody has enrolled.
type DeviceState struct {
	ID         rating.DeviceID
	Enrolled   bool
	Window     rating.Window
	Presence   *wire.Presence // nil if it never said
	PresenceAt time.Time
	Health     *wire.Health // nil if it never said
	HealthAt   time.Time
	Refused    int // batches that were not believed
	RefusedAt  time.Time
	RefusedWhy string
}

// States returns the states of all devices, enrolled or not.
func (l *Ledger) States(ctx context.Context) ([]DeviceState, error) {
	return query(ctx, l.db, func(s scanner) (DeviceState, error) {
		var d DeviceState
		var window, presence, health, why sql.NullString
		var presenceAt, healthAt, refused, refusedAt sql.NullInt64
		if err := s.Scan(&d.ID, &window, &presence, &presenceAt, &health, &healthAt, &refused, &refusedAt, &why); err != nil {
			return d, err
		}
		d.Enrolled, d.Refused, d.RefusedWhy = window.Valid, int(refused.Int64), why.String
		for _, t := range []struct {
			to   *time.Time
			from sql.NullInt64
		}{{&d.PresenceAt, presenceAt}, {&d.HealthAt, healthAt}, {&d.RefusedAt, refusedAt}} {
			if t.from.Valid {
				*t.to = time.UnixMilli(t.from.Int64)
			}
		}
		return d, errors.Join(unmarshal(window, &d.Window), unmarshal(presence, &d.Presence), unmarshal(health, &d.Health))
	}, `SELECT i.id, d.window, s.presence, s.presence_at, s.health, s.health_at, s.refused, s.refused_at, s.refused_why
		FROM (SELECT id FROM device UNION SELECT id FROM device_state) i
		LEFT JOIN device d ON d.id = i.id LEFT JOIN device_state s ON s.id = i.id ORDER BY i.id`)
}

// unmarshal reads a JSON column that may be NULL.
func unmarshal(text sql.NullString, v any) error {
	if !text.Valid {
		return nil
	}
	return json.Unmarshal([]byte(text.String), v)
}
