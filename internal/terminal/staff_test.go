package terminal

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

// configured returns a bench whose window is changed.
func configured(t *testing.T, change func(*rating.Window)) *bench {
	b := newBench(t)
	w := window
	w.Generation++
	change(&w)
	b.do(Configured{At: b.now, Window: w})
	b.log = nil
	return b
}

func (b *bench) refused() error {
	b.t.Helper()
	for _, e := range b.last {
		if r, ok := e.(Refused); ok {
			return r.Err
		}
	}
	return nil
}

// wantKinds holds what the log holds, in few words.
func (b *bench) wantKinds(want ...string) {
	b.t.Helper()
	var all []string
	for _, body := range b.log {
		switch {
		case body.Visit != nil:
			all = append(all, "visit by "+string(body.Visit.Opener))
		case body.Evaluation != nil:
			all = append(all, "evaluation")
		case body.Outcome != nil:
			all = append(all, string(body.Outcome.Outcome))
		case body.Event != nil && body.Event.Detail["staff"] != "":
			all = append(all, body.Event.Name+" "+body.Event.Detail["staff"])
		case body.Event != nil:
			all = append(all, body.Event.Name)
		}
	}
	if diff := cmp.Diff(want, all); diff != "" {
		b.t.Fatalf("the log (-want +got):\n%s", diff)
	}
}

var wang, li = rating.Staff{ID: "0417", Name: "王丽", Department: "户政科"}, rating.Staff{ID: "0418", Name: "李强"}

func TestNobodySignedInClosesTheWindow(t *testing.T) {
	b := configured(t, func(w *rating.Window) { w.SignIn = true })
	b.wantState(Closed)
	b.open(7, staff)
	if !errors.Is(b.refused(), ErrClosed) {
		t.Errorf("%v, want ErrClosed", b.refused())
	}
	b.press(5)
	b.do(StaffKey{b.now, 8})
	b.do(SignIn{b.now, wang, "card"})
	b.wantState(Idle)
	b.open(9, staff)
	b.wantState(Asking)
	if got := b.m.View().Staff; got != wang {
		t.Errorf("staff %v", got)
	}
	b.do(SignIn{b.now, li, "api"})
	b.do(SignIn{b.now, li, "api"}) // sent twice
	b.wantState(Idle)
	b.do(SignOut{b.now, "api"})
	b.wantState(Closed)
	b.wantKinds("signed_in 0417", "visit by pc", "cancelled", "signed_out 0417", "signed_in 0418", "signed_out 0418")
}

func TestFixedAssignmentNeedsNoSignIn(t *testing.T) {
	b := configured(t, func(w *rating.Window) { w.SignIn, w.Staff = true, wang })
	b.wantState(Idle)
	b.do(SignIn{b.now, li, "card"})
	b.open(7, staff)
	if got := b.m.visit.visit.Staff; got != li {
		t.Errorf("staff %v, want who signed in", got)
	}
	b.do(SignOut{b.now, "card"})
	b.wantState(Idle)
}

// TestSignInWithAnotherSpellingIsTheSamePerson holds that a PC which signs in whoever is signed in, by another name or with the
// number alone, takes no question away.
func TestSignInWithAnotherSpellingIsTheSamePerson(t *testing.T) {
	b := configured(t, func(w *rating.Window) { w.SignIn = true })
	b.do(SignIn{b.now, wang, "card"})
	b.open(1, staff)
	b.log = nil
	moved := rating.Staff{ID: wang.ID, Name: wang.Name, Department: "综合科"}
	b.do(SignIn{b.now, moved, "api"})
	b.wantState(Asking)
	b.wantEnded()
	b.wantKinds()
	if v := b.m.View(); v.Signed != moved {
		t.Errorf("signed in: %+v", v.Signed)
	}
}

func TestSignInSurvivesARestart(t *testing.T) {
	b := configured(t, func(w *rating.Window) { w.SignIn = true })
	b.do(SignIn{b.now, wang, "card"})
	var kept rating.Staff
	for _, e := range b.last {
		if s, ok := e.(StaffChanged); ok {
			kept = s.Staff
		}
	}
	w := *b.m.window
	b.m = New(Timings{Wait: time.Minute, Thanks: time.Second}, Reasons{})
	b.do(Started{At: b.now, Window: &w, Staff: kept})
	b.wantState(Idle)
	if got := b.m.View().Staff; got != wang {
		t.Errorf("staff %v", got)
	}
}

// TestPauseOutlastsARestart holds that a window which staff have paused asks nobody because the power failed.
func TestPauseOutlastsARestart(t *testing.T) {
	w := window
	walkUp(&w)
	b := newBench(t)
	b.m = New(Timings{Wait: time.Minute, Thanks: time.Second}, Reasons{})
	b.do(Started{At: b.now, Window: &w, Paused: true})
	b.wantState(Paused)
	b.after(time.Hour)
	b.do(Tick{b.now, 5})
	b.wantState(Paused)
	b.do(Resume{b.now})
	b.wantState(Idle)
}

