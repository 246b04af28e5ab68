package terminal

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

// testReasons are the built-in ones, of keys from the best to the worst.
func testReasons() Reasons {
	c, err := rating.BuiltInCatalogue()
	if err != nil {
		panic(err)
	}
	return Reasons{Catalogue: c, Order: [5]rating.Level{5, 4, 3, 2, 1}, Time: 8 * time.Second}
}

// newExplainingBench is a bench whose centre knows reasons.
func newExplainingBench(t *testing.T, change func(*rating.Window)) *bench {
	b := &bench{t: t, m: New(Timings{Wait: 60 * time.Second, Thanks: 3 * time.Second}, testReasons()),
		now: rating.Stamp{Boot: 1, Mono: 1000, Wall: 1_700_000_000_000}}
	w := window
	change(&w)
	b.do(Started{At: b.now, Window: &w, Version: "test", Kinds: rating.Kinds()})
	return b
}

// tick lets time pass and the Model notice it.
func (b *bench) tick(d time.Duration) {
	b.after(d)
	b.do(Tick{At: b.now, Fresh: rating.VisitID(b.now.Mono)})
}

// reasons lists the reasons of the log by their codes.
func (b *bench) reasons() (all []string) {
	for _, body := range b.log {
		if r := body.Reason; r != nil {
			all = append(all, r.Code)
		}
	}
	return all
}

func (b *bench) wantReasons(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.reasons()); diff != "" {
		b.t.Fatalf("reasons in the log (-want +got):\n%s", diff)
	}
}

func TestAReasonIsAskedForAfterEachAnswer(t *testing.T) {
	for _, level := range rating.Levels() {
		b := newExplainingBench(t, func(*rating.Window) {})
		b.open(7, staff)
		b.press(level)
		b.tick(3 * time.Second)
		b.wantState(Explaining)
		b.wantEnded(rating.Closing{Visit: 7, Outcome: rating.Rated, Rated: []rating.Subject{staff}}) // which waits for no reason
		v := b.m.View()
		if v.Chosen != level || v.Ended.ID != 7 || v.Reasons != testReasons().Catalogue.OnKeys(level) {
			t.Fatalf("level %d: %+v", level, v)
		}
		b.press(4) // the second key from the left
		b.press(5) // one reason is enough
		b.wantState(Explaining)
		if v := b.m.View(); v.Chosen != 0 || v.Reasons != [4]rating.CatalogueReason{} {
			t.Errorf("after the reason the screen shows %+v", v)
		}
		b.wantReasons(v.Reasons[1].Code)
		b.tick(6*time.Second - time.Millisecond)
		b.wantState(Explaining)
		b.tick(time.Millisecond)
		b.wantState(Idle)
		r := b.log[len(b.log)-1].Reason
		if want := (rating.Reason{Visit: 7, Subject: staff, Of: 3, Code: v.Reasons[1].Code, Catalogue: 1}); *r != want {
			t.Errorf("%+v, want %+v", *r, want)
		}
	}
}

func TestAReasonCanBeLeftOut(t *testing.T) {
	for name, leave := range map[string]func(*bench){
		"skipped": func(b *bench) { b.press(1) }, "silent": func(b *bench) { b.after(time.Second) },
	} {
		b := newExplainingBench(t, func(*rating.Window) {})
		b.open(7, staff)
		b.press(2)
		b.tick(3 * time.Second)
		leave(b)
		b.tick(7*time.Second - time.Millisecond)
		if b.m.state != Explaining {
			t.Errorf("%s: the state tells of it before its time is over: %s", name, b.m.state)
		}
		b.tick(time.Millisecond)
		b.wantState(Idle)
		b.wantReasons()
	}
}

