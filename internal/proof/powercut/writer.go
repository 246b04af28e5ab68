package powercut

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"path/filepath"
	"strings"

	"haochaping/internal/rating"
	"haochaping/store"
)

// What the writer says, a line each, when it is so.
const (
	saidDo      = "do"      // PHASE: the store is called now
	saidDone    = "done"    // it has returned
	saidOpened  = "opened"  // EPOCH RELEASED LAST
	saidAppend  = "append"  // HASH...: these bodies are given to Append
	saidThanked = "thanked" // FIRST: they have been thanked for
	saidAck     = "ack"     // THROUGH is given to Acknowledge
	saidAcked   = "acked"   // THROUGH: that has returned
	saidFailed  = "failed"  // why the writer ends
	saidMark    = "mark"    // NAME COUNT: see traffic.go
)

// Retention of the log, small so that compacting has something to do; and how large the log may become before the writer
// makes no more stock for it, for the disk is small.
const (
	retainBytes = 64 << 10
	stockBelow  = 3 << 20
)

// backlog is how many acknowledged records make the store write that they are released.
const backlog = 1000

// writer works on a log until the power goes.
type writer struct {
	job    job
	log    *store.Store
	out    io.Writer
	random *mathrand.Rand
	bodies bodies
}

func write(j job, in io.Reader, out io.Writer) error {
	random := mathrand.New(mathrand.NewPCG(j.Seed, j.Run))
	w := writer{job: j, out: out, random: random, bodies: bodies{run: j.Run, random: random}}
	w.say(saidDo, phaseOpen)
	var err error
	if w.log, err = openLog(j.Path); err != nil {
		return err
	}
	w.say(saidOpened, w.log.Epoch(), w.log.Released(), w.log.Last())
	w.say(saidDone)
	if j.Build == NoSync {
		if err := disarmSync(); err != nil {
			return err
		}
	}
	switch j.Begin {
	case beginMeasure:
		return w.measure(bufio.NewReader(in))
	case beginCompact:
		err = errors.Join(w.stock(), w.acknowledge(w.log.Last()), w.compact())
	case beginAcknowledge:
		err = errors.Join(w.append(w.bodies.presses(backlog)), w.acknowledge(w.log.Released()+backlog))
	}
	for err == nil {
		err = w.step()
	}
	return err
}

// openLog opens the log as the daemon does, and insists that it can be used.
func openLog(path string) (*store.Store, error) {
	s, err := store.Open(path, store.Options{Device: device, Random: rand.Reader, Retain: store.Retention{Bytes: retainBytes},
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if err := s.Trouble(); err != nil {
		return nil, err
	}
	return s, nil
}

// upkeep is the log's own tidying, the one call whose form may change.
func upkeep(s *store.Store, now rating.Stamp) error {
	_, err := s.Compact(now)
	return err
}

// say writes a line at once. Nobody may be there to read it.
func (w *writer) say(words ...any) { _, _ = fmt.Fprintln(w.out, words...) }

func (w *writer) step() error {
	switch n := w.random.IntN(100); {
	case n < 75:
		return w.append(w.bodies.some(1 + w.random.IntN(3)))
	case n < 90:
		released := w.log.Released()
		return w.acknowledge(released + w.random.Uint64N(w.log.Last()-released+1))
	case n < 94:
		return w.compact()
	case n < 97:
		return w.stock()
	}
	_, records, err := w.log.Pending(0, 50, 1<<20)
	if err == nil && len(records) == 0 && w.log.Backlog().Pending > 0 {
		err = fmt.Errorf("nothing is pending of %d records", w.log.Backlog().Pending)
	}
	return err
}

func (w *writer) append(all []rating.Body) error {
	hashes := make([]string, len(all))
	for i, b := range all {
		var err error
		if hashes[i], err = hashBody(b); err != nil {
			return err
		}
	}
	w.say(saidDo, phaseAppend)
	w.say(saidAppend, strings.Join(hashes, " "))
	if w.job.Build == TooSoon {
		w.say(saidThanked, w.log.Last()+1)
	}
	first, err := w.log.Append(all...)
	if err != nil {
		return err
	}
	if w.job.Build != TooSoon {
		w.say(saidThanked, first)
	}
	w.say(saidDone)
	return nil
}

// stock gives a later compaction something to do.
func (w *writer) stock() error {
	size, err := w.log.Size()
	if err != nil || size > stockBelow {
		return err
	}
	return w.append(w.bodies.stock())
}

func (w *writer) acknowledge(through uint64) error {
	w.say(saidDo, phaseAcknowledge)
	w.say(saidAck, through)
	if err := w.log.Acknowledge(w.log.Epoch(), through); err != nil {
		return err
	}
	w.say(saidAcked, through)
	w.say(saidDone)
	return nil
}

func (w *writer) compact() error {
	w.say(saidDo, phaseCompact)
	if err := upkeep(w.log, w.bodies.stamp()); err != nil {
		return err
	}
	w.say(saidDone)
	return nil
}

// hashBody is what the two sides compare: the body as JSON, whatever the store makes of it.
func hashBody(b rating.Body) (string, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return "", fmt.Errorf("hash a body: %w", err)
	}
	return rating.HashOf(text).String(), nil
}

// logPath is where the log is below the mount point of the disk.
func logPath(mount string) string { return filepath.Join(mount, "state", "log.db") }
