package rating

import (
	"cmp"
	"slices"
)

// Item is what at most one evaluation counts for (article 14): the person at one visit (一次一评), or the matter of one case over
// its whole life (一事一评), at whatever window and by whatever channel. A matter whose case nobody knows, since the visit's record
// is on its way, is an item of its visit.
type Item struct {
	Case    string // project number; the other fields are empty then
	Device  DeviceID
	Visit   VisitID
	Subject Subject
}

// Items returns what an evaluation from a device may count for. V is its visit, nil while its record has not arrived. It
// returns nothing for an evaluation of a matter that the visit did not complete (事项办结后).
func Items(d DeviceID, e Evaluation, v *Visit) []Item {
	own := []Item{{Device: d, Visit: e.Visit, Subject: e.Subject}}
	switch {
	case e.Subject != MatterSubject:
		return own
	case v == nil && e.Case != "":
		return []Item{{Case: e.Case}}
	case v == nil:
		return own
	}
	var all []Item
	for _, c := range v.Covers(e.Question()) {
		all = append(all, Item{Case: c})
	}
	return all
}

// Given is an evaluation with what says when it was given.
type Given struct {
	Device     DeviceID
	Epoch      Epoch  // 0 by phone
	Seq        uint64 // in the box's log; 0 by phone
	Submission string // names the sending by phone; empty by key
	Time       int64  // as well as it is known, milliseconds since 1970-01-01 UTC
	Evaluation Evaluation
}

// Contender is an evaluation that may count for an item.
type Contender struct {
	Given
	Overall bool // as Visit.Overall has it
}

// Contest returns the index of the evaluation that counts for an item among all that may, -1 if there are none, and which
// of them were corrected at the window. All evaluations that answer the same question of the same visit must be among them.
//
// What was corrected does not count; its correction does, at the first one's time. Of the answers to one question of one visit
// only the earliest stands against those of other visits, so that it is the same one for each case that the question is about.
// An answer about one matter of a theme goes before one about all of them. Then the earliest counts: in one log by its numbers,
// whatever the box's clock said, so that of each log only its first stands against those of other logs and phones, and there by
// time. If the times are the same, the phone's goes first, and then names decide, never the order of arrival.
func Contest(all []Contender) (winner int, replaced []bool) {
	replaced = make([]bool, len(all))
	answers := make(map[asked][]entrant)
	for _, e := range chains(all, replaced) {
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
