package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"haochaping/internal/rating"
)

// Status says whether an evaluation counts.
type Status string

// The statuses of an evaluation.
const (
	Counted  Status = "counted"
	Replaced Status = "replaced" // the citizen corrected it at the window
	Later    Status = "later"    // another evaluation of the same subject of the same visit came first
)

// Entry is an evaluation in the books.
type Entry struct {
	Cursor     int64 // order of arrival
	Device     rating.DeviceID
	Epoch      rating.Epoch // 0 for the phone
	Seq        uint64       // 0 for the phone
	Window     rating.Window
	Visit      rating.VisitID
	Subject    rating.Subject
	Level      rating.Level
	Channel    rating.Channel
	At         time.Time // as well as it is known
	Quality    rating.Quality
	Earliest   time.Time // bounds of At
	Latest     time.Time
	ReceivedAt time.Time
	Status     Status
	Staff      rating.Staff
	Matter     string // names of the completed matters; empty while the visit's record has not arrived
	Reasons    []string
	Text       string
}

// row is an evaluation about to be written.
type row struct {
	device     rating.DeviceID
	epoch      string
	seq        uint64
	submission string
	evaluation rating.Evaluation
	stamp      rating.Stamp // what the box's clocks said; of the phone, the centre's
	fix        rating.Fix
	received   int64
}

