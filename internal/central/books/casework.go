package books

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"haochaping/internal/rating"
)

// file is what the table keeps of a case besides its claims.
type file struct {
	rating.CaseFile
	text      string // JSON of that as the table has it, empty where that differs
	contact   int64  // place of what says how the applicant is reached, 0: nothing does
	deadline  int64  // that has passed, ms since 1970, of a period that was presumed to begin then; 0: none yet
	presumed  int64  // 0: nobody has said
	lateHolds bool
	reminded  reminding
	counts    int64 // evaluation that counts, 0: none
	waits     bool  // its deadline is still to pass
	row       row
}

// passed returns the deadline that has passed, 0 if none has: the five working days run anew where the period is known to begin later than
// was presumed.
func (f *file) passed() int64 {
	if f.presumed != 0 && f.Begins() > f.presumed {
		return 0
	}
	return f.deadline
}

// group reports whether c stands for the cases of a batch or of a theme, whose claims are those that all of them have.
func (c *cased) group() bool {
	return strings.HasPrefix(c.project, "b ") || strings.HasPrefix(c.project, "t ")
}

// groups returns the keys of what c belongs to and an answer reaches.
func (c *cased) groups(overall bool) (keys []string) {
	if c.file == nil {
		return nil
	}
	if k := c.file.BatchKey(); k != "" {
		keys = append(keys, k)
	}
	if k := c.file.ThemeKey(); k != "" && overall {
		keys = append(keys, k)
	}
	return keys
}

// one returns a case or a group by its key.
func (s *state) one(key string) (*cased, error) {
	if err := s.needCases([]string{key}); err != nil {
		return nil, err
	}
	return s.cases[key], nil
}

// grouped returns a group with all its members read.
func (s *state) grouped(key string) (*cased, error) {
	g, err := s.one(key)
	if err != nil || g.membersRead {
		return g, err
	}
	found, err := s.load.members(s.ctx, g.item, strings.HasPrefix(key, "b "))
	if err != nil {
		return nil, fmt.Errorf("read the cases of a batch or theme: %w", err)
	}
	if err := s.needCases(found); err != nil {
		return nil, err
	}
	g.membersRead = true
	for _, k := range found {
		if m := s.cases[k]; slices.Contains(m.groups(true), key) {
			g.add(m)
		}
	}
	return g, nil
}

// add makes a case a member of a group, once. Members are in the order of their keys, whenever they were read.
func (c *cased) add(m *cased) {
	i, found := slices.BinarySearchFunc(c.members, m, func(a, b *cased) int { return strings.Compare(a.project, b.project) })
	if !found {
		c.members = slices.Insert(c.members, i, m)
	}
}

// known returns a case with a file, a new one if there is none.
func (s *state) known(key string) (*cased, error) {
	c, err := s.one(key)
	if err == nil && c.file == nil {
		s.enlist(c)
		c.file = &file{row: fresh}
	}
	return c, err
}

// enlist gives a case, batch or theme its place in the table, unless it has one.
func (s *state) enlist(c *cased) {
	if c.n == 0 {
		s.counters.cases++
		c.n, c.isNew = s.counters.cases, true
	}
}

// tell enters what a business system says of cases. What contradicts is a finding and changes nothing.
func (s *state) tell(d decoded) error {
	for i, t := range d.told {
		if d.failed[i] != "" {
			if err := s.findOf(d, Quarantine, i, d.failed[i]); err != nil {
				return err
			}
			continue
		}
		c, err := s.known(t.Fact.Key().String())
		if err != nil {
			return err
		}
		next, against := c.file.Merge(t.Fact, s.received)
		for _, a := range against {
			if err := s.findOf(d, Contradiction, i, fmt.Sprintf("case %s: %s", c.project, a)); err != nil {
				return err
			}
		}
		if len(t.Contact) > 0 && (c.file.contact == 0 || t.Fact.AsOf >= c.file.Corrected["contact"]) {
			c.file.contact = placeOf(d.Pos, i)
			if c.file.reminded == unreachable {
				c.file.reminded = notReminded
			}
			if next.Corrected == nil {
				next.Corrected = make(map[string]int64)
			}
			next.Corrected["contact"] = t.Fact.AsOf
		}
		if next, err = s.joined(d, i, c, next); err != nil {
			return err
		}
		if err := s.file(c, next); err != nil {
			return err
		}
	}
	return s.decide()
}

