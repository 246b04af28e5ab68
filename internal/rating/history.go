package rating

import (
	"cmp"
	"slices"
)

// Standing says whether an evaluation counts. Each is kept, whatever it says.
type Standing string

// The standings.
const (
	Counted  Standing = "counted"  // for the person, or for one case at least
	Replaced Standing = "replaced" // the citizen corrected it at the window
	Later    Standing = "later"    // for all that it could count for, another one counts
	Unasked  Standing = "unasked"  // it is about a matter that is not known to be completed, or was not yet; it counts when it is
	Late     Standing = "late"     // it was given when silence had become the default
	Crowded  Standing = "crowded"  // its visit had more answers than anybody looks at
	// NotAdopted is an answer that a review found mistaken or malicious (不予采纳, article 17).
	NotAdopted Standing = "not_adopted"
)

// Bounds of what is decided together: boxes say what it is, and one could else make the books decide without end. What comes beyond them is
// kept.
const (
	MaxContenders   = 200  // answers of one device that contend for a case: those that came first
	MaxVisitAnswers = 500  // answers of one visit: the same. All of its cases may be asked about, and each answer corrected
	MaxTogether     = 1000 // cases of a batch or theme: those of which that was said first
)

// History is visits and evaluations of all windows and channels, and decides which evaluations count over the whole life of
// each case (article 14). What it says depends on what it holds and not on the order in which that came. The zero History is
// empty. Its methods are not safe for concurrent use.
type History struct {
	visits  map[visitKey]Visit
	given   []Given
	crowded []bool // of each that was given: its visit had too many answers before
	answers map[visitKey]int
	known   map[givenKey]bool
	reasons map[givenKey][]GivenReason // by the evaluation that they name
	refused map[givenKey]Refusal
	files   map[CaseKey]CaseFile
	passed  map[CaseKey][]silence // whose deadline has passed
}

// silence is that a period without an answer has ended, of a case that was thought to begin then.
type silence struct {
	begins, deadline int64
	lateHolds        bool
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
	if h.answers == nil {
		h.answers = make(map[visitKey]int)
	}
	of := visitKey{g.Device, g.Evaluation.Visit}
	h.answers[of]++
	h.crowded = append(h.crowded, h.answers[of] > MaxVisitAnswers)
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

// Tell adds what a business system says of a case, and when the centre heard of it.
func (h *History) Tell(f CaseFact, received int64) {
	if h.files == nil {
		h.files = make(map[CaseKey]CaseFile)
	}
	next, _ := h.files[f.Key()].Merge(f, received)
	h.files[f.Key()], _ = h.files[f.Key()].Join(next, func(key string) int {
		n := 0
		for _, other := range h.files {
			if other.BatchKey() == key || other.ThemeKey() == key {
				n++
			}
		}
		return n
	})
}

// Pass notes that a case's deadline has passed, and when its period was thought to begin, 0 if that is not said. The latest beginning
// holds, and of those that begin together the first; none of which the case has turned out to begin later holds.
func (h *History) Pass(k CaseKey, begins, deadline int64, lateHolds bool) {
	if h.passed == nil {
		h.passed = make(map[CaseKey][]silence)
	}
	h.passed[k] = append(h.passed[k], silence{begins, deadline, lateHolds})
}

// matter returns what decides about a case.
func (h *History) matter(k CaseKey) Matter {
	var m Matter
	latest := int64(-1)
	for _, s := range h.passed[k] {
		if (s.begins == 0 || h.files[k].Begins() <= s.begins) && s.begins > latest {
			m.Deadline, m.LateHolds, latest = s.deadline, s.lateHolds, s.begins
		}
	}
	m.Completed, m.From = h.files[k].CompletedAt != 0, h.files[k].From()
	for _, v := range h.visits {
		for _, c := range v.Cases {
			if c.Completed && v.Key(c) == k {
				m.Completed, m.From = true, 0
			}
		}
	}
	return m
}

// candidate is an evaluation, by its index, that may count for an item.
type candidate struct {
	index   int
	overall bool
}

// contenders returns the evaluations that may count for each item, were all cases completed: those about the case itself, those about a
// case filed in the same batch, and overall ones about a case of the same theme.
func (h *History) contenders() map[Item][]candidate {
	keys := make(map[CaseKey]bool)
	for k := range h.files {
		keys[k] = true
	}
	claims := make([][]CaseKey, len(h.given))
	all := make(map[Item][]candidate)
	for i, g := range h.given {
		if h.crowded[i] {
			continue
		}
		v := h.visit(g)
		if item, own := g.Own(v); own {
			all[item] = append(all[item], candidate{i, false})
		}
		claims[i] = g.Claims(v)
		for _, k := range claims[i] {
			keys[k] = true
		}
	}
	for k := range keys {
		file := h.files[k]
		for i, g := range h.given {
			if h.crowded[i] {
				continue
			}
			v := h.visit(g)
			overall := g.Theme != "" || v != nil && v.Overall(g.Evaluation.Question())
			reaches := g.Theme != "" && g.Theme == file.Theme
			for _, c := range claims[i] {
				other := h.files[c]
				reaches = reaches || c == k || file.Batch != "" && file.BatchKey() == other.BatchKey() ||
					overall && file.Theme != "" && file.Theme == other.Theme
			}
			if reaches {
				all[Item{Case: k}] = append(all[Item{Case: k}], candidate{i, overall})
			}
		}
	}
	return all
}

// contest decides one item among some candidates.
func (h *History) contest(item Item, some []candidate) (winner int, replaced []bool) {
	all := make([]Contender, len(some))
	for i, c := range some {
		all[i] = Contender{Given: h.given[c.index], Overall: c.overall, Refused: h.refuses(c.index, item)}
	}
	return Contest(all)
}

// admit returns which of the candidates for an item may count, and why others do not.
func (h *History) admit(item Item, all []candidate) (admitted []candidate, not map[int]Standing) {
	if (item.Case == CaseKey{}) {
		return all, nil
	}
	m := h.matter(item.Case)
	if slices.ContainsFunc(all, func(c candidate) bool { return h.refuses(c.index, item) }) {
		m.Deadline = 0 // no default follows
	}
	not = make(map[int]Standing)
	of := make(map[DeviceID]int)
	for _, c := range all {
		g := h.given[c.index]
		if of[g.Device]++; of[g.Device] > MaxContenders {
			not[c.index] = Later
			continue
		}
		s := m.Admits(g.Earliest, g.Attested(h.visit(g)))
		if g.About == item.Case && m.Premature(g.Time) {
			s = Unasked
		}
		if s != Counted {
			not[c.index] = s
		} else {
			admitted = append(admitted, c)
		}
	}
	return admitted, not
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
		out[i] = Decision{Given: g}
		if h.crowded[i] {
			out[i].Standing = Crowded
		}
		if named := h.reasons[g.key()]; g.Seq != 0 {
			if k := ReasonOf(g, named); k >= 0 {
				out[i].Reason = &named[k].Reason
			}
		}
	}
	for item, all := range h.contenders() {
		admitted, not := h.admit(item, all)
		winner, replaced := h.contest(item, admitted)
		for n, s := range not {
			out[n].Standing = out[n].Standing.Better(s)
		}
		for i, c := range admitted {
			d := &out[c.index]
			switch {
			case i == winner:
				d.Standing, d.Items = Counted, append(d.Items, item)
			case h.refuses(c.index, item):
				d.Standing = d.Standing.Better(NotAdopted)
			case replaced[i]:
				d.Standing = d.Standing.Better(Replaced)
			default:
				d.Standing = d.Standing.Better(Later)
			}
		}
	}
	for i := range out {
		out[i].Standing = cmp.Or(out[i].Standing, Unasked)
		slices.SortFunc(out[i].Items, compareItems)
	}
	return out
}

