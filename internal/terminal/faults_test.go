package terminal

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

func TestStoreFails(t *testing.T) {
	b := newBench(t)
	b.open(7, staff)
	b.err = errors.New("no space left on device")
	b.press(5)
	b.wantState(Asking) // no thanks
	if v := b.m.View(); v.Problem != StoreProblem || v.Visit == nil {
		t.Fatalf("view %+v, want a store problem and the visit for its QR code", v)
	}
	b.open(8, staff) // asked about by phone, recorded later
	b.after(storeRetry)
	b.do(Tick{At: b.now})
	b.err = nil
	b.after(storeRetry)
	b.do(Tick{At: b.now})
	if v := b.m.View(); v.Problem != "" {
		t.Fatalf("problem %q after the store recovered", v.Problem)
	}
	b.press(2)
	b.wantAnswers("staff 不满意")
	var kinds []string
	for _, body := range b.log {
		k := string(body.Kind)
		if body.Event != nil {
			k = body.Event.Name
		}
		kinds = append(kinds, k)
	}
	want := []string{"started", "visit", "fault", "outcome", "visit", "recovered", "evaluation"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if got := b.log[5].Event.Detail["presses_not_taken"]; got != "1" {
		t.Errorf("presses not taken: %q, want 1", got)
	}
}

func TestPressThatFindsTheStoreBackCounts(t *testing.T) {
	b := newBench(t)
	b.open(7, staff)
	b.err = errors.New("no space left on device")
	b.press(5)
	b.err = nil
	b.press(4)
	b.wantState(Correcting)
	b.press(3) // replaces the right record, whatever was owed before it
	b.wantAnswers("staff 满意", "staff 基本满意 for 满意")
}

func TestKeypadLost(t *testing.T) {
	b := newBench(t)
	b.do(KeypadLost{b.now, "unplugged"})
	b.do(KeypadLost{b.now, "unplugged"})
	if v := b.m.View(); v.Problem != KeypadProblem {
		t.Errorf("problem %q, want the keypad", v.Problem)
	}
	b.do(KeypadBack{b.now})
	if v := b.m.View(); v.Problem != "" {
		t.Errorf("problem %q, want none", v.Problem)
	}
	if got := len(b.log); got != 3 {
		t.Errorf("%d records, want started, fault, recovered", got)
	}
}

func TestAKeypadGoneMadDoesNotFillTheLog(t *testing.T) {
	b := newBench(t)
	for range 1000 {
		b.after(10 * time.Millisecond)
		b.do(KeyTrouble{b.now, rating.EventUnknownKey, "0x7f\x00"})
	}
	b.after(auditPause)
	b.do(KeyTrouble{b.now, rating.EventUnknownKey, "0x7f"})
	if got := len(b.log); got != 3 {
		t.Fatalf("%d records, want 3", got)
	}
	if got := b.log[2].Event.Detail["swallowed"]; got != "999" {
		t.Errorf("swallowed %q, want 999", got)
	}
}

func TestClockStepsDoNotMoveDeadlines(t *testing.T) {
	b := newBench(t)
	b.open(7, staff)
	b.now.Wall -= (10 * 365 * 24 * time.Hour).Milliseconds()
	b.after(59 * time.Second)
	b.do(Tick{At: b.now})
	b.wantState(Asking)
	b.now.Wall += (100 * 365 * 24 * time.Hour).Milliseconds()
	b.do(Tick{At: b.now})
	b.wantState(Asking)
	b.press(5)
	b.wantState(Asking) // 60 s are over
	b.do(Tick{At: b.now})
	b.wantState(Idle)
}
