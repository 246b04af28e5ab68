package main

import "context"

// figures makes the aggregates anew.
func (c *command) figures(ctx context.Context, args []string) error {
	return c.oneOf(ctx, "centrald figures", args, []word{{"rebuild", c.rebuildFigures}})
}

func (c *command) rebuildFigures(ctx context.Context, args []string) error {
	return c.onWritten(ctx, c.flags("centrald figures rebuild"), args, func(x *rooms) error {
		if err := x.caughtUp(ctx, c.env.stderr); err != nil {
			return err
		}
		if err := x.reports.Rebuild(ctx); err != nil {
			return err
		}
		return c.say("统计从头重做；centrald 运行时由它做完", "the figures are made anew from the books; where centrald runs, it does the rest")
	})
}
