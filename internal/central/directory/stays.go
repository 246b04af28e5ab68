package directory

import (
	"maps"
	"slices"

	"haochaping/internal/rating"
)

// Stay is a box at a window of the organisation for days on which nothing that Place says changes.
type Stay struct {
	Device     rating.DeviceID
	Generation uint32
	Period
	Place Place
}

// Stays returns where all boxes ever stood, as Place says it. They are worked out when they are asked for first.
func (a *Atlas) Stays() []Stay {
	a.staying.Do(func() {
		places := make(map[string][]Stay)
		for _, window := range a.served {
			if _, ok := places[window]; !ok {
				places[window] = a.places(window)
			}
		}
		for box, window := range a.served {
			for _, s := range places[window] {
				s.Device, s.Generation = box.device, box.generation
				a.stays = append(a.stays, s)
			}
		}
	})
	return a.stays
}

// places returns where a window was, period by period.
func (a *Atlas) places(window string) (all []Stay) {
	days := make(map[Day]bool)
	a.turns(days, ref{Window, window}, make(map[ref]bool))
	turns := slices.Sorted(maps.Keys(days))
	for i, d := range turns {
		if i+1 == len(turns) {
			break
		}
		if p, ok := a.Window(window, d); ok {
			all = append(all, Stay{Period: Period{d, turns[i+1]}, Place: p})
		}
	}
	return all
}

// turns notes the days on which something changes of a thing, or of what it has ever named.
func (t tree) turns(days map[Day]bool, x ref, seen map[ref]bool) {
	if x.id == "" || seen[x] {
		return
	}
	seen[x] = true
	if x.kind == Area {
		t.turns(days, ref{Area, ParentArea(x.id)}, seen)
	}
	for _, r := range t[x.kind][x.id] {
		days[r.From], days[r.To] = true, true
		for _, next := range r.refs() {
			t.turns(days, next, seen)
		}
	}
}
