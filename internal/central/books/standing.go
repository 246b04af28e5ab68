package books

import (
	"cmp"
	"fmt"
	"slices"

	"haochaping/internal/rating"
)

// item is a rating.Item as the state finds its contenders: those of a case, or those of a visit about one subject.
type item struct {
	cased   *cased
	visit   *visit
	subject rating.Subject
}

// touch notes that what counts for an item is to be decided anew, and what counted before that.
func (s *state) touch(i item) {
	if _, known := s.before[i]; known {
		return
	}
	var counted *evaluation
	if i.cased != nil {
		for _, c := range i.cased.claims {
			if c.standing == rating.Counted {
				counted = c.evaluation
			}
		}
	} else {
		for _, e := range i.visit.evaluations {
			if e.question.Subject == i.subject && e.own() && e.standing == rating.Counted {
				counted = e
			}
		}
	}
	s.before[i] = counted
	s.items = append(s.items, i)
}

// itemsOf returns what an evaluation may count for, with all its contenders read.
func (s *state) itemsOf(e *evaluation) ([]item, error) {
	if e.own() {
		if err := s.needEvaluationsOf([]*visit{e.visit}); err != nil {
			return nil, err
		}
		return []item{{visit: e.visit, subject: e.question.Subject}}, nil
	}
	v, err := e.visit.read()
	if err != nil {
		return nil, err
	}
	cases, err := s.claimed(e, v)
	if err != nil {
		return nil, err
	}
	groups, err := s.reach(e, cases)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		for _, m := range g.members {
			if !slices.Contains(cases, m) {
				cases = append(cases, m)
			}
		}
	}
	items := make([]item, len(cases))
	for i, c := range cases {
		items[i] = item{cased: c}
	}
	return items, nil
}

// claimed returns the cases that an evaluation of a matter is about itself.
func (s *state) claimed(e *evaluation, v *rating.Visit) ([]*cased, error) {
	keys := casesOf(e, v)
	if err := s.needCases(keys); err != nil {
		return nil, err
	}
	all := make([]*cased, len(keys))
	for i, k := range keys {
		all[i] = s.cases[k]
	}
	return all, nil
}

// casesOf returns the keys of the cases that an evaluation of a matter is about itself.
func casesOf(e *evaluation, v *rating.Visit) (keys []string) {
	if e.channelled() {
		if e.theme() != "" {
			return nil
		}
		return []string{e.question.Case}
	}
	g := rating.Given{Area: e.visit.area, Evaluation: rating.Evaluation{Subject: e.question.Subject, Case: e.question.Case}}
	for _, k := range g.Claims(v) {
		keys = append(keys, k.String())
	}
	return keys
}

// evaluated enters an evaluation: e with its place, its stamp and where it comes from.
func (s *state) evaluated(d *device, e *evaluation, said rating.Evaluation) error {
	v, err := s.visit(d, said.Visit)
	if err != nil {
		return err
	}
	if err := s.needEvaluationsOf([]*visit{v}); err != nil {
		return err
	}
	e.visit, e.question, e.level, e.channel, e.replaces = v, said.Question(), said.Level, said.Channel, said.Replaces
	e.reasons, e.catalogue, e.received, e.standing, e.row = joinReasons(said.Reasons), said.Catalogue, s.received, rating.Unasked, fresh
	if err := e.locate(); err != nil {
		return err
	}
	s.evaluations[e.id] = e
	if len(v.evaluations) >= rating.MaxVisitAnswers {
		e.standing = rating.Crowded
		s.crowd(e, fmt.Sprintf(saidVisit, v.id))
		return nil
	}
	if e.own() {
		s.touch(item{visit: v, subject: e.question.Subject})
	}
	v.evaluations = append(v.evaluations, e)
	s.restand[e] = true
	return s.claim(e)
}

// claim enters which cases an evaluation may count for.
func (s *state) claim(e *evaluation) error {
	if e.own() {
		return nil
	}
	v, err := e.visit.read()
	if err != nil {
		return err
	}
	cases, err := s.claimed(e, v)
	if err != nil {
		return err
	}
	overall, err := e.overall()
	if err != nil {
		return err
	}
	for _, c := range cases {
		s.addClaim(c, e, overall, true)
	}
	groups, err := s.reach(e, cases)
	for _, g := range groups {
		s.spread(g, e, overall)
	}
	return err
}

// unclaim takes back what an evaluation may count for.
func (s *state) unclaim(e *evaluation) error {
	items, err := s.itemsOf(e)
	if err != nil {
		return err
	}
	var cases []*cased
	for _, i := range items {
		if i.cased == nil {
			s.touch(i)
			continue
		}
		s.dropClaim(i.cased, e)
		cases = append(cases, i.cased)
	}
	groups, err := s.reach(e, cases)
	for _, g := range groups {
		s.dropClaim(g, e)
	}
	return err
}

// contender is an evaluation that may count for an item, with where its standing there is kept.
type contender struct {
	*evaluation
	overall  bool
	refused  bool // by a review, for this item
	standing *rating.Standing
	row      *row
}

func (c contender) isRefused() bool { return c.refused }

func (i item) contenders() []contender {
	var all []contender
	if i.cased != nil {
		for _, c := range i.cased.claims {
			all = append(all, contender{c.evaluation, c.overall, c.evaluation.refusedFor(i), &c.standing, &c.row})
		}
		return all
	}
	for _, e := range i.visit.evaluations {
		if e.question.Subject == i.subject && e.own() {
			all = append(all, contender{e, false, e.refusedFor(i), &e.standing, &e.row})
		}
	}
	return all
}

