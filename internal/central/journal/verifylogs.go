package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"haochaping/internal/central/db"
)

// logVerifier makes the state of each log anew from the rows.
type logVerifier struct {
	logs map[logKey]keptLog
}

func newLogVerifier() logVerifier { return logVerifier{make(map[logKey]keptLog)} }

// follow takes a row, and returns the number of its log and the verdict.
func (v *logVerifier) follow(e Entry) (log int64, through uint64) {
	if e.Kind != Batch || len(e.Parts) == 0 {
		return 0, 0
	}
	k := logKey{e.Source, e.Epoch}
	l, ok := v.logs[k]
	if !ok {
		l.id = int64(len(v.logs)) + 1
	}
	l.progress = l.with(run{first: e.First, prev: e.prev(), hashes: e.Header().Hashes, released: e.Released})
	v.logs[k] = l
	return l.id, l.through
}

// endLogs compares the table of logs.
func (v *verifier) endLogs(ctx context.Context, tx *db.Tx, greatest int64) error {
	if greatest != int64(len(v.logs)) {
		v.problem("the journal says that it has %d logs, and its rows are of %d", greatest, len(v.logs))
	}
	left := maps.Clone(v.logs)
	const step = 1000
	for after, more := int64(-1<<62), true; more; {
		rows, err := db.Query(ctx, tx, scanLog, readLog+"WHERE id > $1 ORDER BY id LIMIT $2", after, step)
		if err != nil {
			return fmt.Errorf("read the state of logs: %w", err)
		}
		more = len(rows) == step
		for _, r := range rows {
			after = r.id
			want, ok := left[r.logKey]
			delete(left, r.logKey)
			switch {
			case !ok:
				v.problem("the log %s of %s is said to be here, and no row is of it", r.epoch, r.device)
			case want.id != r.id || !want.same(r.progress):
				v.problem("the state of the log %s of %s is not what follows from its rows", r.epoch, r.device)
			}
		}
	}
	for k := range left {
		v.problem("the state of the log %s of %s was taken away", k.epoch, k.device)
	}
	return nil
}

// same reports whether a state is what follows from the rows. Of logs from before it was kept it is not known how much of a chain is here,
// and less may be said than is.
func (p progress) same(kept progress) bool {
	return p.through == kept.through && p.hash == kept.hash && p.released == kept.released && p.since <= kept.since &&
		slices.EqualFunc(p.beyond, kept.beyond, func(a, b span) bool {
			return a.First == b.First && a.Last == b.Last && a.Hash == b.Hash && a.Since <= b.Since
		})
}

// place is that of a text.
type place struct {
	pos  int64
	part int
}

// textVerifier compares the free texts with their keys.
type textVerifier struct {
	secrets map[place][]byte // of the rows that are being read
	missing map[place]bool   // texts without a key: true until their erasure comes
}

func newTextVerifier() textVerifier {
	return textVerifier{missing: make(map[place]bool)}
}

// readKeys reads the keys of the texts in the rows after a position, up to a last one.
func (v *verifier) readKeys(ctx context.Context, q db.Querier, after, last int64) error {
	v.leftKeys()
	v.secrets = make(map[place][]byte)
	all, err := db.Query(ctx, q, func(s db.Scanner) (x secret, err error) { return x, s.Scan(&x.Pos, &x.Part, &x.Key) },
		"SELECT pos, part, key FROM secret WHERE pos > $1 AND pos <= $2", after, last)
	if err != nil {
		return fmt.Errorf("read the keys of texts: %w", err)
	}
	for _, x := range all {
		v.secrets[place{x.Pos, int(x.Part)}] = x.Key
	}
	return nil
}

// leftKeys tells of keys that no text has.
func (v *verifier) leftKeys() {
	for p := range v.secrets {
		v.problem("there is a key for a text of answer %d in row %d, which has none", p.part, p.pos)
	}
}

// sealed checks the ciphertexts of a row: texts of answers and contacts of cases.
func (v *verifier) sealed(r Entry) {
	for part := range r.Parts {
		text, err := r.sealedText(part)
		if err != nil {
			v.problem("row %d, answer %d: %v", r.Pos, part, err)
			continue
		}
		if len(text) == 0 {
			continue
		}
		at := place{r.Pos, part}
		wrapped, ok := v.secrets[at]
		delete(v.secrets, at)
		if !ok {
			v.missing[at] = !v.j.cfg.Copied
			continue
		}
		if _, err := v.j.decrypt(text, wrapped); err != nil {
			v.problem("the text of answer %d in row %d cannot be read: %v", part, r.Pos, err)
		}
	}
}

// erased takes an erasure.
func (v *verifier) erased(r Entry) {
	var act Erased
	if len(r.Parts) != 1 || json.Unmarshal(r.Parts[0], &act) != nil {
		v.problem("row %d is said to erase a text and cannot be read", r.Pos)
		return
	}
	v.missing[place{act.Pos, act.Part}] = false
}

// endTexts tells of keys that are too many or too few.
func (v *verifier) endTexts(ctx context.Context, tx *db.Tx) error {
	v.leftKeys()
	outside, err := db.Query(ctx, tx, scanInt, "SELECT pos FROM secret WHERE pos < 1 OR pos > $1 LIMIT $2", v.tree.size, maxProblems)
	if err != nil {
		return err
	}
	for _, pos := range outside {
		v.problem("there is a key for a text of row %d, which does not exist", pos)
	}
	for at, unexplained := range v.missing {
		if unexplained {
			v.problem("the key of the text of answer %d in row %d was taken away, and no row says that it was erased", at.part, at.pos)
			continue
		}
		keys, err := db.Query(ctx, tx, scanInt, "SELECT pos FROM secret WHERE pos = $1 AND part = $2", at.pos, int64(at.part))
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			v.problem("the text of answer %d in row %d is said to be erased, and its key is here", at.part, at.pos)
		}
	}
	return nil
}