func TestPauseOutlastsASignIn(t *testing.T) {
	b := configured(t, func(w *rating.Window) { w.SignIn = true })
	b.do(Pause{b.now})
	b.do(SignIn{b.now, wang, "card"})
	b.wantState(Paused)
	b.do(Resume{b.now})
	b.wantState(Idle)
}

// TestStaffKeyOpensAndNothingElse holds that the staff's key neither takes a question away nor answers one.
func TestStaffKeyOpensAndNothingElse(t *testing.T) {
	b := newBench(t)
	b.log = nil
	b.do(StaffKey{b.now, 7})
	b.do(StaffKey{b.now, 8})
	b.after(time.Second)
	b.do(StaffKey{b.now, 9})
	if id := b.m.View().Visit.ID; id != 7 {
		t.Errorf("visit %s is asked about", id)
	}
	b.press(5)
	b.do(StaffKey{b.now, 10})
	b.after(4 * time.Second)
	b.do(Tick{At: b.now})
	b.wantState(Idle)
	b.wantKinds("visit by staff_key", "evaluation", "rated")
}

func walkUp(w *rating.Window) { w.WalkUp = &rating.WalkUp{PauseSec: 5, LinkSec: 60} }

// TestWalkUpNightWritesNothing lets a window ask a whole night: each interval has a visit of its own, and none is recorded.
func TestWalkUpNightWritesNothing(t *testing.T) {
	b := configured(t, walkUp)
	seen := make(map[rating.VisitID]bool)
	for i := range 12 * 60 {
		b.do(Tick{b.now, rating.VisitID(100 + i)})
		b.wantState(Asking)
		seen[b.m.View().Visit.ID] = true
		b.after(time.Minute)
	}
	if len(seen) != 12*60 || len(b.log) != 0 || len(b.m.passed) > maxPassed {
		t.Errorf("%d visits, %d records, %d remembered", len(seen), len(b.log), len(b.m.passed))
	}
}

func TestWalkUpAnswer(t *testing.T) {
	b := configured(t, walkUp)
	b.do(Tick{b.now, 100})
	b.press(4)
	b.wantState(Correcting)
	b.press(3)
	b.after(3 * time.Second)
	b.do(Tick{b.now, 101})
	b.wantState(Idle)
	b.wantKinds("visit by walk_up", "evaluation", "evaluation", "rated")
	b.wantAnswers("staff 满意", "staff 基本满意 for 满意")
	b.after(3 * time.Second)
	b.do(Tick{b.now, 102})
	b.wantState(Idle) // the pause between two citizens
	b.press(1)
	b.after(time.Second)
	b.do(Tick{b.now, 103})
	b.wantState(Asking)
	b.wantKinds("visit by walk_up", "evaluation", "evaluation", "rated")
}

// TestPressAcrossTwoLinks presses while the link changes: the citizen saw the question all the time.
func TestPressAcrossTwoLinks(t *testing.T) {
	b := configured(t, walkUp)
	b.do(Tick{b.now, 100})
	b.after(60 * time.Second)
	pressed := b.now.Add(-20 * time.Millisecond)
	b.do(Tick{b.now, 101})
	b.do(Press{At: pressed, Level: 5})
	b.wantState(Correcting)
	if e := b.log[len(b.log)-1].Evaluation; e == nil || e.Visit != 101 || e.WaitedMS != 0 {
		t.Errorf("%+v", e)
	}
}

// TestWalkUpPhone holds that a visit is recorded when somebody rates it by phone, also once another link is shown.
func TestWalkUpPhone(t *testing.T) {
	b := configured(t, walkUp)
	b.do(Tick{b.now, 100})
	b.after(time.Minute)
	b.do(Tick{b.now, 101})
	b.do(PhoneRated{At: b.now, Visit: 100, Subject: staff})
	b.do(PhoneRated{At: b.now, Visit: 100, Subject: staff}) // sent twice
	b.do(PhoneRated{At: b.now, Visit: 99, Subject: staff})  // nobody knows it
	b.wantState(Asking)
	b.do(PhoneRated{At: b.now, Visit: 101, Subject: staff})
	b.wantState(Correcting)
	b.after(3 * time.Second)
	b.do(Tick{b.now, 102})
	b.wantKinds("visit by walk_up", "rated_by_phone", "visit by walk_up", "rated_by_phone")
}

func TestPCGoesBeforeWalkUp(t *testing.T) {
	b := configured(t, walkUp)
	b.do(Tick{b.now, 100})
	b.do(CancelVisit{b.now, 100}) // nobody but the box knows of it
	if !errors.Is(b.refused(), ErrNotOpen) {
		t.Errorf("%v", b.refused())
	}
	b.open(7, staff)
	if id := b.m.View().Visit.ID; id != 7 {
		t.Fatalf("visit %s is asked about", id)
	}
	b.do(PhoneRated{At: b.now, Visit: 100, Subject: staff})
	b.press(5)
	b.after(3 * time.Second)
	b.do(Tick{b.now, 101})
	b.wantKinds("visit by pc", "visit by walk_up", "rated_by_phone", "evaluation", "rated")
}