// addEvaluation writes an evaluation and decides anew which one of its group counts.
func addEvaluation(ctx context.Context, tx *sql.Tx, r row) error {
	reasons, err := json.Marshal(r.evaluation.Reasons)
	if err != nil {
		return err
	}
	e := r.evaluation
	_, err = tx.ExecContext(ctx, `INSERT INTO evaluation (device, epoch, seq, submission, visit, subject, level, channel, replaces, reasons, text, at, synced, received_at, status,
		boot, mono, time, quality, earliest, latest)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		r.device, r.epoch, r.seq, r.submission, e.Visit.String(), e.Subject, e.Level, e.Channel, e.Replaces, string(reasons), e.Text, r.stamp.Wall, r.stamp.Synced, r.received, Later,
		r.stamp.Boot, r.stamp.Mono, r.fix.Time, r.fix.Quality, r.fix.Earliest, r.fix.Latest)
	if err != nil {
		return err
	}
	return decide(ctx, tx, r.device, e.Visit, e.Subject)
}

// candidate is an evaluation as decide sees it.
type candidate struct {
	cursor        int64
	epoch         string
	seq, replaces uint64
	time          int64  // as well as it is known
	origin        uint64 // seq of the press that it corrects, in the end; its own if none
	status        Status
	next          Status
}

// candidates asks for no order: SQLite would rather read all evaluations of the device in that order than sort two.
const candidates = `SELECT cursor, epoch, seq, replaces, time, status FROM evaluation WHERE device = ? AND visit = ? AND subject = ?`

// decide sets the statuses of all evaluations of one subject of one visit: those that were corrected are replaced; of the
// others the earliest counts, a correction taking the time of the press that it corrects.
func decide(ctx context.Context, tx *sql.Tx, device rating.DeviceID, visit rating.VisitID, subject rating.Subject) error {
	all, err := query(ctx, tx, func(s scanner) (c candidate, err error) {
		return c, s.Scan(&c.cursor, &c.epoch, &c.seq, &c.replaces, &c.time, &c.status)
	}, candidates, device, visit.String(), subject)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.seq, b.seq), cmp.Compare(a.cursor, b.cursor))
	})
	judge(all)
	for _, c := range all {
		if c.next == c.status {
			continue
		}
		if _, err := tx.ExecContext(ctx, "UPDATE evaluation SET status = ? WHERE cursor = ?", c.next, c.cursor); err != nil {
			return err
		}
	}
	return nil
}

// judge sets next of all candidates, which are sorted by epoch and seq.
func judge(all []candidate) {
	type place struct {
		epoch string
		seq   uint64
	}
	at := make(map[place]int)
	for i, c := range all {
		all[i].next, all[i].origin = Later, c.seq
		if c.seq == 0 {
			continue // the phone replaces nothing
		}
		at[place{c.epoch, c.seq}] = i
		if j, ok := at[place{c.epoch, c.replaces}]; ok && c.replaces != 0 {
			all[j].next = Replaced
			all[i].time, all[i].origin = all[j].time, all[j].origin
		}
	}
	first := -1
	for i, c := range all {
		if c.next != Replaced && (first < 0 || earlier(c, all[first])) {
			first = i
		}
	}
	if first >= 0 {
		all[first].next = Counted
	}
}

// earlier reports whether a came before b: in one log by their numbers, whatever its clock said, else by time.
func earlier(a, b candidate) bool {
	if a.epoch == b.epoch && a.seq != 0 && b.seq != 0 {
		return a.origin < b.origin
	}
	return a.time < b.time
}

// PhoneRating is what a citizen has sent by phone: one evaluation for each subject.
type PhoneRating struct {
	Device      rating.DeviceID
	Visit       rating.VisitID
	Evaluations []rating.Evaluation
	Submission  string // names this sending, so that sending it again changes nothing
	At          time.Time
}

// PhoneResult says what one subject's evaluation has come to.
type PhoneResult struct {
	Subject rating.Subject
	Status  Status
}

// AddPhone writes a rating by phone. It is idempotent by its Submission.
func (l *Ledger) AddPhone(ctx context.Context, p PhoneRating) ([]PhoneResult, error) {
	if p.Submission == "" || len(p.Evaluations) == 0 {
		return nil, errors.New("write a rating by phone: nothing was sent")
	}
	var out []PhoneResult
	err := l.write(ctx, func(tx *sql.Tx) error {
		out = nil
		for _, e := range p.Evaluations {
			if err := e.Check(); err != nil {
				return err
			}
			if e.Visit != p.Visit || e.Channel != rating.Phone {
				return fmt.Errorf("an evaluation of visit %s by %s does not belong here", e.Visit, e.Channel)
			}
			at := p.At.UnixMilli()
			if err := addEvaluation(ctx, tx, row{device: p.Device, submission: p.Submission, evaluation: e, stamp: rating.Stamp{Wall: at, Synced: true},
				fix: rating.Fix{Quality: rating.TimeSet, Time: at, Earliest: at, Latest: at}, received: at}); err != nil {
				return err
			}
			var s Status
			err := tx.QueryRowContext(ctx, "SELECT status FROM evaluation WHERE device = ? AND epoch = '' AND seq = 0 AND submission = ? AND subject = ?",
				p.Device, p.Submission, e.Subject).Scan(&s)
			if err != nil {
				return err
			}
			out = append(out, PhoneResult{e.Subject, s})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("write a rating by phone: %w", err)
	}
	l.changed()
	return out, nil
}

const entryColumns = `SELECT e.cursor, e.device, e.epoch, e.seq, e.visit, e.subject, e.level, e.channel, e.time, e.quality, e.earliest, e.latest, e.received_at,
	e.status, e.reasons, e.text, coalesce(v.visit, ''), coalesce(d.window, '')
	FROM evaluation e LEFT JOIN visit v ON v.device = e.device AND v.id = e.visit LEFT JOIN device d ON d.id = e.device `

// Latest returns the n evaluations that came last, newest first.
func (l *Ledger) Latest(ctx context.Context, n int) ([]Entry, error) {
	return query(ctx, l.db, scanEntry, entryColumns+"ORDER BY e.cursor DESC LIMIT ?", n)
}

// Since returns up to n evaluations that came after the given cursor, oldest first.
func (l *Ledger) Since(ctx context.Context, cursor int64, n int) ([]Entry, error) {
	return query(ctx, l.db, scanEntry, entryColumns+"WHERE e.cursor > ? ORDER BY e.cursor LIMIT ?", cursor, n)
}

func scanEntry(s scanner) (Entry, error) {
	var e Entry
	var epoch, visitID, reasons, visit, window string
	var at, earliest, latest, received int64
	if err := s.Scan(&e.Cursor, &e.Device, &epoch, &e.Seq, &visitID, &e.Subject, &e.Level, &e.Channel, &at, &e.Quality, &earliest, &latest, &received,
		&e.Status, &reasons, &e.Text, &visit, &window); err != nil {
		return Entry{}, err
	}
	e.At, e.Earliest, e.Latest, e.ReceivedAt = time.UnixMilli(at), time.UnixMilli(earliest), time.UnixMilli(latest), time.UnixMilli(received)
	var err error
	if epoch != "" {
		if e.Epoch, err = rating.ParseEpoch(epoch); err != nil {
			return Entry{}, err
		}
	}
	if e.Visit, err = rating.ParseVisitID(visitID); err != nil {
		return Entry{}, err
	}
	if err := json.Unmarshal([]byte(reasons), &e.Reasons); err != nil {
		return Entry{}, err
	}
	switch {
	case visit != "":
		var v rating.Visit
		if err := json.Unmarshal([]byte(visit), &v); err != nil {
			return Entry{}, err
		}
		e.Window, e.Staff, e.Matter = v.Window, v.Staff, matters(v)
	case window != "":
		if err := json.Unmarshal([]byte(window), &e.Window); err != nil {
			return Entry{}, err
		}
	}
	return e, nil
}

// matters names the completed matters of a visit, each once.
func matters(v rating.Visit) string {
	var names []string
	for _, c := range v.Cases {
		if c.Completed && c.TaskName != "" && !slices.Contains(names, c.TaskName) {
			names = append(names, c.TaskName)
		}
	}
	out := ""
	for i, n := range names {
		if i > 0 {
			out += "、"
		}
		out += n
	}
	return out
}

// VisitView is what the books know of a visit.
type VisitView struct {
	Visit    *rating.Visit   // nil while its record has not arrived
	Closed   *rating.Closing // nil while its outcome has not arrived
	ClosedAt time.Time       // when that arrived
	Counted  map[rating.Subject]Entry
}

// Visit returns what the books know of a visit, which may be nothing.
func (l *Ledger) Visit(ctx context.Context, device rating.DeviceID, id rating.VisitID) (VisitView, error) {
	view := VisitView{Counted: make(map[rating.Subject]Entry)}
	var visit, closing sql.NullString
	var closed sql.NullInt64
	err := l.db.QueryRowContext(ctx, "SELECT visit, closing, closed_at FROM visit WHERE device = ? AND id = ?", device, id.String()).Scan(&visit, &closing, &closed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return view, fmt.Errorf("visit %s: %w", id, err)
	}
	if visit.Valid {
		if err := json.Unmarshal([]byte(visit.String), &view.Visit); err != nil {
			return view, fmt.Errorf("visit %s: %w", id, err)
		}
	}
	if closing.Valid {
		if err := json.Unmarshal([]byte(closing.String), &view.Closed); err != nil {
			return view, fmt.Errorf("visit %s: %w", id, err)
		}
		view.ClosedAt = time.UnixMilli(closed.Int64)
	}
	entries, err := query(ctx, l.db, scanEntry, entryColumns+"WHERE e.device = ? AND e.visit = ? AND e.status = ?", device, id.String(), Counted)
	if err != nil {
		return view, fmt.Errorf("visit %s: %w", id, err)
	}
	for _, e := range entries {
		view.Counted[e.Subject] = e
	}
	return view, nil
}
