package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/central/journal"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/store"
)

// TestLaws plays random schedules of everything that can happen to a window (visits about people and about cases that come
// again, the staff's key and cards, presses, phones, time, crashes, reboots, damaged files, clocks that are set and step, batches and
// acknowledgements that get lost or come twice) against the true behaviour, the true store and the true books, and holds the laws of the
// design against what came of it.
func TestLaws(t *testing.T) {
	dir := memoryDir(t)
	n := 0
	seen := make(map[string]int)
	missing := func() []string {
		return slices.DeleteFunc([]string{"thanked", "corrected", "crash between", "crash before", "reboot", "damage", "ack lost", "timed out",
			"phone", "estimated",
			"staff key", "signed in", "matter by matter", "refused", "rated again", "explained"},
			func(kind string) bool { return seen[kind] > 0 })
	}
	play := func(t *rapid.T) {
		n++
		l := newLaws(t, filepath.Join(dir, fmt.Sprint(n)))
		defer l.close()
		t.Repeat(map[string]func(*rapid.T){
			"visit":   l.visit,
			"case":    l.visitOfCases,
			"staff":   l.staffKey,
			"card":    l.card,
			"press":   l.press,
			"correct": l.press,
			"explain": l.explain,
			"phone":   l.phone,
			"time":    l.pass,
			"crash":   l.crash,
			"reboot":  l.reboot,
			"damage":  l.damage,
			"clock":   l.setClock,
			"send":    l.send,
			"ack":     l.acknowledge,
		})
		l.settle(t)
		l.judge(t)
		for kind, k := range l.happened {
			seen[kind] += k
		}
	}
	// What is rare comes sooner or later. That it never comes at all is a fault of this test.
	for round := 0; round == 0 || round < 20 && len(missing()) > 0 && !t.Failed(); round++ {
		simulation.Check(t, play)
	}
	t.Logf("%v", seen)
	if kinds := missing(); len(kinds) > 0 {
		t.Errorf("it never came to: %q; the test proves nothing of it", kinds)
	}
}

// memoryDir returns a folder in memory where there is one: what a disk does with a commit is tested elsewhere, and thousands of them take
// minutes.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "laws")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// laws is a window with all that it depends on.
type laws struct {
	dir       string
	moves     int // folders that the log has been in
	db        *store.Store
	model     terminal.Model
	books     *inspect.Centre
	catalogue rating.Catalogue

	// The truth about time, which nobody in the box knows, in milliseconds; and the box's clocks.
	truth, started int64
	boots          int
	offset         int64 // wall minus truth
	synced         bool
	clk            clock

	open     rating.VisitID // 0 if none
	visits   uint64
	opened   map[rating.VisitID]rating.Visit
	pressed  map[asked]map[rating.Level][]int64 // the true times of the presses; none for one by phone
	thanked  map[asked]rating.Level
	phoned   map[asked]bool
	acks     map[rating.Epoch]uint64 // highest through that the centre has sent
	happened map[string]int
}

// asked is a question of a visit.
type asked struct {
	visit    rating.VisitID
	question rating.Question
}

func newLaws(t *rapid.T, dir string) *laws {
	l := &laws{dir: dir, truth: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).UnixMilli(), opened: make(map[rating.VisitID]rating.Visit),
		pressed: make(map[asked]map[rating.Level][]int64), thanked: make(map[asked]rating.Level), phoned: make(map[asked]bool),
		acks: make(map[rating.Epoch]uint64), happened: make(map[string]int)}
	var err error
	if l.catalogue, err = rating.BuiltInCatalogue(); err != nil {
		t.Fatal(err)
	}
	if l.books, err = inspect.Open(context.Background(), filepath.Join(dir, "books")); err != nil {
		t.Fatal(err)
	}
	l.reset(t)
	l.start(t, func(string) {})
	l.apply(t, terminal.Configured{At: l.clk.now(), Window: lawWindow()}, "")
	if err := keepWindow(l.db, lawWindow()); err != nil {
		t.Fatal(err)
	}
	return l
}

func lawWindow() rating.Window {
	return rating.Window{ID: "A12", Name: "综合受理12号窗口", Hall: "市民中心", Generation: 1}
}

func (l *laws) close() {
	_ = l.db.Close()
	_ = l.books.Close()
	_ = os.RemoveAll(l.dir)
}

