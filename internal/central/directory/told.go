package directory

// Told is what a preview says of one line, or of one of the two records that it changes.
type Told struct {
	Line
	Step   Step
	Record Record // as it would be; as it was, where it is removed
	Diffs  []Diff // what changes in it
}

// Diff is a field that changes.
type Diff struct {
	Chinese, English string // the field's name
	Before, After    string
}

// Tell returns what a preview says, line by line in the order of the file. Lines that change nothing are told too.
func (p Preview) Tell() (all []Told) {
	next := 0
	for i, l := range p.Lines {
		if len(l.Refused) > 0 {
			all = append(all, Told{Line: l, Step: Refuses, Record: l.Record})
		}
		first := next
		for ; next < len(p.Changes) && p.Changes[next].Line == i; next++ {
			if len(l.Refused) == 0 {
				all = append(all, p.Changes[next].tell(l))
			}
		}
		if first == next && len(l.Refused) == 0 {
			all = append(all, Told{Line: l, Step: Keeps, Record: l.Record})
		}
	}
	return all
}

func (c Change) tell(l Line) Told {
	switch {
	case c.After == nil:
		return Told{Line: l, Step: c.Step, Record: *c.Before}
	case c.Before == nil:
		return Told{Line: l, Step: c.Step, Record: *c.After}
	}
	return Told{l, c.Step, *c.After, c.Before.diffs(*c.After)}
}

// diffs returns which fields differ from those of another record that begins on the same day.
func (r Record) diffs(to Record) (all []Diff) {
	if r.To != to.To {
		all = append(all, Diff{"失效日期", "valid_to", r.To.String(), to.To.String()})
	}
	for _, f := range fields() {
		if before, after := *f.at(&r), *f.at(&to); before != after {
			all = append(all, Diff{f.header, f.name, before, after})
		}
	}
	return all
}

// Count returns how many of a preview's lines and changes come to a step.
func (p Preview) Count(s Step) (n int) {
	for _, t := range p.Tell() {
		if t.Step == s {
			n++
		}
	}
	return n
}
