package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"haochaping/internal/central/takeover"
	"haochaping/internal/sdnotify"
)

// keepSeal signs the journal's head each minute, from when it is known to be the right journal.
func (x *rooms) keepSeal(ctx context.Context, log *slog.Logger) error {
	for x.checkHead(ctx) != nil { // the ingest says so
		if !pause(ctx, supervisePause) {
			return nil
		}
	}
	return x.journal.RunSeal(ctx, x.seal, x.holder, x.checkHead, x.logHead(log))
}

// booksPause is how long it takes until the books are tried again.
const booksPause = 5 * time.Second

// keepBooks keeps the books up to date until ctx ends. It waits for a database that goes away meanwhile, and for another instance that
// makes the books anew.
func (c *command) keepBooks(ctx context.Context, x *rooms, behind func() bool, log *slog.Logger, m *sdnotify.Manager) error {
	said := ""
	for {
		err := c.makeBooks(ctx, x, behind, log, m)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if said != err.Error() {
			said = err.Error()
			log.Error("the books cannot be made at present; it is tried again, and records are taken meanwhile", "error", err)
		}
		if !pause(ctx, booksPause) {
			return nil
		}
	}
}

// makeBooks makes the books anew if this program makes them in another way than the one that made them, and then keeps them up to date.
func (c *command) makeBooks(ctx context.Context, x *rooms, behind func() bool, log *slog.Logger, m *sdnotify.Manager) error {
	stale, err := x.books.Stale(ctx)
	if err != nil {
		return err
	}
	if stale {
		log.Info("the books were made by another version of this program and are made anew; records are taken meanwhile, and the pages wait")
		if err := x.books.Rebuild(ctx, daemonProgress("重建账本 / books made anew", c.env.now, log, m).books); err != nil {
			if ctx.Err() != nil {
				return nil // it goes on at the next start
			}
			return err
		}
	}
	return x.books.RunBeside(ctx, behind)
}

// takeOver enters the books of the first version into the journal, if they are there.
func (c *command) takeOver(ctx context.Context, x *rooms, log *slog.Logger, m *sdnotify.Manager) error {
	path := filepath.Join(x.cfg.State, firstBooks)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := x.checkHead(ctx); err != nil { // nothing is entered into another journal than the one whose head was signed
		return fmt.Errorf("the old books %s wait: %w", path, err)
	}
	log.Info("the books of the first version are taken over into the journal, once", "file", path)
	r, err := takeover.Run(ctx, path, x.journal, x.fleet, daemonProgress("接收旧账本 / old books taken over", c.env.now, log, m).tell)
	if err != nil {
		return err
	}
	for _, b := range r.Broken {
		log.Warn("a signature in the old books does not verify; its records are in the journal without it", "which", b)
	}
	for _, d := range r.Keys {
		log.Warn("a box had another key when it sent some of the old records; if its hardware was not replaced, find out why", "device", d)
	}
	kept := path + ".taken-over"
	if err := os.Rename(path, kept); err != nil {
		return fmt.Errorf("set the old books aside: %w", err)
	}
	for _, rest := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + rest); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("set the old books aside: %w", err)
		}
	}
	log.Info("the old books are in the journal", "devices", r.Devices, "signed batches", r.Signed, "unsigned", r.Unsigned, "ratings by phone",
		r.Phone, "set aside as", kept)
	return nil
}

// rebuild makes the books anew from the journal.
func (c *command) rebuild(ctx context.Context, args []string) error {
	return c.onWritten(ctx, c.flags("centrald rebuild"), args, func(x *rooms) error {
		p := c.progress("重建账本", "making the books anew")
		err := x.books.Rebuild(ctx, p.books)
		p.End()
		if err != nil {
			return err
		}
		return c.say("账本已由日志重建", "the books were made anew from the journal")
	})
}