func TestTheNextVisitWaitsForNoReason(t *testing.T) {
	for name, next := range map[string]func(*bench){
		"PC": func(b *bench) { b.open(8, staff) }, "staff key": func(b *bench) { b.do(StaffKey{b.now, 8}) },
	} {
		b := newExplainingBench(t, func(*rating.Window) {})
		b.open(7, staff)
		b.press(5)
		b.tick(3 * time.Second)
		b.wantState(Explaining)
		next(b)
		if v := b.m.View(); v.State != Asking || v.Visit.ID != 8 || v.Ended != nil {
			t.Errorf("%s: %+v", name, v)
		}
		b.press(4)
		b.wantAnswers("staff 非常满意", "staff 满意")
		b.wantReasons()
	}
	for name, end := range map[string]struct {
		event func(*bench) Event
		want  State
	}{
		"pause":    {func(b *bench) Event { return Pause{b.now} }, Paused},
		"sign in":  {func(b *bench) Event { return SignIn{b.now, wang, "api"} }, Idle},
		"sign out": {func(b *bench) Event { return SignOut{b.now, "api"} }, Explaining}, // nobody was signed in
	} {
		b := newExplainingBench(t, func(*rating.Window) {})
		b.open(7, staff)
		b.press(5)
		b.tick(3 * time.Second)
		b.do(end.event(b))
		if b.m.state != end.want {
			t.Errorf("%s: state %s, want %s", name, b.m.state, end.want)
		}
	}
}

func TestNobodyIsAskedWhoCannotAnswer(t *testing.T) {
	for name, change := range map[string]func(*bench){
		"an older centre": func(b *bench) { b.do(KindsKnown{b.now, rating.Kinds()[:5]}) },
		"a silent centre": func(b *bench) { b.do(KindsKnown{At: b.now}) },
		"no keypad":       func(b *bench) { b.do(KeypadLost{b.now, "gone"}) },
		"switched off":    func(b *bench) { b.m.reasons.Time = 0 },
		"time out": func(b *bench) {
			b.tick(3 * time.Second)
			b.wantState(Asking)
			b.after(57 * time.Second)
		},
		"by phone": func(b *bench) {
			b.do(CancelVisit{b.now, 7})
			b.open(8, staff)
			b.do(PhoneRated{At: b.now, Visit: 8, Subject: staff})
		},
	} {
		b := newExplainingBench(t, func(*rating.Window) {})
		b.do(OpenVisit{b.now, rating.Visit{ID: 7, Grouping: rating.Single, Subjects: []rating.Subject{staff, matter}, Opener: rating.OpenedByPC,
			Cases: []rating.Case{{ProjectNo: "p7", Completed: true}}}})
		b.press(2)
		if name != "time out" {
			b.tick(3 * time.Second)
			b.press(2)
		}
		change(b)
		b.tick(3 * time.Second)
		if b.m.state != Idle {
			t.Errorf("%s: state %s, want idle", name, b.m.state)
		}
	}
}

// TestNothingIsAskedBeforeTheCatalogueIsRead holds that the first catalogue counts, whenever it comes.
func TestNothingIsAskedBeforeTheCatalogueIsRead(t *testing.T) {
	b := newExplainingBench(t, func(*rating.Window) {})
	first := b.m.reasons.Catalogue
	b.m.reasons.Catalogue = rating.Catalogue{}
	for i, want := range []State{Idle, Explaining, Explaining} {
		b.open(rating.VisitID(7+i), staff)
		b.press(3)
		b.tick(3 * time.Second)
		b.wantState(want)
		second := first
		second.Version = uint32(i + 1)
		b.do(CatalogueRead{b.now, second})
	}
	if got := b.m.catalogue().Version; got != 1 {
		t.Errorf("version %d holds, want the first that came", got)
	}
}

