package powercut

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"haochaping/internal/rating"
)

// How many records the measurement begins with, and how many each part of it appends.
const (
	warmUp   = 2000
	measured = 2000
)

// The parts of the measurement.
const (
	markWarm        = "warm up"
	MarkAppend      = "append"                 // records appended one by one
	MarkAcknowledge = "append and acknowledge" // likewise, each acknowledged before the next
)

// measure is the writer's side of Measure: it says a mark at each end of a part, and waits until the harness has looked.
func (w *writer) measure(in *bufio.Reader) error {
	for _, part := range []struct {
		name        string
		n           int
		acknowledge bool
	}{{markWarm, warmUp, false}, {MarkAppend, measured, false}, {MarkAcknowledge, measured, true}} {
		for range part.n {
			first, err := w.log.Append(w.bodies.press())
			if err == nil && part.acknowledge {
				err = w.log.Acknowledge(w.log.Epoch(), first)
			}
			if err != nil {
				return err
			}
		}
		w.say(saidMark, strings.ReplaceAll(part.name, " ", "_"), part.n)
		if _, err := in.ReadString('\n'); err != nil {
			return fmt.Errorf("wait for the harness: %w", err)
		}
	}
	return w.log.Close()
}

// Figures is what reaches the disk for one record, in bytes.
type Figures struct {
	Name    string
	Total   float64
	Flushes float64
	Parts   map[string]float64 // by where they go
}

// String returns the figures for people.
func (f Figures) String() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "disk bytes per record, %s: %.0f, in %.1f flushes\n", f.Name, f.Total, f.Flushes)
	for _, part := range slices.Sorted(maps.Keys(f.Parts)) {
		_, _ = fmt.Fprintf(&b, "  %-32s %8.0f\n", part, f.Parts[part])
	}
	return b.String()
}

// written counts bytes by the block they went to and what the block then held.
type written map[place]int64

type place struct {
	block int64
	page  string // what it is if it is a page of the log
}

// Measure counts what reaches the disk for each record: bytes that the file system wrote to it, wherever they went.
func Measure(ctx context.Context) (all []Figures, err error) {
	err = inSpace(func(dir string) (err error) {
		m, empty, err := boot(dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.close()) }()
		if err := m.on(empty, newRandom(0, 0)); err != nil {
			return err
		}
		now := make(written)
		m.disk.observe(func(number int64, content []byte, n int) { now[place{number, pageOf(content)}] += int64(n) })
		var parts []written
		var flushes []int64
		var p *process
		p, err = start(job{Path: logPath(m.mount), Seed: 1, Run: 1, Begin: beginMeasure}, newExpected(), func(name string, n int) {
			var copied written
			m.disk.pause(func(n int64) {
				copied = maps.Clone(now)
				clear(now)
				flushes = append(flushes, n)
			})
			parts = append(parts, copied)
			all = append(all, Figures{Name: strings.ReplaceAll(name, "_", " "), Total: float64(n)})
			_, _ = p.input.Write([]byte("\n")) // if it is gone, that is told below
		})
		if err != nil {
			return err
		}
		select {
		case <-p.ended:
		case <-ctx.Done():
		}
		p.kill()
		if len(all) != 3 || p.account.failure != "" || ctx.Err() != nil {
			return fmt.Errorf("the measurement ended early: %s: %w", p.account.failure, ctx.Err())
		}
		owner, err := m.owners()
		if err != nil {
			return err
		}
		for i := range all {
			n := all[i].Total
			all[i].Total, all[i].Parts = 0, make(map[string]float64)
			for at, bytes := range parts[i] {
				all[i].Total += float64(bytes) / n
				all[i].Parts[at.part(owner)] += float64(bytes) / n
			}
			if i > 0 {
				all[i].Flushes = float64(flushes[i]-flushes[i-1]) / n
			}
		}
		all = all[1:]
		return nil
	})
	return all, err
}

func (p place) part(owner map[int64]string) string {
	switch o := owner[p.block]; o {
	case "":
		return "file system, other"
	case ownerLog:
		return "log, " + p.page
	default:
		return o
	}
}

// pageOf says what a page of a bbolt file holds, by its flags. A block of a large value has none.
func pageOf(content []byte) string {
	switch binary.LittleEndian.Uint16(content[8:]) {
	case 1:
		return "branch pages"
	case 2:
		return "leaf pages"
	case 4:
		return "meta page"
	case 16:
		return "free list"
	}
	return "other pages"
}

// The owners of blocks.
const (
	ownerLog     = "log"
	ownerJournal = "file system, journal"
)

// owners unmounts the disk and asks debugfs whose its blocks are.
func (m *machine) owners() (map[int64]string, error) {
	path, err := filepath.Rel(m.mount, logPath(m.mount))
	if err != nil {
		return nil, err
	}
	if err := m.off(); err != nil {
		return nil, err
	}
	device, hold, err := attach(m.bay.plug(m.disk), m.dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = hold.Close() }()
	owner := make(map[int64]string)
	for what, file := range map[string]string{ownerJournal: "<8>", ownerLog: "/" + path} {
		out, err := exec.Command("debugfs", "-R", "blocks "+file, device).Output()
		if err != nil {
			return nil, fmt.Errorf("debugfs: %w", err)
		}
		for _, f := range bytes.Fields(out) {
			n, err := strconv.ParseInt(string(f), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("debugfs says %q: %w", clip(string(out)), err)
			}
			owner[n] = what
		}
	}
	return owner, nil
}

// Yardstick is the size of a record as it is sent, in bytes: what the figures are to be compared with.
func Yardstick() (int, error) {
	b := bodies{run: 1, random: newRandom(1, 1)}
	raw, err := rating.Record{V: rating.RecordVersion, Device: device, Epoch: 1, Seq: measured, Body: b.press()}.Encode()
	return len(raw), err
}
