package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"haochaping/internal/boxconfig"
)

// eraser has the box forget all.
type eraser struct {
	cfg     boxconfig.Config
	pending func() uint64 // records that the centre has not acknowledged
	restart func()        // nil without a service manager
	reborn  func()        // begins anew, in this process where nobody else would
	log     *slog.Logger
}

// erase has the box forget all at its next start, which is at once, unless records wait that are not given up by the box's name.
func (e eraser) erase(giveUp string) error {
	if n := e.pending(); n > 0 && giveUp != string(e.cfg.Device) {
		return fmt.Errorf("还有 %[1]d 条记录没有上传：等它们上传，或写明本机名称放弃它们 / "+
			"%[1]d records are not sent yet; wait for them, or give them up by the box's name", n)
	}
	if e.restart == nil {
		return errNoManager
	}
	if err := boxconfig.MarkErased(e.cfg.State); err != nil {
		return err
	}
	e.restart()
	return nil
}

// run waits, where the boot partition asks the box to forget all, until nothing waits to be sent any more, and then has it begin anew.
func (e eraser) run(ctx context.Context) error {
	asked, giveUp := e.cfg.ResetAsked()
	if !asked {
		return idle(ctx)
	}
	e.log.Warn("the boot partition asks the box to forget all; it does once nothing waits to be sent",
		"pending", e.pending(), "given_up", giveUp)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for !giveUp && e.pending() > 0 {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	if err := boxconfig.MarkErased(e.cfg.State); err != nil {
		e.log.Error("the box cannot be erased", "error", err)
		return idle(ctx)
	}
	e.reborn()
	return idle(ctx)
}