// TestEachAnswerIsExplainedInItsTurn asks about staff and matter, whose answers a key has corrected.
func TestEachAnswerIsExplainedInItsTurn(t *testing.T) {
	b := newExplainingBench(t, func(*rating.Window) {})
	b.do(OpenVisit{b.now, rating.Visit{ID: 7, Grouping: rating.Single, Subjects: []rating.Subject{staff, matter}, Opener: rating.OpenedByPC,
		Cases: []rating.Case{{ProjectNo: "p7", TaskName: "身份证换领", Completed: true}}}})
	b.press(5)
	b.press(1) // corrects
	b.tick(3 * time.Second)
	b.wantState(Asking)
	b.press(4)
	b.tick(3 * time.Second)
	began := b.now
	if v := b.m.View(); v.Subject != staff || v.Chosen != 1 || v.Step != 1 || v.Steps != 2 {
		t.Fatalf("%+v", v)
	}
	b.press(2) // the fourth key
	if v := b.m.View(); v.Subject != matter || v.Chosen != 4 || v.Step != 2 {
		t.Fatalf("%+v", v)
	}
	b.after(100 * time.Millisecond)
	b.do(Press{At: b.now, Level: 5}) // nobody can have read it
	b.do(KeysTogether{b.now})
	if v := b.m.View(); !v.AskAgain || v.Step != 2 {
		t.Fatalf("%+v", v)
	}
	b.press(5)
	b.wantReasons("115", "406")
	for _, body := range b.log {
		if r := body.Reason; r != nil && b.log[r.Of-1].Evaluation.Level != rating.Level(r.Code[0]-'0') {
			t.Errorf("%+v explains %+v", r, b.log[r.Of-1].Evaluation)
		}
	}
	b.tick(16*time.Second - b.now.Sub(began) - time.Millisecond)
	b.wantState(Explaining)
	b.tick(time.Millisecond)
	b.wantState(Idle)
}

// TestWhoHasLeftIsNotAskedOn asks about four matters of a theme, whose reasons nobody looks at after the first.
func TestWhoHasLeftIsNotAskedOn(t *testing.T) {
	b := newExplainingBench(t, func(*rating.Window) {})
	v := rating.Visit{ID: 7, Grouping: rating.Theme, Separate: true, Subjects: []rating.Subject{matter}, Opener: rating.OpenedByPC}
	for _, project := range []string{"p1", "p2", "p3", "p4"} {
		v.Cases = append(v.Cases, rating.Case{ProjectNo: project, TaskCode: "t" + project, Completed: true})
	}
	b.do(OpenVisit{b.now, v})
	for range v.Cases {
		b.press(2)
		b.tick(3 * time.Second)
	}
	began := b.now
	b.press(5)
	for _, want := range []string{"p2", "p3"} {
		if v := b.m.View(); v.Case != want {
			t.Fatalf("asks about %q, want %q", v.Case, want)
		}
		b.tick(8 * time.Second)
	}
	if v := b.m.View(); v.State != Explaining || v.Case != "" || v.Chosen != 0 {
		t.Errorf("after two that nobody answered it shows %+v", v)
	}
	b.tick(32*time.Second - b.now.Sub(began) - time.Millisecond)
	b.wantState(Explaining)
	b.tick(time.Millisecond)
	b.wantState(Idle)
}

func TestAReasonIsThankedForOnceItIsRecorded(t *testing.T) {
	b := newExplainingBench(t, func(*rating.Window) {})
	b.open(7, staff)
	b.press(5)
	b.tick(3 * time.Second)
	b.err = errors.New("disk full")
	b.press(5)
	if v := b.m.View(); v.Problem != StoreProblem || v.Reasons[0].Code != "510" {
		t.Fatalf("%+v", v)
	}
	b.err = nil
	b.tick(storeRetry)
	b.press(3)
	b.wantReasons("512")
}

// TestAWalkUpWindowAsksAgainWhenBothAreOver holds that neither the pause nor the reasons are cut short by the other.
func TestAWalkUpWindowAsksAgainWhenBothAreOver(t *testing.T) {
	for pause, want := range map[int]time.Duration{5: 8 * time.Second, 30: 30 * time.Second} {
		b := newExplainingBench(t, func(w *rating.Window) { w.WalkUp = &rating.WalkUp{PauseSec: pause, LinkSec: 60} })
		b.tick(0)
		b.wantState(Asking)
		b.press(3)
		b.tick(3 * time.Second)
		b.wantState(Explaining)
		began := b.now
		for b.m.state != Asking {
			due, ok := b.m.Deadline()
			if !ok {
				t.Fatal("the window waits for nothing")
			}
			b.tick(due.Sub(b.now))
		}
		if got := b.now.Sub(began); got != want {
			t.Errorf("with a pause of %d s the next question comes after %s, want %s", pause, got, want)
		}
	}
}
