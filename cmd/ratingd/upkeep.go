package main

import (
	"context"
	"log/slog"
	mathrand "math/rand/v2"
	"time"

	"haochaping/store"
)

// Pauses between the works on the store that nobody waits for.
const (
	minorPause   = time.Minute // what failed is tried again
	compactPause = time.Hour
	verifyPause  = 24 * time.Hour
)

// upkeep salvages what was set aside, gives back the room of records that the retention no longer wants, reads the whole
// log once a day for damage that nobody has met yet, and calls minor each minute. What fails is logged and tried again.
func upkeep(ctx context.Context, db *store.Store, clk clock, log *slog.Logger, minor func()) error {
	tick := time.NewTicker(minorPause)
	defer tick.Stop()
	begun := time.Now()
	compacted, verified, salvaged := begun, time.Time{}, false
	for {
		if !salvaged {
			err := db.Salvage(ctx, clk.now)
			if salvaged = err == nil; !salvaged && ctx.Err() == nil {
				log.Error("a damaged store is not read through yet; it is tried again", "error", err)
			}
		}
		if now := time.Now(); now.Sub(begun) >= minorPause { // the start belongs to the window
			if now.Sub(verified) >= verifyPause {
				verified = now
				if r, err := db.Verify(); err != nil {
					log.Error("the store does not verify", "error", err)
				} else {
					log.Info("the store verifies", "records", r.Records, "through", r.Last)
				}
			}
			if now.Sub(compacted) >= compactPause {
				compacted = now
				if err := db.Mark(); err != nil { // so that an idle box's file does not call old records unsent
					log.Error("what the centre has is not noted yet; it is tried again", "error", err)
				}
				if n, err := db.Compact(clk.now()); err != nil {
					log.Error("old records cannot be removed; the box goes on", "error", err)
				} else if n > 0 {
					log.Info("removed old records that the centre has", "records", n)
				}
			}
			minor()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-db.Damaged():
			salvaged = false
		case <-tick.C:
			salvaged = false // what was salvaged may have reached the centre
		}
	}
}

// unknownBoot marks the number of a start that could not be counted.
const unknownBoot = 1 << 31

// countBoot returns how often the machine has started. If the store does not tell, it is a number that no other start has:
// the times of two starts must never be mixed up.
func countBoot(db *store.Store, env environment, log *slog.Logger) uint32 {
	id, err := env.bootID()
	if err == nil {
		var n uint32
		if n, err = db.Boot(id); err == nil {
			return n
		}
	}
	log.Error("this start of the machine cannot be counted; it gets a number of its own", "error", err)
	return unknownBoot | mathrand.Uint32()
}
