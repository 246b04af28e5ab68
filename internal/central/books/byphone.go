package books

import (
	"context"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// ByPhone is a question of a visit that a phone has answered. It says no level.
type ByPhone struct {
	Visit    rating.VisitID
	Question rating.Question
}

// visitsLooked bounds the visits of a device among which OpenByPhone looks: a hostile box could open them without end.
const visitsLooked = 1000

// OpenByPhone returns up to n questions of a device's visits whose outcome has not come, that phones have answered since a moment and whose
// answers count. The newest come first.
func (b *Books) OpenByPhone(ctx context.Context, d rating.DeviceID, since time.Time, n int) (all []ByPhone, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		all, err = db.Query(ctx, tx, func(s db.Scanner) (p ByPhone, err error) {
			var visit, subject int64
			err = s.Scan(&visit, &subject, &p.Question.Case)
			p.Visit, p.Question.Subject = rating.VisitID(visit), subjectOf(subject)
			return p, err
		}, t.of(`SELECT v.id, e.subject, e.project
			FROM (SELECT n, id FROM {visit} WHERE closing = '' AND device = (SELECT id FROM {device} WHERE name = $1) ORDER BY n DESC LIMIT $2) v
			JOIN {evaluation} e ON e.visit = v.n AND e.standing <> 6
			WHERE e.channel = $3 AND e.standing = $4 AND e.received_at >= $5 ORDER BY e.id DESC LIMIT $6`),
			string(d), visitsLooked, number(channels(), rating.Phone), number(standings(), rating.Counted), since.UnixMilli(), n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what phones have rated at %s: %w", d, err)
	}
	return all, nil
}
