package terminal

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

// TestReasonsTellNobody plays the same day twice: with other levels, and with other keys, or none, while reasons are asked for. What
// others than the citizen can see must be the same at every moment.
func TestReasonsTellNobody(t *testing.T) {
	explained, differ := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := window
		if rapid.Bool().Draw(t, "walk up") {
			w.WalkUp = &rating.WalkUp{PauseSec: rapid.IntRange(1, 15).Draw(t, "pause"), LinkSec: 60}
		}
		one, other := newOnlooker(w), newOnlooker(w)
		for i := range rapid.IntRange(1, 60).Draw(t, "events") {
			var e func(*onlooker) Event
			kind := rapid.SampledFrom([]string{"open", "press", "press", "press", "staff key", "time", "time", "time", "phone"}).Draw(t, "event")
			id := rating.VisitID(1000 + i)
			switch kind {
			case "open":
				subjects := rapid.SampledFrom([][]rating.Subject{{staff}, {matter}, {staff, matter}}).Draw(t, "subjects")
				e = func(o *onlooker) Event {
					return OpenVisit{o.now, rating.Visit{ID: id, Grouping: rating.Single, Subjects: subjects, Opener: rating.OpenedByPC,
						Cases: []rating.Case{{ProjectNo: "p" + id.String(), Completed: true}}}}
				}
			case "staff key":
				e = func(o *onlooker) Event { return StaffKey{o.now, id} }
			case "phone":
				e = func(o *onlooker) Event { return PhoneRated{At: o.now, Visit: id, Subject: staff} }
			case "time":
				ms := rapid.Int64Range(1, 9000).Draw(t, "ms")
				one.pass(ms)
				other.pass(ms)
			case "press":
				// Each day has its own level. While reasons are asked for, each has its own keys, or none.
				explaining := one.m.state == Explaining
				turn := rating.Level(rapid.IntRange(0, 4).Draw(t, "corrects by"))
				for k, o := range []*onlooker{one, other} {
					level := rating.Level(rapid.IntRange(1, 5).Draw(t, "level"))
					if o.m.state == Correcting { // whether an answer is corrected shows in the end of the visit, as it always has
						level = (o.m.View().Chosen+turn)%5 + 1
					}
					if !explaining || k == 0 || rapid.Bool().Draw(t, "also") {
						o.do(Press{At: o.now, Level: level})
					}
				}
			}
			if e != nil {
				one.do(e(one))
				other.do(e(other))
			}
		}
		if !reflect.DeepEqual(one.seen, other.seen) {
			t.Fatalf("an onlooker can tell:\n%s", cmp.Diff(one.seen, other.seen))
		}
		explained += len(one.reasons) + len(other.reasons)
		if !slices.Equal(one.reasons, other.reasons) {
			differ++
		}
	})
	if explained == 0 || differ == 0 {
		t.Errorf("%d reasons, %d days that differ; the test proves nothing", explained, differ)
	}
}

// onlooker notes what somebody other than the citizen can see of a window: what it does, and what its PC is told, and when.
type onlooker struct {
	m       Model
	now     rating.Stamp
	seq     uint64
	seen    []sight
	reasons []string
}

type sight struct {
	At       int64
	State    State
	Problem  Problem
	Visit    rating.VisitID
	AskAgain bool
	Told     []Effect
}

func newOnlooker(w rating.Window) *onlooker {
	o := &onlooker{m: New(Timings{Wait: 20 * time.Second, Thanks: 3 * time.Second}, testReasons()), now: rating.Stamp{Boot: 1, Mono: 1000}}
	o.do(Started{At: o.now, Window: &w, Kinds: rating.Kinds()})
	return o
}

// pass lets time pass, and notices it each 50 ms, as a camera would.
func (o *onlooker) pass(ms int64) {
	for range (ms + 49) / 50 {
		o.now = o.now.Add(50 * time.Millisecond)
		o.do(Tick{o.now, rating.VisitID(o.now.Mono)})
	}
}

func (o *onlooker) do(e Event) {
	s := o.m.Step(e)
	m, effects := s.Model, s.Effects
	if s.Write != nil {
		for _, b := range s.Write.Bodies {
			if b.Reason != nil {
				o.reasons = append(o.reasons, b.Reason.Code)
			}
		}
		m, effects = s.Write.Done(o.now, o.seq+1, nil)
		o.seq += uint64(len(s.Write.Bodies))
	}
	o.m = m
	v := m.View()
	next := sight{At: o.now.Mono, State: v.State, Problem: v.Problem, Told: effects}
	if v.Visit != nil {
		next.Visit = v.Visit.ID
	}
	if n := len(o.seen); n > 0 && len(effects) == 0 {
		same := o.seen[n-1]
		same.At, same.Told = next.At, effects
		if reflect.DeepEqual(same, next) {
			return
		}
	}
	o.seen = append(o.seen, next)
}
