package figures

import (
	"context"
	"fmt"

	"haochaping/internal/central/report"
)

// leastPaced is of how many presses a window's pace is told, and how many are withheld together where one is not.
const leastPaced = report.LeastPublished

// pace adds how fast keys were pressed, by window and hall and for no person or matter: a window at which many are pressed before anybody
// can have read is one where staff may press themselves. It tells no level.
func (p *pages) pace(ctx context.Context, a *answer) error {
	q := a.q
	if q.By.Code != "window" && q.By.Code != "hall" || q.Staff+q.Task != "" {
		return nil
	}
	all, ok, err := p.Paces(ctx, q.Days, q.fits, func(w report.Where) string { return q.group(w, "") })
	if err != nil || !ok {
		return err
	}
	keys := make([]int64, len(a.Parts))
	for i, x := range a.Parts {
		keys[i] = all[x.ID].Keys
	}
	for i, hidden := range report.Withhold(keys, leastPaced) {
		if x, found := all[a.Parts[i].ID]; found && x.Keys > 0 && !hidden {
			a.Parts[i].Pace = &x
		}
	}
	return nil
}

// median returns a part's median in milliseconds, and nothing where it is not told.
func (x part) median() any {
	if x.Pace == nil {
		return nil
	}
	return x.Pace.Median().Milliseconds()
}

// fast returns a part's share of presses that were too fast.
func (x part) fast() any {
	if x.Pace == nil {
		return nil
	}
	return plain(x.Pace.FastShare(), true)
}

// paceLine is how fast keys were pressed at a part.
type paceLine struct{ Name, Median, Fast string }

// paces returns how fast keys were pressed at the parts of which that is told.
func (a *answer) paces() (all []paceLine) {
	for _, x := range a.Parts {
		if x.Pace != nil {
			all = append(all, paceLine{x.Name, fmt.Sprintf("%.1f", x.Pace.Median().Seconds()), x.Pace.FastShare().String()})
		}
	}
	return all
}
