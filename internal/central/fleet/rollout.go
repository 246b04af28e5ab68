package fleet

import (
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// Settings is how a window asks: what a rollout changes of a box's configuration.
type Settings struct {
	SignIn  bool           `json:"sign_in"`
	WaitSec int            `json:"wait_sec"` // 0: the box's own
	WalkUp  *rating.WalkUp `json:"walk_up,omitempty"`
	Rules   string         `json:"rules,omitempty"` // that the levels above have set, by rating.RulesID
}

func settingsOf(d Device) Settings {
	w := d.Window
	return Settings{w.SignIn, w.WaitSec, w.WalkUp, d.Rules}
}

// in returns a window that asks so.
func (s Settings) in(w rating.Window) rating.Window {
	w.SignIn, w.WaitSec, w.WalkUp = s.SignIn, s.WaitSec, s.WalkUp
	return w
}

func (s Settings) same(t Settings) bool {
	return s.Rules == t.Rules && s.SignIn == t.SignIn && s.WaitSec == t.WaitSec && (s.WalkUp == nil) == (t.WalkUp == nil) &&
		(s.WalkUp == nil || *s.WalkUp == *t.WalkUp)
}

// Patch is what becomes of settings, or of the boxes' programs. Nil leaves a part as it is.
type Patch struct {
	SignIn  *bool          `json:"sign_in,omitempty"`
	WaitSec *int           `json:"wait_sec,omitempty"` // 0: the box's own
	WalkUp  *rating.WalkUp `json:"walk_up,omitempty"`  // without a pause: whoever stands there is not asked

	// Rules are those of the levels above, alone. The centre itself changes them, and nobody undoes that.
	Rules *string `json:"rules,omitempty"`

	Programs string `json:"programs,omitempty"` // version of the package that is to be installed, alone
}

// Errors of changes.
var (
	errChange   = errors.New("nothing is to be changed")
	errRules    = errors.New("rules are changed by themselves")
	errPrograms = errors.New("programs are changed by themselves, to a version as 1.3.0")
)

// Check reports the first bound that the change breaks.
func (c Patch) Check() error {
	if c == (Patch{}) {
		return errChange
	}
	if c.Programs != "" {
		if (c != Patch{Programs: c.Programs}) || !wire.IsPackageVersion(c.Programs) {
			return errPrograms
		}
		return nil
	}
	if c.Rules != nil {
		if (c != Patch{Rules: c.Rules}) {
			return errRules
		}
		return nil
	}
	if c.WalkUp != nil && c.WalkUp.PauseSec == 0 && c.WalkUp.LinkSec != 0 {
		return errors.New("a window that asks nobody by itself shows no link")
	}
	return c.of(Settings{}).in(rating.Window{ID: "any", Generation: 1}).Check()
}

// of returns what becomes of settings.
func (c Patch) of(s Settings) Settings {
	if c.SignIn != nil {
		s.SignIn = *c.SignIn
	}
	if c.WaitSec != nil {
		s.WaitSec = *c.WaitSec
	}
	if c.Rules != nil {
		s.Rules = *c.Rules
	}
	if c.WalkUp != nil {
		s.WalkUp = nil
		if c.WalkUp.PauseSec != 0 {
			w := *c.WalkUp
			s.WalkUp = &w
		}
	}
	return s
}

// back returns settings with the former ones where the change has changed them.
func (c Patch) back(s, former Settings) Settings {
	if c.SignIn != nil {
		s.SignIn = former.SignIn
	}
	if c.WaitSec != nil {
		s.WaitSec = former.WaitSec
	}
	if c.WalkUp != nil {
		s.WalkUp = former.WalkUp
	}
	return s
}

// RolloutState is how far a rollout has come.
type RolloutState string

// The states of a rollout.
const (
	Running   RolloutState = "running"
	Halted    RolloutState = "halted"    // a box has turned sick, or somebody has stopped it
	Undoing   RolloutState = "undoing"   // the former settings go out again
	Undone    RolloutState = "undone"    // they have gone out
	Finished  RolloutState = "done"      // all boxes that could be reached have it and were well
	Abandoned RolloutState = "abandoned" // who has it keeps it
)

// Open reports whether something may still come of a rollout.
func (s RolloutState) Open() bool { return s == Running || s == Halted || s == Undoing }

// The stages.
const (
	OneWindow = 1 + iota
	OneHall
	AllHalls
)

// Rollout is a change that goes out in stages.
type Rollout struct {
	ID      string
	Change  Patch
	Area    string // of the scope, 12 digits
	Hall    string // empty: all of the area
	Hold    time.Duration
	State   RolloutState
	Stage   int
	Last    int // its last stage
	Account string
	Begun   time.Time
	Looked  time.Time
	Well    time.Time       // since when all boxes that have it are well; zero: they are not
	Sick    rating.DeviceID // for which it halted, empty where somebody has stopped it
	Why     string          // code of that box's trouble
	Ended   time.Time
}

// Bounds of how long boxes must be well before the next stage.
const (
	LeastHold = 5 * time.Minute
	MostHold  = 7 * 24 * time.Hour
)

// check reports what is wrong with a rollout that is to begin.
func (r Rollout) check() error {
	if r.Hold < LeastHold || r.Hold > MostHold {
		return fmt.Errorf("boxes must be well for %s to %s before the next stage", LeastHold, MostHold)
	}
	if !account.IsArea(r.Area) {
		return fmt.Errorf("the area %q has not 12 digits", r.Area)
	}
	return r.Change.Check()
}

// overlaps reports whether two rollouts may meet at a box.
func (r Rollout) overlaps(s Rollout) bool {
	switch {
	case r.Hall != "" && s.Hall != "":
		return r.Hall == s.Hall
	case r.Hall != "":
		return account.Within(s.Area, r.Area)
	case s.Hall != "":
		return account.Within(r.Area, s.Area)
	}
	return account.Within(r.Area, s.Area) || account.Within(s.Area, r.Area)
}

// BoxState is what has become of a box in a rollout.
type BoxState string

// The states of a box in a rollout.
const (
	BoxWaits  BoxState = "waits"  // its stage is to come
	BoxSent   BoxState = "sent"   // the change has gone out to it
	BoxGone   BoxState = "gone"   // it does not serve the window any more
	BoxOld    BoxState = "old"    // it does not say which configuration it has, or which package of its programs
	BoxUndone BoxState = "undone" // its former settings have gone out to it
	BoxKept   BoxState = "kept"   // somebody has changed its settings meanwhile, which are left alone
)

// RolloutBox is a box of a rollout.
type RolloutBox struct {
	Device     rating.DeviceID
	Window     string // that it served when the rollout began
	Hall       string
	Name       string // of the window
	Stage      int
	State      BoxState
	Former     Settings // what it had before
	Generation uint32   // from which on it has what was sent last; of programs, how often it was asked
	Known      []string // its troubles when it was sent; nil: those of the next look
	Sent       time.Time
	Applied    time.Time // when it was first seen to have what was sent
	Ill        time.Time // since when something is wrong with it that was not before
	Why        string    // code of that
	Asked      Command   // by which it was asked for programs last; zero: it was not, or the command is not kept any more

	commandID string // of the command by which it was asked for programs last, kept or not
}
