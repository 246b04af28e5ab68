package books

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// Entry is an evaluation in the books.
type Entry struct {
	Cursor     int64           `json:"cursor"`           // order of arrival: its place in the journal
	Device     rating.DeviceID `json:"device,omitzero"`  // empty where no box sent it
	Source     string          `json:"source,omitempty"` // the channel of one that no box sent
	Epoch      rating.Epoch    `json:"epoch,omitzero"`   // 0 for the phone
	Seq        uint64          `json:"seq,omitempty"`    // 0 for the phone
	Visit      rating.VisitID  `json:"visit"`
	Window     rating.Window   `json:"window"`
	Staff      rating.Staff    `json:"staff,omitzero"`
	Matter     string          `json:"matter,omitempty"` // names of the completed matters; empty while the visit's record has not arrived
	Subject    rating.Subject  `json:"subject"`
	Case       string          `json:"case,omitempty"` // project number, of an evaluation of one case by itself
	Level      rating.Level    `json:"level"`
	Channel    rating.Channel  `json:"channel"`
	Opener     rating.Opener   `json:"opener,omitempty"` // empty while the visit's record has not arrived
	Reasons    []string        `json:"reasons,omitempty"`
	Catalogue  uint32          `json:"catalogue,omitempty"` // version of the catalogue that the reasons are of; 0 where it was not said
	Text       string          `json:"text,omitempty"`
	At         time.Time       `json:"at"`      // as well as it is known
	Quality    rating.Quality  `json:"quality"` // how well that is
	Earliest   time.Time       `json:"earliest"`
	Latest     time.Time       `json:"latest"`
	ReceivedAt time.Time       `json:"received_at"`
	Status     rating.Standing `json:"status"`

	HasText bool `json:"has_text,omitempty"` // the citizen has written something, which is in the journal

	moment int64
	visit  *rating.Visit // nil while its record has not arrived
}

// Moment returns by what the evaluation stands in lists, and by which it is decided whose it was: its time where the box's clock is
// believed, else when it came.
func (e Entry) Moment() time.Time { return time.UnixMilli(e.moment) }

// Post returns where the evaluation was given, false where nobody has said it yet.
func (e Entry) Post() (Post, bool) {
	if e.Source != "" {
		area := areaOf(e.Case, e.visit)
		return Post{Area: area}, area != ""
	}
	if e.visit == nil {
		return Post{}, false
	}
	return Post{Device: e.Device, Generation: e.visit.Window.Generation, Window: e.visit.Window.ID}, true
}

// senderOf tells boxes from the others that the table of devices names: those are no device's name in JSON.
func senderOf(d rating.DeviceID) (rating.DeviceID, string) {
	if source, ok := strings.CutPrefix(string(d), "@"); ok {
		return "", source
	}
	return d, ""
}

// handled reports whether a matter was handled, by its code or name.
func (e Entry) handled(task string) bool {
	if e.visit == nil {
		return false
	}
	return slices.ContainsFunc(e.visit.Cases, func(c rating.Case) bool {
		return (e.Case == "" || c.ProjectNo == e.Case) && (c.TaskCode == task || c.TaskName == task)
	})
}

// Pos returns the row of the journal by which the evaluation came, and its part.
func (e Entry) Pos() (pos int64, part int) {
	return e.Cursor >> partBits, int(e.Cursor & (1<<partBits - 1))
}

const readEntries = `SELECT e.id, e.log, e.seq, e.subject, e.project, e.level, e.channel, e.boot, e.mono, e.wall, e.synced, e.received_at,
	e.standing, e.reasons, e.catalogue, coalesce(k.code, ''), coalesce(k.catalogue, 0), e.texts,
	v.id, v.visit, d.name, d.enrolled_at, d.serves, coalesce(l.epoch, 0), s.anchors, coalesce(s.earliest, 0), coalesce(s.latest, 0), e.moment
	FROM {evaluation} e JOIN {visit} v ON v.n = e.visit JOIN {device} d ON d.id = v.device
	LEFT JOIN {log} l ON l.id = e.log LEFT JOIN {span} s ON s.log = e.log AND s.boot = e.boot AND e.synced < 2` + reasonOfEvaluation

