package ledger

import (
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
type Status = rating.Standing

// The statuses of an evaluation.
const (
	Counted  = rating.Counted
	Replaced = rating.Replaced
	Later    = rating.Later
	Unasked  = rating.Unasked
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
	Case       string        // project number, of an evaluation of one case by itself
	Opener     rating.Opener // who opened the visit; empty while its record has not arrived
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
	Catalogue  uint32 // version of the catalogue that the reasons are of; 0 where it was not said
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

// addEvaluation writes an evaluation and decides anew which one counts for what it is about.
func addEvaluation(ctx context.Context, tx *sql.Tx, r row) error {
	reasons, err := json.Marshal(r.evaluation.Reasons)
	if err != nil {
		return err
	}
	e := r.evaluation
	var cursor int64
	err = tx.QueryRowContext(ctx, `INSERT INTO evaluation (device, epoch, seq, submission, visit, subject, project, level, channel, replaces, reasons, text, at, synced, received_at, status,
		boot, mono, time, quality, earliest, latest, catalogue)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING cursor`,
		r.device, r.epoch, r.seq, r.submission, e.Visit.String(), e.Subject, e.Case, e.Level, e.Channel, e.Replaces, string(reasons), e.Text, r.stamp.Wall, r.stamp.Synced, r.received, Later,
		r.stamp.Boot, r.stamp.Mono, r.fix.Time, r.fix.Quality, r.fix.Earliest, r.fix.Latest, e.Catalogue).Scan(&cursor)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // it is here
	}
	if err != nil {
		return err
	}
	return standings{ctx, tx}.add(cursor, r.device, e)
}

// PhoneRating is what a citizen has sent by phone: one evaluation for each question.
type PhoneRating struct {
	Device      rating.DeviceID
	Visit       rating.VisitID
	Evaluations []rating.Evaluation
	Submission  string // names this sending, so that sending it again changes nothing
	At          time.Time
}

// PhoneResult says what the answer to one question has come to.
type PhoneResult struct {
	Question rating.Question
	Status   Status
}

// AddPhone writes a rating by phone. It is idempotent by its Submission, which is of one visit, and returns what each of its
// answers has come to once all of them are in the books.
func (l *Ledger) AddPhone(ctx context.Context, p PhoneRating) ([]PhoneResult, error) {
	if p.Submission == "" || len(p.Evaluations) == 0 {
		return nil, errors.New("write a rating by phone: nothing was sent")
	}
	var out []PhoneResult
	err := l.write(ctx, func(tx *sql.Tx) error {
		at := p.At.UnixMilli()
		for _, e := range p.Evaluations {
			if err := e.Check(); err != nil {
				return err
			}
			if e.Visit != p.Visit || e.Channel != rating.Phone {
				return fmt.Errorf("an evaluation of visit %s by %s does not belong here", e.Visit, e.Channel)
			}
			if err := addEvaluation(ctx, tx, row{device: p.Device, submission: p.Submission, evaluation: e, stamp: rating.Stamp{Wall: at, Synced: true},
				fix: rating.Fix{Quality: rating.TimeSet, Time: at, Earliest: at, Latest: at}, received: at}); err != nil {
				return err
			}
		}
		var err error
		out, err = phoneResults(ctx, tx, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("write a rating by phone: %w", err)
	}
	l.changed()
	return out, nil
}

// phoneResults returns what the answers of a sending have come to.
func phoneResults(ctx context.Context, tx *sql.Tx, p PhoneRating) ([]PhoneResult, error) {
	var out []PhoneResult
	for _, e := range p.Evaluations {
		var s Status
		err := tx.QueryRowContext(ctx, `SELECT status FROM evaluation WHERE device = ? AND epoch = '' AND seq = 0 AND submission = ? AND subject = ? AND project = ?
			AND visit = ?`, p.Device, p.Submission, e.Subject, e.Case, p.Visit.String()).Scan(&s)
		if errors.Is(err, sql.ErrNoRows) { // the books know the answer's name, so that it was not written
			return nil, fmt.Errorf("the submission %s is of another visit than %s", p.Submission, p.Visit)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, PhoneResult{e.Question(), s})
	}
	return out, nil
}

const entryColumns = `SELECT e.cursor, e.device, e.epoch, e.seq, e.visit, e.subject, e.project, e.level, e.channel, e.time, e.quality, e.earliest, e.latest, e.received_at,
	e.status, e.reasons, e.catalogue, coalesce(k.code, ''), coalesce(k.catalogue, 0), e.text, coalesce(v.visit, ''), coalesce(d.window, '')
	FROM evaluation e LEFT JOIN visit v ON v.device = e.device AND v.id = e.visit LEFT JOIN device d ON d.id = e.device
	LEFT JOIN reason k ON k.device = e.device AND k.epoch = e.epoch AND e.seq > 0 AND k.seq = (SELECT min(r.seq) FROM reason r
		WHERE r.device = e.device AND r.epoch = e.epoch AND r.of = e.seq AND r.seq > e.seq AND r.visit = e.visit AND r.subject = e.subject
		AND r.project = e.project) `

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
	var epoch, visitID, reasons, key, visit, window string
	var keyCatalogue uint32
	var at, earliest, latest, received int64
	if err := s.Scan(&e.Cursor, &e.Device, &epoch, &e.Seq, &visitID, &e.Subject, &e.Case, &e.Level, &e.Channel, &at, &e.Quality, &earliest, &latest, &received,
		&e.Status, &reasons, &e.Catalogue, &key, &keyCatalogue, &e.Text, &visit, &window); err != nil {
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
	if key != "" {
		e.Reasons, e.Catalogue = append(e.Reasons, key), keyCatalogue
	}
	switch {
	case visit != "":
		var v rating.Visit
		if err := json.Unmarshal([]byte(visit), &v); err != nil {
			return Entry{}, err
		}
		e.Window, e.Staff, e.Opener, e.Matter = v.Window, v.Staff, v.Opener, matters(v, e.Case)
	case window != "":
		if err := json.Unmarshal([]byte(window), &e.Window); err != nil {
			return Entry{}, err
		}
	}
	return e, nil
}

// matters names the completed matters of a visit, each once, or that of one case.
func matters(v rating.Visit, project string) string {
	var names []string
	for _, c := range v.Cases {
		if c.Completed && (project == "" || c.ProjectNo == project) && c.TaskName != "" && !slices.Contains(names, c.TaskName) {
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
