package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/rating"
)

// VisitView is what the books know of a visit.
type VisitView struct {
	Visit    *rating.Visit   // nil while its record has not arrived
	Closed   *rating.Closing // nil while its outcome has not arrived
	ClosedAt time.Time       // when that arrived
	// Counted holds the visit's own answers that count, for the staff or for one case at least.
	Counted map[rating.Question]Entry
	// Rated holds the questions that no further answer could count for, and how they were answered. The matter of a case may
	// have been rated at another visit.
	Rated map[rating.Question]rating.Channel
}

// Visit returns what the books know of a visit at one moment, which may be nothing.
func (l *Ledger) Visit(ctx context.Context, device rating.DeviceID, id rating.VisitID) (VisitView, error) {
	// Only a transaction that is called read-only leaves the writer's lock alone.
	tx, err := l.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return VisitView{}, fmt.Errorf("visit %s: %w", id, err)
	}
	view, err := visitView(ctx, tx, device, id)
	if err := errors.Join(err, tx.Rollback()); err != nil {
		return VisitView{}, fmt.Errorf("visit %s: %w", id, err)
	}
	return view, nil
}

func visitView(ctx context.Context, tx *sql.Tx, device rating.DeviceID, id rating.VisitID) (VisitView, error) {
	view := VisitView{Counted: make(map[rating.Question]Entry), Rated: make(map[rating.Question]rating.Channel)}
	var visit, closing sql.NullString
	var closed sql.NullInt64
	err := tx.QueryRowContext(ctx, "SELECT visit, closing, closed_at FROM visit WHERE device = ? AND id = ?", device, id.String()).Scan(&visit, &closing, &closed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return view, err
	}
	if visit.Valid {
		if err := json.Unmarshal([]byte(visit.String), &view.Visit); err != nil {
			return view, err
		}
	}
	if closing.Valid {
		if err := json.Unmarshal([]byte(closing.String), &view.Closed); err != nil {
			return view, err
		}
		view.ClosedAt = time.UnixMilli(closed.Int64)
	}
	entries, err := query(ctx, tx, scanEntry, entryColumns+"WHERE e.device = ? AND e.visit = ? AND e.status = ?", device, id.String(), Counted)
	if err != nil {
		return view, err
	}
	for _, e := range entries {
		view.Counted[rating.Question{Subject: e.Subject, Case: e.Case}] = e
	}
	return view, view.rate(ctx, tx, device, id)
}

// rate fills in Rated.
func (view *VisitView) rate(ctx context.Context, tx *sql.Tx, device rating.DeviceID, id rating.VisitID) error {
	questions := []rating.Question{{Subject: rating.StaffSubject}, {Subject: rating.MatterSubject}}
	if view.Visit != nil {
		for _, q := range view.Visit.Questions() {
			if q.Case != "" {
				questions = append(questions, q)
			}
		}
	}
	for _, q := range questions {
		overall := view.Visit != nil && view.Visit.Overall(q)
		items := rating.Items(device, rating.Evaluation{Visit: id, Subject: q.Subject, Case: q.Case}, view.Visit)
		channel, rated := rating.Channel(""), len(items) > 0
		for _, item := range items {
			var theirs bool
			err := tx.QueryRowContext(ctx, `SELECT e.channel, s.overall FROM standing s JOIN evaluation e ON e.cursor = s.cursor
				WHERE s.item = ? AND s.standing = ?`, itemKey(item), rating.Counted).Scan(&channel, &theirs)
			if errors.Is(err, sql.ErrNoRows) || err == nil && theirs && !overall {
				rated = false
				break
			}
			if err != nil {
				return err
			}
		}
		if rated {
			view.Rated[q] = channel
		}
	}
	return nil
}
