package books

import (
	"context"
	"fmt"
	"slices"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// ServiceKey names a visit. Device is the box, or "@" and the channel where no box was.
type ServiceKey struct {
	Device rating.DeviceID
	Visit  rating.VisitID
}

// String returns the key as two words.
func (k ServiceKey) String() string { return string(k.Device) + " " + k.Visit.String() }

// Counting is an answer that counts, as figures need it.
type Counting struct {
	ID      int64
	Level   rating.Level
	Channel rating.Channel
	At      time.Time // Entry.Moment
	Post    Post      // empty where nobody has said it
	Staff   string    // ID of who served, empty where nobody has said it
	Reasons []Chosen  // why
}

// Chosen is a reason that was given, of a version of the catalogue, 0 where that was not said.
type Chosen struct {
	Code      string
	Catalogue uint32
}

// chosen returns why answers were given, by their IDs. Reasons that were chosen on keys lie in records of their own.
func (r reader) chosen(ctx context.Context, ids []int64) (map[int64][]Chosen, error) {
	type row struct {
		id      int64
		reasons string
		of      uint32
		key     Chosen
	}
	found, err := some(ctx, r, func(s db.Scanner) (x row, err error) {
		return x, s.Scan(&x.id, &x.reasons, &x.of, &x.key.Code, &x.key.Catalogue)
	},
		"SELECT e.id, e.reasons, e.catalogue, coalesce(k.code, ''), coalesce(k.catalogue, 0) FROM {evaluation} e JOIN {visit} v ON v.n = e.visit"+
			reasonOfEvaluation, "e.id", ids)
	if err != nil {
		return nil, fmt.Errorf("read reasons: %w", err)
	}
	out := make(map[int64][]Chosen)
	for _, x := range found {
		for _, code := range splitReasons(x.reasons) {
			out[x.id] = append(out[x.id], Chosen{code, x.of})
		}
		if x.key.Code != "" {
			out[x.id] = append(out[x.id], x.key)
		}
	}
	return out, nil
}

// Service is what the books know of a visit, as figures need it.
type Service struct {
	Visit *rating.Visit // nil while its record has not come
	Post  Post          // empty while that is so
	At    time.Time     // when it was opened, or its record came where the box's clock is not believed
	Own   map[rating.Subject]Counting
	Cases []rating.CaseKey // that it handled or that its answers may count for
}

// Services returns what the books know of some visits; of those that are not in it, nothing.
func (b *Books) Services(ctx context.Context, keys []ServiceKey) (map[ServiceKey]Service, error) {
	out := make(map[ServiceKey]Service)
	err := b.read(ctx, func(tx *db.Tx, t tables) error {
		s := newState(counters{})
		s.ctx, s.load = ctx, reader{tx, t, b.cfg.Journal}
		var ids []rating.VisitID
		for _, k := range keys {
			ids = append(ids, k.Visit)
		}
		if err := s.needVisits(ids); err != nil {
			return err
		}
		var all []*visit
		for _, k := range keys {
			if v := s.visits[visitKey{k.Device, k.Visit}]; v != nil {
				all = append(all, v)
			}
		}
		if err := s.needEvaluationsOf(all); err != nil {
			return err
		}
		if err := s.needAllClaimed(all); err != nil {
			return err
		}
		for _, v := range all {
			x, err := s.service(v)
			if err != nil {
				return err
			}
			out[ServiceKey{v.device.name, v.id}] = x
		}
		return explain(ctx, reader{tx, t, b.cfg.Journal}, out)
	})
	if err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	return out, nil
}

// explain adds why the visits' own answers were given.
func explain(ctx context.Context, r reader, out map[ServiceKey]Service) error {
	var ids []int64
	for _, x := range out {
		for _, c := range x.Own {
			ids = append(ids, c.ID)
		}
	}
	why, err := r.chosen(ctx, ids)
	for _, x := range out {
		for subject, c := range x.Own {
			c.Reasons = why[c.ID]
			x.Own[subject] = c
		}
	}
	return err
}

// needAllClaimed reads in one go the cases that the answers of some visits are about.
func (s *state) needAllClaimed(all []*visit) error {
	var keys []string
	for _, v := range all {
		record, err := v.read()
		if err != nil {
			return err
		}
		for _, e := range v.evaluations {
			if !e.own() {
				keys = append(keys, casesOf(e, record)...)
			}
		}
	}
	return s.needCases(unique(keys))
}

func (s *state) service(v *visit) (x Service, err error) {
	if x.Visit, err = v.read(); err != nil {
		return x, err
	}
	x.At, x.Own = time.UnixMilli(v.moment), make(map[rating.Subject]Counting)
	if x.Visit != nil {
		x.Post = v.post(rating.CaseKey{})
		for _, c := range x.Visit.Cases {
			x.Cases = append(x.Cases, x.Visit.Key(c))
		}
	}
	for _, e := range v.evaluations {
		if e.own() {
			if e.standing == rating.Counted {
				x.Own[e.question.Subject] = e.counting()
			}
			continue
		}
		items, err := s.itemsOf(e)
		if err != nil {
			return x, err
		}
		for _, i := range items {
			if k := rating.ParseCaseKey(i.cased.project); !i.cased.group() && !slices.Contains(x.Cases, k) {
				x.Cases = append(x.Cases, k)
			}
		}
	}
	return x, nil
}

// post returns where a visit was, whose record is read; of an answer by a channel about a case the area of that.
func (v *visit) post(about rating.CaseKey) Post {
	x := Entry{Case: about.String(), visit: v.record}
	x.Device, x.Source = senderOf(v.device.name)
	p, _ := x.Post()
	return p
}

// counting returns an evaluation as figures need it. Its visit is read.
func (e *evaluation) counting() Counting {
	c := Counting{ID: e.id, Level: e.level, Channel: e.channel, At: time.UnixMilli(e.moment()),
		Post: e.visit.post(rating.ParseCaseKey(e.question.Case))}
	if e.visit.record != nil {
		c.Staff = e.visit.record.Staff.ID
	}
	return c
}

// Matter is what the books know of a case, as figures need it.
type Matter struct {
	Case
	Counts *Counting // nil where no answer does
}

// Matters returns what the books know of some cases; of those that are not in it, nothing. One that nobody has told of may have been rated.
func (b *Books) Matters(ctx context.Context, keys []rating.CaseKey) (map[rating.CaseKey]Matter, error) {
	out := make(map[rating.CaseKey]Matter)
	err := b.read(ctx, func(tx *db.Tx, t tables) error {
		s := newState(counters{})
		s.ctx, s.load = ctx, reader{tx, t, b.cfg.Journal}
		if err := s.needCases(unique(keysOf(keys))); err != nil {
			return err
		}
		for _, k := range keys {
			c := s.cases[k.String()]
			m := Matter{Case: Case{Key: k}}
			if c.file != nil {
				m.Case = loadedFile{file: c.file, item: c.item, project: c.project}.view()
			}
			for _, x := range c.claims {
				if x.standing != rating.Counted {
					continue
				}
				if _, err := x.evaluation.visit.read(); err != nil {
					return err
				}
				counts := x.evaluation.counting()
				m.Counts = &counts
			}
			if c.file != nil || m.Counts != nil {
				out[k] = m
			}
		}
		var ids []int64
		for _, m := range out {
			if m.Counts != nil {
				ids = append(ids, m.Counts.ID)
			}
		}
		why, err := reader{tx, t, b.cfg.Journal}.chosen(ctx, ids)
		for _, m := range out {
			if m.Counts != nil {
				m.Counts.Reasons = why[m.Counts.ID]
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	return out, nil
}

// Mark says how far the books and their feed are, and which books they are: another generation may say otherwise of anything.
type Mark struct {
	Generation, Pos, Decision int64
}

// Mark returns how far the books are.
func (b *Books) Mark(ctx context.Context) (m Mark, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		m.Generation = t.generation
		if m.Pos, err = one(ctx, tx, t.of("SELECT pos FROM {position} WHERE id = 1")); err != nil {
			return err
		}
		m.Decision, err = one(ctx, tx, "SELECT coalesce(max(id), 0) FROM books_decision")
		return err
	})
	if err != nil {
		return m, fmt.Errorf("read how far the books are: %w", err)
	}
	return m, nil
}
