package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"haochaping/internal/central/directory"
)

// keepWindows gives the boxes what the organisation says of their windows until ctx ends: when it has changed, and when a day begins.
func (c *command) keepWindows(ctx context.Context, x *rooms, log *slog.Logger) error {
	again := time.NewTicker(2 * time.Second)
	defer again.Stop()
	var told, failing string
	var version int64 = -1
	var day directory.Day
	for {
		err := func() error {
			today := directory.DayOf(c.env.now())
			v, err := x.directory.Version(ctx)
			if err != nil || v == version && today == day {
				return err
			}
			posts, err := x.directory.Posts(ctx, today)
			if err != nil {
				return err
			}
			n, kept, err := x.fleet.Follow(ctx, posts)
			if err != nil {
				return err
			}
			version, day = posts.Version, today
			if n > 0 {
				log.Info("boxes get new names of their windows", "boxes", n)
			}
			if kept != nil && kept.Error() != told {
				log.Warn("some boxes keep the names that they show; where the window has ended, move the box with \"centrald device add\"", "boxes",
					kept)
			}
			told = fmt.Sprint(kept)
			return nil
		}()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failing = ""
		case err.Error() != failing:
			failing = err.Error()
			log.Error("boxes cannot be told what the organisation says of their windows; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}
