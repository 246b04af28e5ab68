package report

import (
	"cmp"
	"fmt"
	"slices"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/rating"
)

// Channels of what nobody has answered. No evaluation has them.
const (
	Default rating.Channel = "default" // silence has become 基本满意 (article 14)
	None    rating.Channel = ""        // not rated
)

// Post is where something was rated, without the organisation: a box with a generation and a window, or an area alone. Unit is who handled
// the case, where a business system has said it.
type Post struct {
	Device     rating.DeviceID `json:"device,omitzero"`
	Generation uint32          `json:"generation,omitzero"`
	Window     string          `json:"window,omitempty"`
	Area       string          `json:"area,omitempty"`
	Unit       string          `json:"unit,omitempty"`
}

// postOf returns a post of the books. What is no area's code lies nowhere.
func postOf(p books.Post) Post {
	if p.Area != "" && rating.CheckArea(p.Area) != nil {
		p.Area = ""
	}
	return Post{Device: p.Device, Generation: p.Generation, Window: p.Window, Area: p.Area}
}

// fact is what a visit or case adds to the aggregates.
type fact struct {
	Day     directory.Day  `json:"day"`
	Post    Post           `json:"post"`
	Subject rating.Subject `json:"subject"`
	Staff   string         `json:"staff,omitempty"`
	Task    string         `json:"task,omitempty"`
	Served  bool           `json:"served,omitempty"`
	Level   rating.Level   `json:"level,omitempty"`
	Channel rating.Channel `json:"channel,omitempty"`
	Asked   bool           `json:"asked,omitempty"`
	// Cases are those that a visit has completed, by their keys.
	Cases []string `json:"cases,omitempty"`
	// Causes are the reasons that the answer names, each once, with the version of their catalogue.
	Causes []string `json:"causes,omitempty"`
}

// answered notes the answer that counts.
func (f *fact) answered(c books.Counting) {
	f.Level, f.Channel, f.Asked = c.Level, c.Channel, true
	for _, r := range c.Reasons {
		if name := CauseOf(r.Code, r.Catalogue); !slices.Contains(f.Causes, name) {
			f.Causes = append(f.Causes, name)
		}
	}
}

// CauseOf names a reason of a version of the catalogue, as aggregates by cause have it.
func CauseOf(code string, catalogue uint32) string { return fmt.Sprintf("%s/%d", code, catalogue) }

// factsOf returns what a visit adds: the person's, and the matter's as long as the visit's record has not come.
func factsOf(s books.Service, key books.ServiceKey) (person, matter *fact, name map[string]string) {
	name = make(map[string]string)
	if v := s.Visit; v != nil {
		person = &fact{Day: directory.DayOf(s.At), Post: postOf(s.Post), Subject: rating.StaffSubject, Staff: v.Staff.ID,
			Served: key.Device != "" && key.Device[0] != '@',
			Asked:  v.Asks(rating.StaffSubject)}
		for _, c := range v.Cases {
			if c.Completed {
				person.Cases = append(person.Cases, v.Key(c).String())
			}
		}
		if v.Staff.ID != "" {
			name[v.Staff.ID] = v.Staff.Name
		}
	}
	if c, ok := s.Own[rating.StaffSubject]; ok {
		if person == nil {
			person = &fact{Day: directory.DayOf(c.At), Post: postOf(c.Post), Subject: rating.StaffSubject}
		}
		person.answered(c)
	}
	if c, ok := s.Own[rating.MatterSubject]; ok {
		matter = &fact{Day: directory.DayOf(c.At), Post: postOf(c.Post), Subject: rating.MatterSubject}
		matter.answered(c)
	}
	return person, matter, name
}

// seen is that a visit has completed a case.
type seen struct {
	At    int64  `json:"at"` // when the visit was, milliseconds since 1970-01-01 UTC
	Item  string `json:"-"`
	Post  Post   `json:"post"`
	Staff string `json:"staff,omitempty"`
}

