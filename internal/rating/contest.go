package rating

import (
	"cmp"
	"slices"
)

// Item is what at most one evaluation counts for (article 14): the person at one visit (一次一评), or the matter of one case over
// its whole life (一事一评), at whatever window and by whatever channel. A matter whose case nobody knows, since the visit's record
// is on its way, is an item of its visit.
type Item struct {
	Case    CaseKey // the other fields are empty then
	Device  DeviceID
	Visit   VisitID
	Subject Subject
}

// Claims returns the cases that an answer may count for. V is its visit, nil while its record has not arrived.
func (g Given) Claims(v *Visit) []CaseKey {
	q := g.Evaluation.Question()
	switch {
	case q.Subject != MatterSubject || g.Theme != "":
		return nil
	case g.About != CaseKey{}:
		return []CaseKey{g.About}
	case v != nil:
		return v.Claims(q)
	case q.Case != "":
		return []CaseKey{{g.Area, q.Case}}
	}
	return nil
}

// Own returns the item of an answer's own visit, if that is what it may count for.
func (g Given) Own(v *Visit) (Item, bool) {
	e := g.Evaluation
	own := e.Subject != MatterSubject || v == nil && e.Case == "" && g.Theme == "" && g.About == CaseKey{}
	return Item{Device: g.Device, Visit: e.Visit, Subject: e.Subject}, own
}

// Given is an evaluation with what says when it was given.
type Given struct {
	Device     DeviceID
	Epoch      Epoch  // 0 by phone
	Seq        uint64 // in the box's log; 0 by phone
	Submission string // names the sending by phone; empty by key
	Time       int64  // as well as it is known, milliseconds since 1970-01-01 UTC
	Earliest   int64  // bound of Time
	Evaluation Evaluation
	Area       string  // of the box's hall, for a case whose visit has not arrived
	About      CaseKey // of an answer by a channel that knows no visit, as Theme
	Theme      string  // of an overall answer about a theme
}

// Contender is an evaluation that may count for an item.
type Contender struct {
	Given
	Overall bool // as Visit.Overall has it
	Refused bool // a Refusal is about it
}

// Clocks is how far the clocks of two systems may differ, in milliseconds.
const Clocks = 10 * 60_000

// Matter is what of a case decides which answers may count.
type Matter struct {
	Completed bool
	// From is when a business system says that the case was completed, milliseconds since 1970-01-01 UTC. 0: none has, or a visit has
	// completed it, whose citizen was asked, or it is one of a batch, which one answer is for.
	From int64
	// Deadline is when silence became a default, milliseconds since 1970-01-01 UTC; 0: it did not. An answer that was given before
	// counts, however late it arrives (5个工作日内未作出评价的,评价结果默认为基本满意, article 14).
	Deadline  int64
	LateHolds bool // the province lets an answer after the deadline replace the default
}

// Admits returns Counted if an answer may count for the matter, else why it does not. Earliest is the earliest moment at which it can have
// been given: doubt is the citizen's. Attested says that the box asked about the case by itself, which it does of completed ones only,
// while the record of its visit has not come.
func (m Matter) Admits(earliest int64, attested bool) Standing {
	switch {
	case !m.Completed && !attested:
		return Unasked
	case m.Deadline != 0 && earliest >= m.Deadline && !m.LateHolds:
		return Late
	}
	return Counted
}

// Premature reports whether an answer by a channel besides the box, about the very case, was given before its completion: 事项办结后可对服务事项进行一次评价
// (article 14). It waits, and counts if the completion turns out to have been before it. An answer that came before the completion was
// known is none.
func (m Matter) Premature(given int64) bool { return m.From != 0 && given+Clocks < m.From }

// Attested reports whether an answer itself says that its case is completed. V is its visit, nil while its record has not arrived.
func (g Given) Attested(v *Visit) bool {
	return v == nil && g.About == CaseKey{} && g.Evaluation.Case != ""
}

