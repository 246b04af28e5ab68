package store

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/rating"
)

// childEnv tells this test program to append to the named file until it is killed.
const childEnv = "STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		appendForEver(path)
	}
	os.Exit(m.Run())
}

func options() Options {
	return Options{Device: "box-1", Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)}
}

func openAt(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path, options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// press returns the body of an evaluation at n milliseconds.
func press(n int64) rating.Body {
	return rating.EvaluationBody(rating.Stamp{Boot: 1, Mono: n, Wall: n, Synced: true},
		rating.Evaluation{Visit: 7, Subject: rating.StaffSubject, Level: rating.Level(1 + n%5), Channel: rating.Keypad})
}

// sized returns a body at n milliseconds: a press, or a visit of so many cases, which takes 50 bytes each.
func sized(n int64, cases int) rating.Body {
	b := press(n)
	if cases == 0 {
		return b
	}
	v := rating.Visit{ID: 7, Window: rating.Window{ID: "A12", Name: "综合受理12号窗口", Hall: "市民中心", Generation: 1}, Grouping: rating.Single,
		Subjects: []rating.Subject{rating.StaffSubject}, Opener: rating.OpenedByPC, WaitSec: 60}
	for i := range cases {
		v.Cases = append(v.Cases, rating.Case{ProjectNo: strconv.Itoa(i)})
	}
	return rating.VisitBody(b.At, v)
}

func TestAppendPendingAcknowledge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	s := openAt(t, path)
	for n := range int64(10) {
		if first, err := s.Append(press(n)); err != nil || first != uint64(n)+1 {
			t.Fatalf("append %d: seq %d, %v", n, first, err)
		}
	}
	select {
	case <-s.Appended():
	default:
		t.Error("nobody was told of the records")
	}
	first, records, err := s.Pending(0, 3, 1<<20)
	if err != nil || first != 1 || len(records) != 3 {
		t.Fatalf("pending: first %d, %d records, %v", first, len(records), err)
	}
	if _, records, _ = s.Pending(0, 100, 1); len(records) != 1 {
		t.Errorf("a batch smaller than a record holds %d records, want 1", len(records))
	}
	if err := s.Acknowledge(s.Epoch()+1, 3); !errors.Is(err, ErrEpoch) {
		t.Errorf("foreign epoch: %v", err)
	}
	if err := s.Acknowledge(s.Epoch(), 11); !errors.Is(err, ErrNotSent) {
		t.Errorf("beyond the end: %v", err)
	}
	if err := s.Acknowledge(s.Epoch(), 4); err != nil {
		t.Fatal(err)
	}
	if err := s.Acknowledge(s.Epoch(), 2); err != nil || s.Released() != 4 {
		t.Errorf("an old acknowledgement: %v, released %d", err, s.Released())
	}
	epoch, backlog := s.Epoch(), s.Backlog()
	if backlog.Pending != 6 || backlog.Oldest.Mono != 4 {
		t.Errorf("backlog %+v", backlog)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	if s.Epoch() != epoch || s.Last() != 10 || s.Released() != 4 || s.Backlog() != backlog {
		t.Errorf("after reopening: epoch %s, last %d, released %d, backlog %+v", s.Epoch(), s.Last(), s.Released(), s.Backlog())
	}
	if r, err := s.Verify(); err != nil || r.Records != 10 {
		t.Errorf("verify: %+v, %v", r, err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	openAt(t, path)
	if _, err := Open(path, options()); !errors.Is(err, ErrInUse) {
		t.Errorf("second open: %v, want ErrInUse", err)
	}
}

// TestInUse asks from outside whether a log is open, which keeps nobody from opening it.
func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	if InUse(path) || InUse(filepath.Join(path, "none", "log.db")) {
		t.Error("a log that nobody has opened is in use")
	}
	s := openAt(t, path)
	if !InUse(path) {
		t.Error("an open log is not in use")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if InUse(path) {
		t.Error("a closed log is in use")
	}
	openAt(t, path)
}

// TestWhatIsNoFile has something else under the log's name: nothing waits for it, and it is said.
func TestWhatIsNoFile(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a pipe":   func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		path := filepath.Join(t.TempDir(), "log.db")
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		s := openAt(t, path)
		if err := s.Trouble(); err == nil || !strings.Contains(err.Error(), "no ordinary file") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Inspect(path); err == nil || !strings.Contains(err.Error(), "no ordinary file") {
			t.Errorf("inspect %s: %v", name, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(press(1)); err != nil {
			t.Errorf("once %s is away: %v", name, err)
		}
	}
}

// fullEnv says that this process is the one of TestFailedWriteChangesNothing.
const fullEnv = "STORE_TEST_FULL"

// TestFailedWriteChangesNothing lets the disk fill up under the log (a limit of file size), then frees it. The limit is a process's, and
// what go test writes beside would fail by it too, so that a process of its own does it.
func TestFailedWriteChangesNothing(t *testing.T) {
	if os.Getenv(fullEnv) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestFailedWriteChangesNothing$")
		c.Env = append(os.Environ(), fullEnv+"=1")
		if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "log.db")
	o := options()
	var file *os.File
	o.openFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		var err error
		file, err = os.OpenFile(name, flag, mode)
		return file, err
	}
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Append(press(1)); err != nil {
		t.Fatal(err)
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	small := old
	small.Cur = 8192
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	_, failed := s.Append(press(2))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if failed == nil {
		t.Fatal("the append succeeded beyond the limit of the file's size")
	}
	if s.Last() != 1 || s.Backlog().Pending != 1 {
		t.Errorf("after a failed append: last %d, backlog %+v", s.Last(), s.Backlog())
	}
	if first, err := s.Append(press(3)); err != nil || first != 2 {
		t.Errorf("the next append: seq %d, %v", first, err)
	}
	if r, err := s.Verify(); err != nil || r.Records != 2 {
		t.Errorf("verify: %+v, %v", r, err)
	}
}

func TestBootAndNotes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	s := openAt(t, path)
	for _, c := range []struct {
		id   string
		want uint32
	}{{"a", 1}, {"a", 1}, {"b", 2}, {"a", 3}} {
		if got, err := s.Boot(c.id); err != nil || got != c.want {
			t.Errorf("boot %q: %d, %v, want %d", c.id, got, err, c.want)
		}
	}
	if v := s.Note("x"); v != nil {
		t.Errorf("note that is not there: %q", v)
	}
	for _, v := range []string{"1", "2"} {
		if err := s.SetNote("x", []byte(v)); err != nil {
			t.Fatal(err)
		}
		if got := s.Note("x"); string(got) != v {
			t.Errorf("note: %q, want %q", got, v)
		}
	}
	if err := errors.Join(s.SetNote("y", []byte("3")), s.SetNote("x", nil), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	if x, y := s.Note("x"), s.Note("y"); x != nil || string(y) != "3" {
		t.Errorf("notes after reopening: x %q, y %q", x, y)
	}
}

func TestCompact(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	o := options()
	o.Retain = Retention{Days: 1}
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	bodies := make([]rating.Body, 20000)
	for i := range bodies {
		bodies[i] = press(int64(i))
	}
	if _, err := s.Append(bodies...); err != nil {
		t.Fatal(err)
	}
	later := rating.Stamp{Boot: 2, Mono: 1, Wall: (48 * time.Hour).Milliseconds(), Synced: true}
	if n, err := s.Compact(later); n != 0 || err != nil {
		t.Errorf("removed %d unacknowledged records, %v", n, err)
	}
	if err := s.Acknowledge(s.Epoch(), 20000); err != nil {
		t.Fatal(err)
	}
	rumour := later
	rumour.Synced = false
	if n, err := s.Compact(rumour); n != 0 || err != nil {
		t.Errorf("removed %d records by a clock that nobody set, %v", n, err)
	}
	before, _ := s.Size()
	if n, err := s.Compact(later); n != 20000-keptAlways || err != nil {
		t.Errorf("removed %d records, %v", n, err)
	}
	after, _ := s.Size()
	if after*10 > before {
		t.Errorf("compacted from %d to %d bytes", before, after)
	}
	if _, err := Open(path, options()); !errors.Is(err, ErrInUse) {
		t.Errorf("second open after compacting: %v, want ErrInUse", err)
	}
	if first, err := s.Append(press(1)); first != 20001 || err != nil {
		t.Errorf("append after compacting: %d, %v", first, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	if r, err := s.Verify(); err != nil || r.Records != keptAlways+1 || r.Last != 20001 {
		t.Errorf("verify after reopening: %+v, %v", r, err)
	}
}

// TestCompactBySize drains a backlog that is larger than what may stay.
func TestCompactBySize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	o := options()
	o.Retain = Retention{Bytes: 2 << 20}
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	fill(t, s, 20000)
	if err := s.Acknowledge(s.Epoch(), 15000); err != nil {
		t.Fatal(err)
	}
	n, err := s.Compact(rating.Stamp{Boot: 1})
	if err != nil || n < 13_000 || n > 15_000 {
		t.Errorf("removed %d of 15000 acknowledged records, %v; want about those that are beyond 2 MB with the 5000 others", n, err)
	}
	if r, err := s.Verify(); err != nil || r.First != n+1 || r.Last != 20000 {
		t.Errorf("verify: %+v, %v", r, err)
	}
	if size, err := s.Size(); err != nil || size > 4<<20 {
		t.Errorf("the file has %d bytes, %v", size, err)
	}
}

// TestPressesDuringCompact appends while the file is rewritten.
func TestPressesDuringCompact(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	o := options()
	o.Retain = Retention{Bytes: 1}
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	fill(t, s, 50_000)
	if err := errors.Join(s.Acknowledge(s.Epoch(), 30_000), s.SetNote("gone", []byte("1"))); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Compact(rating.Stamp{Boot: 1})
		done <- err
	}()
	n := uint64(50_000)
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		seq, err := s.Append(press(int64(n)))
		if n++; err != nil || seq != n {
			t.Fatalf("append during compaction: %d, %v", seq, err)
		}
		if n == 50_003 {
			if err := errors.Join(s.SetNote("gone", nil), s.SetNote("new", []byte("2")), s.Acknowledge(s.Epoch(), 30_005)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d presses meanwhile", n-50_000)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	if r, err := s.Verify(); err != nil || r.First != 30_001 || r.Last != n {
		t.Errorf("verify: %+v, %v; want 30001 to %d", r, err, n)
	}
	if s.Released() != 30_005 || s.Note("gone") != nil || string(s.Note("new")) != "2" {
		t.Errorf("released %d, notes %q and %q", s.Released(), s.Note("gone"), s.Note("new"))
	}
}
