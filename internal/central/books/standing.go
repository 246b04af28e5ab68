package books

import (
	"cmp"
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
	projects := casesOf(e, v)
	if err := s.needCases(projects); err != nil {
		return nil, err
	}
	items := make([]item, len(projects))
	for i, p := range projects {
		items[i] = item{cased: s.cases[p]}
	}
	return items, nil
}

// casesOf returns the cases that an evaluation of a matter may count for.
func casesOf(e *evaluation, v *rating.Visit) []string {
	var projects []string
	for _, i := range rating.Items("", rating.Evaluation{Subject: e.question.Subject, Case: e.question.Case}, v) {
		if i.Case != "" {
			projects = append(projects, i.Case)
		}
	}
	return projects
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
	s.evaluations[e.id] = e
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
	items, err := s.itemsOf(e)
	if err != nil {
		return err
	}
	v, err := e.visit.read()
	if err != nil {
		return err
	}
	for _, i := range items {
		s.touch(i)
		i.cased.claims = append(i.cased.claims, &claim{evaluation: e, overall: v != nil && v.Overall(e.question), standing: rating.Later,
			row: fresh})
	}
	return nil
}

// unclaim takes back what an evaluation may count for.
func (s *state) unclaim(e *evaluation) error {
	items, err := s.itemsOf(e)
	if err != nil {
		return err
	}
	for _, i := range items {
		s.touch(i)
		if i.cased == nil {
			continue
		}
		i.cased.claims = slices.DeleteFunc(i.cased.claims, func(c *claim) bool {
			if c.evaluation == e && c.row != fresh {
				i.cased.gone = append(i.cased.gone, c)
			}
			return c.evaluation == e
		})
	}
	return nil
}

// contender is an evaluation that may count for an item, with where its standing there is kept.
type contender struct {
	*evaluation
	overall  bool
	standing *rating.Standing
	row      *row
}

func (i item) contenders() []contender {
	var all []contender
	if i.cased != nil {
		for _, c := range i.cased.claims {
			all = append(all, contender{c.evaluation, c.overall, &c.standing, &c.row})
		}
		return all
	}
	for _, e := range i.visit.evaluations {
		if e.question.Subject == i.subject && e.own() {
			all = append(all, contender{e, false, &e.standing, &e.row})
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
	slices.SortFunc(all, func(a, b *evaluation) int { return cmp.Compare(a.id, b.id) })
	for _, e := range all {
		if err := s.stand(e); err != nil {
			return err
		}
	}
	return nil
}

// contest decides one item.
func (s *state) contest(i item) error {
	all := i.contenders()
	winner, replaced := -1, make([]bool, len(all))
	switch len(all) {
	case 0:
	case 1:
		winner = 0
	default:
		rated := make([]rating.Contender, len(all))
		apart, err := s.mark(all)
		if err != nil {
			return err
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
					return err
				}
				g.Time = f.Time
			}
			rated[n] = rating.Contender{Given: g, Overall: c.overall}
		}
		winner, replaced = rating.Contest(rated)
	}
	for n, c := range all {
		next := rating.Later
		switch {
		case n == winner:
			next = rating.Counted
		case replaced[n]:
			next = rating.Replaced
		}
		if next != *c.standing {
			*c.standing = next
			c.row.touch()
			s.restand[c.evaluation] = true
		}
	}
	var counts *contender
	if winner >= 0 {
		counts = &all[winner]
	}
	return s.decided(i, all, counts)
}

// mark reports whether the contenders come by several logs or by phone, so that their times decide, and counts those whose
// time is not set with their starts.
func (s *state) mark(all []contender) (apart bool, err error) {
	for _, c := range all[1:] {
		apart = apart || c.log == nil || c.log != all[0].log
	}
	if !apart && all[0].log != nil {
		return false, nil
	}
	for _, c := range all {
		if c.contested || c.believed {
			continue
		}
		sp, err := s.start(c.log, c.at.Boot)
		if err != nil {
			return false, err
		}
		c.contested = true
		c.evaluation.row.touch()
		sp.open++
		sp.row.touch()
		s.touchedLogs[c.log] = true
	}
	return true, nil
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
	next := rating.Unasked
	rank := map[rating.Standing]int{rating.Unasked: 0, rating.Later: 1, rating.Replaced: 2, rating.Counted: 3}
	for _, i := range items {
		for _, c := range i.cased.claims {
			if c.evaluation == e && rank[c.standing] > rank[next] {
				next = c.standing
			}
		}
	}
	if next != e.standing {
		e.standing = next
		e.row.touch()
	}
	return nil
}