func scanEntry(s db.Scanner) (Entry, error) {
	var out Entry
	e := &evaluation{}
	var logID, seq, subject, level, channel, boot, synced, standing, texts, visitID, epoch int64
	var chosenOf uint32
	var reasons, chosen, visit, serves string
	var anchors []byte
	var o rating.Origin
	var box device
	if err := s.Scan(&out.Cursor, &logID, &seq, &subject, &out.Case, &level, &channel, &boot, &e.at.Mono, &e.at.Wall, &synced,
		&e.received, &standing, &reasons, &out.Catalogue, &chosen, &chosenOf, &texts,
		&visitID, &visit, &out.Device, &box.enrolled, &serves, &epoch, &anchors, &o.Earliest, &o.Latest, &out.moment); err != nil {
		return out, err
	}
	out.Epoch, out.Seq, out.Visit, out.HasText = rating.Epoch(epoch), uint64(seq), rating.VisitID(visitID), texts == 1
	out.Subject, out.Level, out.Channel, out.Status = subjectOf(subject), rating.Level(level), value(channels(), channel),
		value(standings(), standing)
	out.Device, out.Source = senderOf(out.Device)
	out.Reasons, out.ReceivedAt = splitReasons(reasons), time.UnixMilli(e.received)
	if chosen != "" {
		out.Reasons, out.Catalogue = append(out.Reasons, chosen), chosenOf
	}
	e.at.Boot, e.at.Synced, e.believed = uint32(boot), synced > 0, synced == 2
	if logID > 0 {
		e.log = &log{device: &box}
	}
	var err error
	var sp rating.Span
	if sp.Anchors, err = anchorsOf(anchors); err != nil {
		return out, err
	}
	f := fixOf(e, sp, o)
	out.At, out.Quality, out.Earliest, out.Latest = time.UnixMilli(f.Time), f.Quality, time.UnixMilli(f.Earliest), time.UnixMilli(f.Latest)
	switch {
	case visit != "":
		v, err := decodeVisit(visit)
		if err != nil {
			return out, fmt.Errorf("visit %s: %w", out.Visit, err)
		}
		out.visit, out.Window, out.Staff, out.Opener, out.Matter = v, v.Window, v.Staff, v.Opener, matters(v, out.Case)
	case serves != "":
		err = json.Unmarshal([]byte(serves), &out.Window)
	}
	return out, err
}

// matters names the completed matters of a visit, each once, or that of one case.
func matters(v *rating.Visit, project string) string {
	var names []string
	for _, c := range v.Cases {
		if c.Completed && (project == "" || c.ProjectNo == project) && c.TaskName != "" && !slices.Contains(names, c.TaskName) {
			names = append(names, c.TaskName)
		}
	}
	return strings.Join(names, "、")
}

// entries reads evaluations, and their texts, which are the journal's.
func (b *Books) entries(ctx context.Context, where string, args ...any) (all []Entry, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		all, err = db.Query(ctx, tx, scanEntry, t.of(readEntries+where), args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read evaluations: %w", err)
	}
	for i := range all {
		if !all[i].HasText {
			continue
		}
		pos, part := all[i].Pos()
		text, err := b.cfg.Journal.Text(ctx, pos, part)
		if err != nil && !errors.Is(err, journal.ErrErased) {
			return nil, fmt.Errorf("read the text of an evaluation: %w", err)
		}
		all[i].Text = text
	}
	return all, nil
}

// Latest returns the n evaluations that came last, newest first.
func (b *Books) Latest(ctx context.Context, n int) ([]Entry, error) {
	return b.entries(ctx, "ORDER BY e.id DESC LIMIT $1", n)
}

// Since returns up to n evaluations that came after the given cursor, oldest first.
func (b *Books) Since(ctx context.Context, cursor int64, n int) ([]Entry, error) {
	return b.entries(ctx, "WHERE e.id > $1 ORDER BY e.id LIMIT $2", cursor, n)
}

// Answer says what the answer to one question has come to.
type Answer struct {
	Question rating.Question
	Standing rating.Standing
}

