package powercut

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Plan is what Run has to do.
type Plan struct {
	Build Build
	Cuts  int
	Seed  uint64
	// Disk is the first disk to run, so that a disk on which something was found can be run again. Times differ from run
	// to run, so that a cut hits the same moment only nearly.
	Disk uint64
	// Until, if not empty, ends the run when a promise of this kind was broken. A broken promise ends its disk in any case.
	Until Kind
	// Evidence, if not empty, is a folder to which what a cut has left is copied when a promise was broken.
	Evidence string
	// Progress, if not nil, is called after each cut.
	Progress func(Table)
}

// Run cuts the power so often and returns what came of it. An error means that the harness could not work, or ctx ended.
func Run(ctx context.Context, p Plan) (Table, error) {
	t := newTable()
	begun := time.Now()
	err := inSpace(func(dir string) (err error) {
		m, empty, err := boot(dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.close()) }()
		all, err := scenes(m, empty)
		if err != nil {
			return err
		}
		begun = time.Now()
		for n := p.Disk; t.Cuts < p.Cuts && ctx.Err() == nil && (p.Until == "" || t.Breaches[p.Until] == 0); n++ {
			d := newDrive(m, p, n, all)
			if err := d.run(ctx, &t); err != nil {
				return fmt.Errorf("disk %d of seed %d: %w", n, p.Seed, err)
			}
		}
		t.Repaired = m.repair
		return ctx.Err()
	})
	t.Took = time.Since(begun)
	return t, err
}

// catchWithin is within how many cuts a broken build has to be caught.
const catchWithin = 30

// Catch puts a broken build to the test and returns the table up to the cut at which it was caught. Not to catch it is an
// error: the harness then proves nothing.
func Catch(ctx context.Context, b Build, seed uint64) (Table, error) {
	t, err := Run(ctx, Plan{Build: b, Cuts: catchWithin, Seed: seed, Until: Missing})
	if err == nil && t.Breaches[Missing] == 0 {
		err = fmt.Errorf("the build %q, which loses records, was not caught in %d cuts of seed %d: the proof proves nothing (%s)", b, t.Cuts,
			seed, t.Last)
	}
	return t, err
}

// drive is one disk through some cuts in a row.
type drive struct {
	m        *machine
	p        Plan
	number   uint64
	scene    scene
	random   *rand.Rand
	medium   []byte // while the power is off
	expected expected
	runs     uint64 // writers that were started on it
	found    bool   // there is a log
	old      bool   // of format 1
}

func newDrive(m *machine, p Plan, number uint64, all []scene) *drive {
	random := newRandom(seedOf(p.Seed, number), number)
	weight := 0
	for _, s := range all {
		weight += s.weight
	}
	pick := random.IntN(weight)
	s := all[0]
	for _, s = range all {
		if pick -= s.weight; pick < 0 {
			break
		}
	}
	return &drive{m: m, p: p, number: number, scene: s, random: random, medium: clone(s.medium), expected: s.expected.clone(), old: s.old}
}

// run cuts the power of a disk as often as its scene wants, or until a promise is broken.
func (d *drive) run(ctx context.Context, t *Table) error {
	t.Disks++
	for n := 0; n < d.scene.cuts && t.Cuts < d.p.Cuts && ctx.Err() == nil; n++ {
		if err := d.powerOn(); err != nil {
			return err
		}
		broken, err := d.cut(ctx, t)
		if err == nil && broken == nil {
			broken, err = d.look(t.Cuts)
		}
		if err != nil {
			return err
		}
		for _, b := range broken {
			t.Breaches[b.Kind] += b.Count
		}
		if broken != nil {
			t.Last = fmt.Sprintf("at cut %d, number %d of disk %d (%s) of seed %d: %v", t.Cuts, n+1, d.number, d.scene.name, d.p.Seed, broken)
		}
		if d.p.Progress != nil {
			d.p.Progress(*t)
		}
		if broken != nil {
			break
		}
	}
	return nil
}

func (d *drive) powerOn() error { return d.m.on(d.medium, newRandom(d.random.Uint64(), d.runs)) }

