package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/cli"
	"haochaping/internal/terminal"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

// settles is how long the record of an interrupted visit may take to the centre and back.
const settles = 20 * time.Second

// eraser has the box forget all.
type eraser struct {
	cfg     boxconfig.Config
	pending func() uint64 // records that the centre has not acknowledged
	window  pausing
	settle  time.Duration // that what the window has written last may take to be acknowledged
	asked   chan order
	answer  func(id string, parts []wire.Part, err error)
	reborn  func() // begins anew, in this process where nobody else would
	log     *slog.Logger
}

// pausing is the window, which takes no more answers while it is paused.
type pausing interface {
	View() terminal.Public
	Pause(context.Context) error
	Resume(context.Context) error
}

// order is a command that asks the box to forget all.
type order struct{ id, giveUp string }

// ask has the box forget all, which run does: the uplink waits for nothing, and must go on to hear what is acknowledged meanwhile.
func (e eraser) ask(id, giveUp string) error {
	select {
	case e.asked <- order{id, giveUp}:
		return uplink.ErrLater
	default:
		return cli.Error("已经在清除", "the box is being erased already")
	}
}

// erase has the box forget all at its next start, unless records wait that are not given up by the box's name. The window is paused before:
// an answer that comes later would be thanked for and forgotten.
func (e eraser) erase(ctx context.Context, giveUp string) error {
	given := giveUp == string(e.cfg.Device)
	if n := e.pending(); n > 0 && !given {
		return waiting(n)
	}
	paused := e.window.View().State == terminal.Paused
	err := e.quiet(ctx, given)
	if err == nil {
		err = e.forget(given)
	}
	if err != nil && !paused { // who has paused it ends that
		err = errors.Join(err, e.window.Resume(context.WithoutCancel(ctx)))
	}
	return err
}

// quiet pauses the window, and waits until what it has written last is acknowledged.
func (e eraser) quiet(ctx context.Context, given bool) error {
	if err := e.window.Pause(ctx); err != nil && !given { // a log that cannot be written is given up by name
		return err
	}
	for end := time.Now().Add(e.settle); !given && e.pending() > 0 && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// forget marks the box, unless records wait that are not given up.
func (e eraser) forget(given bool) error {
	if n := e.pending(); n > 0 && !given {
		return waiting(n)
	}
	return boxconfig.MarkErased(e.cfg.State)
}

// waiting says why a box cannot forget all.
func waiting(n uint64) error {
	return cli.Errorf("还有 %d 条记录没有上传：等它们上传，或写明本机名称放弃它们",
		"%d records are not sent yet; wait for them, or give them up by the box's name", n)
}

// run has the box forget all where a command asks for it, and where the boot partition does once nothing waits to be sent any more.
func (e eraser) run(ctx context.Context) error {
	file, giveUp := e.cfg.ResetAsked()
	name := ""
	if giveUp {
		name = string(e.cfg.Device)
	}
	if file {
		e.log.Warn("the boot partition asks the box to forget all; it does once nothing waits to be sent",
			"pending", e.pending(), "given_up", giveUp)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case o := <-e.asked:
			err := e.erase(ctx, o.giveUp)
			e.answer(o.id, nil, err)
			if err != nil {
				e.log.Warn("the box does not forget what it has", "command", o.id, "error", err)
			}
			if err == nil {
				time.Sleep(time.Second) // in which the answer goes; nobody can rate any more
				e.reborn()
				return idle(ctx)
			}
		case <-tick.C:
			if !file || !giveUp && e.pending() > 0 {
				continue
			}
			if err := e.erase(ctx, name); err != nil {
				e.log.Error("the box cannot be erased yet; it is tried again", "error", err)
				continue
			}
			e.reborn()
			return idle(ctx)
		}
	}
}
