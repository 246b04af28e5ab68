package main

import (
	"context"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
)

// rolloutsOf begins a change in each of three halls, and returns where they lie.
func rolloutsOf(t *testing.T, x *rooms) (all []object) {
	t.Helper()
	for i, hall := range []string{"SL-H1", "SL-H2", "SL-H3"} {
		area := []string{"629900000000", "629901000000", "629902100000"}[i]
		r := fleet.Rollout{ID: "rollout" + hall, Change: fleet.Patch{SignIn: new(true)}, Area: area, Hall: hall,
			Hold: time.Hour, Last: fleet.OneHall, Account: "nobody", Begun: time.Now()}
		box := fleet.RolloutBox{Device: "none", Window: "none", Hall: hall, Stage: fleet.OneWindow, State: fleet.BoxWaits}
		_, err := x.journal.Do(t.Context(), "nobody", "", journal.Act{Do: "fleet.rollout.begin", Object: r.ID, Domain: area},
			func(ctx context.Context, tx *db.Tx, _ int64) error {
				return fleet.Begin(ctx, tx, r, []fleet.RolloutBox{box})
			})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, object{r.ID, account.Object{Area: area, Hall: hall}})
	}
	return all
}
