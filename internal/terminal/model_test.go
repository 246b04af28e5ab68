package terminal

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/rating"
)

// TestTheFiguresAreThoseOfThePage looks in docs/keys.md for the figures of the rule, which the other tests take from the code.
func TestTheFiguresAreThoseOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{
		fmt.Sprintf("a press **within %d ms** of its question", readingTime.Milliseconds()),
		fmt.Sprintf("in the place of the hall's name for %.0f s", letGoTime.Seconds()),
	} {
		if !strings.Contains(string(page), words) {
			t.Errorf("docs/keys.md does not say %q", words)
		}
	}
}

func TestOnePress(t *testing.T) {
	b := newBench(t)
	b.press(5) // nobody is asked yet
	b.open(7, staff)
	b.wantState(Asking)
	b.press(2)
	b.wantState(Correcting)
	if v := b.m.View(); v.Chosen != 2 {
		t.Errorf("thanks for level %d, want 2", v.Chosen)
	}
	if got := b.log[len(b.log)-1].Evaluation.WaitedMS; got != 1000 {
		t.Errorf("waited %d ms, want 1000", got)
	}
	b.after(3 * time.Second)
	b.do(Tick{At: b.now})
	b.wantState(Idle)
	b.wantAnswers("staff 不满意")
	b.wantEnded(rating.Closing{Visit: 7, Outcome: rating.Rated, Rated: []rating.Subject{staff}})
}

func TestSilenceIsNoAnswer(t *testing.T) {
	b := newBench(t)
	b.open(7, staff)
	b.after(60 * time.Second)
	b.do(Tick{At: b.now})
	b.wantState(Idle)
	b.wantAnswers()
	b.wantEnded(rating.Closing{Visit: 7, Outcome: rating.TimedOut})
}

func TestAnotherKeyCorrects(t *testing.T) {
	b := newBench(t)
	b.open(7, staff)
	b.press(1)
	b.press(1) // the same key again says nothing new
	b.press(5)
	b.press(4)
	b.after(3 * time.Second)
	b.do(Tick{At: b.now})
	b.press(1) // too late
	b.wantAnswers("staff 非常不满意", "staff 非常满意 for 非常不满意", "staff 满意 for 非常满意")
}

func TestCorrectionsAreBounded(t *testing.T) {
	b := newBench(t)
	b.open(7, staff)
	for i := range 100 {
		b.press(rating.Level(1 + i%2))
	}
	if got := len(b.answers()); got != 1+maxCorrections {
		t.Errorf("%d evaluations, want %d", got, 1+maxCorrections)
	}
}

func TestStaffThenMatter(t *testing.T) {
	b := newBench(t)
	b.open(7, matter, staff)
	if v := b.m.View(); v.Subject != staff || v.Step != 1 || v.Steps != 2 {
		t.Fatalf("first question: %s, %d of %d", v.Subject, v.Step, v.Steps)
	}
	b.press(5)
	b.after(3 * time.Second)
	b.do(Tick{At: b.now})
	b.wantState(Asking)
	if v := b.m.View(); v.Subject != matter || v.Step != 2 {
		t.Fatalf("second question: %s, step %d", v.Subject, v.Step)
	}
	b.press(3)
	b.after(3 * time.Second)
	b.do(Tick{At: b.now})
	b.wantAnswers("staff 非常满意", "matter 基本满意")
	b.wantEnded(rating.Closing{Visit: 7, Outcome: rating.Rated, Rated: []rating.Subject{staff, matter}})
}

func TestMatterNotCompletedIsRefused(t *testing.T) {
	b := newBench(t)
	b.do(OpenVisit{b.now, rating.Visit{ID: 7, Grouping: rating.Single, Opener: rating.OpenedByPC, Subjects: []rating.Subject{matter},
		Cases: []rating.Case{{ProjectNo: "p1"}}}})
	b.wantState(Idle)
	if r, ok := b.last[0].(Refused); !ok || !strings.Contains(r.Err.Error(), "article 14") {
		t.Errorf("effects %v, want a refusal that names article 14", b.last)
	}
}

// TestEarlyPressDoesNotCount presses before a question is there and before anybody can have read it: the citizen is asked on, and
// the first press that can be an answer is one.
func TestEarlyPressDoesNotCount(t *testing.T) {
	b := newBench(t)
	began := b.now
	b.after(10 * time.Millisecond)
	b.open(7, staff, matter)
	opened := b.now
	for _, at := range []rating.Stamp{began, opened, opened.Add(readingTime - time.Millisecond)} {
		b.do(Press{At: at, Level: 5})
		b.wantState(Asking)
		b.wantAnswers()
	}
	if got := b.log[len(b.log)-1].Event; got == nil || got.Name != rating.EventEarlyPress {
		t.Errorf("last record %+v, want the audit event of an early press", b.log[len(b.log)-1])
	}
	b.do(Press{At: opened.Add(readingTime), Level: 4})
	b.wantAnswers("staff 满意")
	b.after(3*time.Second + 10*time.Millisecond)
	b.do(Tick{At: b.now})
	b.after(readingTime - time.Millisecond)
	b.do(Press{At: b.now, Level: 5}) // the next question is as new
	b.wantAnswers("staff 满意")
	b.after(time.Millisecond)
	b.do(Press{At: b.now, Level: 3})
	b.wantAnswers("staff 满意", "matter 基本满意")
}

