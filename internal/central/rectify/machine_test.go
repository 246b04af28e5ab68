package rectify

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// spec says where each deed leads, by state, as the regulation and docs/rectification.md have it; every other deed is refused. Two ends are
// those of a first and a second time, of a rating that counts and one that does not, or of an order that was closed and one that was not
// adopted.
func spec() map[State]string {
	all := map[State]string{
		Waiting: "miss>waiting contact>contacted verify>contacted move>waiting assign>waiting refer>waiting urge>waiting lapse>lapsed",
		Contacted: "miss>contacted contact>contacted at_once>at_once plan>limited move>waiting assign>waiting claim>reviewing refer>contacted " +
			"urge>contacted " +
			"lapse>lapsed",
		AtOnce: "miss>at_once contact>at_once plan>limited move>waiting assign>waiting reply>replied claim>reviewing refer>at_once " +
			"urge>at_once lapse>lapsed",
		Limited: "miss>limited contact>limited extend>limited move>waiting assign>waiting reply>replied claim>reviewing refer>limited " +
			"urge>limited " +
			"lapse>lapsed",
		Reviewing: "uphold>not_adopted reject>limited refer>reviewing lapse>lapsed",
		Replied:   "pass>following_up return>limited refer>replied lapse>lapsed",
		FollowingUp: "satisfied>closed dissatisfied>limited|closed unreached>following_up skip>closed ask>following_up refer>following_up " +
			"lapse>lapsed",
		Closed:     "appeal>appealing refer>closed lapse>closed count>closed",
		NotAdopted: "appeal>appealing lapse>not_adopted count>not_adopted",
		Appealing:  "grant>limited|lapsed dismiss>closed|not_adopted refer>appealing lapse>appealing count>appealing",
		Lapsed:     "count>waiting",
	}
	for s := range all { // what becomes of a message changes none
		all[s] += fmt.Sprintf(" sent>%[1]s unsent>%[1]s unclear>%[1]s", s)
	}
	return all
}

// at returns a part in a state, of an anonymous rating, with nothing used up. Second is how it is the other time.
func at(s State, do Deed, second bool) Part {
	p := Part{State: s, Unit: "U1", Area: "620100000000", From: 1, Since: 1, Days: 5, Counts: do != Count, Back: Closed,
		Named: do == Ask}
	if second {
		p.Reopened, p.Back, p.Counts = true, NotAdopted, do == Lapse
	}
	return p
}

func event(do Deed) Event {
	e := Event{Do: do, At: 2, Days: 5}
	switch do {
	case Extend:
		e.Days = 10
	case Move, Assign:
		e.Unit, e.Area = "U2", "620100000000"
	}
	return e
}

// TestEachStateAndDeed tries all of them against spec.
func TestEachStateAndDeed(t *testing.T) {
	for _, s := range States() {
		want := make(map[Deed][]string)
		for _, w := range strings.Fields(spec()[s]) {
			do, to, _ := strings.Cut(w, ">")
			want[Deed(do)] = strings.Split(to, "|")
		}
		for _, d := range Deeds() {
			name := fmt.Sprintf("%s while %s", d.Do, s)
			next, err := Apply(at(s, d.Do, false), event(d.Do))
			ends, may := want[d.Do]
			var r *Refusal
			switch {
			case !may && !errors.As(err, &r):
				t.Errorf("%s: got %s, %v; want a refusal", name, next.State, err)
			case !may && (!strings.Contains(r.Chinese, s.Chinese()) || !strings.Contains(r.Chinese, d.Chinese) || r.English == "" ||
				!strings.Contains(r.Chinese, "现在")):
				t.Errorf("%s: the refusal does not say what is possible: %s", name, r)
			case !may && !cmp.Equal(next, at(s, d.Do, false)):
				t.Errorf("%s: it was refused, and changed: %+v", name, next)
			case may && (err != nil || string(next.State) != ends[0]):
				t.Errorf("%s: got %s, %v; want %s", name, next.State, err, ends[0])
			case may && (next.Since == 2) != (ends[0] != string(s)):
				t.Errorf("%s: the state is there since %d", name, next.Since)
			}
			if len(ends) == 2 {
				if next, err = Apply(at(s, d.Do, true), event(d.Do)); err != nil || string(next.State) != ends[1] {
					t.Errorf("%s again: got %s, %v; want %s", name, next.State, err, ends[1])
				}
			}
		}
	}
}

