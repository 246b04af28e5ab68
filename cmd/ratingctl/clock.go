package main

import (
	"context"
	"flag"
	"io"

	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/kernelclock"
)

// clockMark keeps the file by which the daemon knows whether the clock is right. The daemon's sandbox protects the clock, and
// with that forbids even to ask; this is a service of its own that may do nothing else.
func clockMark(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("ratingctl clock", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cli.Describe(ctx, flags, condition.Text{})
	if err := cli.Parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return cli.Hint(cli.Usage("缺少文件名", "the file is missing"), "这是 ratingd-clock.service 的工作；手工运行写 ratingctl clock 文件名",
			"this is the work of ratingd-clock.service; by hand: ratingctl clock FILE")
	}
	return kernelclock.Mark{Path: flags.Arg(0), SinceBoot: kernelclock.SinceBoot}.Keep(ctx, kernelclock.Synchronised)
}
