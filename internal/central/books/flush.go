package books

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// writer gathers the rows of one chunk by statement.
type writer struct {
	t       tables
	inserts map[string][][]any // by table
	each    []statement
	known   map[string]int    // places in each, by text
	updates map[string]string // by table
}

type statement struct {
	text string
	rows [][]any
}

func newWriter(t tables) *writer {
	return &writer{t: t, inserts: make(map[string][][]any), known: make(map[string]int), updates: make(map[string]string)}
}

func (w *writer) do(text string, args ...any) {
	i, ok := w.known[text]
	if !ok {
		i = len(w.each)
		w.known[text] = i
		w.each = append(w.each, statement{text: w.t.of(text)})
	}
	w.each[i].rows = append(w.each[i].rows, args)
}

// put adds a row that is new, or has one changed, which its first values name.
func (w *writer) put(r row, table string, args ...any) {
	switch r {
	case fresh:
		w.inserts[table] = append(w.inserts[table], args)
	case changed:
		text, ok := w.updates[table]
		if !ok {
			text = update(table)
			w.updates[table] = text
		}
		n := keys(table)
		w.do(text, append(args[n:len(args):len(args)], args[:n]...)...)
	}
}

// columns returns those of a table in the order in which rows are written.
func columns(table string) []string {
	switch table {
	case "device":
		return []string{"id", "name", "enrolled_at", "generation", "serves"}
	case "log":
		return []string{"id", "device", "epoch", "records", "quarantined", "forks", "entries", "gaps", "through", "boot", "others",
			"first", "last", "prev", "hash"}
	case "run":
		return []string{"log", "first", "last", "prev", "hash"}
	case "span":
		return []string{"log", "boot", "last_mono", "ceiling", "anchors", "earliest", "latest", "contested"}
	case "fork":
		return []string{"log", "seq", "place", "hash", "prev"}
	case "salvaged":
		return []string{"log", "seq", "place", "hash"}
	case "visit":
		return []string{"n", "id", "device", "opened_at", "moment", "visit", "closing", "closed_at", "area"}
	case "evaluation":
		return []string{"id", "visit", "log", "seq", "subject", "project", "level", "channel", "replaces", "boot", "mono", "wall",
			"synced", "received_at",
			"standing", "refused", "contested", "submission", "reasons", "catalogue", "texts", "moment", "post", "staff", "tasks"}
	case "reason":
		return []string{"id", "log", "seq", "explains", "visit", "subject", "project", "code", "catalogue"}
	case "claim":
		return []string{"cased", "evaluation", "overall", "direct", "standing"}
	case "case":
		return []string{"n", "item", "project", "file", "begins", "day", "batch", "theme", "contact", "deadline", "presumed", "late_holds",
			"reminded", "counts", "waits"}
	case "finding":
		return []string{"id", "device", "log", "kind", "first", "last", "count", "more", "detail", "found_at", "resolved_at"}
	}
	return []string{"id", "pos", "devices", "logs", "visits", "findings"}
}

// update returns the statement that changes a row, which the first columns name.
func update(table string) string {
	text, n, all := "UPDATE {"+table+"} SET ", 0, columns(table)
	for i, c := range all[keys(table):] {
		if i > 0 {
			text += ", "
		}
		n++
		text += fmt.Sprintf("%s = $%d", c, n)
	}
	for i, c := range all[:keys(table)] {
		text += map[bool]string{true: " WHERE ", false: " AND "}[i == 0]
		n++
		text += fmt.Sprintf("%s = $%d", c, n)
	}
	return text
}

// flush writes what a chunk has changed.
func (s *state) flush(ctx context.Context, tx *db.Tx, t tables) error {
	w := newWriter(t)
	logs := make([]*log, 0, len(s.touchedLogs))
	for l := range s.touchedLogs {
		logs = append(logs, l)
	}
	slices.SortFunc(logs, func(a, b *log) int { return cmp.Compare(a.id, b.id) })
	for _, d := range s.boxes {
		w.put(d.row, "device", d.id, string(d.name), d.enrolled, int64(d.generation), d.window)
	}
	for _, l := range logs {
		w.log(l)
	}
	for _, x := range s.salvaged {
		w.inserts["salvaged"] = append(w.inserts["salvaged"], []any{x.log, int64(x.seq), x.place, x.hash[:]})
	}
	for _, r := range s.reasons {
		w.reason(r)
	}
	for _, all := range s.forks {
		for _, f := range all {
			w.inserts["fork"] = append(w.inserts["fork"], []any{f.log, int64(f.seq), f.place, f.hash[:], bytesOf(f.prev)})
		}
	}
	for _, v := range sorted(s.visitsByN, func(v *visit) int64 { return v.n }) {
		if v.row == kept {
			continue
		}
		w.put(v.row, "visit", v.n, int64(v.id), v.device.id, v.opened, v.moment, v.text, v.closing, v.closed, v.area)
	}
	for _, e := range sorted(s.evaluations, func(e *evaluation) int64 { return e.id }) {
		w.evaluation(e)
	}
	for _, c := range slices.SortedFunc(maps.Values(s.cases), func(a, b *cased) int { return cmp.Compare(a.n, b.n) }) {
		w.cased(c)
	}
	for _, k := range s.findings {
		w.findings(k)
	}
	return w.write(ctx, tx)
}

