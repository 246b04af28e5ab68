package ledger

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"haochaping/internal/rating"
)

// addVisit enters a visit that a box has opened. Each is opened once, so that a second record which says otherwise is a finding;
// it must not change for what, and for whom, an evaluation counts. The one that the box says it opened first holds, whichever
// comes first.
func (w *batchWriter) addVisit(r rating.Record) error {
	text, err := json.Marshal(r.Visit)
	if err != nil {
		return err
	}
	known, opened, err := w.knownVisit(r.Visit.ID)
	if err != nil {
		return err
	}
	if known != nil && string(known) != string(text) {
		if err := w.find(Reopened, r.Seq, r.Seq, fmt.Sprintf("visit %s was opened twice, and differently", r.Visit.ID)); err != nil {
			return err
		}
	}
	if known != nil && (opened < r.At.Wall || opened == r.At.Wall && string(known) <= string(text)) {
		return nil
	}
	if err := w.exec(`INSERT INTO visit (device, id, visit, opened_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (device, id) DO UPDATE SET visit = excluded.visit, opened_at = excluded.opened_at`,
		r.Device, r.Visit.ID.String(), string(text), r.At.Wall); err != nil {
		return err
	}
	return standings{w.ctx, w.tx}.opened(r.Device, r.Visit)
}

// knownVisit returns a visit's record in the form in which addVisit writes it, and when the box opened it in milliseconds; nil while
// none has arrived.
func (w *batchWriter) knownVisit(id rating.VisitID) (text []byte, opened int64, err error) {
	var kept sql.NullString
	var at sql.NullInt64
	err = w.tx.QueryRowContext(w.ctx, "SELECT visit, opened_at FROM visit WHERE device = ? AND id = ?", w.batch.Device, id.String()).Scan(&kept, &at)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !kept.Valid {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	var v rating.Visit // an earlier version of the books, or SQLite, may have written it in another form
	if err := json.Unmarshal([]byte(kept.String), &v); err != nil {
		return nil, 0, fmt.Errorf("visit %s: %w", id, err)
	}
	text, err = json.Marshal(v)
	return text, at.Int64, err
}
