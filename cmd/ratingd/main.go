// Command ratingd is the daemon of one service window (评价器): it reads the five keys, asks about visits, records each
// evaluation before it says thank you, and hands the records to the centre.
//
//	ratingd -config /etc/ratingd.toml
//	ratingd -print-config
//	ratingd -check-config
//
// Status 78 says that the configuration is wrong, so that a service manager need not try again; arguments that are not
// understood are 2, each other failure is 1.
//
// It keeps running without network, without a clock and without a keypad, and with any of its optional parts broken: these are
// run in extras.go, which tells how they are and tries them again. It refuses to start only when it cannot know
// what it would be doing: a configuration that is wrong, or a store that another daemon holds.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"haochaping/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], machine(os.Stdout, os.Stderr)); err != nil {
		cli.Report(os.Stderr, "ratingd", err)
		os.Exit(exitStatus(err))
	}
}

// exitConfiguration is EX_CONFIG of sysexits.h, on which the unit does not restart the daemon.
const exitConfiguration = 78

func exitStatus(err error) int {
	var wrong *configurationError
	if errors.As(err, &wrong) {
		return exitConfiguration
	}
	return cli.Status(err)
}
