package terminal

import (
	"haochaping/internal/rating"
)

// Event is something that happened at the window. Each carries its own time, which for a press is when the key went down
// and not when the program came to look at it.
type Event interface{ at() rating.Stamp }

// Started is the first event: what the log and the last configuration say.
type Started struct {
	At     rating.Stamp
	Window *rating.Window // nil: not enrolled yet
	Open   *rating.Visit  // the visit that was open when the box went down, nil if none
	Rated  []rating.Question
	// Answered is what the log says of cases that were rated already.
	Answered rating.Answered
	Staff    rating.Staff  // who was signed in when the box went down
	Kinds    []rating.Kind // of records, that the centre had said that it knows
	Paused   bool          // whether the window was paused then
	Barred   bool          // whether the centre did not let the box in then
	Version  string        // of the program
}

// Stopping is the last event: the program is told to end.
type Stopping struct{ At rating.Stamp }

// Configured brings a window that the centre has signed, and how the box asks from then on.
type Configured struct {
	At     rating.Stamp
	Window rating.Window
	Manner *Manner // nil: as before
}

// Barred says whether the centre does not let the box in, so that what citizens answer might never count. Such a box asks nobody.
type Barred struct {
	At  rating.Stamp
	Yes bool
}

// OpenVisit asks to open a visit. Visit.Window is set by the Model.
type OpenVisit struct {
	At    rating.Stamp
	Visit rating.Visit
}

// CancelVisit ends the visit with the given ID.
type CancelVisit struct {
	At rating.Stamp
	ID rating.VisitID
}

// Press is a key with a level going down.
type Press struct {
	At    rating.Stamp
	Level rating.Level
	Again Again
}

// Again says of which presses one is, if each came soon after the last and the key was let go between them. It is zero for one alone.
type Again struct {
	Since rating.Stamp // of the first
	Times int          // with this one, 2 or more
}

// NoPress is one of the five keys that comes again too soon to be another press. It says no level.
type NoPress struct{ At rating.Stamp }

// KeysTogether is two keys down at once: nobody can say which was meant.
type KeysTogether struct{ At rating.Stamp }

// KeyTrouble is a key that did something that is no press. Name is one of the names of audit events.
type KeyTrouble struct {
	At   rating.Stamp
	Name string
	Key  string
}

// KeypadLost and KeypadBack say that the keypad as a whole cannot be read, and that it can again.
type KeypadLost struct {
	At  rating.Stamp
	Err string
}

// KeypadBack ends what KeypadLost began.
type KeypadBack struct{ At rating.Stamp }

// PartTrouble says that an optional part of the box does not work, or works again (Err is empty). It is recorded and changes
// nothing at the window.
type PartTrouble struct {
	At   rating.Stamp
	Part string
	Err  string
}

// StaffKey is the staff's own key going down. It opens a visit about the staff, under ID, if none is being asked about.
type StaffKey struct {
	At rating.Stamp
	ID rating.VisitID
}

// SignIn signs a staff member in, and whoever was signed in out. Via is "api" or "card" (and "assignment" where
// the centre's new assignment of the box ends it).
type SignIn struct {
	At    rating.Stamp
	Staff rating.Staff
	Via   string
}

// SignOut signs out whoever is signed in.
type SignOut struct {
	At  rating.Stamp
	Via string
}

// UnknownCard is a card that belongs to nobody, or with Unread one whose number was not understood.
type UnknownCard struct {
	At     rating.Stamp
	Unread bool
}

// Printed says that the PC had the QR code of a visit once more.
type Printed struct {
	At rating.Stamp
	ID rating.VisitID
}

// PhoneRated says that the centre has an evaluation by phone. It does not say which.
type PhoneRated struct {
	At      rating.Stamp
	Visit   rating.VisitID
	Subject rating.Subject
	Case    string // where the matter is asked case by case
}

// KindsKnown says which kinds of records the centre has said that it knows.
type KindsKnown struct {
	At    rating.Stamp
	Kinds []rating.Kind
}

// CatalogueRead brings the catalogue of reasons, before which none are asked for. The first that comes holds.
type CatalogueRead struct {
	At        rating.Stamp
	Catalogue rating.Catalogue
}

// ClockSet says that the wall clock has been set: Before is what it would have said At that moment without.
type ClockSet struct{ At, Before rating.Stamp }

// Pause closes the window for a while, Resume opens it again.
type Pause struct{ At rating.Stamp }

// Resume ends what Pause began.
type Resume struct{ At rating.Stamp }

// Tick is time passing. It is due at Model.Deadline and harmless at any other time. Fresh is the ID of the visit that it may
// begin in walk-up mode.
type Tick struct {
	At    rating.Stamp
	Fresh rating.VisitID
}

func (e Started) at() rating.Stamp       { return e.At }
func (e Stopping) at() rating.Stamp      { return e.At }
func (e Configured) at() rating.Stamp    { return e.At }
func (e Barred) at() rating.Stamp        { return e.At }
func (e OpenVisit) at() rating.Stamp     { return e.At }
func (e CancelVisit) at() rating.Stamp   { return e.At }
func (e Press) at() rating.Stamp         { return e.At }
func (e NoPress) at() rating.Stamp       { return e.At }
func (e KeysTogether) at() rating.Stamp  { return e.At }
func (e KeyTrouble) at() rating.Stamp    { return e.At }
func (e KeypadLost) at() rating.Stamp    { return e.At }
func (e KeypadBack) at() rating.Stamp    { return e.At }
func (e PartTrouble) at() rating.Stamp   { return e.At }
func (e StaffKey) at() rating.Stamp      { return e.At }
func (e SignIn) at() rating.Stamp        { return e.At }
func (e SignOut) at() rating.Stamp       { return e.At }
func (e UnknownCard) at() rating.Stamp   { return e.At }
func (e Printed) at() rating.Stamp       { return e.At }
func (e PhoneRated) at() rating.Stamp    { return e.At }
func (e KindsKnown) at() rating.Stamp    { return e.At }
func (e CatalogueRead) at() rating.Stamp { return e.At }
func (e ClockSet) at() rating.Stamp      { return e.At }
func (e Pause) at() rating.Stamp         { return e.At }
func (e Resume) at() rating.Stamp        { return e.At }
func (e Tick) at() rating.Stamp          { return e.At }

// Effect is something that the Model wants done besides a Write.
type Effect interface{ effect() }

// Opened says that a visit is being asked about.
type Opened struct{ Visit rating.Visit }

// Refused says that a visit was not opened or not cancelled, and why. Without an ID it is about what else was asked for.
type Refused struct {
	ID  rating.VisitID
	Err error
}

// Ended says how the asking about a visit ended. It is what the window's PC may learn.
type Ended struct{ Closing rating.Closing }

// StaffChanged says who is signed in now, so that a restart does not forget it. It is empty if nobody is.
type StaffChanged struct{ Staff rating.Staff }

func (StaffChanged) effect() {}
func (Opened) effect()       {}
func (Refused) effect()      {}
func (Ended) effect()        {}
