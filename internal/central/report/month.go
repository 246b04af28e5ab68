package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/rating"
)

// ErrCounting says that the aggregates are not whole yet: there is nothing to keep.
var ErrCounting = errors.New("the figures are being counted; ask again later")

// Month is a month of a hall, as it is told to whoever runs it.
type Month struct {
	Hall   string
	Days   directory.Period
	Closed time.Time // from when on it is told: what had come by then is in it
	Least  int64     // how many answers it takes to keep it
}

// Month returns the sums of a hall's month by window, without what became of orders. Once there are enough answers they stay as they are,
// whatever comes later. ErrCounting says that they would stay incomplete.
func (r *Reports) Month(ctx context.Context, m Month) (Table, error) {
	t, found, err := r.keptMonth(ctx, m)
	if found || err != nil {
		return t, err
	}
	before, err := r.settled(ctx, m.Closed)
	if err != nil {
		return Table{}, err
	}
	t, err = r.Sum(ctx, Ask{Days: m.Days, Fits: func(w Where) bool { return w.Hall == m.Hall },
		Group: func(w Where, _ string) string { return w.Window }})
	if err != nil {
		return Table{}, err
	}
	t.Total.Work = Work{}
	for i := range t.Rows {
		t.Rows[i].Work = Work{}
	}
	if t.Total.Of("").Answered() < m.Least {
		return t, nil
	}
	after, err := r.settled(ctx, m.Closed)
	if err != nil {
		return Table{}, err
	}
	if before == 0 || before != after {
		return Table{}, ErrCounting
	}
	return r.keepMonth(ctx, m, t)
}

// settled returns the number of the walk in which all was looked at that had come by a time, 0 while it was not.
func (r *Reports) settled(ctx context.Context, closed time.Time) (int64, error) {
	mark, err := r.cfg.Books.Mark(ctx)
	if err != nil {
		return 0, err
	}
	st, err := r.state(ctx)
	if err != nil || st.generation != mark.Generation || st.until != 0 {
		return 0, err
	}
	if st.pos >= mark.Pos {
		return st.walk, nil
	}
	last, err := r.cfg.Journal.Read(ctx, st.pos, 1)
	if err != nil || len(last) == 0 || last[0].Received < closed.UnixMilli() {
		return 0, err
	}
	return st.walk, nil
}

// keptMonth returns what was kept of a month, and whether anything was.
func (r *Reports) keptMonth(ctx context.Context, m Month) (t Table, found bool, err error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (text string, err error) { return text, s.Scan(&text) },
		"SELECT body FROM report_month WHERE hall = $1 AND month = $2", m.Hall, int64(m.Days.From))
	if err == nil && len(all) == 1 {
		found = true
		err = json.Unmarshal([]byte(all[0]), &t)
	}
	if err != nil {
		return Table{}, false, fmt.Errorf("read what was told of %s of %s: %w", m.Days, m.Hall, err)
	}
	return t, found, nil
}

// keepMonth keeps a month, unless somebody else has, and returns what is kept.
func (r *Reports) keepMonth(ctx context.Context, m Month, t Table) (Table, error) {
	body, err := json.Marshal(t)
	if err == nil {
		err = r.db.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO report_month (hall, month, body) VALUES ($1, $2, $3) ON CONFLICT (hall, month) DO NOTHING",
				m.Hall, int64(m.Days.From), string(body))
			return err
		})
	}
	if err != nil {
		return Table{}, fmt.Errorf("keep what is told of %s of %s: %w", m.Days, m.Hall, err)
	}
	t, _, err = r.keptMonth(ctx, m)
	return t, err
}

// MarshalText writes a key as two words.
func (k Key) MarshalText() ([]byte, error) {
	return []byte(string(k.Subject) + " " + string(k.Channel)), nil
}

// UnmarshalText reads what MarshalText has written.
func (k *Key) UnmarshalText(text []byte) error {
	subject, channel, ok := strings.Cut(string(text), " ")
	if !ok {
		return fmt.Errorf("%q is no subject and channel", text)
	}
	k.Subject, k.Channel = rating.Subject(subject), rating.Channel(channel)
	return nil
}