// reset begins a new start of the machine, with a clock that is right, in 1970, or years ahead.
func (l *laws) reset(t *rapid.T) {
	l.boots++
	l.truth += rapid.Int64Range(20_000, 5*24*3600_000).Draw(t, "off for")
	l.started = l.truth
	l.synced = rapid.Bool().Draw(t, "clock is right")
	l.offset = rapid.SampledFrom([]int64{-l.truth, 2 * 365 * 24 * 3600_000, -3600_000}).Draw(t, "clock is off by")
}

// start opens the log in a new folder, into which what the last one held has been copied, and starts the daemon's parts as
// run does. Before it is opened, change may do what it likes to the file.
func (l *laws) start(t *rapid.T, change func(path string)) {
	from := l.path()
	l.moves++
	if err := os.MkdirAll(filepath.Dir(l.path()), 0o700); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(from + "*"); l.moves > 1 {
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err == nil {
				err = os.WriteFile(filepath.Join(filepath.Dir(l.path()), filepath.Base(f)), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		change(l.path())
		_ = l.db.Close() // of the old folder, where nobody looks any more
	}
	var err error
	if l.db, err = store.Open(l.path(), store.Options{Device: "law-box", Random: rand.Reader,
		Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	boot, err := l.db.Boot(fmt.Sprint(l.boots))
	if err != nil {
		t.Fatal(err)
	}
	l.clk = clock{boot, func() time.Duration { return time.Duration(l.truth-l.started) * time.Millisecond },
		func() time.Time {
			if l.synced {
				return time.UnixMilli(l.truth)
			}
			return time.UnixMilli(l.truth + l.offset)
		}, func() bool { return l.synced }}
	started := terminal.Started{At: l.clk.now(), Version: "law"}
	if started.Window, err = keptWindow(l.db); err != nil {
		t.Fatal(err)
	}
	if started, err = started.Recall(l.db); err != nil {
		t.Fatal(err)
	}
	started.Kinds = rating.Kinds()
	l.model = terminal.New(terminal.Timings{Wait: 20 * time.Second, Thanks: 3 * time.Second},
		terminal.Reasons{Catalogue: l.catalogue, Order: [5]rating.Level{5, 4, 3, 2, 1}, Time: 8 * time.Second})
	l.open = 0
	l.apply(t, started, "")
	if err := l.db.Salvage(context.Background(), l.clk.now); err != nil {
		t.Fatal(err)
	}
}

func (l *laws) path() string { return filepath.Join(l.dir, fmt.Sprint("box", l.moves), "log.db") }

// apply is a step of the window. The power may go before the commit, or after it and before anybody sees what came of it.
func (l *laws) apply(t *rapid.T, e terminal.Event, die string) (survived bool) {
	s := l.model.Step(e)
	if s.Write == nil {
		l.model = s.Model
		for _, effect := range s.Effects {
			if _, ok := effect.(terminal.Refused); ok {
				l.happened["refused"]++
			}
		}
		return true
	}
	if die == "before" {
		return false
	}
	first, err := l.db.Append(s.Write.Bodies...)
	if err != nil {
		t.Fatal(err)
	}
	if die == "between" {
		return false
	}
	l.model, _ = s.Write.Done(l.clk.now(), first, nil)
	for _, b := range s.Write.Bodies {
		if b.Visit != nil {
			l.opened[b.Visit.ID] = *b.Visit
		}
	}
	if v := l.model.View(); v.Visit == nil {
		l.open = 0
	} else {
		l.open = v.Visit.ID
	}
	return true
}

func (l *laws) visit(t *rapid.T) {
	l.visits++
	id := rating.VisitID(l.visits)
	v := rating.Visit{ID: id, Grouping: rating.Single, Subjects: []rating.Subject{rating.StaffSubject}, Opener: rating.OpenedByPC}
	l.apply(t, terminal.OpenVisit{At: l.clk.now(), Visit: v}, "")
}

// visitOfCases opens a visit about a case, or about two of a theme, which may have been rated before.
func (l *laws) visitOfCases(t *rapid.T) {
	l.visits++
	v := rating.Visit{ID: rating.VisitID(l.visits), Grouping: rating.Single, Subjects: []rating.Subject{rating.MatterSubject},
		Opener: rating.OpenedByPC}
	first := rapid.IntRange(1, 4).Draw(t, "case")
	v.Cases = []rating.Case{{ProjectNo: fmt.Sprint("P", first), TaskCode: "T1", Completed: true}}
	if rapid.Bool().Draw(t, "theme") {
		v.Grouping, v.Separate = rating.Theme, rapid.Bool().Draw(t, "separate")
		v.Cases = append(v.Cases, rating.Case{ProjectNo: fmt.Sprint("P", first%4+1), TaskCode: "T2", Completed: true})
	}
	l.apply(t, terminal.OpenVisit{At: l.clk.now(), Visit: v}, "")
}

// staffKey is pressed, also while somebody is asked.
func (l *laws) staffKey(t *rapid.T) {
	l.visits++
	l.apply(t, terminal.StaffKey{At: l.clk.now(), ID: rating.VisitID(l.visits)}, "")
	if l.open == rating.VisitID(l.visits) {
		l.happened["staff key"]++
	}
}

// card signs somebody in, or out.
func (l *laws) card(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "rarely") != 0 {
		return
	}
	who := rating.Staff{ID: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "who")}
	if l.model.View().Signed == who {
		l.apply(t, terminal.SignOut{At: l.clk.now(), Via: "card"}, "")
		return
	}
	l.apply(t, terminal.SignIn{At: l.clk.now(), Staff: who, Via: "card"}, "")
	l.happened["signed in"]++
}

// question returns what is being asked.
func (l *laws) question() asked {
	v := l.model.View()
	return asked{l.open, rating.Question{Subject: v.Subject, Case: v.Case}}
}

func (l *laws) given(q asked, level rating.Level, at ...int64) {
	if l.pressed[q] == nil {
		l.pressed[q] = make(map[rating.Level][]int64)
	}
	l.pressed[q][level] = append(l.pressed[q][level], at...)
}

func (l *laws) press(t *rapid.T) {
	l.truth += rapid.Int64Range(1, 2000).Draw(t, "after")
	level := rating.Level(rapid.IntRange(1, 5).Draw(t, "level"))
	die := rapid.SampledFrom([]string{"", "", "", "", "", "before", "between"}).Draw(t, "power")
	before := l.model.View()
	if l.open != 0 && (before.State == terminal.Asking || before.State == terminal.Correcting) {
		l.given(l.question(), level, l.truth)
	}
	if !l.apply(t, terminal.Press{At: l.clk.now(), Level: level}, die) {
		l.happened["crash "+die]++
		l.start(t, func(string) {})
		return
	}
	if v := l.model.View(); v.State == terminal.Correcting && v.Chosen == level {
		q := l.question()
		if _, again := l.thanked[q]; again {
			l.happened["corrected"]++
		}
		if q.question.Case != "" {
			l.happened["matter by matter"]++
		}
		l.thanked[q] = level
		l.happened["thanked"]++
	}
}

// explain answers what is asked, waits until the thanks are over and presses a key again: for the next question, or for the reason.
func (l *laws) explain(t *rapid.T) {
	for range 4 {
		switch l.model.View().State {
		case terminal.Asking, terminal.Explaining:
			l.press(t)
		case terminal.Correcting:
			l.wait(t, 3000)
		}
	}
}

// phone answers a question of the open visit by phone.
func (l *laws) phone(t *rapid.T) {
	if l.open == 0 {
		return
	}
	q := asked{l.open, rapid.SampledFrom(l.opened[l.open].Questions()).Draw(t, "question")}
	level := rating.Level(rapid.IntRange(1, 5).Draw(t, "level"))
	if _, err := l.books.Journal.Rate(context.Background(), journal.Rating{Device: "law-box", Name: fmt.Sprint(l.truth, q), Received: l.truth,
		Answers: []rating.Evaluation{{Visit: q.visit, Subject: q.question.Subject, Case: q.question.Case, Level: level,
			Channel: rating.Phone}}}); err != nil {
		t.Fatal(err)
	}
	l.phoned[q] = true
	l.given(q, level)
	l.happened["phone"]++
	if rapid.Bool().Draw(t, "the box is told") {
		l.apply(t, terminal.PhoneRated{At: l.clk.now(), Visit: q.visit, Subject: q.question.Subject, Case: q.question.Case}, "")
	}
	l.truth++
}

func (l *laws) pass(t *rapid.T) {
	l.wait(t, rapid.OneOf(rapid.Int64Range(0, 5_000), rapid.Int64Range(15_000, 30_000)).Draw(t, "time passes"))
}

// wait lets that many milliseconds pass.
func (l *laws) wait(t *rapid.T, ms int64) {
	l.truth += ms
	if l.open != 0 && l.model.View().State == terminal.Asking {
		defer func() {
			if l.open == 0 {
				l.happened["timed out"]++
			}
		}()
	}
	l.apply(t, terminal.Tick{At: l.clk.now()}, "")
}