// findOf notes a finding about what a source other than a box has sent.
func (s *state) findOf(d decoded, kind FindingKind, part int, detail string) error {
	source, err := s.device(rating.DeviceID("@" + d.Source))
	if err != nil {
		return err
	}
	place := uint64(placeOf(d.Pos, part))
	return s.find(about{source.id, 0, kind}, place, place, detail)
}

// file gives a case another file, joins it to its batch and theme, and has it decided anew.
func (s *state) file(c *cased, next rating.CaseFile) error {
	before := c.file.CaseFile
	s.touch(item{cased: c})
	c.file.CaseFile, c.file.text = next, ""
	c.file.row.touch()
	if before.BatchKey() != next.BatchKey() {
		if err := s.join(c, next.BatchKey(), false); err != nil {
			return err
		}
	}
	if before.ThemeKey() != next.ThemeKey() {
		return s.join(c, next.ThemeKey(), true)
	}
	return nil
}

// join makes a case one of a group: what is claimed of the others is claimed of it, and the other way round.
func (s *state) join(c *cased, key string, overallOnly bool) error {
	g, err := s.grouped(key)
	if err != nil {
		return err
	}
	g.add(c)
	for _, x := range g.claims {
		s.addClaim(c, x.evaluation, x.overall, false)
	}
	for _, x := range slices.Clone(c.claims) {
		if x.direct && (x.overall || !overallOnly) {
			s.spread(g, x.evaluation, x.overall)
		}
	}
	return nil
}

// spread has an evaluation claim all cases of a group, whose members are read.
func (s *state) spread(g *cased, e *evaluation, overall bool) {
	if !s.addClaim(g, e, overall, false) {
		return
	}
	for _, m := range g.members {
		s.addClaim(m, e, overall, false)
	}
}

// addClaim enters that an evaluation may count for a case, and reports whether that is new.
func (s *state) addClaim(c *cased, e *evaluation, overall, direct bool) bool {
	if i := slices.IndexFunc(c.claims, func(x *claim) bool { return x.evaluation == e }); i >= 0 {
		if direct && !c.claims[i].direct {
			c.claims[i].direct = true
			c.claims[i].row.touch()
		}
		return false
	}
	if c.full(e.visit.device) {
		s.crowd(e, fmt.Sprintf(saidCase, c.project))
		return false
	}
	s.enlist(c)
	standing := rating.Later
	if c.group() {
		standing = "" // a group decides nothing
	} else {
		s.touch(item{cased: c})
	}
	r := fresh
	if i := slices.IndexFunc(c.gone, func(x *claim) bool { return x.evaluation == e }); i >= 0 { // the table still has it
		c.gone = slices.Delete(c.gone, i, i+1)
		r = changed
	}
	c.claims = append(c.claims, &claim{evaluation: e, overall: overall, direct: direct, standing: standing, row: r})
	s.restand[e] = true
	return true
}

// dropClaim takes back that an evaluation may count for a case.
func (s *state) dropClaim(c *cased, e *evaluation) {
	if !c.group() {
		s.touch(item{cased: c})
	}
	c.claims = slices.DeleteFunc(c.claims, func(x *claim) bool {
		if x.evaluation == e && x.row != fresh {
			c.gone = append(c.gone, x)
		}
		return x.evaluation == e
	})
}

// reach returns the groups that an evaluation claims through its cases, with their members read.
func (s *state) reach(e *evaluation, cases []*cased) ([]*cased, error) {
	if theme := e.theme(); theme != "" {
		g, err := s.grouped(theme)
		return []*cased{g}, err
	}
	overall, err := e.overall()
	if err != nil {
		return nil, err
	}
	var all []*cased
	for _, c := range cases {
		for _, key := range c.groups(overall) {
			g, err := s.grouped(key)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(all, g) {
				all = append(all, g)
			}
		}
	}
	return all, nil
}