// Answers returns what the answers of a rating by phone have come to, by its row of the journal, in their order.
func (b *Books) Answers(ctx context.Context, pos int64) (all []Answer, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		all, err = db.Query(ctx, tx, func(s db.Scanner) (a Answer, err error) {
			var subject, standing int64
			err = s.Scan(&subject, &a.Question.Case, &standing)
			a.Question.Subject, a.Standing = subjectOf(subject), value(standings(), standing)
			return a, err
		}, t.of("SELECT subject, project, standing FROM {evaluation} WHERE id BETWEEN $1 AND $2 ORDER BY id"), placeOf(pos, 0),
			placeOf(pos, 1<<partBits-1))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the answers of row %d: %w", pos, err)
	}
	return all, nil
}

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
func (b *Books) Visit(ctx context.Context, d rating.DeviceID, id rating.VisitID) (view VisitView, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		view = VisitView{Counted: make(map[rating.Question]Entry), Rated: make(map[rating.Question]rating.Channel)}
		s := newState(counters{})
		s.ctx, s.load = ctx, reader{tx, t, b.cfg.Journal}
		return view.fill(s, d, id)
	})
	if err != nil {
		return VisitView{}, fmt.Errorf("visit %s: %w", id, err)
	}
	return view, nil
}

// fill reads a visit with the same eyes as the projector, which changes nothing here.
func (view *VisitView) fill(s *state, d rating.DeviceID, id rating.VisitID) error {
	if err := s.needVisits([]rating.VisitID{id}); err != nil {
		return err
	}
	v := s.visits[visitKey{d, id}]
	if v == nil {
		v = &visit{device: &device{name: d}, id: id, complete: true}
	}
	var err error
	if view.Visit, err = v.read(); err != nil {
		return err
	}
	if v.closing != "" {
		if err := json.Unmarshal([]byte(v.closing), &view.Closed); err != nil {
			return err
		}
		view.ClosedAt = time.UnixMilli(v.closed)
	}
	if err := s.needEvaluationsOf([]*visit{v}); err != nil {
		return err
	}
	for _, e := range v.evaluations {
		if e.standing != rating.Counted {
			continue
		}
		if view.Counted[e.question], err = s.entryOf(e); err != nil {
			return err
		}
	}
	return view.rate(s, v)
}

// entryOf returns an evaluation as people look at it, without its text.
func (s *state) entryOf(e *evaluation) (Entry, error) {
	f, err := s.fix(e)
	if err != nil {
		return Entry{}, err
	}
	out := Entry{Cursor: e.id, Device: e.visit.device.name, Seq: e.seq, Visit: e.visit.id, Subject: e.question.Subject,
		Case: e.question.Case, Level: e.level,
		Channel: e.channel, Reasons: splitReasons(e.reasons), Catalogue: e.catalogue, ReceivedAt: time.UnixMilli(e.received),
		Status: e.standing, HasText: e.texts, moment: e.moment(), visit: e.visit.record,
		At: time.UnixMilli(f.Time), Quality: f.Quality, Earliest: time.UnixMilli(f.Earliest), Latest: time.UnixMilli(f.Latest)}
	out.Device, out.Source = senderOf(out.Device)
	if e.log != nil {
		out.Epoch = e.log.epoch
	}
	if v := e.visit.record; v != nil {
		out.Window, out.Staff, out.Opener, out.Matter = v.Window, v.Staff, v.Opener, matters(v, out.Case)
	} else if w := e.visit.device.window; w != "" {
		err = json.Unmarshal([]byte(w), &out.Window)
	}
	return out, err
}

// rate fills in Rated.
func (view *VisitView) rate(s *state, v *visit) error {
	questions := []rating.Question{{Subject: rating.StaffSubject}, {Subject: rating.MatterSubject}}
	if view.Visit != nil {
		for _, q := range view.Visit.Questions() {
			if q.Case != "" {
				questions = append(questions, q)
			}
		}
	}
	for _, q := range questions {
		asked := &evaluation{visit: v, question: q}
		overall := view.Visit != nil && view.Visit.Overall(q)
		items, err := s.itemsOf(asked)
		if err != nil {
			return err
		}
		channel, rated := rating.Channel(""), len(items) > 0
		for _, i := range items {
			counted := false
			for _, c := range i.contenders() {
				// What waits for a completion counts when that comes.
				if (*c.standing == rating.Counted || *c.standing == rating.Unasked) && (!c.overall || overall) {
					channel, counted = c.channel, true
				}
			}
			rated = rated && counted
		}
		if rated {
			view.Rated[q] = channel
		}
	}
	return nil
}
