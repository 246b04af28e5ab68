package main

import (
	"context"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/rating"
)

// where returns where a box stood with a window at a moment, for account.May. What the organisation does not know, or cannot be asked at present, lies
// nowhere but in the province.
func (x *rooms) where(ctx context.Context, device rating.DeviceID, w rating.Window, at time.Time) account.Object {
	a, err := x.directory.Atlas(ctx)
	if err != nil {
		return account.Object{}
	}
	p, ok := a.Place(device, w.ID, w.Generation, at)
	if !ok {
		return account.Object{}
	}
	o := account.Object{Area: p.Area().ID, Hall: p.Hall.ID}
	for _, u := range p.Units {
		o.Units = append(o.Units, u.ID)
	}
	return o
}
