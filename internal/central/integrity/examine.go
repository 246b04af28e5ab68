package integrity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/report"
	"haochaping/internal/rating"
)

const (
	// compared is over how many days windows are compared.
	compared = 28
	// keptTallies is for how many days tallies are kept.
	keptTallies = 100
	// lateMinutes is how long before a hall's end answers are late.
	lateMinutes = 30
)

// Finding is what a dossier of the kind Sign keeps as it was found.
type Finding struct {
	Rule     string           `json:"rule"`
	Window   string           `json:"window"`
	Days     directory.Period `json:"days"`
	Lines    []Line           `json:"lines"`
	Examples []int64          `json:"examples,omitempty"` // evaluations, as the books number them
	Day      directory.Day    `json:"day,omitzero"`       // whose ratings by phone are to be looked at
}

// daily compares all windows if that was not done today.
func (r *Room) daily(ctx context.Context) error {
	st, err := r.state(ctx)
	today := directory.DayOf(r.cfg.Now())
	if err != nil || st.examined == int64(today) { // a later day is one of a clock that was wrong
		return err
	}
	if err := r.keep(ctx); err != nil {
		return err
	}
	if p, err := r.cfg.Reports.Progress(ctx); err != nil || p.Counting {
		return err // it is asked again
	}
	if _, err := r.Examine(ctx); err != nil {
		return err
	}
	next := st
	next.examined = int64(today)
	err = r.db.Write(ctx, func(tx *db.Tx) error { return st.move(ctx, tx, next) })
	if errors.Is(err, journal.ErrElsewhere) {
		return nil // the rows went on meanwhile; it is done again, and raises nothing twice
	}
	return err
}

// Examine compares all windows over the last four whole weeks of days, and returns how many dossiers it has opened.
func (r *Room) Examine(ctx context.Context) (opened int, err error) {
	today := directory.DayOf(r.cfg.Now())
	days := directory.Period{From: today - compared, To: today}
	halls, err := r.look(ctx, days)
	if err != nil {
		return 0, err
	}
	for _, hall := range slices.Sorted(maps.Keys(halls)) {
		for _, id := range slices.Sorted(maps.Keys(halls[hall])) {
			w := halls[hall][id]
			var others Seen
			for other, x := range halls[hall] {
				if other != id {
					others = others.add(x.seen())
				}
			}
			n, err := r.judge(ctx, days, w, others)
			opened += n
			if err != nil {
				return opened, err
			}
		}
	}
	return opened, nil
}

// judge opens a dossier for each rule that a window raises.
func (r *Room) judge(ctx context.Context, days directory.Period, w *window, others Seen) (opened int, err error) {
	seen := w.seen()
	for _, rule := range Rules() {
		lines := rule.Raised(seen, others)
		if lines == nil {
			continue
		}
		if known, err := r.judged(ctx, rule.Code, w.place.Window.ID, days); err != nil || known {
			if err != nil {
				return opened, err
			}
			continue
		}
		examples := seen.Examples[rule.Code]
		f := Finding{Rule: rule.Code, Window: w.place.Window.ID, Days: days, Lines: lines, Examples: examples[:min(len(examples), mostExamples)]}
		if rule.Code == PhoneBurst {
			f.Day = seen.PhoneDay
		}
		found, err := json.Marshal(f)
		if err != nil {
			return opened, err
		}
		d := dossier.Dossier{Kind: dossier.Sign, Name: strings.Join([]string{rule.Code, w.place.Window.ID, days.To.String()}, " "),
			Title: w.place.Hall.Name + " " + w.place.Window.Name + "：" + rule.Chinese, Area: w.place.Area().ID, Hall: w.place.Hall.ID, Found: found}
		for _, u := range w.place.Units {
			d.Units = append(d.Units, u.ID)
		}
		_, fresh, err := r.cfg.Dossiers.Add(ctx, dossier.By{Account: dossier.Source}, d)
		if err != nil {
			return opened, err
		}
		if fresh {
			opened++
		}
	}
	return opened, nil
}

