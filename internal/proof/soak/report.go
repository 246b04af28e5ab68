package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"syscall"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/rating"
)

// verdict is what the comparison of a box with the books says.
type verdict struct {
	visits, thanked, inBooks, twice, lost, invented, other int
	details                                                []string
}

// report stops everything in order and prints the table.
func (w *world) report(ctx context.Context, out io.Writer, d time.Duration, seed uint64, count *tally, before, after map[string]int) error {
	for _, b := range w.boxes {
		b.p.end(syscall.SIGTERM)
	}
	w.centre.end(syscall.SIGTERM)
	centre, err := w.openBooks(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = centre.Close() }()
	entries, err := centre.Entries(ctx)
	if err != nil {
		return err
	}
	var sum verdict
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	say("time %s, boxes %d, seed %d\n", d, len(w.boxes), seed)
	say("fault                 injected")
	count.each(func(kind string, n int) { say("%-22s%8d", kind, n) })
	say("%-22s%8d\n", "all", count.total())
	say("box       visits  thanked  in the books  twice  lost  invented  keys out of service  slowest thanks")
	for _, b := range w.boxes {
		v := b.compare(entries)
		say("%-8s%8d%9d%14d%7d%6d%10d%21d%16s", b.name, v.visits, v.thanked, v.inBooks, v.twice, v.lost, v.invented, b.faults,
			b.slowest.Round(time.Millisecond))
		sum.visits, sum.thanked, sum.inBooks = sum.visits+v.visits, sum.thanked+v.thanked, sum.inBooks+v.inBooks
		sum.twice, sum.lost, sum.invented, sum.other = sum.twice+v.twice, sum.lost+v.lost, sum.invented+v.invented, sum.other+v.other
		sum.details = append(sum.details, v.details...)
	}
	say("%-8s%8d%9d%14d%7d%6d%10d\n", "all", sum.visits, sum.thanked, sum.inBooks, sum.twice, sum.lost, sum.invented)
	for _, detail := range sum.details {
		say("%s", detail)
	}
	bad, err := w.findings(ctx, centre, say)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		say("memory of %-8s %6d kB at the beginning, %6d kB at the end", name, before[name], after[name])
	}
	if sum.twice+sum.lost+sum.invented+sum.other+bad > 0 {
		return errors.New("the books are not what the citizens were thanked for")
	}
	return nil
}

// compare holds what was thanked for against the books.
func (b *box) compare(entries []books.Entry) (v verdict) {
	v.visits, v.thanked = len(b.pressed), len(b.thanked)
	note := func(format string, args ...any) {
		v.details = append(v.details, b.name+": "+fmt.Sprintf(format, args...))
	}
	counted := make(map[string]rating.Level)
	for _, e := range entries {
		if string(e.Device) != b.name {
			continue
		}
		id := e.Visit.String()
		if !b.pressed[id][e.Level] {
			v.invented++
			note("the books hold %s for visit %s, which nobody pressed", e.Level, id)
		}
		if e.Status != rating.Counted {
			continue
		}
		if _, again := counted[id]; again {
			v.twice++
			note("visit %s counts twice", id)
		}
		counted[id] = e.Level
	}
	for id, level := range b.thanked {
		got, ok := counted[id]
		switch {
		case !ok:
			v.lost++
			note("visit %s was thanked for and is not in the books", id)
		case got != level && len(b.pressed[id]) == 1: // a second press may be there though its thanks were not seen
			v.other++
			note("visit %s is in the books as %s, thanked for was %s", id, got, level)
		default:
			v.inBooks++
		}
	}
	return v
}

// findings prints what the centre has found, and returns how many of them should not be: all but the damage that was done.
func (w *world) findings(ctx context.Context, centre *inspect.Centre, say func(string, ...any)) (bad int, err error) {
	all, err := centre.Findings(ctx)
	if err != nil {
		return 0, err
	}
	kinds := make(map[string]int)
	for _, f := range all {
		name := string(f.Kind)
		if !f.Resolved.IsZero() {
			name += ", resolved"
		} else if f.Kind != books.Damage && f.Kind != books.Displaced {
			bad++
			say("%s: %s %d to %d of epoch %s: %s", f.Device, f.Kind, f.From, f.To, f.Epoch, f.Detail)
		}
		kinds[name]++
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		say("finding %-22s %d", name, kinds[name])
	}
	logs, err := centre.Logs(ctx)
	if err != nil {
		return 0, err
	}
	for _, l := range logs {
		if l.Err != nil {
			bad++
			say("%s, epoch %s: %v after %d records", l.Device, l.Epoch, l.Err, l.Records)
		}
	}
	problems, err := centre.Verify(ctx)
	for _, p := range problems {
		bad++
		say("the centre does not verify: %s", p)
	}
	return bad, err
}
