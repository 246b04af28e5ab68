package terminal

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

// TestLaws plays random days at a window with a store that fails now and then, and checks the laws after each event.
func TestLaws(t *testing.T) {
	explained := 0
	defer func() {
		if explained == 0 && !t.Failed() {
			t.Error("no answer was ever explained; the test proves nothing of it")
		}
	}()
	rapid.Check(t, func(t *rapid.T) {
		p := &play{t: t, m: New(Timings{Wait: 10 * time.Second, Thanks: 3 * time.Second}, testReasons()),
			now: rating.Stamp{Boot: 1, Mono: 10_000}}
		w := window
		w.SignIn = rapid.Bool().Draw(t, "sign in")
		if rapid.Bool().Draw(t, "walk up") {
			w.WalkUp = &rating.WalkUp{PauseSec: 5, LinkSec: 60}
		}
		p.do(Started{At: p.now, Window: &w, Kinds: rating.Kinds()})
		t.Repeat(map[string]func(*rapid.T){
			"open": func(t *rapid.T) {
				p.visits++
				v := rating.Visit{ID: rating.VisitID(p.visits), Grouping: rating.Theme, Opener: rating.OpenedByPC,
					Subjects: rapid.SampledFrom([][]rating.Subject{{staff}, {matter}, {matter, staff}}).Draw(t, "subjects"),
					Separate: rapid.Bool().Draw(t, "separate")}
				for _, c := range rapid.SliceOfNDistinct(rapid.IntRange(0, 9), 1, 3, rapid.ID).Draw(t, "cases") {
					v.Cases = append(v.Cases, rating.Case{ProjectNo: fmt.Sprint("p", c), TaskCode: fmt.Sprint("t", c), Completed: true})
				}
				p.do(OpenVisit{p.now, v})
			},
			"press": func(t *rapid.T) {
				at := p.now.Add(-time.Duration(rapid.IntRange(0, 200).Draw(t, "ms ago")) * time.Millisecond)
				level := rapid.SampledFrom([]rating.Level{1, 2, 3, 4, 5}).Draw(t, "level")
				p.presses = append(p.presses, level)
				p.do(Press{At: at, Level: level})
			},
			"explain": func(t *rapid.T) { // a visit whose citizen presses again when the thanks are over
				p.visits++
				p.do(StaffKey{p.now, rating.VisitID(p.visits)})
				for range 2 {
					p.now = p.now.Add(300 * time.Millisecond)
					level := rapid.SampledFrom([]rating.Level{1, 2, 3, 4, 5}).Draw(t, "level")
					p.presses = append(p.presses, level)
					p.do(Press{At: p.now, Level: level})
					p.now = p.now.Add(3 * time.Second)
					p.do(Tick{At: p.now})
				}
			},
			"together": func(*rapid.T) { p.do(KeysTogether{p.now}) },
			"phone": func(t *rapid.T) {
				e := PhoneRated{At: p.now, Visit: rating.VisitID(p.visits), Subject: rapid.SampledFrom([]rating.Subject{staff, matter}).
					Draw(t, "subject")}
				if v := p.m.View().Visit; v != nil {
					e.Visit = v.ID // also that of a walk-up
				}
				if e.Subject == matter {
					e.Case = rapid.SampledFrom([]string{"", "p1", "p2"}).Draw(t, "case")
				}
				p.do(e)
			},
			"phone later": func(t *rapid.T) {
				if n := len(p.m.passed); n > 0 {
					p.do(PhoneRated{At: p.now, Visit: p.m.passed[rapid.IntRange(0, n-1).Draw(t, "which")].visit.ID, Subject: staff})
				}
			},
			"staff key": func(*rapid.T) { p.visits++; p.do(StaffKey{p.now, rating.VisitID(p.visits)}) },
			"sign in": func(t *rapid.T) {
				p.do(SignIn{p.now, rating.Staff{ID: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "who")}, "api"})
			},
			"kinds": func(t *rapid.T) {
				p.do(KindsKnown{p.now, rating.Kinds()[:rapid.SampledFrom([]int{0, 5, 6, 6}).Draw(t, "kinds")]})
			},
			"sign out": func(*rapid.T) { p.do(SignOut{p.now, "api"}) },
			"cancel":   func(*rapid.T) { p.do(CancelVisit{p.now, rating.VisitID(p.visits)}) },
			"pause":    func(*rapid.T) { p.do(Pause{p.now}) },
			"resume":   func(*rapid.T) { p.do(Resume{p.now}) },
			"barred":   func(t *rapid.T) { p.do(Barred{p.now, rapid.IntRange(0, 3).Draw(t, "yes") == 0}) },
			"configured": func(*rapid.T) {
				w := *p.m.window
				w.Generation++
				p.do(Configured{At: p.now, Window: w})
			},
			"keypad": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "lost") {
					p.do(KeypadLost{p.now, "gone"})
				} else {
					p.do(KeypadBack{p.now})
				}
			},
			"store": func(t *rapid.T) {
				p.err = nil
				if rapid.Bool().Draw(t, "fails") {
					p.err = errors.New("disk full")
				}
			},
			"time": func(t *rapid.T) {
				ms := rapid.OneOf(rapid.IntRange(1, 12000), rapid.IntRange(1, 250)).Draw(t, "ms")
				p.now = p.now.Add(time.Duration(ms) * time.Millisecond)
				p.visits++
				p.do(Tick{p.now, rating.VisitID(p.visits)})
			},
			"clock step": func(t *rapid.T) { p.now.Wall = rapid.Int64Range(-1e12, 4e12).Draw(t, "wall") },
			"":           func(*rapid.T) { p.check() },
		})
		p.err = nil
		p.do(Stopping{p.now})
		p.check()
		explained += p.checkEnd()
	})
}

