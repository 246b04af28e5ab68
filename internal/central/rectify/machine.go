package rectify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"haochaping/internal/rating"
)

// MostMoves is how often units move an order on before the office has to settle whose it is, once.
const MostMoves = 2

// VainDays is on how many days a citizen with a name has to be tried before the work goes on without them.
const VainDays = 3

// Part is what one unit has to do about an order.
type Part struct {
	State  State
	Unit   string // that works on it, empty while nobody is known to have handled the case
	Area   string // where that is, 12 digits
	Origin string // unit for which the part was opened
	Had    []string
	Named  bool // it is known how the citizen is reached

	Began   int64 `json:",omitempty"` // when it was opened; what was opened by an earlier version has none
	From    int64 // since when the clock counts, milliseconds since 1970-01-01 UTC, as all times
	Days    int   // working days that it has
	Reached int64 // when it was known what had happened, 0: not yet
	Since   int64 // when the state was entered

	Counts   bool     // the rating counts at present
	Claimed  bool     // a review was asked for once
	Reopened bool     // the citizen was dissatisfied once
	Appealed bool     // the citizen has, once
	Objected bool     `json:",omitempty"` // the side that was rated has appealed, once
	By       Side     `json:",omitempty"` // who has appealed last; as earlier versions kept it, nobody: the citizen
	Vain     int      `json:",omitempty"` // days on which the citizen was tried in vain, of this step
	VainDay  int64    `json:",omitempty"` // the last of them
	Unheard  bool     `json:",omitempty"` // it was closed without the citizen, who could not be reached
	Assigned bool     // the office has settled whose it is
	Clue     bool     // something of it was referred (article 23)
	Referred int64    `json:",omitempty"` // row of the journal by which it was last
	Asked    int64    `json:",omitempty"` // when the citizen was last asked by message what they think, since the wording was passed
	Back     State    // of an appeal that is dismissed
	Refused  []string `json:",omitempty"` // cases for which a review has not adopted the rating, none: all

	Complaint bool `json:",omitempty"` // it is about a complaint, and no evaluation
	Secret    bool `json:",omitempty"` // it is a clue as a whole: for few, and never for the unit that it is about
}

// Event is a deed with what it says. Words of people stand apart, since they can be erased.
type Event struct {
	Do   Deed   `json:"-"`
	At   int64  `json:"at"`             // milliseconds since 1970-01-01 UTC
	Days int    `json:"days,omitempty"` // of a clock that begins anew or is extended, in all
	Unit string `json:"unit,omitempty"` // of a move
	Area string `json:"area,omitempty"`
	// Cases are those for which a review does not adopt the rating, none: all that it could count for. An appeal gives back the same.
	Cases []string `json:"cases,omitempty"`
	// Of is when that was done which a message is about, or the message was asked for that a citizen answers.
	Of int64 `json:"of,omitempty"`
	// Method and Result are of what was said to the citizen or tried, Side of an appeal; none where it was done by an earlier version.
	Method Method `json:"method,omitempty"`
	Result Result `json:"result,omitempty"`
	Side   Side   `json:"side,omitempty"`
}

// Transition is an edge of the machine. Two of one state and deed differ by When.
type Transition struct {
	From State
	Do   Deed
	To   State
	When string // in Chinese, empty: always
}

// The conditions by which edges of one state and deed differ.
const (
	first       = "首次"
	again       = "再次"
	wasClosed   = "原已办结"
	wasRefused  = "原不予采纳"
	counting    = "评价人申诉，评价计入"
	notCounting = "评价人申诉，评价已不计入"
	objecting   = "被评价方申诉"
)

// Transitions returns the machine: every edge that there is.
func Transitions() []Transition {
	all := make([]Transition, 0, 192) // which grows no more: it is asked for with each deed
	edge := func(do Deed, to State, from ...State) {
		for _, s := range from {
			all = append(all, Transition{s, do, to, ""})
		}
	}
	loop := func(do Deed, at ...State) {
		for _, s := range at {
			all = append(all, Transition{s, do, s, ""})
		}
	}
	loop(Miss, Waiting, Contacted, AtOnce, Limited)
	edge(Contact, Contacted, Waiting)
	loop(Contact, Contacted, AtOnce, Limited)
	edge(Verify, Contacted, Waiting)
	edge(BeginAtOnce, AtOnce, Contacted)
	edge(Plan, Limited, Contacted, AtOnce)
	loop(Extend, Limited)
	edge(Move, Waiting, Waiting, Contacted, AtOnce, Limited)
	edge(Assign, Waiting, Waiting, Contacted, AtOnce, Limited)
	edge(Reply, Replied, AtOnce, Limited)
	edge(Claim, Reviewing, Contacted, AtOnce, Limited)
	edge(Uphold, NotAdopted, Reviewing)
	edge(Reject, Limited, Reviewing)
	edge(Pass, FollowingUp, Replied)
	edge(Return, Limited, Replied)
	edge(Satisfied, Closed, FollowingUp)
	all = append(all, Transition{FollowingUp, Dissatisfied, Limited, first}, Transition{FollowingUp, Dissatisfied, Closed, again})
	loop(Unreached, FollowingUp)
	edge(Skip, Closed, FollowingUp)
	loop(Ask, FollowingUp)
	edge(Appeal, Appealing, Closed, NotAdopted)
	all = append(all, Transition{Appealing, Grant, Limited, counting}, Transition{Appealing, Grant, Lapsed, notCounting},
		Transition{Appealing, Grant, NotAdopted, objecting},
		Transition{Appealing, Dismiss, Closed, wasClosed}, Transition{Appealing, Dismiss, NotAdopted, wasRefused})
	loop(Refer, Waiting, Contacted, AtOnce, Limited, Reviewing, Replied, FollowingUp, Closed, Appealing)
	loop(Urge, Waiting, Contacted, AtOnce, Limited)
	edge(Lapse, Lapsed, Waiting, Contacted, AtOnce, Limited, Reviewing, Replied, FollowingUp)
	loop(Lapse, Closed, NotAdopted, Appealing) // what was answered stays answered
	edge(Count, Waiting, Lapsed)
	loop(Count, Closed, NotAdopted, Appealing)
	loop(Sent, States()...)
	loop(Unsent, States()...)
	loop(Unclear, States()...)
	return all
}

