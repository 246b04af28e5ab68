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
	Explaining State = "explaining" // the visit has ended, and its answers' reasons are asked for
	Closed     State = "closed"     // nobody is signed in where somebody must be
)

// Public returns what others than the citizen may see of a state: neither the thanks, which would tell that somebody has just
// answered, nor that reasons are asked for, while a new visit can begin.
func (s State) Public() State {
	switch s {
	case "":
		return Starting
	case Correcting:
		return Asking
	case Explaining:
		return Idle
	}
	return s
}

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
	ErrClosed      = errors.New("the window is closed: nobody is signed in")
	ErrStarting    = errors.New("the box is starting")
	ErrNotOpen     = errors.New("no such visit is being asked about")
)

// Manner is how the box asks: as its own file says, but for what the levels above have set.
type Manner struct {
	Timings Timings
	Reasons Reasons
	Texts   rating.ScreenTexts // empty ones are the screen's own
}

// Timings are the durations of the behaviour.
type Timings struct {
	Wait   time.Duration   // for an answer to each question, where neither visit nor window says it
	Bounds rating.WaitRule // within which whoever says it keeps
	Thanks time.Duration   // during which another key corrects the answer
}

const (
	// readingTime is how long a question must have been shown for a press to answer it: within less nobody has read it, and the
	// finger was on its way before.
	readingTime = 200 * time.Millisecond
	// letGoTime is how long the citizen is told that a key counts for nothing since it came too soon: a little longer than it must be silent.
	letGoTime = 3 * time.Second
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
	reasons Reasons
	texts   rating.ScreenTexts
	own     rating.Catalogue // that the box has read, where reasons has none
	state   State
	window  *rating.Window
	barred  bool         // the centre does not let the box in
	signed  rating.Staff // who is signed in, empty if nobody is
	visit   *asking
	// explaining is set in the state Explaining alone.
	explaining *explaining
	accepted   bool // the centre has said that it knows reasons
	// walkUpAt is when a window in walk-up mode asks again. It holds in the states Idle and Explaining.
	walkUpAt rating.Stamp
	passed   []asking // walk-up visits that were shown and never recorded, newest last
	answered rating.Answered

	heard       rating.Stamp // when the press came that last was an answer
	keypadLost  bool
	stuck       []string // keys that are stuck
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
	visit     rating.Visit
	questions []rating.Question
	step      int // index into questions
	shown     rating.Stamp
	since     rating.Stamp // since when the question has been shown: before shown where only the link has changed since
	deadline  rating.Stamp
	again     bool         // two keys were down at once
	letGo     rating.Stamp // until when it is said that a key must be let go for a while, zero if it is not
	byKey     []rating.Question
	byPhone   []rating.Question
	given     []given // by key, the last of each question
	answer    answer
	// unwritten: the box opened the visit by itself and nobody has answered, so that there is nothing to tell of it.
	unwritten bool
}

// answer is the answer to the question of the present step, zero if there is none.
type answer struct {
	seq         uint64
	level       rating.Level
	corrections int
	phone       bool
}

// New returns the Model of a box that is starting.
func New(t Timings, r Reasons) Model { return Model{timings: t, reasons: r, state: Starting} }

// Deadline returns the moment at which the Model wants a Tick, and whether it wants one at all.
func (m Model) Deadline() (rating.Stamp, bool) {
	var due []rating.Stamp
	if m.visit != nil {
		due = append(due, m.visit.deadline)
		if m.visit.letGo != (rating.Stamp{}) {
			due = append(due, m.visit.letGo)
		}
	}
	if m.explaining != nil {
		due = append(due, m.explaining.deadline)
	}
	if m.storeFailed {
		due = append(due, m.retryAt)
	}
	if m.state == Idle && m.window.WalkUp != nil {
		due = append(due, m.walkUpAt)
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
	StuckKey bool    // a key is stuck and ignored, which is not said; the others work
	Window   rating.Window
	Visit    *rating.Visit // nil if none is being asked about; not to be changed
	Opened   rating.Stamp  // when the present question was first shown
	Subject  rating.Subject
	Case     string // project number where the matter is asked case by case
	Texts    rating.ScreenTexts
	Staff    rating.Staff // who serves: at the visit, else who is signed in, else who is assigned
	Signed   rating.Staff // who is signed in, empty if nobody is
	Step     int          // from 1
	Steps    int
	Chosen   rating.Level // the answer that the thanks or the reasons are for; 0 if it was given by phone
	AskAgain bool
	LetGo    bool // a key came too soon to answer this question, and counts again when it was let go for a while
	// Ended is the visit whose reasons are asked for, nil if none are; not to be changed.
	Ended *rating.Visit
	// Reasons are what the keys stand for then, from the left, before the one that skips. They are empty once all is said.
	Reasons [rating.KeyReasons]rating.CatalogueReason
}

// View returns what the screen shows.
func (m Model) View() View {
	v := View{State: m.state, Staff: m.serving(), Signed: m.signed, StuckKey: len(m.stuck) > 0, Texts: m.texts}
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
		v.Staff = a.visit.Staff
		v.Opened = a.shown
		v.Subject, v.Case = a.questions[a.step].Subject, a.questions[a.step].Case
		v.Step, v.Steps = a.step+1, len(a.questions)
		v.AskAgain, v.LetGo = a.again, a.letGo != (rating.Stamp{})
		if m.state == Correcting {
			v.Chosen = a.answer.level
		}
	}
	if m.explaining != nil {
		m.explainView(&v)
	}
	return v
}

// serving returns who serves at the window outside of a visit.
func (m Model) serving() rating.Staff {
	switch {
	case m.signed != (rating.Staff{}):
		return m.signed
	case m.window != nil:
		return m.window.Staff
	}
	return rating.Staff{}
}

// ratedByPhone reports whether the phone has answered a question, by itself or with all matters at once.
func (a *asking) ratedByPhone(q rating.Question) bool {
	return slices.Contains(a.byPhone, q) || slices.Contains(a.byPhone, rating.Question{Subject: q.Subject})
}

// closingOf returns an outcome with what the questions that were answered amount to: subjects, and cases that were asked one
// by one.
func closingOf(id rating.VisitID, o rating.Outcome, answered []rating.Question) rating.Closing {
	c := rating.Closing{Visit: id, Outcome: o}
	for _, q := range answered {
		if !slices.Contains(c.Rated, q.Subject) {
			c.Rated = append(c.Rated, q.Subject)
		}
		if q.Case != "" {
			c.RatedCases = append(c.RatedCases, q.Case)
		}
	}
	return c
}

// closing returns how the visit ends if nothing more happens than the given outcome. A visit whose questions are all
// answered ends as rated, whatever ended it.
func (a *asking) closing(o rating.Outcome) rating.Closing {
	var answered []rating.Question
	for _, q := range a.questions {
		switch {
		case slices.Contains(a.byKey, q) || slices.Contains(a.byPhone, q):
			answered = append(answered, q)
		case a.ratedByPhone(q): // with all matters at once, which leaves each to be rated by itself at another visit
			answered = append(answered, rating.Question{Subject: q.Subject})
		}
	}
	c := closingOf(a.visit.ID, o, answered)
	if len(answered) == len(a.questions) || o == rating.TimedOut && len(answered) > 0 {
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
	c.given = slices.Clone(a.given)
	return &c
}

// reached reports whether now is not before due, within one start of the box.
func reached(now, due rating.Stamp) bool { return now.Boot != due.Boot || now.Mono >= due.Mono }
