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
	"time"
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
	terminals int
	rate      float64 // batches a second of all terminals together
	batch     int     // visits in each
	time      time.Duration
	drain     int // records of a backlog; 0: load
	rounds    int // of drain
	centre    string
	config    string // lines for the centre's configuration
	receiver  bool   // in place of the centre
	keep      bool
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	var o options
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.IntVar(&o.terminals, "terminals", 1000, "`number` of terminals")
	flags.Float64Var(&o.rate, "rate", 500, "batches a second of all terminals together")
	flags.IntVar(&o.batch, "batch", 1, "visits in a batch")
	flags.DurationVar(&o.time, "time", 30*time.Second, "how long visits come")
	flags.IntVar(&o.drain, "drain", 0, "measure how fast a box with so many pending `records` hands them over, instead")
	flags.IntVar(&o.rounds, "rounds", 3, "of -drain; the median counts")
	flags.StringVar(&o.centre, "centre", "build/centrald", "the `program` centrald")
	flags.StringVar(&o.config, "config", "", "`lines` for the centre's configuration, as 'books = \"postgres://…\"'")
	flags.BoolVar(&o.receiver, "receiver", false, "a receiver that verifies and acknowledges and keeps nothing, in place of the centre")
	flags.BoolVar(&o.keep, "keep", false, "keep the folder with logs and books")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 || o.terminals < 1 || o.rate <= 0 || o.batch < 1 || o.time <= 0 || o.drain < 0 || o.rounds < 1 {
		return errors.New("the arguments are out of range; -h lists them")
	}
	dir, err := os.MkdirTemp("", "load")
	if err != nil {
		return err
	}
	defer func() {
		if o.keep || err != nil {
			log.Printf("logs and books are in %s", dir)
		} else {
			err = os.RemoveAll(dir)
		}
	}()
	if err := raiseFiles(uint64(o.terminals + 500)); err != nil {
		return err
	}
	w, err := newWorld(ctx, dir, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if o.drain > 0 {
		return w.drain(ctx, o, out)
	}
	return w.load(ctx, o, out)
}

// raiseFiles lets this process, and those that it starts, open many files.
func raiseFiles(need uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur >= need {
		return nil
	}
	limit.Cur, limit.Max = need, max(limit.Max, need)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("%d open files are needed and not allowed; run ulimit -n %d as root before: %w", need, need, err)
	}
	return nil
}