// Refusal says why something cannot be done, for people.
type Refusal struct{ Chinese, English string }

// Error returns both sentences.
func (r *Refusal) Error() string { return r.Chinese + " " + r.English }

func refuse(chinese, english string) error { return &Refusal{chinese, english} }

// Apply returns a part after an event, or a Refusal. It is a pure function.
func Apply(p Part, e Event) (Part, error) {
	to, err := p.leads(e.Do)
	if err == nil {
		err = p.allows(e)
	}
	if err != nil {
		return p, err
	}
	next := p
	next.effect(p, e)
	if to != p.State {
		next.State, next.Since = to, e.At
	}
	return next, nil
}

// leads returns the state to which a deed leads.
func (p Part) leads(do Deed) (State, error) {
	for _, t := range Transitions() {
		if t.From == p.State && t.Do == do && p.holds(t.When) {
			return t.To, nil
		}
	}
	a, ok := do.About()
	if !ok {
		return "", refuse(fmt.Sprintf("没有“%s”这一操作。", do), fmt.Sprintf("There is no deed %q.", do))
	}
	may, can := "现在没有可办的事项", "nothing can be done now"
	if all := p.Next(); len(all) > 0 {
		var zh, en []string
		for _, d := range all {
			zh, en = append(zh, d.Chinese), append(en, string(d.Do))
		}
		may, can = "现在可以："+strings.Join(zh, "、"), "possible now: "+strings.Join(en, ", ")
	}
	return "", refuse(fmt.Sprintf("工单处于“%s”，不能“%s”。%s。", p.State.Chinese(), a.Chinese, may),
		fmt.Sprintf("An order that is %s takes no %s; %s.", p.State, do, can))
}

// holds reports whether a condition of an edge is met.
func (p Part) holds(when string) bool {
	switch when {
	case first:
		return !p.Reopened
	case again:
		return p.Reopened
	case wasClosed:
		return p.Back == Closed
	case wasRefused:
		return p.Back == NotAdopted
	case counting:
		return p.Counts && !p.objects()
	case notCounting:
		return !p.Counts && !p.objects()
	case objecting:
		return p.objects()
	}
	return true
}

// Next returns what people may do about a part now.
func (p Part) Next() (all []About) {
	ways := Transitions()
	for _, d := range Deeds() {
		leads := slices.ContainsFunc(ways, func(t Transition) bool { return t.From == p.State && t.Do == d.Do })
		if leads && d.By != Books && p.bounded(d.Do) == nil {
			all = append(all, d)
		}
	}
	return all
}

// bounded returns why a deed that its state has is used up, or is not for this part.
func (p Part) bounded(do Deed) error {
	switch {
	case do == Verify && p.Named && p.Vain < VainDays:
		return refuse(fmt.Sprintf("评价人留有联系方式，请先联系；在 %d 个不同的日子都没有联系上的，才据办件核实。", VainDays),
			fmt.Sprintf("The citizen can be reached; contact them first, on %d days if need be.", VainDays))
	case do == Skip && p.Named && p.Vain < VainDays:
		return refuse(fmt.Sprintf("实名差评须回访（办法第十八条）；在 %d 个不同的日子都没有回访到的，才可办结，仍计为未回访。", VainDays),
			fmt.Sprintf("A bad rating with a name is followed up (article 18), or tried on %d days.", VainDays))
	case do == Ask && p.Secret:
		return refuse("线索不用短信回访，请当面或电话联系。", "Nobody is written to about a clue.")
	case do == Ask && !p.Named:
		return refuse("评价人没有留联系方式，不能发短信。", "Nobody knows how the citizen is reached.")
	case do == Ask && p.Asked != 0:
		return refuse("已发过回访短信，请等待答复，或电话回访。", "The citizen was asked by message already; wait, or call.")
	case do == Extend && p.Days >= MostDays:
		return refuse(fmt.Sprintf("已延至 %d 个工作日，不能再延。", p.Days), "It has been extended as far as article 16 allows.")
	case do == Claim && p.Claimed:
		return refuse("已申请过不采纳，复核未通过，请整改。", "A review was asked for once and has not adopted the claim; rectify it.")
	case (do == Move || do == Assign) && p.Secret:
		return refuse("线索由线索专员办理，不转被反映的单位。", "A clue is worked on by those named for it, and never handed to a unit.")
	case do == Move && len(p.Had) >= MostMoves:
		return refuse(fmt.Sprintf("已转办 %d 次，请由同级管理机构督办，不再转办。", len(p.Had)), "It was moved as often as is allowed.")
	case do == Move && p.Assigned:
		return refuse("承办单位由同级管理机构指派，不再转办。", "The office has settled whose it is; it is moved no more.")
	case do == Assign && p.Assigned:
		return refuse("已指派过承办单位。", "It was assigned already.")
	case do == Appeal && len(p.Sides()) == 0:
		return refuse("已申诉过一次，结论不再变更。", "There was an appeal already.")
	case do == Lapse && !p.Counts:
		return refuse("评价早已不计入。", "The rating does not count already.")
	case do == Count && p.Counts:
		return refuse("评价本来就计入。", "The rating counts already.")
	}
	return nil
}