// Contest returns the index of the evaluation that counts for an item among all that may, -1 if there are none, and which
// of them were corrected at the window. All evaluations that answer the same question of the same visit must be among them.
//
// What was corrected does not count; its correction does, at the first one's time. Of the answers to one question of one visit
// only the earliest stands against those of other visits, so that it is the same one for each case that the question is about.
// An answer about one matter of a theme goes before one about all of them. Then the earliest counts: in one log by its numbers,
// whatever the box's clock said, so that of each log only its first stands against those of other logs and phones, and there by
// time. If the times are the same, the phone's goes first, and then names decide, never the order of arrival. What was refused corrects and
// does not count.
func Contest(all []Contender) (winner int, replaced []bool) {
	replaced = make([]bool, len(all))
	answers := make(map[asked][]entrant)
	for _, e := range chains(all, replaced) {
		if all[e.index].Refused {
			continue
		}
		answers[e.asked] = append(answers[e.asked], e)
	}
	var whole, single []entrant
	for _, same := range answers {
		if e := earliest(same); e.overall {
			whole = append(whole, e)
		} else {
			single = append(single, e)
		}
	}
	switch {
	case len(single) > 0:
		return earliest(single).index, replaced
	case len(whole) > 0:
		return earliest(whole).index, replaced
	}
	return -1, replaced
}

// earliest returns the earliest of some entrants, in whatever order they are given; there is one at least.
func earliest(all []entrant) entrant {
	firsts := make(map[logName]entrant) // of each log
	var rest []entrant                  // those, and what came by phone
	for _, e := range all {
		if e.seq == 0 {
			rest = append(rest, e)
			continue
		}
		if f, ok := firsts[e.logName]; !ok || cmp.Or(cmp.Compare(e.origin, f.origin), cmp.Compare(e.seq, f.seq)) < 0 {
			firsts[e.logName] = e
		}
	}
	for _, e := range firsts {
		rest = append(rest, e)
	}
	return slices.MinFunc(rest, entrant.compare)
}

// logName names a box's log.
type logName struct {
	device DeviceID
	epoch  Epoch
}

// asked names a question of a visit.
type asked struct {
	device   DeviceID
	visit    VisitID
	question Question
}

// entrant is a contender that was not corrected.
type entrant struct {
	logName
	asked   asked
	index   int
	seq     uint64
	origin  uint64 // seq of the press that it corrects, in the end; its own if none
	time    int64  // of that press
	name    string // of the phone's sending
	overall bool
}

// compare orders entrants of different logs. It returns 0 only for one and the same evaluation.
func (e entrant) compare(o entrant) int {
	return cmp.Or(cmp.Compare(e.time, o.time), cmp.Compare(min(e.seq, 1), min(o.seq, 1)), cmp.Compare(e.device, o.device),
		cmp.Compare(e.epoch, o.epoch), cmp.Compare(e.seq, o.seq), cmp.Compare(e.name, o.name), cmp.Compare(e.asked.visit, o.asked.visit),
		cmp.Compare(e.asked.question.Subject, o.asked.question.Subject), cmp.Compare(e.asked.question.Case, o.asked.question.Case))
}

// chains follows the corrections, marks what was replaced, and returns the rest.
func chains(all []Contender, replaced []bool) []entrant {
	type place struct {
		logName
		seq uint64
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(all[i].Seq, all[j].Seq) })
	at := make([]entrant, len(all))
	known := make(map[place]int)
	for _, i := range order {
		c := all[i]
		log := logName{c.Device, c.Epoch}
		q := asked{c.Device, c.Evaluation.Visit, c.Evaluation.Question()}
		at[i] = entrant{log, q, i, c.Seq, c.Seq, c.Time, c.Submission, c.Overall}
		if c.Seq == 0 {
			continue // the phone replaces nothing
		}
		known[place{log, c.Seq}] = i
		j, ok := known[place{log, c.Evaluation.Replaces}]
		if ok && j != i && at[j].asked == q {
			replaced[j] = true
			at[i].time, at[i].origin = at[j].time, at[j].origin
		}
	}
	var rest []entrant
	for _, e := range at {
		if !replaced[e.index] {
			rest = append(rest, e)
		}
	}
	return rest
}
