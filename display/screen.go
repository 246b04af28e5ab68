package display

import (
	"image"

	"haochaping/internal/rating"
)

// State says which screen is shown.
type State uint8

// The screens.
const (
	Starting  State = iota
	Enrolling       // the centre does not know the box yet
	Idle
	Asking
	Thanks // recorded; another key corrects the answer
	Paused
	Closed      // nobody is signed in
	Fault       // the keys are out of service; the QR code works
	Explaining  // the visit has ended; the keys stand for reasons
	Learning    // somebody presses the keys so that it is known what they are
	TestPicture // somebody looks at the screen itself
)

// Screen is what is to be seen. It is comparable, so that an unchanged one need not be drawn again.
type Screen struct {
	State    State
	Offline  bool
	StuckKey bool // a key is stuck; the others work

	Hall, Window                   string
	StaffName, StaffID, Department string
	// Photo is of the person at the window, nil for none. Two screens are the same only with the very same image.
	Photo image.Image

	Texts rating.ScreenTexts // empty ones are the program's own

	Subject     rating.Subject // what is asked about
	Matter      string         // its name, for the matter
	Step, Steps int            // of the questions, from 1
	Order       [5]rating.Level
	Link        string // of the QR code; empty for none
	AskAgain    bool   // two keys were down at once
	LetGo       bool   // a key came too soon to count, and counts again when it was let go for two seconds
	Chosen      rating.Level
	// Reasons are what the keys stand for from the left, before the one that skips. Without any, all has been said.
	Reasons [rating.KeyReasons]string

	// Learning is whose key is to be pressed, 0 when all were and are to be confirmed; Step is for the how manieth time.
	Learning rating.Level
	Said     string // what a lesson says of the last press, and of all when they are learnt, a line each; may be empty

	Device, Fingerprint string // for enrolling
	Code, Digits        string // under which a box waits to be accepted, and what the centre's page shows too; empty for none
	Version             string // of the program, for the test picture
	Problem             string // for a fault, in a citizen's words
}
