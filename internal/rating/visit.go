package rating

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what a visit may hold. They keep a record well below the size of a batch, and the texts on a small screen.
const (
	MaxCode  = 64  // bytes of a project number, task code, window, hall or staff number
	MaxName  = 120 // characters of a name that people read
	MaxCases = 200 // cases of one visit
	// MaxSeparate is the greatest number of cases that a visit asks about one by one, each with its own screen.
	MaxSeparate = 8
	MaxReasons  = 16  // reasons of one evaluation
	MaxText     = 150 // characters of a free text; one upstream system allows no more
	// MaxVisit is the greatest size of a visit in bytes as its record holds it. A visit with as many cases and as long
	// names as are allowed one by one can be larger.
	MaxVisit = 63 << 10
	MaxWait  = 600 * time.Second
	// LeastWait is how long a question waits at least where an administrator says it, in seconds.
	LeastWait = 5
)

// Subject is what an evaluation is about (article 14).
type Subject string

const (
	// StaffSubject is the person at the window, who may be rated once per visit (一次一评).
	StaffSubject Subject = "staff"
	// MatterSubject is the matter handled, which may be rated once when its case is completed (一事一评).
	MatterSubject Subject = "matter"
)

// Valid reports whether s is one of the subjects.
func (s Subject) Valid() bool { return s == StaffSubject || s == MatterSubject }

// Chinese returns the subject in the words that a citizen reads.
func (s Subject) Chinese() string {
	if s == MatterSubject {
		return "办理事项"
	}
	return "工作人员服务"
}

// Grouping says how the cases of a visit belong together (article 14).
type Grouping string

// The groupings.
const (
	Single Grouping = "single" // each case by itself
	Batch  Grouping = "batch"  // the same matter, two cases or more, one evaluation for all (批量业务)
	Theme  Grouping = "theme"  // linked matters of one life event (主题式一件事)
)

// Opener says who opened a visit.
type Opener string

// The openers.
const (
	OpenedByPC       Opener = "pc"        // the business system on the window's PC
	OpenedByStaffKey Opener = "staff_key" // a key or button of the staff
	OpenedByWalkUp   Opener = "walk_up"   // the box itself, which asks whoever stands there
)

// Staff is the person at the window. All fields may be empty where the window does not say who serves.
type Staff struct {
	ID         string `json:"id,omitempty"`
	Name       string `json:"name,omitempty"`
	Department string `json:"department,omitempty"`
}

// Case is a case in the business system (办件).
type Case struct {
	ProjectNo string `json:"project_no"`          // 办件统一编号, carried and never edited
	Area      string `json:"area,omitempty"`      // 行政区划代码, 12 digits; empty: that of the window's hall
	TaskCode  string `json:"task_code,omitempty"` // 事项编码
	TaskName  string `json:"task_name,omitempty"`
	Completed bool   `json:"completed"` // whether this visit completed it (办结)
}

// Window is the place that a device serves. It is the centre's knowledge; Generation grows at each move or change of the
// device's configuration, so that an older message never overwrites a newer one.
type Window struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Hall       string `json:"hall"`           // the hall's name as citizens read it
	Area       string `json:"area,omitempty"` // the hall's 行政区划代码, 12 digits; empty where nobody has said it
	Generation uint32 `json:"generation"`
	Staff      Staff  `json:"staff,omitzero"` // who serves where nobody signs in
	// SignIn: without anybody signed in or assigned the window is closed.
	SignIn bool    `json:"sign_in,omitempty"`
	WalkUp *WalkUp `json:"walk_up,omitempty"` // nil where a PC or the staff opens each visit
	// WaitSec is how long a question waits for a key where the visit does not say it, in seconds; 0: as long as the box's own file says.
	WaitSec int `json:"wait_sec,omitempty"`
}

// WalkUp makes a window ask whoever stands there, for windows whose business system opens no visits.
type WalkUp struct {
	PauseSec int `json:"pause_sec"` // from the thanks to the next question, 1 to 600 seconds
	LinkSec  int `json:"link_sec"`  // how long one signed link is shown, 60 to 600 seconds; it works for ten minutes
}

