package books

import (
	"context"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// CaseState says what has become of a case's matter. It says no level.
type CaseState string

// The states.
const (
	CaseOpen      CaseState = "open"      // not known to be completed
	CaseCompleted CaseState = "completed" // and not rated yet
	CaseRated     CaseState = "rated"
	CaseDefault   CaseState = "default" // silence has become 基本满意 (article 14); nobody has said so
	// it was rated, and a review has not adopted that (article 17): the next answer counts, and silence says nothing
	CaseRefused CaseState = "refused"
)

// Case is what the books know of a case.
type Case struct {
	Key rating.CaseKey
	rating.CaseFile
	Contact  int64 // place in the journal of what says how the applicant is reached, 0: nothing does
	Deadline int64 // that has passed, milliseconds since 1970-01-01 UTC; 0: none yet
	Counts   int64 // cursor of the evaluation that counts, 0: none, negative: none since a review has refused it
	Reminded bool
}

// State returns what has become of the matter.
func (c Case) State() CaseState {
	switch {
	case c.Counts > 0:
		return CaseRated
	case c.Counts < 0:
		return CaseRefused
	case c.Deadline != 0 && c.Begins() != 0:
		return CaseDefault
	case c.Begins() != 0:
		return CaseCompleted
	}
	return CaseOpen
}

// Due returns when silence about the matter gets a meaning or has got one (5个工作日内未作出评价的, article 14), by a calendar of working days. It is
// zero while nobody knows the completion, and where somebody has rated it.
func (c Case) Due(days rating.Calendar) rating.Deadline {
	switch c.State() {
	case CaseCompleted:
		return days.Default(time.UnixMilli(c.Begins()))
	case CaseDefault:
		return rating.Deadline{At: time.UnixMilli(c.Deadline)}
	}
	return rating.Deadline{}
}

// Case returns what the books know of a case, and whether that is anything.
func (b *Books) Case(ctx context.Context, k rating.CaseKey) (Case, bool, error) {
	all, err := b.Cases(ctx, []rating.CaseKey{k})
	c, ok := all[k]
	return c, ok, err
}

// Cases returns what the books know of some cases; of those that are not in it, nothing.
func (b *Books) Cases(ctx context.Context, keys []rating.CaseKey) (map[rating.CaseKey]Case, error) {
	var items []int64
	want := make(map[rating.CaseKey]bool)
	for _, k := range keys {
		items = append(items, itemHash(k.String()))
		want[k] = true
	}
	out := make(map[rating.CaseKey]Case)
	err := b.read(ctx, func(tx *db.Tx, t tables) error {
		found, err := reader{tx, t, b.cfg.Journal}.files(ctx, unique(items))
		for _, f := range found {
			if f.file == nil {
				continue
			}
			if c := f.view(); want[c.Key] {
				out[c.Key] = c
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	return out, nil
}

// BatchTask returns of which task a batch is by its cases but for some, empty if nobody has said it (rating.CaseFile.BatchKey). Where old
// cases are of several tasks it is always the same one of them.
func (b *Books) BatchTask(ctx context.Context, key string, but []rating.CaseKey) (task string, err error) {
	text, args := readFiles+" WHERE batch = $1 AND batch <> 0", []any{groupHash(key)}
	for _, k := range but {
		args = append(args, k.String())
		text += fmt.Sprintf(" AND project <> $%d", len(args))
	}
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		some, err := db.Query(ctx, tx, scanFile, t.of(text+" ORDER BY n LIMIT 1"), args...)
		for _, f := range some {
			task = f.file.TaskCode
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("read the task of a batch: %w", err)
	}
	return task, nil
}

func (f loadedFile) view() Case {
	return Case{Key: rating.ParseCaseKey(f.project), CaseFile: f.file.CaseFile, Contact: f.file.contact, Deadline: f.file.passed(),
		Counts:   f.file.counts,
		Reminded: f.file.reminded != notReminded}
}

// Due is where a list of cases goes on that wait for something. The zero Due is its beginning.
type Due struct {
	Begins int64 // when the periods of the last one began: a moment, or the number of its day
	Number int64 // of the last one, in the order in which the books met them
}

// Waiting is a completed case whose deadline is to be noted.
type Waiting struct {
	Key    rating.CaseKey
	Begins int64
}

// Overdue returns up to n completed cases after a place in the list, whose periods began in days from since on and before a day
// (rating.ShanghaiDay), and whose deadline has not been noted, and the place of the last. They are in the order of days, and those of a day
// in the order in which the books keep them.
func (b *Books) Overdue(ctx context.Context, after Due, since, before int64, n int) (all []Waiting, last Due, err error) {
	type found struct {
		Waiting
		Due
	}
	last = after
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		some, err := db.Query(ctx, tx, func(s db.Scanner) (f found, err error) {
			var project string
			err = s.Scan(&project, &f.Waiting.Begins, &f.Due.Begins, &f.Number)
			f.Key = rating.ParseCaseKey(project)
			return f, err
		}, t.of(`SELECT project, begins, day, n FROM {case} WHERE waits = 1 AND day < $1 AND (day, n) > ($2, $3) AND begins >= $4
			ORDER BY day, n LIMIT $5`), before, after.Begins, after.Number, since, n)
		for _, f := range some {
			all, last = append(all, f.Waiting), f.Due
		}
		return err
	})
	if err != nil {
		return nil, after, fmt.Errorf("read the cases whose deadline has passed: %w", err)
	}
	return all, last, nil
}

// Silent returns up to n completed cases after a place in the list, whose periods began before a moment and that nobody has rated or
// reminded of, in the order of those beginnings, and the place of the last.
func (b *Books) Silent(ctx context.Context, after Due, before int64, n int) (all []Case, last Due, err error) {
	last = after
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		found, err := db.Query(ctx, tx, scanFile, t.of(readFiles+` WHERE waits = 1 AND reminded = 0 AND counts = 0
			AND begins < $1 AND (begins, n) > ($2, $3) ORDER BY begins, n LIMIT $4`), before, after.Begins, after.Number, n)
		for _, f := range found {
			all, last = append(all, f.view()), Due{f.file.Begins(), f.n}
		}
		return err
	})
	if err != nil {
		return nil, after, fmt.Errorf("read the cases that wait: %w", err)
	}
	return all, last, nil
}

// CaseFigures counts cases. Defaults are by themselves everywhere: they are nobody's answer.
type CaseFigures struct {
	Cases     int64 `json:"cases"`
	Completed int64 `json:"completed"`
	Rated     int64 `json:"rated"`   // completed, and somebody has rated the matter
	Default   int64 `json:"default"` // completed, and silence counts as 基本满意 (article 14)
	Unrated   int64 `json:"unrated"` // completed, and nobody's answer counts yet
}

// CaseFigures counts all cases.
func (b *Books) CaseFigures(ctx context.Context) (f CaseFigures, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		all, err := db.Query(ctx, tx, func(s db.Scanner) (f CaseFigures, err error) {
			return f, s.Scan(&f.Cases, &f.Completed, &f.Rated, &f.Default)
		}, t.of(`SELECT count(*), coalesce(sum(CASE WHEN begins > 0 THEN 1 ELSE 0 END), 0),
			coalesce(sum(CASE WHEN begins > 0 AND counts > 0 THEN 1 ELSE 0 END), 0),
			coalesce(sum(CASE WHEN begins > 0 AND counts = 0 AND deadline > 0 AND (presumed = 0 OR begins <= presumed) THEN 1 ELSE 0 END), 0)
				FROM {case} WHERE file <> ''`))
		if err == nil && len(all) == 1 {
			f = all[0]
			f.Unrated = f.Completed - f.Rated - f.Default
		}
		return err
	})
	if err != nil {
		return f, fmt.Errorf("count the cases: %w", err)
	}
	return f, nil
}
