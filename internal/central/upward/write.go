package upward

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// State says what is to be done about a record.
type State int64

// The states.
const (
	Waits    State = 0 // to be sent
	Accepted State = 1
	Refused  State = 2
	Idle     State = 3 // nothing is to be said: it was withdrawn before it ever left
	Blocked  State = 4 // its service was not accepted yet
)

// Record is a record as it is to be above.
type Record struct {
	key
	n        int64
	Number   int64 // of the service within the case
	Change   int64 // place in the feed
	Version  int64
	Gone     bool
	Area     string
	Said     Said
	body     string
	walk     int64
	State    State
	due      int64
	tries    int64
	tried    int64
	Taken    int64 // the greatest version that was accepted, 0: none
	Answered int64 // when the superior system has said something last, 0: never
	Code     string
	Words    string
	Batch    string
}

// Kind returns what is said.
func (r Record) Kind() Kind { return r.kind }

// Project returns the key of the case, or of what stands for one.
func (r Record) Project() rating.CaseKey { return rating.ParseCaseKey(r.project) }

// ID is what the record is known by above: area and number of the case, the service within it, and the kind.
func (r Record) ID() string {
	k := r.Project()
	return fmt.Sprintf("%s:%s:%d:%s", k.Area, k.Project, r.Number, r.kind.String()[:1])
}

const columns = `n, item, project, kind, number, change, version, gone, area, body, walk, state, due, tries, tried, taken, answered, code,
	words, batch`

func scanRecord(s db.Scanner) (r Record, err error) {
	var gone int64
	if err = s.Scan(&r.n, &r.item, &r.project, &r.kind, &r.Number, &r.Change, &r.Version, &gone, &r.Area, &r.body, &r.walk, &r.State, &r.due,
		&r.tries, &r.tried, &r.Taken, &r.Answered, &r.Code, &r.Words, &r.Batch); err != nil {
		return r, err
	}
	r.Gone = gone == 1
	if err := json.Unmarshal([]byte(r.body), &r.Said); err != nil {
		return r, fmt.Errorf("record %s: %w", r.ID(), err)
	}
	return r, nil
}

func (r *Room) records(ctx context.Context, where string, args ...any) ([]Record, error) {
	all, err := db.Query(ctx, r.db, scanRecord, "SELECT "+columns+" FROM upward_record "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read what goes upward: %w", err)
	}
	return all, nil
}

// change is what one transaction changes: the records that were there of what was looked at, how they are to be, and who completed what.
type change struct {
	was    []Record
	wants  map[key]want
	places map[placeKey]*place // nil: it has not
}

// write writes what differs, with how far was looked, unless somebody else has gone on meanwhile.
func (r *Room) write(ctx context.Context, st, next state, c *change) error {
	now := r.now()
	err := r.db.Write(ctx, func(tx *db.Tx) error {
		if err := st.move(ctx, tx, next); err != nil {
			return err
		}
		w := writer{now: now, walk: next.walk, services: r.cfg.Table.services(), totals: make(map[total]int64)}
		if err := w.begin(ctx, tx, c); err != nil {
			return err
		}
		if err := w.records(c); err != nil {
			return err
		}
		if err := w.places(c); err != nil {
			return err
		}
		return w.write(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("write what goes upward: %w", err)
	}
	return nil
}

// writer puts together the rows of one transaction.
type writer struct {
	now, walk       int64
	services        bool             // they go up too
	last, change    int64            // the greatest number and change so far
	numbers         map[string]int64 // the greatest of each case so far
	insert          [][]any
	update, gone    [][]any
	kept, see, less [][]any
	totals          map[total]int64 // by how many records there are more
}

// total is of what records are counted.
type total struct {
	area string
	kind Kind
}

// begin reads the numbers from which new ones go on.
func (w *writer) begin(ctx context.Context, tx *db.Tx, c *change) error {
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(n), 0), coalesce(max(change), 0) FROM upward_record").Scan(&w.last,
		&w.change); err != nil {
		return err
	}
	w.numbers = make(map[string]int64)
	known := make(map[key]bool)
	for _, x := range c.was {
		known[x.key] = true
	}
	for k := range c.wants {
		if known[k] || k.kind != Service {
			continue
		}
		var n int64
		row := tx.QueryRowContext(ctx, "SELECT coalesce(max(number), 0) FROM upward_record WHERE project = $1", k.project)
		if err := row.Scan(&n); err != nil {
			return err
		}
		w.numbers[k.project] = n
	}
	return nil
}

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.item, b.item), cmp.Compare(a.project, b.project))
}

