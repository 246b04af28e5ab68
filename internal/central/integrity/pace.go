package integrity

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/report"
)

// Bounds of how long citizens take: whatever is longer stands with the last.
const (
	paceStep = 500 * time.Millisecond
	mostPace = 120
)

// mostPaced is how many boxes are looked at for one table: who asks for more names a place.
const mostPaced = 500

// Pace is how long after the question the first key of visits was pressed.
type Pace struct {
	Keys int64 // visits answered by key
	Fast int64 // of those, within two seconds, which is faster than can be read
	waits
}

// waits counts visits by how many half seconds that took.
type waits map[int]int64

// waited counts a visit.
func (w waits) waited(ms int64) { w[int(min(ms/paceStep.Milliseconds(), mostPace))]++ }

// Median returns how long half of the visits took at most, to half a second, 0 of none.
func (p Pace) Median() time.Duration {
	var n int64
	for _, step := range slices.Sorted(maps.Keys(p.waits)) {
		if n += p.waits[step]; 2*n >= p.Keys && n > 0 {
			return time.Duration(step+1) * paceStep
		}
	}
	return 0
}

// FastShare returns the share of presses within two seconds.
func (p Pace) FastShare() report.Value { return report.Value{N: p.Fast, All: p.Keys, Share: true} }

// Paces adds up what boxes at places that fit have kept of a period, by where group says that they stood, empty for nowhere. It reports
// false where that are too many boxes to look at. Of days that are more than keptTallies ago nothing is kept.
func (r *Room) Paces(ctx context.Context, days directory.Period, fits func(report.Where) bool,
	group func(report.Where) string) (map[string]Pace, bool, error) {
	a, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return nil, false, err
	}
	var boxes []string
	for _, s := range a.Stays() {
		if _, meet := s.Meet(days); meet && fits(whereOf(s.Place)) && !slices.Contains(boxes, string(s.Device)) {
			boxes = append(boxes, string(s.Device))
		}
		if len(boxes) > mostPaced {
			return nil, false, nil
		}
	}
	out := make(map[string]Pace)
	for some := range slices.Chunk(boxes, 100) {
		all, err := r.paced(ctx, days, some)
		if err != nil {
			return nil, false, err
		}
		for _, x := range all {
			p, ok := a.Place(x.device, x.Window, x.Generation, x.at.Start().Add(12*time.Hour))
			if !ok || !fits(whereOf(p)) {
				continue
			}
			if id := group(whereOf(p)); id != "" {
				out[id] = out[id].plus(x.Tally)
			}
		}
	}
	return out, true, nil
}

type pacedDay struct {
	dayKey
	Tally
}

func (r *Room) paced(ctx context.Context, days directory.Period, boxes []string) ([]pacedDay, error) {
	where, args := "", []any{int64(days.From), int64(days.To)}
	for i, b := range boxes {
		if i > 0 {
			where += ", "
		}
		args = append(args, b)
		where += fmt.Sprintf("$%d", len(args))
	}
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (x pacedDay, err error) {
		body := ""
		if err = s.Scan(&x.device, &x.at, &body); err == nil {
			err = json.Unmarshal([]byte(body), &x.Tally)
		}
		return x, err
	}, "SELECT device, at, body FROM integrity_tally WHERE at >= $1 AND at < $2 AND device IN ("+where+")", args...)
	if err != nil {
		return nil, fmt.Errorf("read how fast keys were pressed: %w", err)
	}
	return all, nil
}

// plus adds a box's day.
func (p Pace) plus(t Tally) Pace {
	sum := maps.Clone(p.waits)
	if sum == nil {
		sum = make(waits)
	}
	for step, n := range t.Waits {
		sum[step] += n
	}
	return Pace{p.Keys + t.Keys, p.Fast + t.Fast, sum}
}

// whereOf returns where a place is, as figures say it.
func whereOf(p directory.Place) report.Where {
	w := report.Where{Area: p.Area().ID, Hall: p.Hall.ID, Window: p.Window.ID}
	for _, u := range p.Units {
		w.Units = append(w.Units, u.ID)
	}
	return w
}
