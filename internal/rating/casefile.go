package rating

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CaseKey names a case (办件) across the province: project numbers are unique within an area only.
type CaseKey struct {
	Area    string // 行政区划代码, 12 digits; empty where nobody has said it
	Project string // 办件统一编号
}

// String returns the key as one word or two. No two keys have the same.
func (k CaseKey) String() string {
	if k.Area == "" {
		return k.Project
	}
	return k.Area + " " + k.Project
}

// ParseCaseKey is the inverse of CaseKey.String.
func ParseCaseKey(s string) CaseKey {
	if area, project, ok := strings.Cut(s, " "); ok {
		return CaseKey{area, project}
	}
	return CaseKey{Project: s}
}

// MarshalText writes the key as String does.
func (k CaseKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (k *CaseKey) UnmarshalText(b []byte) error {
	*k = ParseCaseKey(string(b))
	return nil
}

// Check reports why the key could not be taken from a business system, which says the area always.
func (k CaseKey) Check() error {
	switch {
	case k.Area == "":
		return errors.New("area is empty")
	case k.Project == "":
		return errors.New("project_no is empty")
	}
	return firstError(CheckArea(k.Area), checkCode("project_no", k.Project))
}

// CheckArea reports why an area's code could not be used. An empty one says nothing.
func CheckArea(s string) error {
	if s != "" && (len(s) != 12 || strings.Trim(s, "0123456789") != "") {
		return fmt.Errorf("area %q: want 12 digits, as 620100000000", s)
	}
	return nil
}

// PadArea returns an area's code with 12 digits: many systems write the first six only.
func PadArea(s string) string {
	if len(s) == 6 {
		return s + "000000"
	}
	return s
}

// Applicant is what kind of applicant a case has (评价人: 自然人、法人和其他组织, article 2).
type Applicant string

// The kinds of applicants.
const (
	NaturalPerson  Applicant = "natural_person"
	Enterprise     Applicant = "enterprise"
	Institution    Applicant = "institution"
	Association    Applicant = "association"
	Unincorporated Applicant = "unincorporated"
	Authority      Applicant = "authority"
	OtherApplicant Applicant = "other"
)

// Handling says where a case is handled, which decides what is rated (article 14).
type Handling string

// The ways of handling.
const (
	InHall Handling = "hall"
	Online Handling = "online" // from beginning to end (全程网上办理)
	Mixed  Handling = "mixed"  // 线上线下相结合
)

// Subjects returns what of a case may be rated: 全程网上办理的事项办结后,评价人对服务事项进行一次评价; 线下窗口办理或线上线下相结合的事项,评价人每次到窗口
// 办理后均可对服务人员进行一次评价,事项办结后可对服务事项进行一次评价 (article 14). Where nobody has said how it is handled, a visit to a window
// speaks for itself.
func (h Handling) Subjects() []Subject {
	if h == Online {
		return []Subject{MatterSubject}
	}
	return []Subject{StaffSubject, MatterSubject}
}

// Surety says how surely a time of completion is known.
type Surety string

// The sureties, the surest first.
const (
	Reported Surety = "reported" // a business system has said it
	ByVisit  Surety = "visit"    // the clock of the box at whose visit it was completed
	Received Surety = "received" // it is when the centre heard of that visit, whose box did not know the time
)

// CaseFact is what a business system says of a case. Fields that are empty say nothing. Times are milliseconds since 1970-01-01 UTC.
type CaseFact struct {
	Area      string    `json:"area"`
	ProjectNo string    `json:"project_no"`
	TaskCode  string    `json:"task_code,omitempty"`
	TaskName  string    `json:"task_name,omitempty"`
	Unit      string    `json:"unit,omitempty"` // 统一社会信用代码 or another code of the handling unit
	Applicant Applicant `json:"applicant,omitempty"`
	// Batch names the cases that were filed at once at a window and are of one task (批量业务), within the area. Theme names
	// linked cases of one life event (主题式一件事), across units and areas. Neither is ever changed.
	Batch       string   `json:"batch,omitempty"`
	Theme       string   `json:"theme,omitempty"`
	Handling    Handling `json:"handling,omitempty"`
	AcceptedAt  int64    `json:"accepted_at,omitempty"`
	CompletedAt int64    `json:"completed_at,omitempty"`
	AsOf        int64    `json:"as_of"` // when the system knew this
	// Corrects says that this puts right what was said before AsOf.
	Corrects bool `json:"corrects,omitempty"`
}

// Key returns the case that f is about.
func (f CaseFact) Key() CaseKey { return CaseKey{f.Area, f.ProjectNo} }

// Check reports the first bound that f breaks. Now is the centre's time, 0 to leave times in the future alone.
func (f CaseFact) Check(now int64) error {
	const ahead = 10 * 60_000       // of another machine's clock, ms
	const century = 946_684_800_000 // 2000-01-01 UTC
	applicants := []Applicant{"", NaturalPerson, Enterprise, Institution, Association, Unincorporated, Authority, OtherApplicant}
	switch {
	case !slices.Contains(applicants, f.Applicant):
		return fmt.Errorf("applicant %q is unknown", f.Applicant)
	case !slices.Contains([]Handling{"", InHall, Online, Mixed}, f.Handling):
		return fmt.Errorf("handling %q is unknown", f.Handling)
	case f.Batch != "" && f.TaskCode == "":
		return errors.New("a case of a batch needs its task_code, since a batch is of one task")
	case f.AsOf <= 0 || f.AcceptedAt < 0 || f.CompletedAt < 0 || max(f.AsOf, f.AcceptedAt, f.CompletedAt) > maxSafeInt:
		return errors.New("as_of is missing, or a time is out of range")
	case f.CompletedAt != 0 && f.CompletedAt < f.AcceptedAt:
		return errors.New("completed_at is before accepted_at")
	case now != 0 && max(f.AsOf, f.AcceptedAt, f.CompletedAt) > now+ahead:
		return errors.New("a time lies in the future")
	case now != 0 && (f.AsOf < century || f.AcceptedAt != 0 && f.AcceptedAt < century || f.CompletedAt != 0 && f.CompletedAt < century):
		return errors.New("a time lies before 2000; is the clock set")
	}
	return firstError(f.Key().Check(), checkCode("task_code", f.TaskCode), checkName("task_name", f.TaskName), checkCode("unit", f.Unit),
		checkCode("batch", f.Batch), checkCode("theme", f.Theme))
}

// CaseFile is all that is known of a case, put together from what was said in any order. The zero CaseFile knows nothing.
type CaseFile struct {
	CaseFact
	// Corrected is as of when a field was put right, by its name.
	Corrected map[string]int64 `json:"corrected,omitempty"`
	// Visited is when a visit completed the case at the earliest, 0 if none has, and Surety how surely that is known.
	Visited int64  `json:"visited,omitempty"`
	Surety  Surety `json:"surety,omitempty"`
	Learnt  int64  `json:"learnt,omitempty"` // when the centre heard first that the case is completed
}

// Contradiction is that a fact says otherwise than one before, of a field.
type Contradiction struct{ Field, Known, Said string }

// String says it in a line.
func (c Contradiction) String() string {
	return fmt.Sprintf("%s is %q, and is now said to be %q", c.Field, c.Known, c.Said)
}

// Merge returns c with what a fact says besides, and what of it contradicts. What contradicts changes nothing. A correction that is as of a
// later time than what it meets takes its place, but for batch and theme; an older fact that meets a correction is out of date and nothing
// more.
func (c CaseFile) Merge(f CaseFact, received int64) (CaseFile, []Contradiction) {
	old := c.Corrected
	c.Corrected = make(map[string]int64, len(old))
	for k, v := range old {
		c.Corrected[k] = v
	}
	c.Area, c.ProjectNo, c.AsOf = f.Area, f.ProjectNo, max(c.AsOf, f.AsOf)
	m := merger{file: &c, fact: f}
	m.text("task_code", &c.TaskCode, f.TaskCode, false)
	m.text("task_name", &c.TaskName, f.TaskName, false)
	m.text("unit", &c.Unit, f.Unit, false)
	m.text("applicant", (*string)(&c.Applicant), string(f.Applicant), false)
	m.text("handling", (*string)(&c.Handling), string(f.Handling), false)
	m.text("batch", &c.Batch, f.Batch, true)
	m.text("theme", &c.Theme, f.Theme, true)
	accepted, completed, corrected := c.AcceptedAt, c.CompletedAt, maps.Clone(c.Corrected)
	m.time("accepted_at", &c.AcceptedAt, f.AcceptedAt)
	m.time("completed_at", &c.CompletedAt, f.CompletedAt)
	if c.CompletedAt != 0 && c.CompletedAt < c.AcceptedAt { // which each fact by itself cannot show
		m.against = append(m.against, Contradiction{"completed_at", fmt.Sprintf("%d, accepted %d", completed, accepted),
			fmt.Sprintf("%d, accepted %d", c.CompletedAt, c.AcceptedAt)})
		c.AcceptedAt, c.CompletedAt, c.Corrected = accepted, completed, corrected
	}
	if c.CompletedAt != 0 && c.Learnt == 0 {
		c.Learnt = received
	}
	if len(c.Corrected) == 0 {
		c.Corrected = nil
	}
	return c, m.against
}

// Join returns what c has become, and of which batch or theme by its key the case has not become one: those of which members says that they
// have MaxTogether cases before.
func (c CaseFile) Join(next CaseFile, members func(key string) int) (CaseFile, []string) {
	var full []string
	if k := next.BatchKey(); k != c.BatchKey() && members(k) >= MaxTogether {
		full, next.Batch = append(full, k), c.Batch
	}
	if k := next.ThemeKey(); k != c.ThemeKey() && members(k) >= MaxTogether {
		full, next.Theme = append(full, k), c.Theme
	}
	return next, full
}

// merger takes the fields of a fact into a file.
type merger struct {
	file    *CaseFile
	fact    CaseFact
	against []Contradiction
}

func (m *merger) text(field string, known *string, said string, fixed bool) {
	if said == "" {
		return
	}
	if m.takes(field, *known == "", *known == said, fixed, *known, said) {
		*known = said
	}
}

func (m *merger) time(field string, known *int64, said int64) {
	if said == 0 {
		return
	}
	if m.takes(field, *known == 0, *known == said, false, fmt.Sprint(*known), fmt.Sprint(said)) {
		*known = said
	}
}

// takes reports whether a field takes what is said of it, and notes what contradicts.
func (m *merger) takes(field string, empty, same, fixed bool, known, said string) bool {
	at, corrected := m.file.Corrected[field]
	switch {
	case m.fact.Corrects && !fixed:
		if corrected && at >= m.fact.AsOf {
			return false // a later one was here before
		}
		m.file.Corrected[field] = m.fact.AsOf
		return true
	case empty:
		return true
	case same, corrected && at > m.fact.AsOf:
		return false
	}
	m.against = append(m.against, Contradiction{field, known, said})
	return false
}

// Visit returns c after a visit that was opened at a moment, as surely as that is known, and completed the case.
func (c CaseFile) Visit(k CaseKey, at Case, opened int64, s Surety, received int64) CaseFile {
	c.Area, c.ProjectNo = k.Area, k.Project
	if c.TaskCode == "" && c.TaskName == "" {
		c.TaskCode, c.TaskName = at.TaskCode, at.TaskName
	}
	if !at.Completed {
		return c
	}
	if c.Learnt == 0 {
		c.Learnt = received
	}
	if c.Visited == 0 || s == ByVisit && c.Surety != ByVisit || s == c.Surety && opened < c.Visited {
		c.Visited, c.Surety = opened, s
	}
	return c
}

// Completed returns when the case was completed and how surely that is known; 0 if it is not known to be.
func (c CaseFile) Completed() (int64, Surety) {
	if c.CompletedAt != 0 {
		return c.CompletedAt, Reported
	}
	return c.Visited, c.Surety
}

// Begins returns the moment from which the 24 hours and the five working days run (article 14): the completion, or when the centre has
// learnt of it, if that was later. It is 0 while the case is not completed.
func (c CaseFile) Begins() int64 {
	at, _ := c.Completed()
	if at == 0 {
		return 0
	}
	return max(at, c.Learnt)
}

// From returns when the matter can be rated from, as Matter has it.
func (c CaseFile) From() int64 {
	if c.Visited != 0 || c.Batch != "" {
		return 0
	}
	return c.CompletedAt
}

// BatchKey names the batch of the case, empty if it has none. No case's key is the same.
func (c CaseFile) BatchKey() string {
	if c.Batch == "" {
		return ""
	}
	return "b " + c.Area + " " + c.Batch
}

// ThemeKey names the theme of the case, empty if it has none. No case's key is the same.
func (c CaseFile) ThemeKey() string { return ThemeKey(c.Theme) }

// ThemeKey returns the key of a theme.
func ThemeKey(theme string) string {
	if theme == "" {
		return ""
	}
	return "t " + theme
}
