package powercut

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Build says which writer is put to the test.
type Build string

// The builds. All but Good are broken on purpose.
const (
	Good    Build = "good"
	NoSync  Build = "store without fsync"
	TooSoon Build = "thanks before commit"
)

// Broken lists the builds that must be caught.
func Broken() []Build { return []Build{NoSync, TooSoon} }

// ErrCaught says that the store has broken its word.
var ErrCaught = errors.New("the store has broken its word")

// Table is what came of the cuts.
type Table struct {
	Cuts     int
	Phases   map[string]int // what the writer was doing, or how the disk was prepared: number of cuts
	Thanked  int            // records
	AtStake  int            // blocks that the disk had not flushed, in all
	Upgrades int            // cuts that hit a file of format 1
	Fresh    int            // cuts that hit the first start on a disk
}

// String returns the table for people.
func (t Table) String() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "cuts %d (first start %d, upgrade %d), records thanked %d, unflushed blocks %d\n", t.Cuts, t.Fresh, t.Upgrades, t.Thanked, t.AtStake)
	for _, name := range slices.Sorted(maps.Keys(t.Phases)) {
		_, _ = fmt.Fprintf(&b, "  cut during %-12s %d\n", name, t.Phases[name])
	}
	return b.String()
}

// Harness cuts the power. It is not safe for concurrent use.
type Harness struct {
	dir     string
	m       *Machine
	empty   []byte
	writers map[Build]string // programs
}

// New prepares a harness in a folder of its own, which it fills; source is any folder of this module.
func New(ctx context.Context, dir, source string) (*Harness, error) {
	h := &Harness{dir: dir, writers: make(map[Build]string)}
	if err := h.build(ctx, source); err != nil {
		return nil, err
	}
	var err error
	if h.m, err = NewMachine(dir); err != nil {
		return nil, err
	}
	h.empty = h.m.medium
	return h, nil
}

// Close takes everything out.
func (h *Harness) Close() error { return h.m.Close() }

// build builds the writer twice: as it is, and over a store whose database does not sync. Go's overlay puts the changed
// source in the place of the true one, so that the store itself has no switch for it.
func (h *Harness) build(ctx context.Context, source string) error {
	goTool := func(args ...string) ([]byte, error) {
		c := exec.CommandContext(ctx, "go", args...)
		c.Dir = source
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := c.Output()
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			err = fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, exit.Stderr)
		}
		return out, err
	}
	const program = "haochaping/internal/proof/powercut/writer"
	good := filepath.Join(h.dir, "writer")
	if _, err := goTool("build", "-o", good, program); err != nil {
		return err
	}
	out, err := goTool("list", "-f", "{{.Dir}}", "haochaping/store")
	if err != nil {
		return err
	}
	file := filepath.Join(strings.TrimSpace(string(out)), "file.go")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	const options = "&bolt.Options{"
	broken := strings.Replace(string(text), options, options+"NoSync: true, ", 1)
	if broken == string(text) {
		return fmt.Errorf("%s holds no %s to break", file, options)
	}
	replacement, overlay := filepath.Join(h.dir, "file.go"), filepath.Join(h.dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {file: replacement}})
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(replacement, []byte(broken), 0o600), os.WriteFile(overlay, list, 0o600)); err != nil {
		return err
	}
	unsynced := filepath.Join(h.dir, "writer-nosync")
	if _, err := goTool("build", "-overlay", overlay, "-o", unsynced, program); err != nil {
		return err
	}
	h.writers = map[Build]string{Good: good, NoSync: unsynced, TooSoon: good}
	return nil
}

// Measure returns how many bytes reach the disk for each record that is appended by itself, once the log has a thousand:
// pages of the database, and the file system's journal.
func (h *Harness) Measure(ctx context.Context, appends int) (bytesPerRecord float64, err error) {
	h.m.medium = slices.Clone(h.empty)
	if err := h.m.On(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, h.m.Off()) }()
	var before int64
	for _, n := range []int{1000, appends} {
		before, _ = h.m.disk.traffic()
		args := []string{"-log", filepath.Join(h.m.Mount(), "state", "log.db"), "-appends", fmt.Sprint(n)}
		if out, err := exec.CommandContext(ctx, h.writers[Good], args...).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("append: %w\n%s", err, out)
		}
	}
	after, _ := h.m.disk.traffic()
	return float64(after-before) / float64(appends), nil
}

// cutsPerDisk is how many cuts in a row a disk sees before a new one takes its place.
const cutsPerDisk = 8