// AtVisit returns w as a visit records it: the place. Who served is said by the visit.
func (w Window) AtVisit() Window {
	w.Staff, w.SignIn, w.WalkUp, w.WaitSec = Staff{}, false, nil, 0
	return w
}

// Visit is one service given at a window (一次服务), about which the citizen is asked.
type Visit struct {
	ID       VisitID   `json:"id"`
	Window   Window    `json:"window"`
	Staff    Staff     `json:"staff,omitzero"`
	Cases    []Case    `json:"cases,omitempty"`
	Grouping Grouping  `json:"grouping"`
	Subjects []Subject `json:"subjects"` // what is asked, in this order
	// Separate: the matter is asked about case by case (也可对关联的事项分别进行评价, article 14), else once for all completed cases.
	Separate bool   `json:"separate,omitempty"`
	Opener   Opener `json:"opener"`
	WaitSec  int    `json:"wait_sec"` // how long each question waits for a key, in seconds
	// Request is what the PC's request is known by when it comes again, nil if the PC gave it no name.
	Request *Request `json:"request,omitempty"`
}

// Request tells the requests of the window's PC apart. It says nothing of what is in them.
type Request struct {
	Key    string `json:"key"`    // of the PC and its Idempotency-Key, 32 hex digits
	Digest string `json:"digest"` // of the request's body, 32 hex digits
}

// Outcome is how the asking about a visit ended. It is all that the window's staff and PC learn.
type Outcome string

// The outcomes.
const (
	Rated        Outcome = "rated"
	RatedByPhone Outcome = "rated_by_phone"
	TimedOut     Outcome = "timed_out"
	Cancelled    Outcome = "cancelled"
	Superseded   Outcome = "superseded"  // another visit was opened before this one ended
	Interrupted  Outcome = "interrupted" // the box lost power or was restarted
)

// Valid reports whether o is one of the outcomes.
func (o Outcome) Valid() bool {
	return slices.Contains([]Outcome{Rated, RatedByPhone, TimedOut, Cancelled, Superseded, Interrupted}, o)
}

// Check reports the first reason why the window could not be shown or stored.
func (w Window) Check() error {
	switch {
	case w.ID == "":
		return fmt.Errorf("window: id is empty")
	case w.Generation == 0:
		return fmt.Errorf("window %s: generation is 0, the first is 1", w.ID)
	case w.WalkUp != nil && (w.WalkUp.PauseSec < 1 || w.WalkUp.PauseSec > 600 || w.WalkUp.LinkSec < 60 || w.WalkUp.LinkSec > 600):
		return fmt.Errorf("window %s: walk-up pauses %d s and changes its link every %d s; allowed are 1 to 600 and 60 to 600", w.ID,
			w.WalkUp.PauseSec, w.WalkUp.LinkSec)
	case w.WaitSec != 0 && (w.WaitSec < LeastWait || w.WaitSec > int(MaxWait/time.Second)):
		return fmt.Errorf("window %s: a question waits %d s, allowed are %d to %d", w.ID, w.WaitSec, LeastWait, int(MaxWait/time.Second))
	}
	return firstError(
		CheckArea(w.Area), checkCode("window.id", w.ID), checkName("window.name", w.Name), checkName("window.hall", w.Hall),
		w.Staff.check("window.staff"))
}

func (s Staff) check(field string) error {
	if err := firstError(checkCode("id", s.ID), checkName("name", s.Name), checkName("department", s.Department)); err != nil {
		return fmt.Errorf("%s.%w", field, err)
	}
	return nil
}

