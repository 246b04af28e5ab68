package subscribe

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
)

// onBoth runs a test on both engines; open returns the room as an instance has it.
func onBoth(t *testing.T, check func(t *testing.T, open func() *Room)) {
	t.Helper()
	for name, place := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "centre.db") },
		"postgres": func(t *testing.T) string { return dbtest.StartPostgres(t).Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			at := place(t)
			check(t, func() *Room {
				t.Helper()
				d, err := db.Open(t.Context(), at)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = d.Close() })
				r, err := Open(t.Context(), d)
				if err != nil {
					t.Fatal(err)
				}
				return r
			})
		})
	}
}

// TestTwoInstancesAddAtOnce: none is lost, none is there twice, and twenty are enough.
func TestTwoInstancesAddAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, open func() *Room) {
		rooms := []*Room{open(), open()}
		var adding errgroup.Group
		for n := range 16 {
			for _, r := range rooms {
				adding.Go(func() error {
					return r.Add(t.Context(), Subscription{Account: fmt.Sprint("a", n%4), Every: Month, Query: fmt.Sprint("by=hall&n=", n/4), Words: "x"})
				})
			}
		}
		if err := adding.Wait(); err != nil {
			t.Fatal(err)
		}
		numbers := make(map[int64]bool)
		for n := range 4 {
			all, err := rooms[0].Of(t.Context(), fmt.Sprint("a", n))
			if err != nil || len(all) != 4 {
				t.Fatalf("a%d has %v, %v", n, all, err)
			}
			for _, s := range all {
				numbers[s.N] = true
			}
		}
		if len(numbers) != 16 {
			t.Errorf("16 subscriptions have %d numbers", len(numbers))
		}
		var err error
		for n := 0; n < 17 && err == nil; n++ {
			err = rooms[1].Add(context.Background(), Subscription{Account: "a0", Every: Week, Query: fmt.Sprint(n)})
		}
		if !errors.Is(err, ErrMany) {
			t.Errorf("the twenty-first is %v", err)
		}
	})
}