// allows returns why an event cannot be as it says.
func (p Part) allows(e Event) error {
	if err := p.bounded(e.Do); err != nil {
		return err
	}
	clock := slices.Contains([]Deed{Dissatisfied, Grant, Count}, e.Do) // that begins anew
	switch {
	case e.At < p.Since:
		return refuse("时间早于上一步。", "It would be before what was done last.")
	case (e.Do == Satisfied || e.Do == Dissatisfied) && e.Of != 0 && e.Of != p.Asked:
		return refuse("这次回访已经结束。", "That is not asked any more.")
	case e.Do == Appeal && !slices.Contains(p.Sides(), cmp.Or(e.Side, OfCitizen)):
		return refuse("这一方现在不能申诉：每方申诉一次；不予采纳的，由评价人申诉。",
			"That side cannot appeal now: each does once, and only the citizen against what was not adopted.")
	case e.Do == Extend && (e.Days <= p.Days || e.Days > MostDays):
		return refuse(fmt.Sprintf("延期后合计须多于 %d、不超过 %d 个工作日（办法第十六条）。", p.Days, MostDays),
			fmt.Sprintf("With the extension it is more than %d and at most %d working days (article 16).", p.Days, MostDays))
	case clock && (e.Days < 1 || e.Days > MostDays):
		return refuse("整改期限不对。", fmt.Sprintf("A clock has 1 to %d working days.", MostDays))
	case e.Do == Assign && (e.Unit == "" || e.Unit == p.Unit):
		return refuse("请写明另一个单位。", "Name another unit.")
	case e.Do == Move && (e.Unit == "" || e.Unit == p.Unit || slices.Contains(p.Had, e.Unit)):
		return refuse("请写明另一个单位；办过本工单的单位不能再转回。", "Name another unit, and none that has had it.")
	}
	return nil
}

// effect changes what an event changes besides the state.
func (p *Part) effect(was Part, e Event) {
	switch e.Do {
	case Contact, Verify:
		if p.Reached == 0 {
			p.Reached = e.At
		}
		p.Vain, p.VainDay = 0, 0
	case Miss, Unreached:
		if day := rating.ShanghaiDay(e.At); p.Vain == 0 || day != p.VainDay {
			p.Vain, p.VainDay = p.Vain+1, day
		}
	case Skip:
		p.Unheard = p.Named
	case Extend:
		p.Days = e.Days
	case Move, Assign:
		if was.Unit != "" {
			p.Had = append(slices.Clone(was.Had), was.Unit)
		}
		p.Unit, p.Area = e.Unit, e.Area
		p.Assigned = was.Assigned || e.Do == Assign && was.Unit != ""
	case Claim:
		p.Claimed = true
	case Dissatisfied:
		p.Reopened = true
		if !was.Reopened {
			p.From, p.Days = e.At, e.Days
		}
	case Appeal:
		p.Back, p.By = was.State, cmp.Or(e.Side, OfCitizen)
		p.Appealed, p.Objected = was.Appealed || !p.objects(), was.Objected || p.objects()
	case Grant:
		if p.objects() {
			p.Refused = e.Cases
		} else {
			p.From, p.Days = e.At, e.Days
		}
	case Uphold:
		p.Refused = e.Cases
	case Refer:
		p.Clue = true
	case Pass:
		p.Asked, p.Vain, p.VainDay, p.Unheard = 0, 0, 0, false
	case Ask:
		p.Asked = e.At
	case Unsent:
		if e.Of == p.Asked {
			p.Asked = 0
		}
	case Lapse:
		p.Counts = false
	case Count:
		p.Counts = true
		if was.State == Lapsed {
			p.From, p.Days, p.Reached, p.Vain, p.VainDay, p.Unheard = e.At, e.Days, 0, 0, 0, false
		}
	}
}
