package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"haochaping/internal/rating"
)

// Posts says what citizens read of a window of the organisation, and who serves there.
type Posts interface {
	Texts(window string) (rating.Window, []rating.Staff, error)
}

// Serve returns the device as it serves a window of the organisation where some people serve. How the window asks, and people's cards and
// photos, stay the device's. Whoever serves there alone is on the screen without signing in, unless the window asks for it.
func (d Device) Serve(w rating.Window, people []rating.Staff) Device {
	before := d.Roster
	d.Follows, d.Roster, d.Retired = true, nil, nil
	d.Window.ID, d.Window.Name, d.Window.Hall, d.Window.Area, d.Window.Staff = w.ID, w.Name, w.Hall, w.Area, rating.Staff{}
	known := false // somebody has a card or a photo
	for _, s := range people {
		m := rating.Member{Staff: s}
		if i := slices.IndexFunc(before, func(m rating.Member) bool { return m.ID == s.ID }); i >= 0 {
			m.Card, m.Photo = before[i].Card, before[i].Photo
			known = known || m.Card != "" || len(m.Photo) > 0
		}
		d.Roster = append(d.Roster, m)
	}
	if len(people) == 1 && !d.Window.SignIn {
		d.Window.Staff = people[0]
		if !known {
			d.Roster = nil
		}
	}
	return d
}

// Told returns what the device is told of its window. One that was taken off it asks nobody: its window is closed until somebody signs in,
// and there is nobody who could.
func (d Device) Told() (rating.Window, []rating.Member) {
	if d.Retired == nil {
		return d.Window, d.Roster
	}
	w := d.Window
	w.SignIn, w.WalkUp, w.Staff = true, nil, rating.Staff{}
	return w, nil
}

// Follow gives the devices that serve the organisation's windows the texts of the day, each that changes with the next generation, and
// returns how many have changed. Kept says which devices keep what they show, and why: those of a window that is there no more.
func (f *Fleet) Follow(ctx context.Context, posts Posts) (changed int, kept, err error) {
	const step = 50 // rosters may have photos
	const told = 20
	var wrong []error
	for after := int64(0); ; {
		some, err := f.Changed(ctx, after, step)
		if err != nil {
			return changed, nil, err
		}
		for _, d := range some {
			after = d.Changed
			if !d.Follows {
				continue
			}
			next, err := d.follow(posts)
			if err != nil {
				if len(wrong) < told {
					wrong = append(wrong, fmt.Errorf("%s keeps what it shows: %w", d.ID, err))
				}
				continue
			}
			if next.Window.Generation == d.Window.Generation {
				continue
			}
			// Where another instance or a command was first, the next time tells.
			if err := f.Put(ctx, next); err != nil && !errors.Is(err, ErrGeneration) {
				return changed, nil, err
			}
			changed++
		}
		if len(some) < step {
			return changed, errors.Join(wrong...), nil
		}
	}
}

// follow returns the device as it shows what is posted, with the next generation if that is something else.
func (d Device) follow(posts Posts) (Device, error) {
	w, people, err := posts.Texts(d.Window.ID)
	if err != nil {
		return d, err
	}
	next := d.Serve(w, people)
	before, err := d.text()
	if err != nil {
		return d, err
	}
	if text, err := next.text(); err != nil || string(text) == string(before) {
		return d, err
	}
	next.Window.Generation++
	return next, next.check()
}
