package rating

import "slices"

// Standing says whether an evaluation counts. Each is kept, whatever it says.
type Standing string

// The standings.
const (
	Counted  Standing = "counted"  // for the person, or for one case at least
	Replaced Standing = "replaced" // the citizen corrected it at the window
	Later    Standing = "later"    // for all that it could count for, another one counts
	Unasked  Standing = "unasked"  // it is about a matter that its visit did not complete
)

// History is visits and evaluations of all windows and channels, and decides which evaluations count over the whole life of
// each case (article 14). What it says depends on what it holds and not on the order in which that came. The zero History is
// empty. Its methods are not safe for concurrent use.
type History struct {
	visits  map[visitKey]Visit
	given   []Given
	known   map[givenKey]bool
	reasons map[givenKey][]GivenReason // by the evaluation that they name
}

type visitKey struct {
	device DeviceID
	visit  VisitID
}

// givenKey is an evaluation's identity.
type givenKey struct {
	logName
	seq        uint64
	submission string
	visit      VisitID
	question   Question
}

func (g Given) key() givenKey {
	k := givenKey{logName: logName{g.Device, g.Epoch}, seq: g.Seq}
	if g.Seq == 0 {
		k.submission, k.visit, k.question = g.Submission, g.Evaluation.Visit, g.Evaluation.Question()
	}
	return k
}

// Open adds a visit that a device has opened. A device opens each once: of two that differ only one may be added, as the
// books choose it.
func (h *History) Open(d DeviceID, v Visit) {
	if h.visits == nil {
		h.visits = make(map[visitKey]Visit)
	}
	h.visits[visitKey{d, v.ID}] = v
}

// Give adds an evaluation. One that is known changes nothing.
func (h *History) Give(g Given) {
	if h.known == nil {
		h.known = make(map[givenKey]bool)
	}
	if h.known[g.key()] {
		return
	}
	h.known[g.key()] = true
	h.given = append(h.given, g)
}

// Explain adds a reason. One that is known changes nothing.
func (h *History) Explain(r GivenReason) {
	if h.reasons == nil {
		h.reasons = make(map[givenKey][]GivenReason)
	}
	of := givenKey{logName: logName{r.Device, r.Epoch}, seq: r.Reason.Of}
	if !slices.ContainsFunc(h.reasons[of], func(k GivenReason) bool { return k.Seq == r.Seq }) {
		h.reasons[of] = append(h.reasons[of], r)
	}
}

// visit returns an evaluation's visit, nil if it is not known.
func (h *History) visit(g Given) *Visit {
	if v, ok := h.visits[visitKey{g.Device, g.Evaluation.Visit}]; ok {
		return &v
	}
	return nil
}

// contenders returns, by their indices, the evaluations that may count for each item.
func (h *History) contenders() map[Item][]int {
	all := make(map[Item][]int)
	for i, g := range h.given {
		for _, item := range Items(g.Device, g.Evaluation, h.visit(g)) {
			all[item] = append(all[item], i)
		}
	}
	return all
}

// contest decides one item among the evaluations of the given indices.
func (h *History) contest(indices []int) (winner int, replaced []bool) {
	all := make([]Contender, len(indices))
	for i, n := range indices {
		g := h.given[n]
		v := h.visit(g)
		all[i] = Contender{g, v != nil && v.Overall(g.Evaluation.Question())}
	}
	return Contest(all)
}

// Decision is what a History says of one evaluation.
type Decision struct {
	Given    Given
	Standing Standing
	Items    []Item // that it counts for
	// Reason is what was chosen on the keys for this very evaluation, nil if nothing was. A reason counts as its evaluation does.
	Reason *Reason
}

// Decide returns what becomes of each evaluation, in the order in which they were added.
func (h *History) Decide() []Decision {
	out := make([]Decision, len(h.given))
	for i, g := range h.given {
		out[i] = Decision{Given: g, Standing: Unasked}
		if named := h.reasons[g.key()]; g.Seq != 0 {
			if k := ReasonOf(g, named); k >= 0 {
				out[i].Reason = &named[k].Reason
			}
		}
	}
	for item, indices := range h.contenders() {
		winner, replaced := h.contest(indices)
		for i, n := range indices {
			d := &out[n]
			switch {
			case i == winner:
				d.Standing, d.Items = Counted, append(d.Items, item)
			case replaced[i]:
				d.Standing = Replaced
			case d.Standing != Counted:
				d.Standing = Later
			}
		}
	}
	for _, d := range out {
		slices.SortFunc(d.Items, compareItems)
	}
	return out
}

func compareItems(a, b Item) int {
	switch {
	case a.Case < b.Case:
		return -1
	case a.Case > b.Case:
		return 1
	}
	return 0
}

// CheckOpen returns the *RuleError of CheckVisit, or of a question that v asks and whose answer could count for nothing,
// since every case that it is about has been rated already.
func (h *History) CheckOpen(v Visit) error {
	all := h.contenders()
	return checkOnce(v, func(project string) (rated, overall bool) {
		indices := all[Item{Case: project}]
		winner, _ := h.contest(indices)
		if winner < 0 {
			return false, false
		}
		g := h.given[indices[winner]]
		visit := h.visit(g)
		return true, visit != nil && visit.Overall(g.Evaluation.Question())
	})
}

// checkOnce holds: 事项办结后可对服务事项进行一次评价 (article 14), over the life of each case. Standing says whether a case has been
// rated, and whether only by an answer about all matters of a theme.
func checkOnce(v Visit, standing func(project string) (rated, overall bool)) error {
	if err := CheckVisit(v); err != nil {
		return err
	}
	for _, q := range v.Questions() {
		cases := v.Covers(q)
		if len(cases) == 0 {
			continue
		}
		idle := func(project string) bool {
			rated, overall := standing(project)
			return rated && (!overall || v.Overall(q))
		}
		if i := slices.IndexFunc(cases, func(project string) bool { return !idle(project) }); i < 0 {
			return article14(RuleMatterOnce, cases[0], "办件 "+cases[0]+" 的事项已经评价过，一个办件只评价一次。",
				"The matter of case "+cases[0]+" has been rated already, and a case is rated once",
				"请只评价 staff，或去掉该办件。", "Ask about staff only, or leave the case out.")
		}
	}
	return nil
}

// MaxAnswered is how many cases an Answered remembers.
const MaxAnswered = 2000

// Answered is what a box remembers of the cases that were rated, so that it does not ask again. It is a value: With returns
// another one. It forgets the oldest beyond MaxAnswered; the centre, which forgets nothing, keeps what is then given
// uncounted.
type Answered struct{ cases []answeredCase }

type answeredCase struct {
	project string
	overall bool
}

// With returns a with the answer to a question of a visit.
func (a Answered) With(v Visit, q Question) Answered {
	overall := v.Overall(q)
	next := slices.Clone(a.cases)
	for _, project := range v.Covers(q) {
		i := slices.IndexFunc(next, func(c answeredCase) bool { return c.project == project })
		if i < 0 {
			next = append(next, answeredCase{project, overall})
			continue
		}
		next[i].overall = next[i].overall && overall
	}
	return Answered{next[max(0, len(next)-MaxAnswered):]}
}

// CheckOpen returns what History.CheckOpen of the same answers does.
func (a Answered) CheckOpen(v Visit) error {
	return checkOnce(v, func(project string) (rated, overall bool) {
		i := slices.IndexFunc(a.cases, func(c answeredCase) bool { return c.project == project })
		if i < 0 {
			return false, false
		}
		return true, a.cases[i].overall
	})
}