// Check reports the first reason why the visit could not be asked about or stored: an identifier that is missing, a text
// that is too long, or a rule of article 14 that it contradicts.
func (v Visit) Check() error {
	switch {
	case v.ID == 0:
		return fmt.Errorf("visit: id is empty")
	case len(v.Cases) > MaxCases:
		return fmt.Errorf("visit %s: %d cases, at most %d are allowed", v.ID, len(v.Cases), MaxCases)
	case v.WaitSec < 1 || v.WaitSec > int(MaxWait/time.Second):
		return fmt.Errorf("visit %s: waits %d s, allowed are 1 to %d", v.ID, v.WaitSec, int(MaxWait/time.Second))
	case !slices.Contains([]Opener{OpenedByPC, OpenedByStaffKey, OpenedByWalkUp}, v.Opener):
		return fmt.Errorf("visit %s: opener %q is unknown", v.ID, v.Opener)
	}
	if err := firstError(v.Window.Check(), v.Staff.check("staff")); err != nil {
		return fmt.Errorf("visit %s: %w", v.ID, err)
	}
	if v.Request != nil && (!isDigest(v.Request.Key) || !isDigest(v.Request.Digest)) {
		return fmt.Errorf("visit %s: request %q %q: 32 hex digits each are allowed", v.ID, v.Request.Key, v.Request.Digest)
	}
	for i, c := range v.Cases {
		if c.ProjectNo == "" {
			return fmt.Errorf("visit %s: cases[%d].project_no is empty", v.ID, i)
		}
		if err := firstError(CheckArea(c.Area), checkCode("project_no", c.ProjectNo), checkCode("task_code", c.TaskCode),
			checkName("task_name", c.TaskName)); err != nil {
			return fmt.Errorf("visit %s: cases[%d]: %w", v.ID, i, err)
		}
	}
	// Not CheckVisit: what it asks for besides is newer than some records.
	if err := firstError(v.checkSubjects(), v.checkAsked(), v.checkGrouping()); err != nil {
		return fmt.Errorf("visit %s: %w", v.ID, err)
	}
	return v.checkSize()
}

// ErrVisitTooLarge says that a visit's record would be larger than MaxVisit.
var ErrVisitTooLarge = errors.New("open it with fewer cases or without task names")

// checkSize keeps out a visit whose record could never be written.
func (v Visit) checkSize() error {
	if v.most() <= MaxVisit {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("visit %s: %w", v.ID, err)
	}
	if len(b) > MaxVisit {
		return fmt.Errorf("visit %s: %d bytes as it would be recorded, at most %d are allowed; %w", v.ID, len(b), MaxVisit, ErrVisitTooLarge)
	}
	return nil
}

// most returns more bytes than the visit's record can have: of a text each byte may be written as six.
func (v Visit) most() int {
	n := len(v.Window.ID) + len(v.Window.Name) + len(v.Window.Hall) + len(v.Window.Staff.ID) + len(v.Window.Staff.Name) +
		len(v.Window.Staff.Department) +
		len(v.Staff.ID) + len(v.Staff.Name) + len(v.Staff.Department)
	for _, c := range v.Cases {
		n += 40 + len(c.ProjectNo) + len(c.TaskCode) + len(c.TaskName) // 20: the names of its fields
	}
	return 2048 + 6*n
}

// checkSubjects reports what cannot be asked, whatever the regulation says.
func (v Visit) checkSubjects() error {
	if len(v.Subjects) == 0 {
		return errors.New("nothing is asked, name a subject")
	}
	for _, s := range v.Subjects {
		if !s.Valid() {
			return fmt.Errorf("subject %q is unknown", s)
		}
	}
	if !slices.Contains([]Grouping{Single, Batch, Theme}, v.Grouping) {
		return fmt.Errorf("grouping %q is unknown", v.Grouping)
	}
	if n := len(v.Completed()); v.Separate && n > MaxSeparate {
		return fmt.Errorf("asks about %d cases one by one, at most %d are allowed; ask about a theme as a whole, or open a visit for each", n,
			MaxSeparate)
	}
	return nil
}

func checkCode(field, s string) error {
	if len(s) > MaxCode {
		return fmt.Errorf("%s: %d bytes, at most %d are allowed", field, len(s), MaxCode)
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return fmt.Errorf("%s %q: only printable ASCII without spaces is allowed", field, s)
		}
	}
	return nil
}

func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 16 && s == hex.EncodeToString(b)
}

func checkName(field, s string) error { return checkText(field, s, MaxName) }

func checkText(field, s string, limit int) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s: not valid UTF-8", field)
	}
	if n := utf8.RuneCountInString(s); n > limit {
		return fmt.Errorf("%s: %d characters, at most %d are allowed", field, n, limit)
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return fmt.Errorf("%s %q: control characters are not allowed", field, s)
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
