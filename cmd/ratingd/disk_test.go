package main

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/proof/faultnet"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/proof/powercut"
	"haochaping/internal/rating"
	"haochaping/store"
)

// TestDisk takes the disk from a running box in every way. The screen says that the keys are out of service and that the QR
// code works, the daemon goes on, and comes back by itself.
func TestDisk(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small disk")
	}
	w := startCentre(t, nil)
	for i, c := range []struct {
		name string
		test func(*testing.T, *box)
	}{{"full", diskFull}, {"ro", diskReadOnly}, {"failing", diskFailing}, {"damaged", logDamaged}} {
		t.Run(c.name, func(t *testing.T) {
			b := newSerialBox(t, w, "disk-"+c.name, uint64(i))
			if c.name == "failing" {
				b.state = filepath.Join(failingDisk(t, b), "state")
			} else {
				mountSmall(t, b.state)
			}
			w.enrol(b, i)
			b.start()
			c.test(t, b)
		})
	}
	w.stopCentre()
}

// mountSmall mounts a disk of two megabytes.
func mountSmall(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("small", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// rated lets a citizen rate and expects thanks.
func (b *box) rated() {
	b.t.Helper()
	id := b.openVisit()
	b.pressed[id] = make(map[rating.Level]bool)
	b.pressed[id][4] = true
	b.press(4)
	if b.sawThanks(id, 4, nil) {
		b.remember(id, 4)
	}
	b.wait("idle", func(s boxState) bool { return s.State == "idle" })
}

// outOfService presses and expects the screen to say that the keys do not work and the QR code does.
func (b *box) outOfService() {
	b.t.Helper()
	id := b.openVisit()
	b.press(5)
	b.wait("out of service with a link", func(s boxState) bool {
		return s.State == "fault" && s.Visit == id &&
			strings.Contains(s.Link, "/R/")
	})
	if p := b.untilHealth(http.StatusServiceUnavailable)["store"]; p.OK || !p.Vital {
		b.t.Errorf("%s: out of service, the store is %+v", b.name, p)
	}
	time.Sleep(3 * time.Second) // the press has been read by then, also right after the start, which nothing shows
}

// events returns the audit events in the box's log, as somebody reads it from outside.
func (b *box) events() (all []rating.Event) {
	n, err := store.Inspect(filepath.Join(b.state, "log.db"))
	if err == nil {
		err = n.Records(0, func(r rating.Record, _ []byte) error {
			if r.Kind == rating.KindEvent {
				all = append(all, *r.Event)
			}
			return nil
		})
	}
	if err != nil {
		b.t.Errorf("%s: %v", b.name, err)
	}
	return all
}

// recovered expects the log to tell of the store's trouble and of the presses that it cost.
func (b *box) recovered(presses string) {
	b.t.Helper()
	b.untilHealth(http.StatusOK)
	for _, e := range b.events() {
		if e.Name == rating.EventRecovered && e.Detail["part"] == "store" && e.Detail["presses_not_taken"] == presses {
			return
		}
	}
	b.t.Errorf("%s: the log tells of no recovery that cost %s presses: %+v", b.name, presses, b.events())
}

func diskFull(t *testing.T, b *box) {
	b.rated()
	ballast := filepath.Join(b.state, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 16; size >= 1; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	// The log may have room within its own file for a press or two.
	b.wait("out of service", func(s boxState) bool {
		if s.State == "idle" {
			b.openVisit()
			b.press(3)
		}
		return s.State == "fault"
	})
	if err := errors.Join(f.Close(), os.Remove(ballast)); err != nil {
		t.Fatal(err)
	}
	b.wait("in service again", func(s boxState) bool { return s.State != "fault" })
	b.wait("idle", func(s boxState) bool { return s.State == "idle" })
	b.rated()
	b.settle()
	b.stop()
}

func diskReadOnly(t *testing.T, b *box) {
	b.rated()
	b.stop()
	if err := syscall.Mount("", b.state, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("the disk cannot be made read-only here: %v", err)
	}
	b.launch()
	b.wait("out of service", func(s boxState) bool { return s.State == "fault" })
	b.outOfService()
	if err := syscall.Mount("", b.state, "", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	b.wait("in service again", func(s boxState) bool { return s.State != "fault" })
	b.rated()
	b.recovered("1")
	b.settle()
	b.stop()
}

// failingDisk returns the folder of a disk whose power can be cut.
func failingDisk(t *testing.T, b *box) string {
	t.Helper()
	if what := powercut.Lacking(); what != "" {
		t.Skipf("a disk cannot fail here without %s", what)
	}
	dir := filepath.Dir(b.state)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	m, err := powercut.NewMachine(dir)
	if err == nil {
		err = m.On()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.process.Process.Kill()
		_ = b.process.Wait()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	b.fail = func() { m.Cut(rand.New(rand.NewPCG(1, 1))) }
	return m.Mount()
}

func diskFailing(t *testing.T, b *box) {
	b.rated()
	b.fail()
	b.outOfService()
	time.Sleep(5 * time.Second) // some tries of the store
	b.outOfService()
	if err := b.process.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the daemon is gone: %v", err)
	}
}

// logDamaged flips bytes while the box is off. It is back within two seconds, with a new log, and what the old one held
// reaches the books.
func logDamaged(t *testing.T, b *box) {
	b.w.proxy.Set(func(net.Conn, func() (net.Conn, error)) {}) // nothing gets to the centre before
	b.wait("offline", func(s boxState) bool { return s.Offline })
	for range 3 {
		b.rated()
	}
	b.stop()
	path := filepath.Join(b.state, "log.db")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw[:8192]) // both metas
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b.start()
	t.Logf("a press could be taken %s after the start", time.Since(began).Round(time.Millisecond))
	b.rated()
	b.w.proxy.Set(faultnet.Pass)
	b.settle()
	b.stop()
	centre, err := inspect.Open(t.Context(), filepath.Join(b.w.dir, "centre"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = centre.Close() }()
	entries, err := centre.Entries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, e := range entries {
		if string(e.Device) == b.name && e.Status == rating.Counted {
			counted++
		}
	}
	if counted != len(b.thanked) || counted != 4 {
		t.Errorf("%d evaluations count, %d were thanked for", counted, len(b.thanked))
	}
	findings, err := centre.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	damage := 0
	for _, f := range findings {
		if string(f.Device) == b.name && f.Kind == books.Damage {
			damage++
		} else if string(f.Device) == b.name && f.Resolved.IsZero() {
			t.Errorf("finding %+v", f)
		}
	}
	if damage != 1 {
		t.Errorf("%d findings tell the centre of the damage", damage)
	}
}