// decide works out the times that this row of the journal has changed, and then which evaluations count.
func (s *state) decide() error {
	if err := s.settle(); err != nil {
		return err
	}
	for _, i := range s.items {
		if err := s.contest(i); err != nil {
			return err
		}
	}
	all := make([]*evaluation, 0, len(s.restand))
	for e := range s.restand {
		all = append(all, e)
	}
	slices.SortFunc(all, byEvaluation)
	for _, e := range all {
		if err := s.stand(e); err != nil {
			return err
		}
	}
	return s.tellCrowds()
}

// contest decides one item.
func (s *state) contest(i item) error {
	all := i.contenders()
	admitted, err := s.admit(i, all)
	if err != nil {
		return err
	}
	winner, replaced, err := s.winner(admitted)
	if err != nil {
		return err
	}
	for n, c := range admitted {
		next := rating.Later
		switch {
		case n == winner:
			next = rating.Counted
		case c.refused:
			next = rating.NotAdopted
		case replaced[n]:
			next = rating.Replaced
		}
		s.stands(c, next)
	}
	var counts *contender
	if winner >= 0 {
		counts = &admitted[winner]
	}
	if err := s.keepCase(i, counts, slices.ContainsFunc(admitted, contender.isRefused)); err != nil {
		return err
	}
	return s.decided(i, all, counts)
}

// stands notes how an evaluation stands for an item.
func (s *state) stands(c contender, next rating.Standing) {
	if next != *c.standing {
		*c.standing = next
		c.row.touch()
		s.restand[c.evaluation] = true
	}
}

// admit returns those that may count for an item, and notes of the others why they do not.
func (s *state) admit(i item, all []contender) ([]contender, error) {
	if i.cased == nil || len(all) == 0 {
		return all, nil
	}
	var m rating.Matter
	if f := i.cased.file; f != nil {
		m = rating.Matter{Completed: f.Begins() != 0, From: f.From(), Deadline: f.passed(), LateHolds: f.lateHolds}
	}
	if slices.ContainsFunc(all, contender.isRefused) {
		m.Deadline = 0 // no default follows
	}
	if m.Deadline != 0 {
		if err := s.contested(all); err != nil {
			return nil, err
		}
	}
	var admitted []contender
	for _, c := range all {
		var earliest int64
		if m.Deadline != 0 {
			f, err := s.fix(c.evaluation)
			if err != nil {
				return nil, err
			}
			earliest = f.Earliest
		}
		attested := c.visit.text == "" && !c.channelled() && c.question.Case != ""
		next := m.Admits(earliest, attested)
		if c.channelled() && c.question.Case == i.cased.project && m.Premature(c.at.Wall) {
			next = rating.Unasked
		}
		if next != rating.Counted {
			s.stands(c, next)
		} else {
			admitted = append(admitted, c)
		}
	}
	return admitted, nil
}

// winner returns which of some contenders counts, -1 if there are none, and which were replaced.
func (s *state) winner(all []contender) (int, []bool, error) {
	if len(all) == 0 || len(all) == 1 && !all[0].refused {
		return len(all) - 1, make([]bool, len(all)), nil
	}
	rated := make([]rating.Contender, len(all))
	apart, err := s.mark(all)
	if err != nil {
		return -1, nil, err
	}
	for n, c := range all {
		g := rating.Given{Device: c.visit.device.name, Seq: c.seq, Submission: c.submission, Evaluation: rating.Evaluation{
			Visit: c.visit.id, Subject: c.question.Subject, Case: c.question.Case, Replaces: c.replaces}}
		if c.log != nil {
			g.Epoch = c.log.epoch
		}
		if apart {
			f, err := s.fix(c.evaluation)
			if err != nil {
				return -1, nil, err
			}
			g.Time = f.Time
		}
		rated[n] = rating.Contender{Given: g, Overall: c.overall, Refused: c.refused}
	}
	winner, replaced := rating.Contest(rated)
	return winner, replaced, nil
}

// keepCase notes with a case what counts for it, and whether its deadline is still to pass: not where it was answered so soon after its
// completion that five working days cannot have passed, nor where a review has refused what would count.
func (s *state) keepCase(i item, counts *contender, refused bool) error {
	if i.cased == nil || i.cased.file == nil {
		return nil
	}
	const soon = rating.DefaultDays * 24 * 60 * 60_000
	f := i.cased.file
	id, waits := int64(0), f.Begins() != 0 && f.passed() == 0
	if counts != nil {
		at, err := s.fix(counts.evaluation)
		if err != nil {
			return err
		}
		id, waits = counts.id, waits && at.Earliest >= f.Begins()+soon
	} else if refused {
		id, waits = refusedOnly, false
	}
	if f.counts != id || f.waits != waits {
		f.counts, f.waits = id, waits
		f.row.touch()
	}
	return nil
}

// stand works out the standing of an evaluation from what it may count for.
func (s *state) stand(e *evaluation) error {
	if e.own() {
		return nil // its only item is its standing
	}
	items, err := s.itemsOf(e)
	if err != nil {
		return err
	}
	next := rating.Standing("")
	for _, i := range items {
		here := rating.Later // where there was no room for it
		for _, c := range i.cased.claims {
			if c.evaluation == e {
				here = c.standing
			}
		}
		next = next.Better(here)
	}
	next = cmp.Or(next, rating.Unasked)
	if next != e.standing {
		e.standing = next
		e.row.touch()
	}
	return nil
}
