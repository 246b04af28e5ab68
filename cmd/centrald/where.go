package main

import (
	"context"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/rating"
)

// where returns where a box stood with a window at a moment, for account.May. What the organisation does not know, or cannot be asked at
// present, lies nowhere but in the province.
func (x *rooms) where(ctx context.Context, device rating.DeviceID, w rating.Window, at time.Time) account.Object {
	a, err := x.directory.Atlas(ctx)
	if err != nil {
		return account.Object{}
	}
	return scope.At(a, device, w, at)
}
