// The program soak runs boxes, a broker and a centre for a given time, lets faults happen to all of them at random, and
// then compares the centre's books with what the citizens were thanked for. It prints a table and ends with status 1 if
// anything that was thanked for is missing, counts twice, or was never pressed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	d := flag.Duration("time", time.Minute, "how long faults happen")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the faults")
	boxes := flag.Int("boxes", 4, "number of boxes")
	books := flag.String("books", "sqlite", "where the books are: sqlite or postgres")
	keep := flag.Bool("keep", false, "keep the folder with logs and books")
	flag.Parse()
	if *books != "sqlite" && *books != "postgres" {
		log.Printf("-books %q: want sqlite or postgres", *books)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *d, *seed, *boxes, *books == "postgres", *keep); err != nil {
		log.Print(err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, d time.Duration, seed uint64, boxes int, postgres, keep bool) (err error) {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer func() {
		if keep || err != nil {
			log.Printf("logs and books are in %s", dir)
		} else {
			err = os.RemoveAll(dir)
		}
	}()
	w, err := newWorld(ctx, dir, ".", boxes, postgres)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.shut()) }()
	log.Printf("%d boxes run for %s with faults of seed %d", boxes, d, seed)
	before := w.memory()
	count := &tally{n: make(map[string]int)}
	if err := w.suffer(ctx, d, seed, count); err != nil {
		return err
	}
	after := w.memory()
	return w.report(ctx, os.Stdout, d, seed, count, before, after)
}

// suffer lets citizens rate and faults happen for a time, then ends the faults and waits until the boxes have sent all.
func (w *world) suffer(ctx context.Context, d time.Duration, seed uint64, count *tally) error {
	faultCtx, endFaults := context.WithTimeout(ctx, d)
	defer endFaults()
	lifeCtx, endLife := context.WithCancel(ctx)
	defer endLife()
	var life, faults sync.WaitGroup
	problems := make(chan error, len(w.boxes)+1)
	begin := func(list []fault, stream uint64, pause float64) {
		faults.Go(func() {
			if err := trouble(faultCtx, list, count, rand.New(rand.NewPCG(seed, stream)), pause); err != nil {
				problems <- err
				endFaults()
			}
		})
	}
	for i, b := range w.boxes {
		life.Go(func() { b.live(lifeCtx, rand.New(rand.NewPCG(seed, uint64(1000+i)))) })
		begin(ofBox(b, count), uint64(i+1), 4)
	}
	begin(ofCentre(w), 0, 20)
	for tick := time.NewTicker(time.Minute); ; {
		select {
		case <-tick.C:
			log.Printf("%d faults, %d visits thanked for", count.total(), w.thanked())
			continue
		case <-faultCtx.Done():
			tick.Stop()
		}
		break
	}
	faults.Wait()
	w.heal()
	time.Sleep(2 * time.Second)
	endLife()
	life.Wait()
	select {
	case err := <-problems:
		return err
	default:
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, b := range w.boxes {
		if !b.drained(ctx, 2*time.Minute) {
			return fmt.Errorf("%s has not sent everything two minutes after the last fault", b.name)
		}
	}
	return nil
}

func (w *world) thanked() (n int) {
	for _, b := range w.boxes {
		b.mu.Lock()
		n += len(b.thanked)
		b.mu.Unlock()
	}
	return n
}

// memory returns the resident memory of all programs in kB, by their names.
func (w *world) memory() map[string]int {
	m := map[string]int{"centre": w.centre.memory(), "broker": w.broker.memory()}
	for _, b := range w.boxes {
		m[b.name] = b.p.memory()
	}
	return m
}
