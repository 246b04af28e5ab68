package directory

import (
	"context"
	"fmt"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// Posts is what boxes show of the organisation's windows on one day.
type Posts struct {
	Version int64 // of the organisation
	day     Day
	atlas   *Atlas
	people  map[string][]Record // by window, by their IDs
}

// Posts reads who serves at which window on a day.
func (d *Directory) Posts(ctx context.Context, day Day) (*Posts, error) {
	a, err := d.Atlas(ctx)
	if err != nil {
		return nil, err
	}
	all, err := db.Query(ctx, d.db, scanRecord, "SELECT "+columns+" FROM organisation WHERE kind = $1 AND window_id > '' AND valid_from <= "+
		"$2 AND valid_to > $2 ORDER BY id",
		string(Staff), int64(day))
	if err != nil {
		return nil, fmt.Errorf("read who serves at the windows: %w", err)
	}
	p := &Posts{Version: a.Version, day: day, atlas: a, people: make(map[string][]Record)}
	for _, r := range all {
		p.people[r.Window] = append(p.people[r.Window], r)
	}
	return p, nil
}

// Texts returns a window with the names that citizens read, and who serves there. One that does not hold on the day is ErrUnknown.
func (p *Posts) Texts(window string) (rating.Window, []rating.Staff, error) {
	place, ok := p.atlas.Window(window, p.day)
	if !ok {
		return rating.Window{}, nil, fmt.Errorf("window %s on %s: %w", window, p.day, ErrUnknown)
	}
	var people []rating.Staff
	for _, r := range p.people[window] {
		s := rating.Staff{ID: r.ID, Name: r.Name, Department: r.Office}
		if unit, ok := p.atlas.at(Unit, r.Unit, p.day); ok && s.Department == "" {
			s.Department = unit.Name
		}
		people = append(people, s)
	}
	return rating.Window{ID: window, Name: place.Window.Name, Hall: place.Hall.Name, Area: rating.PadArea(place.Hall.Area)}, people, nil
}