// theme opens a visit with two linked matters that are completed and one that is not.
func (b *bench) theme(id rating.VisitID) {
	b.t.Helper()
	b.do(OpenVisit{b.now, rating.Visit{ID: id, Grouping: rating.Theme, Separate: true, Subjects: []rating.Subject{matter, staff},
		Opener: rating.OpenedByPC,
		Cases: []rating.Case{{ProjectNo: "p1", TaskCode: "t1", TaskName: "企业设立登记", Completed: true},
			{ProjectNo: "p2", TaskCode: "t2", Completed: true}, {ProjectNo: "p3", TaskCode: "t3"}}}})
}

func TestMatterByMatter(t *testing.T) {
	b := newBench(t)
	b.theme(7)
	for i, want := range []rating.Question{{Subject: staff}, {Subject: matter, Case: "p1"}, {Subject: matter, Case: "p2"}} {
		v := b.m.View()
		if got := (rating.Question{Subject: v.Subject, Case: v.Case}); got != want || v.Step != i+1 || v.Steps != 3 {
			t.Fatalf("step %d of %d asks %v, want %v", v.Step, v.Steps, got, want)
		}
		b.press(5)
		b.after(3 * time.Second)
		b.do(Tick{At: b.now})
	}
	b.wantEnded(rating.Closing{Visit: 7, Outcome: rating.Rated, Rated: []rating.Subject{staff, matter}, RatedCases: []string{"p1", "p2"}})
	// One case is rated once, over its whole life.
	b.theme(8)
	var rule *rating.RuleError
	if !errors.As(b.refused(), &rule) || rule.Rule != rating.RuleMatterOnce || rule.Case != "p1" {
		t.Errorf("%v, want %s", b.refused(), rating.RuleMatterOnce)
	}
}

// TestPhoneAnswersAllMattersAtOnce skips the screens that the phone has answered.
func TestPhoneAnswersAllMattersAtOnce(t *testing.T) {
	b := newBench(t)
	b.theme(7)
	b.do(PhoneRated{At: b.now, Visit: 7, Subject: matter})
	b.press(4)
	b.after(3 * time.Second)
	b.do(Tick{At: b.now})
	b.wantState(Idle)
	b.wantEnded(rating.Closing{Visit: 7, Outcome: rating.Rated, Rated: []rating.Subject{staff, matter}}) // no case by itself
}

func TestPrintIsRecorded(t *testing.T) {
	b := newBench(t)
	b.log = nil
	b.open(7, staff)
	b.do(Printed{b.now, 7})
	b.do(UnknownCard{At: b.now})
	b.do(UnknownCard{At: b.now, Unread: true})
	b.wantKinds("visit by pc", "printed", "unknown_card")
	if b.log[1].Event.Detail["visit"] != "0000000000000007" {
		t.Errorf("%v", b.log[1].Event)
	}
}

// Whoever was signed in when the box was moved, or given to somebody, does not answer for what comes after.
func TestAnotherAssignmentEndsTheSignIn(t *testing.T) {
	for name, change := range map[string]func(*rating.Window){
		"another window":     func(w *rating.Window) { w.ID = "B7" },
		"another hall":       func(w *rating.Window) { w.Hall = "区政务服务中心" },
		"a fixed assignment": func(w *rating.Window) { w.SignIn, w.Staff = false, li },
	} {
		t.Run(name, func(t *testing.T) {
			b := configured(t, func(w *rating.Window) { w.SignIn = true })
			b.do(SignIn{b.now, wang, "card"})
			b.open(7, staff)
			w := window
			w.SignIn, w.Generation = true, window.Generation+2
			b.do(Configured{At: b.now, Window: w}) // only the roster has changed
			if got := b.m.View().Signed; got != wang {
				t.Errorf("after a new roster %v is signed in", got)
			}
			w.Generation++
			change(&w)
			b.do(Configured{At: b.now, Window: w})
			if got := b.m.View(); got.Signed != (rating.Staff{}) || got.Staff != wang {
				t.Errorf("%v is signed in and %v is rated, want nobody and who was there when the visit was opened", got.Signed, got.Staff)
			}
			b.press(5) // the visit that was open is the one's who was there
			b.after(3 * time.Second)
			b.do(Tick{At: b.now})
			b.wantKinds("signed_in 0417", "visit by pc", "configured", "configured", "signed_out 0417", "evaluation", "rated")
			if w.SignIn {
				b.wantState(Closed)
			} else {
				b.wantState(Idle)
			}
		})
	}
}