// Better returns which of two standings an evaluation has that has both, for different items. An empty one is none.
func (s Standing) Better(o Standing) Standing {
	rank := []Standing{"", Late, Later, NotAdopted, Unasked, Replaced, Counted}
	if slices.Index(rank, o) > slices.Index(rank, s) {
		return o
	}
	return s
}

func compareItems(a, b Item) int { return cmp.Compare(a.Case.String(), b.Case.String()) }

// CheckOpen returns the *RuleError of CheckVisit, or of a question that v asks and whose answer could count for nothing,
// since every case that it is about has been rated already.
func (h *History) CheckOpen(v Visit) error {
	all := h.contenders()
	return checkOnce(v, func(k CaseKey) (rated, overall bool) {
		some := all[Item{Case: k}]
		winner, _ := h.contest(Item{Case: k}, some)
		if winner < 0 {
			return false, false
		}
		return true, some[winner].overall
	})
}

// checkOnce holds: 事项办结后可对服务事项进行一次评价 (article 14), over the life of each case. Standing says whether a case has been
// rated, and whether only by an answer about all matters of a theme.
func checkOnce(v Visit, standing func(CaseKey) (rated, overall bool)) error {
	if err := CheckVisit(v); err != nil {
		return err
	}
	for _, q := range v.Questions() {
		cases := v.Claims(q)
		if len(cases) == 0 {
			continue
		}
		idle := func(k CaseKey) bool {
			rated, overall := standing(k)
			return rated && (!overall || v.Overall(q))
		}
		if i := slices.IndexFunc(cases, func(k CaseKey) bool { return !idle(k) }); i < 0 {
			project := cases[0].Project
			return article14(RuleMatterOnce, project, "办件 "+project+" 的事项已经评价过，一个办件只评价一次。",
				"The matter of case "+project+" has been rated already, and a case is rated once",
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
	key     CaseKey
	overall bool
}

// With returns a with the answer to a question of a visit.
func (a Answered) With(v Visit, q Question) Answered {
	overall := v.Overall(q)
	next := slices.Clone(a.cases)
	for _, k := range v.Claims(q) {
		i := slices.IndexFunc(next, func(c answeredCase) bool { return c.key == k })
		if i < 0 {
			next = append(next, answeredCase{k, overall})
			continue
		}
		next[i].overall = next[i].overall && overall
	}
	return Answered{next[max(0, len(next)-MaxAnswered):]}
}

// CheckOpen returns what History.CheckOpen of the same answers does.
func (a Answered) CheckOpen(v Visit) error {
	return checkOnce(v, func(k CaseKey) (rated, overall bool) {
		i := slices.IndexFunc(a.cases, func(c answeredCase) bool { return c.key == k })
		if i < 0 {
			return false, false
		}
		return true, a.cases[i].overall
	})
}