// records compares. Services come first, since an evaluation has the number of its own.
func (w *writer) records(c *change) error {
	number := make(map[key]int64)
	known := make(map[key]Record)
	for _, x := range c.was {
		known[x.key] = x
		if x.kind == Service {
			number[x.key] = x.Number
		}
		if _, wanted := c.wants[x.key]; wanted {
			continue
		}
		if x.Gone {
			w.keep(x)
			continue
		}
		w.put(x, x.body, true, 0, x.Area)
	}
	for _, k := range slices.SortedFunc(maps.Keys(c.wants), compareKeys) {
		want := c.wants[k]
		b, err := json.Marshal(want.Said)
		if err != nil {
			return err
		}
		body := string(b)
		old, ok := known[k]
		switch {
		case ok && !old.Gone && old.body == body:
			w.keep(old)
			continue
		case ok:
			w.put(old, body, false, want.due, want.Area)
			continue
		case k.kind == Service:
			w.numbers[k.project]++
			number[k] = w.numbers[k.project]
		}
		w.last++
		w.change++
		w.totals[total{want.Area, k.kind}]++
		service := k
		service.kind = Service
		w.insert = append(w.insert, []any{w.last, k.item, k.project, int64(k.kind), number[service], w.change, w.now, int64(0), want.Area, body,
			w.walk, int64(w.begins(k.kind, false)), want.due, int64(0), int64(0), int64(0), int64(0), int64(0), "", "", ""})
	}
	return nil
}

// begins returns the state of a record that has changed.
func (w *writer) begins(k Kind, gone bool) State {
	switch {
	case k == Service && !w.services:
		return Idle
	case k == Evaluation && !gone && w.services:
		return Blocked // until it is seen that its service is there
	}
	return Waits
}

func (w *writer) keep(x Record) {
	if x.walk < w.walk {
		w.kept = append(w.kept, []any{w.walk, x.n})
	}
}

// put makes a new version of a record.
func (w *writer) put(x Record, body string, gone bool, due int64, area string) {
	w.change++
	version := max(x.Version+1, w.now)
	if gone {
		w.gone = append(w.gone, []any{w.change, version, w.walk, x.n})
		return
	}
	w.totals[total{x.Area, x.kind}]--
	w.totals[total{area, x.kind}]++
	w.update = append(w.update, []any{body, due, area, w.change, version, w.walk, int64(w.begins(x.kind, false)), x.n})
}

func (w *writer) places(c *change) error {
	for k, p := range c.places {
		if p == nil {
			w.less = append(w.less, []any{k.project, k.item})
			continue
		}
		b, err := json.Marshal(p)
		if err != nil {
			return err
		}
		w.see = append(w.see, []any{k.project, k.item, string(b)})
	}
	return nil
}

func (w *writer) write(ctx context.Context, tx *db.Tx) error {
	if err := tx.Insert(ctx, "upward_record", []string{"n", "item", "project", "kind", "number", "change", "version", "gone", "area", "body",
		"walk", "state", "due", "tries", "tried", "taken", "sure", "answered", "code", "words", "batch"}, w.insert); err != nil {
		return err
	}
	var totals [][]any
	for t, n := range w.totals {
		if n != 0 {
			totals = append(totals, []any{t.area, int64(t.kind), n})
		}
	}
	for _, s := range []struct {
		text string
		rows [][]any
	}{
		{`INSERT INTO upward_total (area, kind, n) VALUES ($1, $2, $3)
			ON CONFLICT (area, kind) DO UPDATE SET n = upward_total.n + excluded.n`, totals},
		{`UPDATE upward_record SET body = $1, gone = 0, due = $2, area = $3, change = $4, version = $5, walk = $6, tries = 0, code = '',
			words = '', state = $7 WHERE n = $8`, w.update},
		{`UPDATE upward_record SET gone = 1, due = 0, change = $1, version = $2, walk = $3, tries = 0, code = '', words = '',
			state = CASE WHEN tried = 0 THEN 3 ELSE 0 END WHERE n = $4`, w.gone},
		{"UPDATE upward_record SET walk = $1 WHERE n = $2", w.kept},
		{`INSERT INTO upward_visit (project, item, body) VALUES ($1, $2, $3)
			ON CONFLICT (project, item) DO UPDATE SET body = excluded.body`, w.see},
		{"DELETE FROM upward_visit WHERE project = $1 AND item = $2", w.less},
	} {
		if err := tx.Each(ctx, s.text, s.rows); err != nil {
			return err
		}
	}
	return nil
}
