package upward

import (
	"context"
	"slices"

	"haochaping/internal/central/db"
)

// tally is what an answer means for the records of a batch, as rows of arguments.
type tally struct {
	accepted, refused, again, services, behind [][]any
}

// take writes what was answered about a batch: each record by itself, unless it has changed meanwhile.
func (p *Push) take(ctx context.Context, kind Kind, batch []Record, h heard, id string) error {
	now := p.Room.now()
	all := p.Room.cfg.Table.results(h.receipt, batch)
	var t tally
	for _, x := range batch {
		t.add(p.Room.cfg.Table, x, all[x.ID()], now, id)
	}
	return p.Room.db.Write(ctx, func(tx *db.Tx) error {
		for _, s := range []struct {
			text string
			rows [][]any
		}{
			{`UPDATE upward_record SET taken = $1, tries = 0, answered = $2, code = $3, words = $4, batch = $5,
				state = CASE WHEN version = $1 THEN 1 ELSE state END WHERE n = $6 AND taken <= $1`, t.accepted},
			{`UPDATE upward_record SET state = 2, answered = $2, code = $3, words = $4, batch = $5 WHERE n = $6 AND version = $1
				AND state = 0`, t.refused},
			{`UPDATE upward_record SET tries = tries + 1, due = $7, answered = $2, code = $3, words = $4, batch = $5 WHERE n = $6
				AND version = $1 AND state = 0`, t.again},
			// An evaluation without its service: that goes again, and then the evaluation.
			{"UPDATE upward_record SET state = 0, due = 0, taken = 0 WHERE item = $1 AND project = $2 AND kind = 1 AND state <= 1", t.services},
			{"UPDATE upward_record SET version = $1, tries = tries + 1, due = $4 WHERE n = $2 AND version = $3", t.behind},
			{`INSERT INTO upward_receipt (batch, at, kind, records, accepted, refused, code, words, digest)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, [][]any{{id, now, kind.String(), int64(len(batch)), int64(len(t.accepted)),
				int64(len(t.refused)), string(h.Code), h.Message, h.digest}}},
			{"UPDATE upward_way SET heard = $1, since = 0, words = '' WHERE id = 1", [][]any{{now}}},
		} {
			if err := tx.Each(ctx, s.text, s.rows); err != nil {
				return err
			}
		}
		if len(t.services) == 0 || !p.Room.cfg.Table.services() {
			return nil
		}
		_, err := tx.ExecContext(ctx, `UPDATE upward_record SET state = 4 WHERE state = 0 AND kind = 2 AND gone = 0 AND NOT EXISTS
			(SELECT 1 FROM upward_record s WHERE s.item = upward_record.item AND s.project = upward_record.project AND s.kind = 1
			AND s.taken > 0)`)
		return err
	})
}

func (t *tally) add(table *Table, x Record, r result, now int64, id string) {
	row := []any{x.Version, now, clip(string(r.Code)), r.Message, id, x.n}
	before := x.tried >= x.Version
	wait := append(slices.Clone(row), now+backOff(x.tries).Milliseconds())
	if r.ID == "" {
		t.again = append(t.again, wait)
		return
	}
	switch table.judge(x, r, before) {
	case taken:
		t.accepted = append(t.accepted, row)
	case early:
		if x.tries >= mostEarly {
			t.refused = append(t.refused, row)
			return
		}
		t.again = append(t.again, wait)
		t.services = append(t.services, []any{x.item, x.project})
	case behind:
		t.behind = append(t.behind, []any{r.Version + 1, x.n, x.Version, now + backOff(x.tries).Milliseconds()})
	case refused:
		t.refused = append(t.refused, row)
	default:
		t.again = append(t.again, wait)
	}
}

// note writes why nothing goes, for people.
func (p *Push) note(ctx context.Context, why error) error {
	return p.Room.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE upward_way SET since = CASE WHEN since = 0 THEN $1 ELSE since END, words = $2 WHERE id = 1",
			p.Room.now(), clip(why.Error()))
		return err
	})
}

// good writes that all has gone.
func (p *Push) good(ctx context.Context) error {
	if p.clear {
		return nil
	}
	err := p.Room.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE upward_way SET since = 0, words = '' WHERE id = 1 AND since > 0")
		return err
	})
	p.clear = err == nil
	return err
}

// check asks for records that were accepted a while ago, and sends again what is not there any more.
func (p *Push) check(ctx context.Context) error {
	r := p.Room
	path := r.cfg.Table.Paths.Check
	if path == "" {
		return nil
	}
	for {
		if err := r.keep(ctx, pushName, pushLease); err != nil {
			return err
		}
		batch, err := r.records(ctx, "WHERE state = 1 AND gone = 0 AND sure < version AND answered <= $1 ORDER BY answered LIMIT $2",
			r.cfg.Now().Add(-checkAfter).UnixMilli(), mostRecords)
		if err != nil || len(batch) == 0 {
			return err
		}
		var l letter
		for _, x := range batch {
			all := r.cfg.Table.fields(Record{key: x.key, Number: x.Number, Version: x.Version, Said: Said{Status: x.Said.Status}}, "")
			l.Records = append(l.Records, all)
		}
		h, id, err := p.post(ctx, path, "check", l)
		if err != nil {
			return err
		}
		if err := p.checked(ctx, batch, h, id); err != nil {
			return err
		}
	}
}

// checked writes what is there still. What nothing is said of is asked for a day later.
func (p *Push) checked(ctx context.Context, batch []Record, h heard, id string) error {
	now := p.Room.now()
	table := p.Room.cfg.Table
	all := table.results(h.receipt, batch)
	var sure, lost, unsaid [][]any
	for _, x := range batch {
		r, c := all[x.ID()], string(all[x.ID()].Code)
		switch {
		case r.ID != "" && slices.Contains(table.Answers.NotThere, c),
			r.Version != 0 && r.Version < x.Version && slices.Contains(slices.Concat(table.Answers.Accepted, table.Answers.Already), c):
			lost = append(lost, []any{x.Version, x.n})
		case r.ID != "" && slices.Contains(slices.Concat(table.Answers.Accepted, table.Answers.Already), c):
			sure = append(sure, []any{x.Version, x.n})
		default:
			unsaid = append(unsaid, []any{now, x.n, x.Version})
		}
	}
	return p.Room.db.Write(ctx, func(tx *db.Tx) error {
		for _, s := range []struct {
			text string
			rows [][]any
		}{
			{"UPDATE upward_record SET sure = $1 WHERE n = $2", sure},
			{"UPDATE upward_record SET state = 0, due = 0, tries = 0, taken = 0 WHERE n = $2 AND version = $1 AND state = 1", lost},
			{"UPDATE upward_record SET answered = $1 WHERE n = $2 AND version = $3", unsaid},
			{`INSERT INTO upward_receipt (batch, at, kind, records, accepted, refused, code, words, digest)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, [][]any{{id, now, "check", int64(len(batch)), int64(len(sure)), int64(len(lost)),
				string(h.Code), h.Message, h.digest}}},
		} {
			if err := tx.Each(ctx, s.text, s.rows); err != nil {
				return err
			}
		}
		return nil
	})
}
