// The program powercut cuts the power of a simulated disk under the store and prints what came of it. `make powercut` runs
// it; internal/proof/powercut says what it does.
package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"haochaping/internal/proof/powercut"
)

func main() {
	if powercut.Child() {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "powercut:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("powercut", flag.ContinueOnError)
	cuts := flags.Int("cuts", 1000, "how often the power is cut")
	seed := flags.Uint64("seed", drawSeed(), "what happens at random follows from it, as far as possible")
	disk := flags.Uint64("disk", 0, "number of the first disk, to repeat what was found on it")
	evidence := flags.String("evidence", "", "`folder` for what a cut has left when a promise was broken")
	if err := flags.Parse(args); err != nil {
		return err
	}
	fmt.Printf("seed %d\n", *seed)
	table, err := powercut.Run(ctx, powercut.Plan{Build: powercut.Good, Cuts: *cuts, Seed: *seed, Disk: *disk, Evidence: *evidence,
		Progress: func(t powercut.Table) {
			if t.Cuts%100 == 0 {
				fmt.Printf("%d cuts\n", t.Cuts)
			}
		}})
	fmt.Print(table)
	if err != nil {
		return err
	}
	failed := error(nil)
	if table.Broken() {
		failed = fmt.Errorf("the store has broken its word %s", table.Last)
	}
	for _, b := range powercut.Broken() {
		caught, err := powercut.Catch(ctx, b, *seed)
		if err != nil {
			return errors.Join(failed, err)
		}
		fmt.Printf("%-34s %8d\n  %s\n", fmt.Sprintf("broken build caught, %s: cut", b), caught.Cuts, caught.Last)
	}
	figures, err := powercut.Measure(ctx)
	if err != nil {
		return errors.Join(failed, err)
	}
	for _, f := range figures {
		fmt.Print(f)
	}
	return failed
}

func drawSeed() uint64 {
	var b [4]byte // short enough to be typed
	_, _ = rand.Read(b[:])
	return uint64(binary.BigEndian.Uint32(b[:]))
}