// Run cuts the power so often while the given build works, and returns ErrCaught, wrapped, at the first broken word. The
// table holds what was done until then. Progress, if not nil, is called after each cut.
func (h *Harness) Run(ctx context.Context, b Build, cuts int, seed uint64, progress func(Table)) (Table, error) {
	t := Table{Phases: make(map[string]int)}
	random := rand.New(rand.NewPCG(seed, 1))
	var l ledger
	for t.Cuts < cuts && ctx.Err() == nil {
		first := t.Cuts%cutsPerDisk == 0
		if first {
			h.m.medium, l = slices.Clone(h.empty), ledger{hashes: make(map[uint64]string)}
		}
		if err := h.cut(ctx, b, random, first, &l, &t); err != nil {
			return t, fmt.Errorf("cut %d of seed %d: %w", t.Cuts, seed, err)
		}
		if progress != nil {
			progress(t)
		}
	}
	return t, ctx.Err()
}

// cut is one start of the machine: it looks at what the last cut has left, lets the writer work, and cuts.
func (h *Harness) cut(ctx context.Context, b Build, random *rand.Rand, first bool, l *ledger, t *Table) (err error) {
	if err := h.m.On(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.m.Off()) }()
	path := filepath.Join(h.m.Mount(), "state", "log.db")
	switch kind := random.IntN(3); {
	case first && kind == 0:
		out, err := exec.CommandContext(ctx, h.writers[Good], "-log", path, "-format1", fmt.Sprint(50+random.IntN(3000))).Output()
		if err != nil {
			return fmt.Errorf("write a log of format 1: %w", err)
		}
		if err := l.listen(bytes.NewReader(out), nil); err != nil {
			return err
		}
		l.thankedNow = 0
		t.Upgrades++
	case first:
		t.Fresh++
	default:
		if err := h.look(ctx, path, l); err != nil {
			return err
		}
	}
	// Most of what is hard happens in the first moments: creation, upgrade, the first append after a cut.
	wait := time.Duration(random.IntN(250)) * time.Millisecond
	if first || random.IntN(4) == 0 {
		wait = time.Duration(random.IntN(25_000)) * time.Microsecond
	}
	args := []string{"-log", path, "-seed", fmt.Sprint(random.Uint64())}
	if b == TooSoon {
		args = append(args, "-thank-before-commit")
	}
	c := exec.CommandContext(ctx, h.writers[b], args...)
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	var stderr strings.Builder
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		return err
	}
	said, begun := make(chan error, 1), make(chan struct{})
	go func() { said <- l.listen(out, begun) }()
	var early error
	select {
	case <-begun:
	case early = <-said:
		return fmt.Errorf("the writer did not begin: %w\n%s", early, stderr.String())
	}
	select {
	case <-time.After(wait):
	case early = <-said:
	}
	t.AtStake += h.m.Cut(random)
	_ = c.Process.Kill() // it may have ended
	if early == nil {
		early = <-said
	}
	_ = c.Wait() // killed
	t.Cuts++
	t.Phases[l.doing]++
	t.Thanked += l.thankedNow
	l.thankedNow = 0
	if early != nil && !l.afterCut(early) {
		return fmt.Errorf("the writer gave up: %w\n%s", early, stderr.String())
	}
	return nil
}

// look compares what is on the disk with what must be. It is done by the writer's program, since the
// store maps its file and this process serves the disk.
func (h *Harness) look(ctx context.Context, path string, l *ledger) error {
	l.found, l.notes = make(map[uint64]string), nil
	out, err := exec.CommandContext(ctx, h.writers[Good], "-log", path, "-look").CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 0 {
			l.hear(f)
		}
	}
	if err != nil {
		return fmt.Errorf("look at the log: %w\n%s", err, out)
	}
	return l.compare()
}

// listen reads what the writer says until it ends. It closes begun, if not nil, when the writer begins.
func (l *ledger) listen(r io.Reader, begun chan<- struct{}) error {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 2 {
			continue // cut off
		}
		switch f[0] {
		case "doing":
			l.doing = f[1]
			if begun != nil {
				close(begun)
				begun = nil
			}
		case "opened":
			if l.epoch == "" {
				l.opened = f[1]
			}
		case "thanked":
			if len(f) == 3 {
				l.thank(f[1], f[2])
			}
		case "acknowledged":
			l.acknowledge(f[1])
		case "failed":
			return errors.New(strings.Join(f[1:], " "))
		}
	}
	return nil
}
