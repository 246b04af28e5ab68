package upward

import (
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/rating"
)

// Kind is a kind of records.
type Kind int64

// The kinds.
const (
	Service    Kind = 1
	Evaluation Kind = 2
)

// String returns the kind as programs read it.
func (k Kind) String() string {
	if k == Service {
		return "service"
	}
	return "evaluation"
}

// Chinese returns the kind as people read it.
func (k Kind) Chinese() string {
	if k == Service {
		return "服务"
	}
	return "评价"
}

// defaultChannel is that of what silence has become (article 14). No evaluation has it.
const defaultChannel rating.Channel = "default"

// States of a case, as far as it is known whether it is completed.
const (
	accepted  = "accepted"
	completed = "completed"
)

// Said is what a record says, in our words. It has no text of a citizen, and nothing of who the applicant is.
type Said struct {
	Area      string           `json:"area,omitempty"`
	TaskCode  string           `json:"task_code,omitempty"`
	TaskName  string           `json:"task_name,omitempty"`
	Unit      string           `json:"unit,omitempty"` // that handled the case, or whose the window was
	Staff     string           `json:"staff,omitempty"`
	StaffName string           `json:"staff_name,omitempty"`
	Applicant rating.Applicant `json:"applicant,omitempty"`
	Status    string           `json:"status"`
	Subject   rating.Subject   `json:"subject"`
	ServedAt  int64            `json:"served_at"` // milliseconds since 1970-01-01 UTC, as all times here
	Answer    *Answer          `json:"answer,omitempty"`
}

// Answer is the evaluation that counts, or what silence has become.
type Answer struct {
	ID        int64          `json:"id,omitempty"` // in the books, 0: silence
	Level     rating.Level   `json:"level"`
	Channel   rating.Channel `json:"channel"`
	Reasons   []string       `json:"reasons,omitempty"`
	Catalogue uint32         `json:"catalogue,omitempty"` // version of that of the reasons
	Text      bool           `json:"text,omitempty"`      // the citizen has written something that can be read still
	At        int64          `json:"at"`
}

// bare reports whether it is a bad answer that says not why.
func (a *Answer) bare() bool { return a != nil && a.Level.Bad() && len(a.Reasons) == 0 && !a.Text }

// key names a record.
type key struct {
	item, project string
	kind          Kind
}

// want is how a record is to be.
type want struct {
	Said
	due int64 // it goes no earlier
}

// Names of items: the person of a visit, an unknown matter of one, and a case.
func personItem(k books.ServiceKey) string { return "v " + k.String() }
func matterItem(k books.ServiceKey) string { return "w " + k.String() }
func caseItem(k rating.CaseKey) string     { return "c " + k.String() }

// partsOf returns the visit of an item, or else its case.
func partsOf(item string) (k books.ServiceKey, c rating.CaseKey, visit bool) {
	if project, ok := strings.CutPrefix(item, "c "); ok {
		return k, rating.ParseCaseKey(project), false
	}
	words := strings.Split(item, " ")
	if len(words) != 3 || k.Visit.UnmarshalText([]byte(words[2])) != nil {
		return k, c, false
	}
	k.Device = rating.DeviceID(words[1])
	return k, c, true
}

// ownKey stands for the case of a visit that has none. Devices and visits are unique, so that no case of an area has it.
func ownKey(k books.ServiceKey) rating.CaseKey {
	return rating.CaseKey{Project: "W-" + strings.TrimPrefix(string(k.Device), "@") + "-" + k.Visit.String()}
}

// unknownWait is for how long a visit is waited for of which only an answer has come.
const unknownWait = 24 * time.Hour

// seer puts together what the books say of what is looked at.
type seer struct {
	table   *Table
	since   int64
	atlas   *directory.Atlas
	entries map[int64]books.Entry
	erased  map[int64]bool // texts that cannot be read any more
	matters map[rating.CaseKey]books.Matter
	wants   map[key]want
}

// put notes a service, and the evaluation of it if there is one.
func (s *seer) put(item string, project rating.CaseKey, x Said, a *Answer, due int64) {
	if x.ServedAt < s.since {
		return
	}
	s.wants[key{item, project.String(), Service}] = want{x, due}
	if a == nil {
		return
	}
	if e, ok := s.entries[a.ID]; ok && a.bare() {
		due = max(due, e.ReceivedAt.Add(time.Duration(s.table.Bare.WaitMinutes)*time.Minute).UnixMilli())
	}
	x.Answer = a
	s.wants[key{item, project.String(), Evaluation}] = want{x, due}
}