// TestBounds: what is done once is refused the second time, and what is for some only is refused to the others, each with words.
func TestBounds(t *testing.T) {
	for name, x := range map[string]struct {
		p Part
		e Event
	}{
		"a second claim":                  {Part{State: Limited, Claimed: true, Days: 5}, Event{Do: Claim}},
		"an extension beyond ten days":    {Part{State: Limited, Days: 5}, Event{Do: Extend, Days: 11}},
		"an extension that is none":       {Part{State: Limited, Days: 7}, Event{Do: Extend, Days: 7}},
		"an extension of ten":             {Part{State: Limited, Days: 10}, Event{Do: Extend, Days: 10}},
		"a third move":                    {Part{State: Waiting, Unit: "3", Had: []string{"1", "2"}}, Event{Do: Move, Unit: "4"}},
		"a move back":                     {Part{State: Waiting, Unit: "2", Had: []string{"1"}}, Event{Do: Move, Unit: "1"}},
		"a move to itself":                {Part{State: Waiting, Unit: "2"}, Event{Do: Move, Unit: "2"}},
		"a move to nobody":                {Part{State: Waiting, Unit: "2"}, Event{Do: Move}},
		"no follow-up of who has a name":  {Part{State: FollowingUp, Named: true}, Event{Do: Skip}},
		"no contact with who has a name":  {Part{State: Waiting, Named: true}, Event{Do: Verify}},
		"a second assignment":             {Part{State: Waiting, Assigned: true, Unit: "2"}, Event{Do: Assign, Unit: "3"}},
		"an assignment to itself":         {Part{State: Waiting, Unit: "2"}, Event{Do: Assign, Unit: "2"}},
		"a move after an assignment":      {Part{State: Waiting, Assigned: true, Unit: "2"}, Event{Do: Move, Unit: "3"}},
		"a second appeal":                 {Part{State: Closed, Appealed: true}, Event{Do: Appeal}},
		"a lapse of what does not count":  {Part{State: Closed}, Event{Do: Lapse}},
		"a count of what counts":          {Part{State: Closed, Counts: true}, Event{Do: Count}},
		"a clock of no days":              {Part{State: Lapsed}, Event{Do: Count}},
		"a clock of eleven days":          {Part{State: Lapsed}, Event{Do: Count, Days: 11}},
		"what was before the step before": {Part{State: Waiting, Since: 2}, Event{Do: Contact, At: 1}},
		"a deed that there is not":        {Part{State: Waiting}, Event{Do: "x"}},
		"a second message":                {Part{State: FollowingUp, Named: true, Asked: 1}, Event{Do: Ask, At: 2}},
		"a message to nobody":             {Part{State: FollowingUp}, Event{Do: Ask}},
		"a message about a clue":          {Part{State: FollowingUp, Named: true, Secret: true}, Event{Do: Ask}},
		"an answer to an older question":  {Part{State: FollowingUp, Named: true, Asked: 9}, Event{Do: Satisfied, At: 10, Of: 2}},
		"an answer to no question":        {Part{State: FollowingUp, Named: true}, Event{Do: Dissatisfied, Days: 5, Of: 2}},
	} {
		got, err := Apply(x.p, x.e)
		var r *Refusal
		if !errors.As(err, &r) || r.Chinese == "" || r.English == "" || !cmp.Equal(got, x.p) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// TestAppeals: each side appeals once, the side that was rated against what counts alone; what it is granted is not adopted, what the
// citizen is granted is rectified anew (article 6: 受理复核申诉).
func TestAppeals(t *testing.T) {
	walk := func(p Part, events ...Event) (Part, error) {
		var err error
		for i, e := range events {
			e.At, e.Days = int64(10+i), Days
			if p, err = Apply(p, e); err != nil {
				return p, fmt.Errorf("%s: %w", e.Do, err)
			}
		}
		return p, nil
	}
	closed := Part{State: Closed, Unit: "U1", Counts: true, Named: true}
	by := func(s Side) Event { return Event{Do: Appeal, Side: s} }
	grant, dismiss := Event{Do: Grant}, Event{Do: Dismiss}
	for name, x := range map[string]struct {
		from   Part
		events []Event
		want   State
		sides  []Side // who may appeal then
	}{
		"the citizen's is granted":       {closed, []Event{by(OfCitizen), grant}, Limited, nil},
		"the citizen's is dismissed":     {closed, []Event{by(OfCitizen), dismiss}, Closed, []Side{OfRated, OfUnit}},
		"the unit's is granted":          {closed, []Event{by(OfUnit), grant}, NotAdopted, []Side{OfCitizen}},
		"the person's is granted":        {closed, []Event{by(OfRated), grant}, NotAdopted, []Side{OfCitizen}},
		"the unit's is dismissed":        {closed, []Event{by(OfUnit), dismiss}, Closed, []Side{OfCitizen}},
		"both are dismissed":             {closed, []Event{by(OfUnit), dismiss, by(OfCitizen), dismiss}, Closed, nil},
		"an answer to what was granted":  {closed, []Event{by(OfRated), grant, by(OfCitizen), grant}, Limited, nil},
		"of an earlier version":          {closed, []Event{{Do: Appeal}, grant}, Limited, nil},
		"it counts no more meanwhile":    {closed, []Event{by(OfCitizen), {Do: Lapse}, grant}, Lapsed, nil},
		"the person's, and counts not":   {closed, []Event{by(OfRated), {Do: Lapse}, grant}, NotAdopted, []Side{OfCitizen}},
		"not adopted, and that stays so": {Part{State: NotAdopted, Counts: true}, []Event{by(OfCitizen), dismiss}, NotAdopted, nil},
	} {
		got, err := walk(x.from, x.events...)
		if diff := cmp.Diff(x.sides, got.Sides()); err != nil || got.State != x.want || diff != "" {
			t.Errorf("%s: %s, %v\n%s", name, got.State, err, diff)
		}
	}
	secret := closed
	secret.Secret = true
	for name, x := range map[string]struct {
		p Part
		s Side
	}{
		"the unit against what is not adopted": {Part{State: NotAdopted, Counts: true}, OfUnit},
		"the unit against what counts not":     {Part{State: Closed}, OfUnit},
		"the person after the unit":            {Part{State: Closed, Counts: true, Objected: true}, OfRated},
		"the citizen again":                    {Part{State: Closed, Counts: true, Appealed: true}, OfCitizen},
		"the unit of a clue":                   {secret, OfUnit},
	} {
		var r *Refusal
		if got, err := walk(x.p, by(x.s)); !errors.As(err, &r) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestTriedInVain: who has a name and is not reached on three days holds nothing up, and is never counted as followed up.
func TestTriedInVain(t *testing.T) {
	const day = 24 * 3600_000
	p := Part{State: Waiting, Unit: "U1", Days: 5, Counts: true, Named: true}
	apply := func(do Deed, at int64) {
		t.Helper()
		var err error
		if p, err = Apply(p, Event{Do: do, At: at, Days: Days}); err != nil {
			t.Fatalf("%s: %v", do, err)
		}
	}
	may := func(do Deed) bool { return p.bounded(do) == nil }
	for i := range int64(VainDays) {
		if may(Verify) {
			t.Fatalf("verified without the citizen after %d days", i)
		}
		apply(Miss, i*day)
		apply(Miss, i*day+3600_000) // twice a day is one day
	}
	apply(Verify, VainDays*day)
	apply(Plan, VainDays*day)
	apply(Reply, VainDays*day)
	apply(Pass, VainDays*day)
	for i := range int64(VainDays) {
		if may(Skip) {
			t.Fatalf("closed without the citizen after %d days", i)
		}
		apply(Unreached, (10+i)*day)
	}
	apply(Skip, 14*day)
	if p.State != Closed || p.owed() != stillOwed {
		t.Errorf("it is %s, and counted as %d", p.State, p.owed())
	}
}

// TestWhatIsChosen: a deed says what has to be chosen of it, with words of its own, and no other is taken.
func TestWhatIsChosen(t *testing.T) {
	for _, d := range Deeds() {
		e := choosing(Event{Do: d.Do, Method: "x", Result: "x", Side: "x"})
		asks := len(d.Do.Methods()) > 0 || d.Do == Appeal
		if err := e.choose(); err != nil || asks != (e.Method != "" || e.Side != "") || e.Method == "x" || e.Result == "x" || e.Side == "x" {
			t.Errorf("%s: %+v, %v", d.Do, e, err)
		}
		wrong := Event{Do: d.Do, Method: "x", Result: "x", Side: "x"}
		var r *Refusal
		if err := wrong.choose(); asks != errors.As(err, &r) {
			t.Errorf("%s with what there is not: %v", d.Do, err)
		}
		for _, r := range d.Do.Results() {
			if r.Chinese() == "" {
				t.Errorf("result %q of %s has no name", r, d.Do)
			}
		}
	}
	for _, m := range Methods() {
		if m.Chinese() == "" {
			t.Errorf("method %q has no name", m)
		}
	}
}

// TestAReviewNeverStopsTheClock: neither it nor a move, a return or an appeal that is dismissed touches when the unit's time is over.
func TestAReviewNeverStopsTheClock(t *testing.T) {
	p := Part{State: Waiting, Unit: "U1", From: 1000, Days: 5, Since: 1000, Counts: true}
	for i, do := range []Deed{Contact, Plan, Claim, Reject, Move, Contact, BeginAtOnce, Reply, Return, Reply, Pass, Satisfied, Appeal,
		Dismiss} {
		next, err := Apply(p, Event{Do: do, At: int64(2000 + i), Unit: "U2"})
		if err != nil {
			t.Fatalf("%s: %v", do, err)
		}
		if next.From != p.From || next.Days != p.Days {
			t.Errorf("%s moved the clock from %d, %d days to %d, %d days", do, p.From, p.Days, next.From, next.Days)
		}
		p = next
	}
	if p.State != Closed {
		t.Errorf("the way ends with %s", p.State)
	}
}

// TestNoWayWithoutAnEnd walks at random: an open part always has something that somebody can do, and moves, claims, reopenings and appeals
// end.
func TestNoWayWithoutAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Part{State: Waiting, Unit: "U0", Days: 5, Counts: true, Named: rapid.Bool().Draw(t, "named")}
		moves, claims := 0, 0
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			next := p.Next()
			if p.State.Open() && len(next) == 0 {
				t.Fatalf("an order that is %s hangs", p.State)
			}
			var may []Deed
			for _, d := range next {
				may = append(may, d.Do)
			}
			may = append(may, Lapse, Count)
			e := event(rapid.SampledFrom(may).Draw(t, "deed"))
			e.At = int64(i) * 40_000_000 // twice or three times a day
			if e.Do == Appeal {
				e.Side = rapid.SampledFrom(p.Sides()).Draw(t, "side")
			}
			if e.Do == Move || e.Do == Assign {
				e.Unit = fmt.Sprintf("U%d", i+1)
			}
			after, err := Apply(p, e)
			if err != nil {
				if e.Do != Lapse && e.Do != Count {
					t.Fatalf("%s is said to be possible while %s: %v", e.Do, p.State, err)
				}
				continue
			}
			switch e.Do {
			case Move, Assign:
				moves++
			case Claim:
				claims++
			}
			p = after
		}
		if moves > MostMoves+1 || claims > 1 {
			t.Fatalf("%d moves, %d claims", moves, claims)
		}
	})
}

// update makes the generated part of the document anew.
var update = flag.Bool("update", false, "write docs/rectification.md anew")

const (
	document = "../../../docs/rectification.md"
	begins   = "<!-- generated by internal/central/rectify: go test -run TestDocument -update -->\n"
	ends     = "<!-- end of what is generated -->\n"
)
