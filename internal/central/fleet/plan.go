package fleet

import (
	"cmp"
	"context"
	"slices"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
)

// Plan returns the boxes of a rollout as they would come to their turn if it began with one window now, and its last stage. Who says
// nothing of its configuration, or of the package that is to be changed, is left out.
func (f *Fleet) Plan(ctx context.Context, a *directory.Atlas, r Rollout, first string, now time.Time) (boxes []RolloutBox, last int,
	err error) {
	day := directory.DayOf(now)
	begins, _ := a.Window(first, day)
	where := make(map[string]directory.Place)
	var ids []string
	for w := range a.Each(directory.Window, day) {
		p, ok := a.Window(w.ID, day)
		if ok && (r.Hall != "" && p.Hall.ID == r.Hall || r.Hall == "" && account.Within(r.Area, p.Hall.Area)) {
			where[w.ID] = p
			ids = append(ids, w.ID)
		}
	}
	slices.Sort(ids)
	states, err := f.At(ctx, ids)
	if err != nil {
		return nil, 0, err
	}
	last = OneWindow
	for _, s := range states {
		p := where[s.Window.ID]
		if s.Retired {
			continue
		}
		b := RolloutBox{Device: s.ID, Window: s.Window.ID, Hall: p.Hall.ID, Name: p.Window.Name, Stage: AllHalls, State: BoxWaits}
		switch {
		case b.Window == first:
			b.Stage = OneWindow
		case b.Hall == begins.Hall.ID:
			b.Stage = OneHall
		}
		if s.Health != nil && (s.Health.Generation == 0 || r.Change.Programs != "" && s.Health.Programs == nil) {
			b.State = BoxOld
		}
		if b.Stage == OneWindow && !s.CanBeFirst(r.Change, now) {
			b.State = BoxOld
		}
		last = max(last, b.Stage)
		boxes = append(boxes, b)
	}
	slices.SortFunc(boxes, func(x, y RolloutBox) int {
		return cmp.Or(cmp.Compare(x.Stage, y.Stage), cmp.Compare(x.Hall, y.Hall), cmp.Compare(x.Window, y.Window))
	})
	return boxes, last, nil
}

// CanBeFirst reports whether a change can begin with the box: it is well and says which configuration it has, or which package.
func (s State) CanBeFirst(c Patch, now time.Time) bool {
	is := s.Standing(now)
	return (is == Fine || is == Waiting) && s.Health != nil && s.Health.Generation > 0 && (c.Programs == "" || s.Health.Programs != nil)
}