// answer returns an answer that counts.
func (s *seer) answer(c books.Counting) *Answer {
	e := s.entries[c.ID]
	return &Answer{ID: c.ID, Level: c.Level, Channel: c.Channel, Reasons: e.Reasons, Catalogue: e.Catalogue,
		Text: e.HasText && !s.erased[c.ID], At: c.At.UnixMilli()}
}

// place fills in where something was done.
func (s *seer) place(x *Said, p books.Post, at time.Time, area string) {
	x.Area = area
	if p.Device == "" {
		if p.Area != "" {
			x.Area = p.Area
		}
		return
	}
	if at, ok := s.atlas.Place(p.Device, p.Window, p.Generation, at); ok {
		x.Area, x.Unit = at.Area().ID, at.Unit().ID
	}
}

// visit says what is to be said of a visit: its person, and a matter of which nothing is known but the answer.
func (s *seer) visit(k books.ServiceKey, v books.Service) {
	own := ownKey(k)
	if person, ok := v.Own[rating.StaffSubject]; ok || v.Visit != nil {
		var a *Answer
		x, project, due := Said{Status: accepted, Subject: rating.StaffSubject}, own, int64(0)
		if ok {
			a = s.answer(person)
		}
		if v.Visit != nil {
			project = s.served(&x, v, own)
		} else {
			s.place(&x, person.Post, person.At, "")
			x.Staff, x.ServedAt = person.Staff, person.At.UnixMilli()
			due = s.entries[person.ID].ReceivedAt.Add(unknownWait).UnixMilli()
		}
		if project != own || s.table.NoCase == "own" {
			s.put(personItem(k), project, x, a, due)
		}
	}
	matter, ok := v.Own[rating.MatterSubject]
	if !ok || s.table.NoCase != "own" {
		return
	}
	x := Said{Status: completed, Subject: rating.MatterSubject, ServedAt: matter.At.UnixMilli(), Staff: matter.Staff}
	due := int64(0)
	if v.Visit == nil {
		due = s.entries[matter.ID].ReceivedAt.Add(unknownWait).UnixMilli()
	}
	s.place(&x, matter.Post, matter.At, "")
	s.put(matterItem(k), own, x, s.answer(matter), due)
}

// served fills in what the record of a visit says, and returns its case: the first, since a person is rated once for all (article 14).
func (s *seer) served(x *Said, v books.Service, own rating.CaseKey) rating.CaseKey {
	x.ServedAt, x.Staff, x.StaffName = v.At.UnixMilli(), v.Visit.Staff.ID, v.Visit.Staff.Name
	s.place(x, v.Post, v.At, rating.PadArea(v.Visit.Window.Area))
	if len(v.Visit.Cases) == 0 {
		return own
	}
	c := v.Visit.Cases[0]
	x.TaskCode, x.TaskName = c.TaskCode, c.TaskName
	project := v.Visit.Key(c)
	x.Applicant = s.matters[project].Applicant
	if c.Completed {
		x.Status = completed
	}
	if x.Area == "" {
		x.Area = project.Area
	}
	return project
}

// place is where a visit was that has completed a case.
type place struct {
	At   int64  `json:"at"`
	Item string `json:"-"`
	Area string `json:"area,omitempty"`
	Unit string `json:"unit,omitempty"`
}

// matter says what is to be said of a case: nothing before it is completed or answered. By is where it was completed, nil if at no visit.
func (s *seer) matter(m books.Matter, by *place) {
	done, _ := m.Completed()
	x := Said{Status: completed, Subject: rating.MatterSubject, TaskCode: m.TaskCode, TaskName: m.TaskName, Applicant: m.Applicant,
		Area: m.Key.Area, Unit: m.Unit, ServedAt: done}
	var a *Answer
	switch {
	case m.Counts != nil:
		a = s.answer(*m.Counts)
		if done == 0 {
			x.Status, x.ServedAt = accepted, m.Counts.At.UnixMilli()
		}
	case done == 0:
		return
	case m.State() == books.CaseDefault:
		a = &Answer{Level: rating.FairlySatisfied, Channel: defaultChannel, At: m.Deadline}
	}
	var where Said
	switch c := m.Counts; {
	case c != nil && c.Post.Device != "":
		s.place(&where, c.Post, c.At, "")
		x.Staff = c.Staff
	case by != nil:
		where.Area, where.Unit = by.Area, by.Unit
	}
	if x.Area == "" {
		x.Area = where.Area
	}
	if x.Unit == "" {
		x.Unit = where.Unit
	}
	s.put(caseItem(m.Key), m.Key, x, a, 0)
}