// judged reports whether people have a window's sign before them, or have judged some of the days already.
func (r *Room) judged(ctx context.Context, rule, window string, days directory.Period) (bool, error) {
	all, err := r.cfg.Dossiers.Begun(ctx, dossier.Sign, rule+" "+window+" ")
	if err != nil || len(all) == 0 {
		return false, err
	}
	last := all[len(all)-1]
	to, err := directory.ParseDay(last.Name[strings.LastIndexByte(last.Name, ' ')+1:])
	return !last.State.Ended() || to > days.From, err
}

// window is what is known of a window in a period.
type window struct {
	place  directory.Place
	sum    Seen
	phones Seen
}

// seen returns all that was seen.
func (w *window) seen() Seen { return w.sum.add(w.phones) }

// add returns the sum. What phones have done at most is no sum.
func (s Seen) add(o Seen) Seen {
	s.Windows, s.Counts, s.Visits, s.Ended = s.Windows+o.Windows, s.Counts.Plus(o.Counts), s.Visits+o.Visits, s.Ended+o.Ended
	s.Short, s.Keys, s.Fast, s.Best, s.Late = s.Short+o.Short, s.Keys+o.Keys, s.Fast+o.Fast, s.Best+o.Best, s.Late+o.Late
	s.Bursts, s.Largest, s.StuckDays, s.Turned = s.Bursts+o.Bursts, max(s.Largest, o.Largest), s.StuckDays+o.StuckDays, s.Turned+o.Turned
	if o.OnePhone > s.OnePhone {
		s.OnePhone, s.PhoneDay = o.OnePhone, o.PhoneDay
	}
	if o.OneNetwork > s.OneNetwork {
		s.OneNetwork, s.OfNetwork, s.Elsewhere = o.OneNetwork, o.OfNetwork, o.Elsewhere
	}
	faults, examples := maps.Clone(s.Faults), maps.Clone(s.Examples)
	if faults == nil {
		faults = make(map[books.FindingKind]int64)
	}
	if examples == nil {
		examples = make(map[string][]int64)
	}
	for k, n := range o.Faults {
		faults[k] += n
	}
	for k, all := range o.Examples {
		examples[k] = append(slices.Clip(examples[k]), all...)
	}
	s.Faults, s.Examples = faults, examples
	return s
}

// day returns what a box's day adds, of a hall that closes at a minute.
func (t Tally) day(closes int) Seen {
	s := Seen{Visits: t.Visits, Ended: t.Ended, Short: t.Short, Keys: t.Keys, Fast: t.Fast, Largest: t.Burst, Turned: t.Turned,
		Examples: t.Examples}
	if t.Burst >= burstVisits {
		s.Bursts = 1
	}
	if t.Stuck > 0 {
		s.StuckDays = 1
	}
	for slot, n := range t.Best {
		s.Best += n
		if from := slot * 24 * 60 / slots; from >= closes-lateMinutes && from < closes {
			s.Late += n
		}
	}
	return s
}

// look returns what was seen of all windows, by hall and window. A box's day lies where its last visit of that day says.
func (r *Room) look(ctx context.Context, days directory.Period) (map[string]map[string]*window, error) {
	a, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return nil, err
	}
	g := &gathered{atlas: a, days: days, halls: make(map[string]map[string]*window), at: make(map[rating.DeviceID]*window)}
	for _, step := range []func(context.Context, *gathered) error{r.served, r.tallies, r.counts, r.faults, r.phoned} {
		if err := step(ctx, g); err != nil {
			return nil, err
		}
	}
	return g.halls, nil
}

// gathered is what is gathered of windows.
type gathered struct {
	atlas *directory.Atlas
	days  directory.Period
	halls map[string]map[string]*window
	at    map[rating.DeviceID]*window // where each box stood last
}

