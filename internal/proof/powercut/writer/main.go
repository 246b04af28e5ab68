// The program writer works on a log until somebody takes it the power, and says on its standard output what it does: each
// line is written when what it says is so.
//
//	doing append            before the store is called, with what it is called for
//	opened EPOCH            the log is open
//	thanked SEQ HASH        Append has returned
//	acknowledged SEQ        Acknowledge is about to be called
package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"time"

	"haochaping/internal/rating"
	"haochaping/store"
)

// Device is whose log it is.
const device = "cut-box"

func main() {
	path := flag.String("log", "", "the log's `path`")
	seed := flag.Uint64("seed", 1, "of what is done")
	early := flag.Bool("thank-before-commit", false, "be the broken program that the harness must catch")
	plain := flag.Int("appends", 0, "append so many records, one by one, and end")
	format1 := flag.Int("format1", 0, "write a log of format 1 with so many records, and end")
	only := flag.Bool("look", false, "say what is in the log, and end")
	flag.Parse()
	if err := perform(*path, *seed, *early, *plain, *format1, *only); err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
}

func perform(path string, seed uint64, early bool, plain, format1 int, only bool) error {
	switch {
	case format1 > 0:
		return writeFormat1(path, format1)
	case only:
		out := bufio.NewWriter(os.Stdout)
		return errors.Join(look(out, path), out.Flush())
	}
	return work(os.Stdout, path, seed, early, plain)
}

func work(out io.Writer, path string, seed uint64, early bool, plain int) error {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) } // nobody reads: the power is gone
	say("doing open")
	s, err := store.Open(path, store.Options{Device: device, Random: rand.Reader, Retain: store.Retention{Bytes: 64 << 10},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	if err := s.Trouble(); err != nil {
		return err
	}
	say("opened %s", s.Epoch())
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	w := writer{s: s, say: say, random: random, early: early}
	if plain > 0 {
		for range plain {
			if err := w.append(w.body(0)); err != nil {
				return err
			}
		}
		return s.Close()
	}
	for {
		if err := w.step(); err != nil {
			return err
		}
	}
}

type writer struct {
	s      *store.Store
	say    func(string, ...any)
	random *mathrand.Rand
	early  bool
	mono   int64
}

// maxSize is the size of the log in bytes from which the writer makes room: the disk is small.
const maxSize = 6 << 20

func (w *writer) step() error {
	if size, err := w.s.Size(); err != nil || size > maxSize {
		return errors.Join(err, w.acknowledge(w.s.Last()), w.compact())
	}
	switch n := w.random.IntN(100); {
	case n < 70:
		bodies := make([]rating.Body, 1+w.random.IntN(3))
		for i := range bodies {
			bodies[i] = w.body([]int{0, 0, 0, 1, 2, 100}[w.random.IntN(6)])
		}
		return w.append(bodies...)
	case n < 80: // a backlog, so that there is something to compact
		bodies := make([]rating.Body, 60)
		for i := range bodies {
			bodies[i] = w.body(190)
		}
		return w.append(bodies...)
	case n < 95:
		last, released := w.s.Last(), w.s.Released()
		return w.acknowledge(released + w.random.Uint64N(last-released+1))
	}
	return w.compact()
}

func (w *writer) acknowledge(through uint64) error {
	w.say("doing acknowledge")
	w.say("acknowledged %d", through) // before it is, since it may be on the disk before it can be said
	return w.s.Acknowledge(w.s.Epoch(), through)
}

func (w *writer) compact() error {
	w.say("doing compact")
	_, err := w.s.Compact(rating.Stamp{Boot: 1, Mono: w.mono})
	return err
}

func (w *writer) append(bodies ...rating.Body) error {
	w.say("doing append")
	if w.early {
		for i := range bodies {
			w.say("thanked %d -", w.s.Last()+1+uint64(i))
		}
	}
	first, err := w.s.Append(bodies...)
	if err != nil {
		return err
	}
	_, records, err := w.s.Pending(first-1, len(bodies), 1<<30)
	if err != nil || len(records) != len(bodies) {
		return fmt.Errorf("%d of %d records are there after the append: %w", len(records), len(bodies), err)
	}
	var lines strings.Builder
	for i, raw := range records {
		_, _ = fmt.Fprintf(&lines, "thanked %d %s\n", first+uint64(i), rating.HashOf(raw))
	}
	text := bufio.NewWriter(os.Stdout)
	_, _ = text.WriteString(lines.String())
	return text.Flush()
}

// body returns an evaluation, or a visit of so many cases.
func (w *writer) body(cases int) rating.Body {
	w.mono += 1 + w.random.Int64N(1000)
	at := rating.Stamp{Boot: 1, Mono: w.mono, Wall: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() + w.mono}
	id := rating.VisitID(1 + w.random.Uint64N(1<<60))
	if cases == 0 {
		return rating.EvaluationBody(at, rating.Evaluation{Visit: id, Subject: rating.StaffSubject, Level: rating.Level(1 + w.random.IntN(5)),
			Channel: rating.Keypad, WaitedMS: w.random.Int64N(10_000)})
	}
	v := rating.Visit{ID: id, Window: rating.Window{ID: "A12", Name: "综合受理12号窗口", Hall: "市民中心政务服务大厅", Generation: 3}, Grouping: rating.Single,
		Staff: rating.Staff{ID: "0417", Name: "王芳"}, Subjects: []rating.Subject{rating.StaffSubject}, Opener: rating.OpenedByPC, WaitSec: 60}
	for i := range cases {
		v.Cases = append(v.Cases, rating.Case{ProjectNo: fmt.Sprintf("6201022026112300%03d", i), TaskCode: "11620102MB0417001X", TaskName: "居住证办理"})
	}
	return rating.VisitBody(at, v)
}
