package books

import "haochaping/internal/central/journal"

// reminding is what has become of the reminder of a case.
type reminding int64

const (
	notReminded reminding = iota
	reminded
	unreachable // nobody knew how the applicant is reached; when somebody does, the case is reminded of
)

// passed enters that deadlines have passed. Of a case that of the latest period holds, and of one period the first that is heard of.
func (s *state) passed(d decoded) error {
	for i, p := range d.deadlines {
		c, err := s.one(p.Case.String())
		if err != nil {
			return err
		}
		if d.failed[i] != "" || c.file == nil || c.file.deadline != 0 && p.Begins <= c.file.presumed {
			continue
		}
		s.touch(item{cased: c})
		c.file.deadline, c.file.presumed, c.file.lateHolds = p.Deadline, p.Begins, p.LateHolds
		c.file.row.touch()
	}
	return s.decide()
}

// reminded enters that a case was reminded of.
func (s *state) reminded(d decoded) error {
	for i, r := range d.reminders {
		c, err := s.one(r.Case.String())
		if err != nil {
			return err
		}
		if d.failed[i] == "" && c.file != nil {
			c.file.reminded = reminded
			switch {
			case r.Outcome == journal.NoContact && c.file.contact == r.Contact:
				c.file.reminded = unreachable
			case r.Outcome == journal.NoContact: // one was told meanwhile
				c.file.reminded = notReminded
			}
			c.file.row.touch()
		}
	}
	return nil
}