// TestAKeyThatGoesUpAndDownIsNoAnswer presses one key again and again: a second press is heard where the first was not, and from the
// third on they belong to the question in which the first came.
func TestAKeyThatGoesUpAndDownIsNoAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		before bool // the first press came before the question, and was the answer of another
		times  int
		want   []string
	}{
		"alone":                   {times: 0, want: []string{"staff 4 满意"}},
		"twice, the first early":  {times: 2, want: []string{"staff 4 满意"}},
		"twice, the first heard":  {before: true, times: 2},
		"again, the first early":  {times: 3},
		"again, the first heard":  {before: true, times: 3},
		"for long, and not heard": {times: 30},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			first := b.now
			if c.before {
				b.open(6, staff)
				b.after(time.Second)
				first = b.now
				b.do(Press{At: first, Level: 4})
			}
			answers := len(b.log)
			b.after(10 * time.Millisecond)
			b.open(7, staff)
			b.after(time.Second)
			b.do(Press{At: b.now, Level: 4, Again: Again{Since: first, Times: c.times}})
			var got []string
			for _, body := range b.log[answers:] {
				if e := body.Evaluation; e != nil {
					got = append(got, fmt.Sprintf("%s %s", e.Subject, e.Level))
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("answers %v, want %v", got, c.want)
			}
			if b.do(Press{At: b.now, Level: 3, Again: Again{Since: b.now, Times: 3}}); b.log[len(b.log)-1].Evaluation == nil {
				t.Error("what began in this question is no answer to it")
			}
		})
	}
}

// TestAKeyThatCountsForNothingIsTold refuses keys that come too soon, with and without the word of a release: the screen says so while a
// question is open, the same for each level, until the key counts again or another one does.
func TestAKeyThatCountsForNothingIsTold(t *testing.T) {
	tapped := func(b *bench, level rating.Level) {
		b.do(Press{At: b.now, Level: level, Again: Again{Since: b.now.Add(-2 * time.Second), Times: 3}})
	}
	repeats := func(b *bench, _ rating.Level) { b.do(NoPress{b.now}) }
	for name, refuse := range map[string]func(*bench, rating.Level){"with releases": tapped, "without": repeats} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			told := func(want bool, when string) {
				t.Helper()
				if got := b.m.View().LetGo; got != want {
					t.Errorf("%s the screen says to let go: %t, want %t", when, got, want)
				}
			}
			refuse(b, 5)
			told(false, "before a question")
			var views []View
			for _, level := range rating.Levels() {
				b.open(7, staff, matter)
				b.after(time.Second)
				refuse(b, level)
				told(true, "while it asks")
				v := b.m.View()
				v.Visit, v.Opened = nil, rating.Stamp{}
				views = append(views, v)
			}
			if i := slices.IndexFunc(views, func(v View) bool { return v != views[0] }); i > 0 {
				t.Errorf("level %d is told otherwise than the first: %+v and %+v", i, views[i], views[0])
			}
			b.after(letGoTime - time.Millisecond)
			b.do(Tick{At: b.now})
			told(true, "just before a press counts again")
			b.after(time.Millisecond)
			if due, ok := b.m.Deadline(); !ok || due != b.now {
				t.Errorf("the next tick is wanted at %v, want %v", due, b.now)
			}
			b.do(Tick{At: b.now})
			told(false, "when a press counts again")
			b.open(7, staff, matter)
			b.after(time.Second)
			refuse(b, 2)
			b.after(time.Second)
			b.do(Press{At: b.now, Level: 4})
			b.wantAnswers("staff 满意")
			told(false, "at the thanks")
			b.after(500 * time.Millisecond)
			refuse(b, 4)
			told(false, "during the thanks, of which it is part")
			b.do(PhoneRated{At: b.now, Visit: 7, Subject: matter})
			told(false, "after an answer by phone")
		})
	}
}

// TestAStuckKeyShows holds that the screen says so while a key is stuck, and no longer.
func TestAStuckKeyShows(t *testing.T) {
	b := newBench(t)
	for i, c := range []struct {
		e    Event
		want bool
	}{
		{KeyTrouble{b.now, rating.EventStuckKey, "0x41"}, true}, {KeyTrouble{b.now, rating.EventStuckKey, "0x42"}, true},
		{KeyTrouble{b.now, rating.EventReleasedKey, "0x41"}, true}, {KeyTrouble{b.now, rating.EventReleasedKey, "0x42"}, false},
		{KeyTrouble{b.now, rating.EventUnknownKey, "0x43"}, false}, {KeyTrouble{b.now, rating.EventStuckKey, "0x41"}, true},
		{KeypadLost{b.now, "gone"}, false}, {KeypadBack{b.now}, false},
	} {
		b.do(c.e)
		if got := b.m.View().StuckKey; got != c.want {
			t.Errorf("after event %d a key is stuck: %t, want %t", i, got, c.want)
		}
	}
}

