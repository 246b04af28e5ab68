package main

import (
	"context"
	"fmt"
)

// figures makes the aggregates anew.
func (c *command) figures(ctx context.Context, args []string) error {
	return c.oneOf(ctx, "centrald figures", args, []word{{"rebuild", c.rebuildFigures}})
}

func (c *command) rebuildFigures(ctx context.Context, args []string) error {
	return c.onWritten(ctx, c.flags("centrald figures rebuild"), args, func(x *rooms) error {
		if err := x.caughtUp(ctx); err != nil {
			return err
		}
		if err := x.reports.Rebuild(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintln(c.env.stdout, "the figures are made anew from the books; where centrald runs, it does the rest")
		return err
	})
}