// cut lets a writer work on the mounted disk and cuts the power.
func (d *drive) cut(ctx context.Context, t *Table) ([]Breach, error) {
	if _, err := os.Stat(logPath(d.m.mount)); err == nil {
		d.found = true
	}
	d.runs++
	j := job{Path: logPath(d.m.mount), Seed: seedOf(d.p.Seed, d.number, d.runs), Run: d.runs, Begin: d.scene.begin, Build: d.p.Build}
	w, err := start(j, d.expected, nil)
	if err != nil {
		return nil, errors.Join(err, d.m.off())
	}
	d.schedule(ctx, w)
	medium, atStake := d.m.disk.cut()
	w.kill()
	if err := errors.Join(ctx.Err(), d.m.off()); err != nil {
		return nil, err
	}
	d.medium, d.expected = medium, w.account.expected
	t.Cuts++
	t.AtStake += atStake
	t.Thanked += w.account.thanked
	t.Phases[d.name(w.account.phase())]++
	d.old = d.old && !w.account.opened
	broken := w.account.wrong
	if w.early {
		broken = append(broken, Breach{Unusable, 1, "the writer gave up with the power on: " + w.account.failure})
	}
	return broken, nil
}

// Disk operations, writes and flushes, that the first moments of a run take at most: the creation of a log, its upgrade,
// the stocking and compacting of one, and the release of a backlog. Most cuts fall in them. An append takes five.
const (
	createSteps  = 20
	upgradeSteps = 26
	compactSteps = 40
	releaseSteps = 20
	anySteps     = 600
)

// schedule waits for the moment of the cut. Most moments are counted in operations of the disk, so that every write and
// flush of what is hard is hit as often as any other; some in time, so that the pauses between are hit.
func (d *drive) schedule(ctx context.Context, w *process) {
	steps, longest := anySteps, 300*time.Millisecond
	switch hard := d.random.IntN(5) > 0; {
	case !d.found:
		steps, longest = createSteps, 20*time.Millisecond
	case d.old:
		steps, longest = upgradeSteps, 40*time.Millisecond
	case hard && d.scene.begin == beginCompact:
		steps, longest = compactSteps, 60*time.Millisecond
	case hard && d.scene.begin == beginAcknowledge:
		steps, longest = releaseSteps, 20*time.Millisecond
	case hard:
		steps, longest = anySteps/4, longest/2
	}
	wait := time.Duration(d.random.Int64N(int64(longest)))
	if d.random.IntN(4) > 0 {
		d.m.disk.cutAfter(1 + d.random.IntN(steps))
		wait = 300 * time.Millisecond // if the writer does not come so far
	}
	limit := time.After(10 * time.Second) // for a writer that does not start
	select {
	case <-w.begun:
		select {
		case <-time.After(wait):
		case <-d.m.disk.gone:
		case <-w.ended:
		case <-ctx.Done():
		}
	case <-d.m.disk.gone:
	case <-w.ended:
	case <-limit:
	case <-ctx.Done():
	}
	select {
	case <-d.m.disk.gone:
	case <-w.ended:
		select {
		case <-d.m.disk.gone: // both at once: the writer noticed the cut at once
		default:
			w.early = true
		}
	default:
	}
}

// name returns the phase of a cut as the table has it.
func (d *drive) name(phase string) string {
	switch {
	case phase == "":
		return phaseIdle
	case phase == phaseOpen && !d.found:
		return phaseCreate
	case phase == phaseOpen && d.old:
		return phaseUpgrade
	}
	return phase
}

// look mounts the disk again and checks what the cut has left.
func (d *drive) look(cut int) (broken []Breach, err error) {
	if err := d.powerOn(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(d.m.dir, "left")
	if err != nil {
		return nil, errors.Join(err, d.m.off())
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	found, err := copyState(d.m.mount, dir)
	before := d.expected
	if err == nil {
		broken, err = d.expected.check(dir, found)
	}
	if broken != nil && d.p.Evidence != "" {
		err = errors.Join(err, d.keep(cut, before, broken))
	}
	medium, offErr := d.m.shutdown()
	d.medium = medium
	return broken, errors.Join(err, offErr)
}

// keep copies what a cut has left to where it outlives the run.
func (d *drive) keep(cut int, l expected, broken []Breach) error {
	to := filepath.Join(d.p.Evidence, fmt.Sprintf("%s-%d-%d", strings.ReplaceAll(string(d.p.Build), " ", "-"), d.p.Seed, cut))
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	if _, err := copyState(d.m.mount, to); err != nil {
		return err
	}
	text := fmt.Sprintf("%v\nepoch %s\nlast %d\nacknowledged %d asked, %d taken, %d known to the file\nunfinished append %q\nthanked %v\n",
		broken, l.epoch, l.last, l.asked, l.taken, l.known, l.open, l.bodies)
	return os.WriteFile(filepath.Join(to, "expected.txt"), []byte(text), 0o600)
}