// window returns a window as it is at the period's end, nil if the organisation has none such.
func (g *gathered) window(id string) *window {
	p, ok := g.atlas.Window(id, g.days.To-1)
	if !ok {
		return nil
	}
	all := g.halls[p.Hall.ID]
	if all == nil {
		all = make(map[string]*window)
		g.halls[p.Hall.ID] = all
	}
	if all[id] == nil {
		all[id] = &window{place: p, sum: Seen{Windows: 1}}
	}
	return all[id]
}

// served notes the windows whose boxes were there before the period.
func (r *Room) served(ctx context.Context, g *gathered) error {
	all, err := r.cfg.Served(ctx)
	for id, since := range all {
		if directory.DayOf(since) < g.days.From {
			g.window(id)
		}
	}
	return err
}

func (r *Room) tallies(ctx context.Context, g *gathered) error {
	closes, usual, err := r.cfg.Closes(ctx)
	if err != nil {
		return err
	}
	type row struct {
		dayKey
		Tally
	}
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (x row, err error) {
		body := ""
		if err = s.Scan(&x.device, &x.at, &body); err == nil {
			err = json.Unmarshal([]byte(body), &x.Tally)
		}
		return x, err
	}, "SELECT device, at, body FROM integrity_tally WHERE at >= $1 AND at < $2 ORDER BY at, device", int64(g.days.From), int64(g.days.To))
	if err != nil {
		return fmt.Errorf("read what was tallied: %w", err)
	}
	for _, x := range all {
		w := g.at[x.device]
		if x.Window != "" {
			if _, ok := g.atlas.Place(x.device, x.Window, x.Generation, x.at.Start().Add(12*time.Hour)); !ok {
				continue
			}
			w = g.window(x.Window)
		}
		if w == nil {
			continue
		}
		g.at[x.device] = w
		minute, ok := closes[w.place.Hall.ID]
		if !ok {
			minute = usual
		}
		w.sum = w.sum.add(x.day(minute))
	}
	return nil
}

// counts adds what counts of the persons.
func (r *Room) counts(ctx context.Context, g *gathered) error {
	t, err := r.cfg.Reports.Sum(ctx, report.Ask{Days: g.days, Fits: func(w report.Where) bool { return w.Window != "" },
		Group: func(w report.Where, _ string) string { return w.Window }})
	for _, row := range t.Rows {
		if w := g.window(row.ID); w != nil {
			w.sum.Counts = w.sum.Counts.Plus(row.Of(rating.StaffSubject))
		}
	}
	return err
}

// faults adds what the books have found of boxes in the period.
func (r *Room) faults(ctx context.Context, g *gathered) error {
	const step = 500
	for f := (books.Filter{Limit: step}); ; {
		some, err := r.cfg.Books.Findings(ctx, f)
		if err != nil {
			return err
		}
		for _, x := range some {
			w := g.at[x.Device]
			if w == nil || !g.days.Holds(directory.DayOf(x.Found)) {
				continue
			}
			w.sum = w.sum.add(Seen{Faults: map[books.FindingKind]int64{x.Kind: x.Count}})
		}
		// Numbers are in the order of finding, but for those that were split.
		if len(some) < step || directory.DayOf(some[len(some)-1].Found) < g.days.From-compared {
			return nil
		}
		f.After = some[len(some)-1].ID
	}
}

// phoned adds what phones have done.
func (r *Room) phoned(ctx context.Context, g *gathered) error {
	all, err := r.origins(ctx, g.days.From)
	if err != nil {
		return err
	}
	all = telling(all, func(d rating.DeviceID) string {
		if w := g.at[d]; w != nil {
			return w.place.Hall.ID
		}
		return ""
	})
	here := make(map[*window][]origin)
	for _, o := range all {
		if w := g.at[o.device]; w != nil {
			here[w] = append(here[w], o)
		}
	}
	for _, windows := range g.halls {
		for _, w := range windows {
			var others []origin
			for _, x := range windows {
				if x != w {
					others = append(others, here[x]...)
				}
			}
			w.phones = phones(here[w], others)
		}
	}
	return nil
}
