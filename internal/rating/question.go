package rating

import "slices"

// Question is one thing that a visit asks about.
type Question struct {
	Subject Subject
	Case    string // project number where the matter is asked case by case, else empty
}

// Asks reports whether the visit asks about s.
func (v Visit) Asks(s Subject) bool { return slices.Contains(v.Subjects, s) }

// Completed returns the project numbers of the cases that the visit completed, each once, in their order.
func (v Visit) Completed() []string {
	var all []string
	for _, c := range v.Cases {
		if c.Completed && c.ProjectNo != "" && !slices.Contains(all, c.ProjectNo) {
			all = append(all, c.ProjectNo)
		}
	}
	return all
}

// Questions returns what the visit asks, in the order of its subjects. Where it asks case by case there is a question for
// each completed case.
func (v Visit) Questions() []Question {
	var all []Question
	for _, s := range v.Subjects {
		if s != MatterSubject || !v.Separate {
			all = append(all, Question{Subject: s})
			continue
		}
		for _, c := range v.Completed() {
			all = append(all, Question{MatterSubject, c})
		}
	}
	return all
}

// Question returns what e answers.
func (e Evaluation) Question() Question { return Question{e.Subject, e.Case} }

// Overall reports whether an answer to q stands for all matters at once (总体评价) where each could be answered by itself. An answer
// about one of them by itself goes before it, whatever came first.
func (v Visit) Overall(q Question) bool {
	return q.Subject == MatterSubject && q.Case == "" && (v.Grouping == Theme || v.Separate)
}

// Covers returns the cases that an answer to q stands for: one answer about the matter stands for each case that the visit
// completed (一次评价的结果适用于本次批量办理的所有业务; 总体评价…适用于主题业务关联的所有事项, article 14), one about a case for that. It is empty for
// the staff, and for a case that the visit did not complete.
func (v Visit) Covers(q Question) []string {
	done := v.Completed()
	switch {
	case q.Subject != MatterSubject:
		return nil
	case q.Case == "":
		return done
	case slices.Contains(done, q.Case):
		return []string{q.Case}
	}
	return nil
}

// Key names one of the visit's cases across the province.
func (v Visit) Key(c Case) CaseKey {
	if c.Area != "" {
		return CaseKey{c.Area, c.ProjectNo}
	}
	return CaseKey{v.Window.Area, c.ProjectNo}
}

// Claims returns the cases that an answer to q may count for, each from its completion on: of a case by itself that case; of a batch all
// that were filed with it (一次评价的结果适用于本次批量办理的所有业务); of a theme all that are linked (适用于主题业务关联的所有事项); else those that the visit completed, or
// its only case, whose completion may not be known yet (article 14). It is empty for the staff.
func (v Visit) Claims(q Question) []CaseKey {
	var all []CaseKey
	if q.Subject != MatterSubject {
		return nil
	}
	whole := q.Case == "" && (v.Grouping != Single || len(v.Cases) == 1)
	for _, c := range v.Cases {
		if k := v.Key(c); (whole || c.ProjectNo == q.Case || q.Case == "" && c.Completed) && c.ProjectNo != "" && !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	return all
}

// Case returns the visit's case with a project number.
func (v Visit) Case(project string) (Case, bool) {
	i := slices.IndexFunc(v.Cases, func(c Case) bool { return c.ProjectNo == project })
	if i < 0 {
		return Case{}, false
	}
	return v.Cases[i], true
}
