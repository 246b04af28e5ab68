package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// project makes the books of many visits by 1,000 boxes, in rounds with the yardstick, so that both meet the same machine.
func (b *bench) project(ctx context.Context, p *place) error {
	const boxes, perMessage, rounds = 1000, 66, 10
	at := p.db
	if at.Engine() == db.SQLite {
		var err error
		if at, err = db.Open(ctx, "sqlite:"+filepath.Join(p.dir, "books.db")); err != nil {
			return err
		}
		defer func() { _ = at.Close() }() // the folder goes with it
	}
	x, err := books.Open(ctx, books.Config{DB: at, Journal: p.journal, Holder: "bench", Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	keys := make(map[rating.DeviceID]ed25519.PublicKey)
	var all []*box
	for n := range boxes {
		y := newBox(n)
		all, keys[y.id] = append(all, y), y.public()
	}
	var yard, took, busy time.Duration
	records, written := 0, 0
	for round, sent := 0, 0; round < rounds; round++ {
		var payloads, some [][]byte
		for range max(1, b.visits/rounds/perMessage) {
			payload, raw, err := all[sent%boxes].message(perMessage)
			if err != nil {
				return err
			}
			payloads, some = append(payloads, payload), append(some, raw...)
			sent++
		}
		if _, err := p.take(ctx, keys, payloads, 256); err != nil {
			return err
		}
		rate, err := p.plain(ctx, some, 200, written)
		if err != nil {
			return err
		}
		yard += time.Duration(float64(len(some)) / rate * float64(time.Second))
		records, written = records+len(some), written+len(some)
		before := processor()
		d, err := follow(ctx, p, x)
		if err != nil {
			return err
		}
		took, busy = took+d, busy+processor()-before
	}
	say(p.name, yard.Seconds()/took.Seconds(), "%d records of %d boxes: %.0f/s projected, %.1f µs of this program's processor time each; "+
		"yardstick %.0f/s",
		records, boxes, float64(records)/took.Seconds(), float64(busy.Microseconds())/float64(records), float64(records)/yard.Seconds())
	return nil
}

// follow lets the books follow the journal to its end, and returns how long that took.
func follow(ctx context.Context, p *place, x *books.Books) (time.Duration, error) {
	size, err := p.journal.Head(ctx)
	if err != nil {
		return 0, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- x.Run(running) }()
	err = x.Wait(ctx, size)
	took := time.Since(began)
	stop()
	if err = errors.Join(err, <-ended); err != nil {
		return 0, fmt.Errorf("make the books: %w", err)
	}
	return took, nil
}
