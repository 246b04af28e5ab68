package terminal

import (
	"errors"

	"haochaping/internal/rating"
)

// Public is what others than the citizen may see of a View: the staff, the window's PC, whoever runs the box, the centre's health
// report (articles 4 and 21). It is the one place of that rule. The Loop gives nothing else away; the whole View goes to the citizen's
// screen, lamps, sound and keypad alone, by LoopConfig.Show.
type Public struct {
	State    State   // without the thanks and the reasons
	Problem  Problem // empty if none
	StuckKey bool
	Window   rating.Window
	Visit    rating.VisitID // 0 if none is asked about that can be followed: a walk-up visit may never be recorded
	Staff    rating.Staff   // who serves
	Signed   rating.Staff   // who is signed in, empty if nobody is
}

// Fault is the State of a window whose keys are out of service, as Public.Word says it.
const Fault = "fault"

// Public returns what others than the citizen may see.
func (v View) Public() Public {
	p := Public{State: v.State.Public(), Problem: v.Problem, StuckKey: v.StuckKey, Window: v.Window, Staff: v.Staff, Signed: v.Signed}
	if v.Visit != nil && v.Visit.Opener != rating.OpenedByWalkUp {
		p.Visit = v.Visit.ID
	}
	return p
}

// Word returns what the window does in a word: Fault where it would serve and its keys are out of service, which is what its screen
// says then.
func (p Public) Word() string {
	if p.Problem != "" && (p.State == Idle || p.State == Asking) {
		return Fault
	}
	return string(p.State)
}

var errPrivate = errors.New("a view holds how a citizen answers; tell others of View.Public")

// MarshalJSON refuses: who writes a View down writes an answer down.
func (View) MarshalJSON() ([]byte, error) { return nil, errPrivate }

// MarshalText refuses likewise, which also keeps a View out of the log.
func (View) MarshalText() ([]byte, error) { return nil, errPrivate }

// String returns the public part in a word, for whoever prints a View.
func (v View) String() string { return v.Public().Word() }