type play struct {
	t       *rapid.T
	m       Model
	now     rating.Stamp
	err     error
	log     []rating.Body
	visits  uint64
	opened  []rating.VisitID
	ended   map[rating.VisitID]int
	presses []rating.Level
}

func (p *play) do(e Event) {
	before := p.m.View()
	s := p.m.Step(e)
	if after := p.m.View(); !reflect.DeepEqual(before, after) {
		p.t.Fatalf("%T changed the Model that it was applied to", e)
	}
	if again := p.m.Step(e); !reflect.DeepEqual(s.Model.View(), again.Model.View()) || (s.Write == nil) != (again.Write == nil) ||
		s.Write != nil && !reflect.DeepEqual(s.Write.Bodies, again.Write.Bodies) {
		p.t.Fatalf("%T: the same event on the same Model gave two results", e)
	}
	if press, ok := e.(Press); ok && s.Write != nil && s.Write.press && p.m.visit != nil && p.m.visit.answer.seq == 0 &&
		press.At.Sub(p.m.visit.since) < readingTime {
		p.t.Fatalf("a press %v after the question is an answer", press.At.Sub(p.m.visit.since))
	}
	m, effects := s.Model, s.Effects
	if s.Write != nil {
		first := uint64(len(p.log)) + 1
		if p.err == nil {
			p.log = append(p.log, s.Write.Bodies...)
		}
		m, effects = s.Write.Done(p.now, first, p.err)
	}
	p.m = m
	if p.ended == nil {
		p.ended = make(map[rating.VisitID]int)
	}
	for _, e := range effects {
		switch e := e.(type) {
		case Opened:
			p.opened = append(p.opened, e.Visit.ID)
		case Ended:
			p.ended[e.Closing.Visit]++
		}
	}
}

// check holds what must be true at every moment.
func (p *play) check() {
	v := p.m.View()
	if v.State == Correcting && v.Chosen != 0 {
		last := p.answer(v.Visit.ID, rating.Question{Subject: v.Subject, Case: v.Case})
		if last == nil || last.Level != v.Chosen {
			p.t.Fatalf("thanks for level %d, the log says %+v", v.Chosen, last)
		}
	}
	if p.m.barred && (v.State != Enrolling || v.Visit != nil || v.Ended != nil) {
		p.t.Fatalf("a box that is not let in is %s with visit %v", v.State, v.Visit)
	}
	if v.State == Closed && p.m.serving() != (rating.Staff{}) {
		p.t.Fatalf("the window is closed while %v serves", p.m.serving())
	}
	if (v.State == Explaining) != (v.Ended != nil) || v.Ended != nil && p.ended[v.Ended.ID] != 1 {
		p.t.Fatalf("state %s asks for the reasons of %v", v.State, v.Ended)
	}
	if (v.State == Idle || v.State == Closed || v.State == Paused || v.State == Explaining) && v.Visit != nil ||
		(v.State == Asking || v.State == Correcting) && v.Visit == nil {
		p.t.Fatalf("state %s with visit %v", v.State, v.Visit)
	}
	if len(p.m.owed) > maxOwed {
		p.t.Fatalf("%d bodies are remembered", len(p.m.owed))
	}
	if due, ok := p.m.Deadline(); v.Visit != nil && (!ok || due.Sub(p.now) > time.Duration(v.Visit.WaitSec)*time.Second) {
		p.t.Fatalf("the visit waits until %v, now is %v", due, p.now)
	}
}

