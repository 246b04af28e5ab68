package terminal

import (
	"errors"
	"slices"
	"time"

	"haochaping/internal/rating"
)

// State is what the window is doing.
type State string

// The states of a window. Offline is none of them.
const (
	Starting   State = "starting"
	Enrolling  State = "enrolling"
	Idle       State = "idle"
	Asking     State = "asking"
	Correcting State = "correcting" // the thanks, during which another key corrects the answer
	Paused     State = "paused"
)

// Problem is a part of the box that does not work.
type Problem string

// The problems that take the keys out of service. The link in the QR code works through each of them.
const (
	StoreProblem  Problem = "store"
	KeypadProblem Problem = "keypad"
)

// Errors of OpenVisit and CancelVisit.
var (
	ErrNotEnrolled = errors.New("the box is not enrolled yet")
	ErrPaused      = errors.New("the window is paused")
	ErrStarting    = errors.New("the box is starting")
	ErrNotOpen     = errors.New("no such visit is being asked about")
)

// Timings are the durations of the behaviour.
type Timings struct {
	Wait   time.Duration // for an answer to each question, where the visit does not say
	Thanks time.Duration // during which another key corrects the answer
}

const (
	// maxCorrections bounds what a playing child can write.
	maxCorrections = 10
	// storeRetry is how often a failed store is tried again.
	storeRetry = 2 * time.Second
	// auditPause is the least time between two audit events of one name; those in between are counted.
	auditPause = 10 * time.Second
	// maxOwed bounds what is remembered while the store fails.
	maxOwed = 1000
)

// Model is the state of a window. It is a value: no Step changes the Model that it is called on.
type Model struct {
	timings Timings
	state   State
	window  *rating.Window
	visit   *asking

	keypadLost  bool
	storeFailed bool
	storeError  string
	retryAt     rating.Stamp
	owed        []rating.Body // what could not be recorded yet, oldest first
	dropped     int           // bodies beyond maxOwed
	untaken     int           // presses that could not be committed
	audits      map[string]audit
}

// audit is when an audit event was last recorded, and how many have been swallowed since.
type audit struct {
	last      rating.Stamp
	swallowed int
}

// asking is a visit while the citizen is asked about it.
type asking struct {
	visit    rating.Visit
	step     int // index into visit.Subjects
	shown    rating.Stamp
	deadline rating.Stamp
	again    bool // two keys were down at once
	byKey    []rating.Subject
	byPhone  []rating.Subject
	answer   answer
}

// answer is the answer to the question of the present step, zero if there is none.
type answer struct {
	seq         uint64
	level       rating.Level
	corrections int
	phone       bool
}

// New returns the Model of a box that is starting.
func New(t Timings) Model { return Model{timings: t, state: Starting} }

// Deadline returns the moment at which the Model wants a Tick, and whether it wants one at all.
func (m Model) Deadline() (rating.Stamp, bool) {
	var due []rating.Stamp
	if m.visit != nil {
		due = append(due, m.visit.deadline)
	}
	if m.storeFailed {
		due = append(due, m.retryAt)
	}
	if len(due) == 0 {
		return rating.Stamp{}, false
	}
	return slices.MinFunc(due, func(a, b rating.Stamp) int { return int(a.Mono - b.Mono) }), true
}

// View is what the screen shows.
type View struct {
	State    State
	Problem  Problem // empty if none
	Window   rating.Window
	Visit    *rating.Visit // nil if none is being asked about; not to be changed
	Opened   rating.Stamp  // when the present question was first shown
	Subject  rating.Subject
	Step     int // from 1
	Steps    int
	Chosen   rating.Level // the answer that the thanks are for; 0 if it was given by phone
	AskAgain bool
}

// View returns what the screen shows.
func (m Model) View() View {
	v := View{State: m.state}
	if m.window != nil {
		v.Window = *m.window
	}
	switch {
	case m.storeFailed:
		v.Problem = StoreProblem
	case m.keypadLost:
		v.Problem = KeypadProblem
	}
	if a := m.visit; a != nil {
		v.Visit = &a.visit
		v.Window = a.visit.Window
		v.Opened = a.shown
		v.Subject = a.visit.Subjects[a.step]
		v.Step, v.Steps = a.step+1, len(a.visit.Subjects)
		v.AskAgain = a.again
		if m.state == Correcting {
			v.Chosen = a.answer.level
		}
	}
	return v
}

// rated returns the subjects that have been answered, in the order of the questions.
func (a *asking) rated() []rating.Subject {
	var all []rating.Subject
	for _, s := range a.visit.Subjects {
		if slices.Contains(a.byKey, s) || slices.Contains(a.byPhone, s) {
			all = append(all, s)
		}
	}
	return all
}

// closing returns how the visit ends if nothing more happens than the given outcome. A visit whose questions are all
// answered ends as rated, whatever ended it.
func (a *asking) closing(o rating.Outcome) rating.Closing {
	c := rating.Closing{Visit: a.visit.ID, Outcome: o, Rated: a.rated()}
	if len(c.Rated) == len(a.visit.Subjects) || o == rating.TimedOut && len(c.Rated) > 0 {
		c.Outcome = rating.Rated
		if len(a.byKey) == 0 {
			c.Outcome = rating.RatedByPhone
		}
	}
	return c
}

// clone returns a copy that may be changed.
func (a *asking) clone() *asking {
	c := *a
	c.byKey = slices.Clone(a.byKey)
	c.byPhone = slices.Clone(a.byPhone)
	return &c
}

// reached reports whether now is not before due, within one start of the box.
func reached(now, due rating.Stamp) bool { return now.Boot != due.Boot || now.Mono >= due.Mono }