// earlier orders visits that have completed one case.
func earlier(a, b seen) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Item, b.Item)) }

// factOf returns what a case adds, nil if nothing: it is neither known to be completed nor rated. It lies where it was answered at a
// window, else where a visit has completed it first, else in its area alone; and with the unit that handled it.
func factOf(m books.Matter, by *seen) *fact {
	done, _ := m.Completed()
	f := &fact{Subject: rating.MatterSubject, Task: cmp.Or(m.TaskCode, m.TaskName), Asked: done != 0}
	switch {
	case done != 0:
		f.Day = directory.DayOf(timeOf(done))
	case m.Counts != nil:
		f.Day = directory.DayOf(m.Counts.At)
	default:
		return nil
	}
	switch c := m.Counts; {
	case c != nil && c.Post.Device != "":
		f.Post, f.Staff = postOf(c.Post), c.Staff
	case by != nil:
		f.Post, f.Staff = by.Post, by.Staff
	default:
		f.Post = postOf(books.Post{Area: m.Key.Area})
	}
	f.Post.Unit = m.Unit
	if m.Counts != nil {
		f.answered(*m.Counts)
	} else if m.State() == books.CaseDefault {
		f.Channel = Default
	}
	return f
}

// Split says by what aggregates are kept apart besides places.
type Split int64

// The splits.
const (
	Whole    Split = iota
	ByStaff        // the persons' facts
	ByMatter       // the matters'
	ByCause        // answers that name a reason, once for each: they add up to more than there are
)

// The grains.
const (
	days   int64 = 0
	months int64 = 1
)

// cell names a row of the aggregates.
type cell struct {
	split   Split
	grain   int64
	at      int64
	post    Post
	of      string
	subject rating.Subject
	channel rating.Channel
}

// Amount is what rows of the aggregates add up to.
type Amount struct {
	Served int64
	Asked  int64
	Levels [6]int64 // by level; 0 is not used. What silence has become is no level
	Silent int64    // cases that silence has rated
}

// Plus returns the sum.
func (a Amount) Plus(b Amount) Amount {
	a.Served, a.Asked, a.Silent = a.Served+b.Served, a.Asked+b.Asked, a.Silent+b.Silent
	for i, n := range b.Levels {
		a.Levels[i] += n
	}
	return a
}

// Times returns a multiple.
func (a Amount) Times(n int64) Amount {
	a.Served, a.Asked, a.Silent = a.Served*n, a.Asked*n, a.Silent*n
	for i := range a.Levels {
		a.Levels[i] *= n
	}
	return a
}

// Answered returns how many were answered by somebody.
func (a Amount) Answered() (n int64) {
	for _, x := range a.Levels {
		n += x
	}
	return n
}

// amount returns what a fact adds to each of its cells.
func (f fact) amount() (a Amount) {
	if f.Served {
		a.Served = 1
	}
	if f.Asked {
		a.Asked = 1
	}
	switch {
	case f.Channel == Default:
		a.Silent = 1
	case f.Level.Valid():
		a.Levels[f.Level] = 1
	}
	return a
}

// monthOf returns the first day of a day's month.
func monthOf(d directory.Day) directory.Day {
	y, m, _ := d.Start().Date()
	return directory.Date(y, m, 1)
}

// cells returns where a fact is counted.
func (f fact) cells() (all []cell) {
	splits := map[Split][]string{Whole: {""}, ByCause: f.Causes}
	if f.Subject == rating.StaffSubject && f.Staff != "" {
		splits[ByStaff] = []string{f.Staff}
	}
	if f.Subject == rating.MatterSubject {
		splits[ByMatter] = []string{f.Task}
	}
	for split, some := range splits {
		for _, of := range some {
			c := cell{split, days, int64(f.Day), f.Post, of, f.Subject, f.Channel}
			month := c
			month.grain, month.at = months, int64(monthOf(f.Day))
			all = append(all, c, month)
		}
	}
	return all
}