// answer returns the evaluation that holds for a question of a visit, nil if none does.
func (p *play) answer(id rating.VisitID, q rating.Question) *rating.Evaluation {
	var last *rating.Evaluation
	for _, b := range p.log {
		if e := b.Evaluation; e != nil && e.Visit == id && e.Question() == q {
			last = e
		}
	}
	return last
}

// checkEnd holds what must be true of the whole log once the store works and the program has stopped. It returns how many
// answers are explained.
func (p *play) checkEnd() (explanations int) {
	type question struct {
		visit rating.VisitID
		rating.Question
	}
	open := make(map[rating.VisitID]bool)
	keyed := make(map[rating.VisitID]bool)
	closed := make(map[rating.VisitID]bool)
	holds := make(map[question]uint64)
	explained := make(map[uint64]bool)
	presses := slices.Clone(p.presses)
	for i, b := range p.log {
		seq := uint64(i) + 1
		if err := b.Check(); err != nil {
			p.t.Fatalf("record %d: %v", seq, err)
		}
		switch b.Kind {
		case rating.KindVisit:
			if open[b.Visit.ID] || closed[b.Visit.ID] {
				p.t.Fatalf("visit %s was opened twice", b.Visit.ID)
			}
			open[b.Visit.ID] = true
		case rating.KindOutcome:
			if !open[b.Outcome.Visit] {
				p.t.Fatalf("record %d closes visit %s, which is not open", seq, b.Outcome.Visit)
			}
			delete(open, b.Outcome.Visit)
			closed[b.Outcome.Visit] = true
			if b.Outcome.Outcome == rating.Rated && !keyed[b.Outcome.Visit] || b.Outcome.Outcome == rating.RatedByPhone && keyed[b.Outcome.Visit] {
				p.t.Fatalf("visit %s ended as %s; a key was pressed: %t", b.Outcome.Visit, b.Outcome.Outcome, keyed[b.Outcome.Visit])
			}
		case rating.KindReason:
			r := b.Reason
			q := question{r.Visit, r.Question()}
			if holds[q] != r.Of || !closed[r.Visit] || explained[r.Of] {
				p.t.Fatalf("record %d explains %d of visit %s (closed %t, explained %t), yet %d holds",
					seq, r.Of, r.Visit, closed[r.Visit], explained[r.Of], holds[q])
			}
			if c, ok := testReasons().Catalogue.Find(r.Code); !ok || c.Level != p.log[r.Of-1].Evaluation.Level || c.Key == 0 {
				p.t.Fatalf("record %d explains level %d by %+v", seq, p.log[r.Of-1].Evaluation.Level, c)
			}
			explained[r.Of] = true
		case rating.KindEvaluation:
			q := question{b.Evaluation.Visit, b.Evaluation.Question()}
			keyed[q.visit] = true
			if !open[q.visit] {
				p.t.Fatalf("record %d evaluates visit %s, which is not open", seq, q.visit)
			}
			if b.Evaluation.Replaces != holds[q] {
				p.t.Fatalf("record %d replaces %d, yet %d holds", seq, b.Evaluation.Replaces, holds[q])
			}
			holds[q] = seq
			k := slices.Index(presses, b.Evaluation.Level)
			if k < 0 {
				p.t.Fatalf("record %d has level %d, which nobody pressed", seq, b.Evaluation.Level)
			}
			presses = slices.Delete(presses, k, k+1)
		}
	}
	if len(open) > 0 {
		p.t.Fatalf("visits %v have no outcome", open)
	}
	for _, id := range p.opened {
		if !closed[id] || p.ended[id] != 1 {
			p.t.Fatalf("visit %s: in the log %t, told %d times", id, closed[id], p.ended[id])
		}
	}
	return len(explained)
}