// sorted returns a map's rows by their numbers, which is how tables take them best.
func sorted[T any](all map[int64]T, key func(T) int64) []T {
	rows := make([]T, 0, len(all))
	for _, r := range all {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	return rows
}

func (w *writer) log(l *log) {
	w.runs(l)
	var first, last int64
	var prev, hash any
	if tail, ok := l.runs.last(); ok {
		first, last, prev, hash = int64(tail.first), int64(tail.last), bytesOf(tail.prev), tail.hash[:]
	}
	if l.row == kept {
		l.row = changed // its last run has grown, or nothing of it differs
	}
	w.put(l.row, "log", l.id, l.device.id, int64(l.epoch), l.records, l.quarantined, l.forks, l.entries, l.gaps, int64(l.through),
		int64(l.boot), l.others, first, last, prev, hash)
	for _, s := range l.spans.rows {
		if s.row == kept {
			continue
		}
		w.put(s.row, "span", l.id, int64(s.Boot), s.LastMono, s.Ceiling, anchorBytes(s.Anchors), s.origin.Earliest, s.origin.Latest, s.open)
	}
}

// runs writes a log's runs but for the last, which stands with the log.
func (w *writer) runs(l *log) {
	for _, r := range l.gone {
		w.do("DELETE FROM {run} WHERE log = $1 AND first = $2", l.id, int64(r.first))
		l.others--
	}
	for i, r := range l.runs.rows {
		if r.row == kept && r.saved != (i == len(l.runs.rows)-1) {
			continue
		}
		args := []any{l.id, int64(r.first), int64(r.last), bytesOf(r.prev), r.hash[:]}
		switch {
		case i == len(l.runs.rows)-1:
			if r.saved {
				w.do("DELETE FROM {run} WHERE log = $1 AND first = $2", args[:2]...)
				r.saved = false
				l.others--
			}
		case !r.saved:
			w.put(fresh, "run", args...)
			r.saved = true
			l.others++
		default:
			w.put(r.row, "run", args...)
		}
	}
}

func (w *writer) evaluation(e *evaluation) {
	if e.row == kept {
		return
	}
	var log int64
	if e.log != nil {
		log = e.log.id
	}
	synced := flag(e.at.Synced)
	if e.believed {
		synced = 2
	}
	w.put(e.row, "evaluation", e.id, e.visit.n, log, int64(e.seq), subjectNumber(e.question.Subject), e.question.Case, int64(e.level),
		number(channels(), e.channel),
		int64(e.replaces), int64(e.at.Boot), e.at.Mono, e.at.Wall, synced, e.received, number(standings(), e.standing), e.refusedText(),
		flag(e.contested),
		e.submission, e.reasons, int64(e.catalogue), flag(e.texts), e.moment(), e.found.post, e.found.staff, e.found.tasks)
}

func (w *writer) cased(c *cased) {
	for _, x := range c.gone {
		w.do("DELETE FROM {claim} WHERE cased = $1 AND evaluation = $2", c.n, x.evaluation.id)
	}
	for _, x := range c.claims {
		if x.row == kept {
			continue
		}
		w.put(x.row, "claim", c.n, x.evaluation.id, flag(x.overall), flag(x.direct), number(standings(), x.standing))
	}
	switch f := c.file; {
	case c.isNew:
		w.put(fresh, "case", c.columns()...)
	case f == nil || f.row == kept:
	case f.row == changed && f.text != "": // no index of what was filed is touched
		w.do("UPDATE {case} SET contact = $1, deadline = $2, presumed = $3, late_holds = $4, reminded = $5, counts = $6, waits = $7 WHERE n = $8",
			f.contact, f.deadline, f.presumed, flag(f.lateHolds), int64(f.reminded), f.counts, flag(f.waits), c.n)
	default:
		w.put(changed, "case", c.columns()...)
	}
}

// columns returns a case's row.
func (c *cased) columns() []any {
	f := c.file
	if f == nil {
		f = new(file)
	} else {
		f.text = encodeFile(f.CaseFile)
	}
	return []any{c.n, c.item, c.project, f.text, f.Begins(), rating.ShanghaiDay(f.Begins()), groupHash(f.BatchKey()), groupHash(f.ThemeKey()),
		f.contact, f.deadline, f.presumed, flag(f.lateHolds), int64(f.reminded), f.counts, flag(f.waits)}
}

func (w *writer) findings(k *kindFindings) {
	for _, f := range k.gone {
		w.do("DELETE FROM {finding} WHERE id = $1", f.id)
	}
	for _, f := range slices.Concat(k.open, k.resolved) {
		var resolved any
		if f.resolved != 0 {
			resolved = f.resolved
		}
		w.put(f.row, "finding", f.id, k.about.device, k.about.log, number(kinds(), k.about.kind), int64(f.first), int64(f.last), f.count,
			flag(f.more), f.detail, f.found, resolved)
	}
}

// write writes what was gathered: what gives room before what takes it.
func (w *writer) write(ctx context.Context, tx *db.Tx) error {
	for _, s := range w.each {
		if err := tx.Each(ctx, s.text, s.rows); err != nil {
			return fmt.Errorf("%s: %w", s.text, err)
		}
	}
	for _, table := range tableNames() {
		if err := tx.Insert(ctx, w.t.name(table), columns(table), w.inserts[table]); err != nil {
			return fmt.Errorf("insert into %s: %w", table, err)
		}
	}
	return nil
}

// groupHash returns the hash of a batch or theme, 0 for none.
func groupHash(key string) int64 {
	if key == "" {
		return 0
	}
	return itemHash(key)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// bytesOf returns a hash as its column has it.
func bytesOf(h *rating.Hash) any {
	if h == nil {
		return nil
	}
	return h[:]
}

func anchorBytes(all []rating.Anchor) []byte {
	b := make([]byte, 0, 16*len(all))
	for _, a := range all {
		b = binary.BigEndian.AppendUint64(b, uint64(a.Mono))
		b = binary.BigEndian.AppendUint64(b, uint64(a.Wall))
	}
	return b
}
