package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Print(err)
		stop()
		os.Exit(1)
	}
}

// options say what is measured.
type options struct {
	centre       string
	organisation string
	evaluations  int
	engine       string
	rounds       int
	keep         bool
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	var o options
	flags := flag.NewFlagSet("pages", flag.ContinueOnError)
	flags.StringVar(&o.centre, "centre", "build/centrald", "the `program` centrald")
	flags.StringVar(&o.organisation, "organisation", "cmd/ratingctl/organisation.csv", "a `file` with areas and units")
	flags.IntVar(&o.evaluations, "evaluations", 5_000_000, "`number` of evaluations")
	flags.StringVar(&o.engine, "engine", "sqlite", "sqlite or postgres")
	flags.IntVar(&o.rounds, "rounds", 20, "how often each of ten people asks for each page")
	flags.BoolVar(&o.keep, "keep", false, "keep the folder with logs and books")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 || o.evaluations < 1 || o.rounds < 1 || o.engine != "sqlite" && o.engine != "postgres" {
		return errors.New("the arguments are out of range; -h lists them")
	}
	dir, err := os.MkdirTemp("", "pages")
	if err != nil {
		return err
	}
	if o.keep {
		log.Print("kept: ", dir)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	w, err := newWorld(dir, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.fill(ctx); err != nil {
		return fmt.Errorf("fill the books: %w", err)
	}
	if err := w.start(ctx); err != nil {
		return fmt.Errorf("start the centre: %w", err)
	}
	return w.measure(ctx, out)
}