// visited enters what a visit says of its cases.
func (s *state) visited(v *rating.Visit, area string, at rating.Stamp, believed bool) error {
	opened, surety := at.Wall, rating.ByVisit
	if !believed || opened > s.received {
		opened, surety = s.received, rating.Received
	}
	w := *v
	if w.Window.Area == "" {
		w.Window.Area = area
	}
	for _, x := range w.Cases {
		k := w.Key(x)
		c, err := s.known(k.String())
		if err != nil {
			return err
		}
		next := c.file.Visit(k, x, opened, surety, s.received)
		if reflect.DeepEqual(c.file.CaseFile, next) {
			continue
		}
		if err := s.file(c, next); err != nil {
			return err
		}
	}
	return nil
}

// answered enters answers by a channel besides the box. One about a matter has a visit of its own, at no box; one about a person has that
// of a window without a box, as the answer says it.
func (s *state) answered(d decoded) error {
	for i, a := range d.channelled {
		if d.failed[i] != "" {
			if err := s.findOf(d, Quarantine, i, d.failed[i]); err != nil {
				return err
			}
			continue
		}
		by, err := s.device(rating.DeviceID("@" + a.Channel))
		if err != nil {
			return err
		}
		said := rating.Evaluation{Subject: a.Subject(), Case: a.Case.String(), Level: a.Level, Channel: a.Channel, Reasons: a.Reasons,
			Catalogue: a.Catalogue}
		if a.Theme != "" {
			said.Case = rating.ThemeKey(a.Theme)
		}
		e := &evaluation{id: placeOf(d.Pos, i), at: rating.Stamp{Wall: min(a.At, d.Received), Synced: true}, believed: true,
			submission: d.Source + " " + d.Name, texts: len(a.Text) > 0}
		said.Visit = rating.VisitID(e.id)
		if a.Visit != nil {
			said.Visit = a.Visit.ID
			if err := s.boxless(by, *a.Visit, e.at.Wall); err != nil {
				return err
			}
		}
		if a.Completed && a.Visit == nil && a.Theme == "" {
			if err := s.attested(a.Case, e.at.Wall); err != nil {
				return err
			}
		}
		if err := s.evaluated(by, e, said); err != nil {
			return err
		}
	}
	return s.decide()
}

// attested enters that a case was completed where it was rated, as a visit does.
func (s *state) attested(k rating.CaseKey, at int64) error {
	c, err := s.known(k.String())
	if err != nil {
		return err
	}
	next := c.file.Visit(k, rating.Case{Completed: true}, at, rating.ByVisit, s.received)
	if reflect.DeepEqual(c.file.CaseFile, next) {
		return nil
	}
	return s.file(c, next)
}

// boxless enters a visit to a window that has no box. What is heard of it first holds; it decides nothing but whose window shows.
func (s *state) boxless(by *device, record rating.Visit, at int64) error {
	v, err := s.visit(by, record.ID)
	if err != nil || v.text != "" {
		return err
	}
	b, err := json.Marshal(record)
	if err != nil {
		return err
	}
	v.text, v.record, v.moment = string(b), &record, at
	v.row.touch()
	return nil
}

// channelled reports whether an evaluation came by a channel that knows no visit.
func (e *evaluation) channelled() bool { return strings.HasPrefix(string(e.visit.device.name), "@") }

// theme returns the key of the theme that an evaluation is about as a whole, empty if it is about something else.
func (e *evaluation) theme() string {
	if e.channelled() && strings.HasPrefix(e.question.Case, "t ") {
		return e.question.Case
	}
	return ""
}

// overall reports whether an evaluation stands for all matters of a theme at once.
func (e *evaluation) overall() (bool, error) {
	if e.channelled() {
		return e.theme() != "", nil
	}
	v, err := e.visit.read()
	return v != nil && v.Overall(e.question), err
}