func TestTwoKeysAskAgain(t *testing.T) {
	b := newBench(t)
	b.open(7, staff)
	b.do(KeysTogether{b.now})
	b.wantState(Asking)
	if !b.m.View().AskAgain {
		t.Error("the screen does not ask again")
	}
	b.press(4)
	b.do(KeysTogether{b.now})
	b.wantState(Asking)
	b.after(60 * time.Second)
	b.do(Tick{At: b.now}) // what was thanked for stands
	b.wantAnswers("staff 满意")
	b.wantEnded(rating.Closing{Visit: 7, Outcome: rating.Rated, Rated: []rating.Subject{staff}})
}

func TestTwoKeysThenTheSameKeyIsThankedAgain(t *testing.T) {
	b := newBench(t)
	b.open(7, staff)
	b.press(4)
	b.do(KeysTogether{b.now})
	b.press(4)
	b.wantState(Correcting)
	b.wantAnswers("staff 满意", "staff 满意 for 满意")
}

func TestNewVisitSupersedes(t *testing.T) {
	b := newBench(t)
	b.open(7, staff)
	b.open(8, staff)
	b.press(5)
	b.open(9, staff) // the answer was given; the citizen's visit ends as rated
	b.wantEnded(rating.Closing{Visit: 7, Outcome: rating.Superseded},
		rating.Closing{Visit: 8, Outcome: rating.Rated, Rated: []rating.Subject{staff}})
}

func TestPhone(t *testing.T) {
	b := newBench(t)
	b.open(7, staff, matter)
	b.do(PhoneRated{At: b.now, Visit: 99, Subject: staff}) // another visit
	b.wantState(Asking)
	b.do(PhoneRated{At: b.now, Visit: 7, Subject: matter})
	b.wantState(Asking)
	b.do(PhoneRated{At: b.now, Visit: 7, Subject: staff})
	b.wantState(Correcting)
	b.press(1) // rated is rated
	b.after(3 * time.Second)
	b.do(Tick{At: b.now})
	b.wantAnswers()
	b.wantEnded(rating.Closing{Visit: 7, Outcome: rating.RatedByPhone, Rated: []rating.Subject{staff, matter}})
}

func TestInterruptedVisitIsClosedAtTheNextStart(t *testing.T) {
	b := newBench(t)
	b.m = New(Timings{Wait: time.Minute, Thanks: time.Second}, Reasons{})
	b.do(Started{At: b.now, Window: &window, Open: &rating.Visit{ID: 5}, Rated: []rating.Question{{Subject: staff}}})
	b.wantEnded(rating.Closing{Visit: 5, Outcome: rating.Interrupted, Rated: []rating.Subject{staff}})
	b.wantState(Idle)
}

func TestEnrolment(t *testing.T) {
	b := newBench(t)
	b.m = New(Timings{Wait: time.Minute, Thanks: time.Second}, Reasons{})
	b.do(Started{At: b.now})
	b.wantState(Enrolling)
	b.open(7, staff)
	if r, ok := b.last[0].(Refused); !ok || !errors.Is(r.Err, ErrNotEnrolled) {
		t.Errorf("effects %v, want ErrNotEnrolled", b.last)
	}
	b.do(Configured{At: b.now, Window: window})
	b.wantState(Idle)
	records := len(b.log)
	b.do(Configured{At: b.now, Window: window}) // retained by the broker, seen at each connection
	if len(b.log) != records {
		t.Error("the same configuration was recorded twice")
	}
}

func TestPause(t *testing.T) {
	b := newBench(t)
	b.open(7, staff)
	b.do(Pause{b.now})
	b.wantState(Paused)
	b.open(8, staff)
	if r, ok := b.last[0].(Refused); !ok || !errors.Is(r.Err, ErrPaused) {
		t.Errorf("effects %v, want ErrPaused", b.last)
	}
	b.press(5)
	b.wantAnswers()
	b.do(Resume{b.now})
	b.wantState(Idle)
	b.wantEnded(rating.Closing{Visit: 7, Outcome: rating.Cancelled})
}

// How long a question waits is said by the visit, else by the centre for the window, else by the box's own file.
func TestHowLongAQuestionWaits(t *testing.T) {
	b := newBench(t)
	wait := func(want time.Duration) {
		t.Helper()
		if due, ok := b.m.Deadline(); !ok || due.Sub(b.now) != want {
			t.Errorf("the question waits %s, want %s", due.Sub(b.now), want)
		}
	}
	b.open(7, staff)
	wait(time.Minute)
	w := *b.m.window
	w.Generation, w.WaitSec = w.Generation+1, 45
	b.do(Configured{At: b.now, Window: w})
	b.open(8, staff)
	wait(45 * time.Second)
	if b.m.View().Visit.Window.WaitSec != 0 {
		t.Error("a visit records how its window asks")
	}
}
