package terminal

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

// bench is a Model on a bench: a clock that is moved by hand and a log in memory that can fail.
type bench struct {
	t     *testing.T
	m     Model
	now   rating.Stamp
	log   []rating.Body // seq is the index plus one
	err   error         // what the log answers
	ended []rating.Closing
	last  []Effect
}

var window = rating.Window{ID: "w1", Name: "综合受理1号窗口", Hall: "市民中心", Generation: 1}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, m: New(Timings{Wait: 60 * time.Second, Thanks: 3 * time.Second}, Reasons{}),
		now: rating.Stamp{Boot: 1, Mono: 1000, Wall: 1_700_000_000_000}}
	b.do(Started{At: b.now, Window: &window, Version: "test"})
	return b
}

func (b *bench) do(e Event) {
	b.t.Helper()
	s := b.m.Step(e)
	b.m, b.last = s.Model, s.Effects
	if s.Write != nil {
		first := uint64(len(b.log)) + 1
		if b.err == nil {
			for _, body := range s.Write.Bodies {
				if err := body.Check(); err != nil {
					b.t.Fatalf("step %T wrote a body that the log refuses: %v", e, err)
				}
			}
			b.log = append(b.log, s.Write.Bodies...)
		}
		b.m, b.last = s.Write.Done(b.now, first, b.err)
	}
	for _, e := range b.last {
		if e, ok := e.(Ended); ok {
			b.ended = append(b.ended, e.Closing)
		}
	}
}

func (b *bench) after(d time.Duration) { b.now = b.now.Add(d) }

func (b *bench) open(id rating.VisitID, subjects ...rating.Subject) {
	b.t.Helper()
	b.do(OpenVisit{b.now, rating.Visit{ID: id, Grouping: rating.Single, Subjects: subjects, Opener: rating.OpenedByPC,
		Cases: []rating.Case{{ProjectNo: "p" + id.String(), Completed: true}}}})
}

func (b *bench) press(l rating.Level) {
	b.t.Helper()
	b.after(time.Second)
	b.do(Press{At: b.now, Level: l})
}

// answers lists the evaluations of the log as subject, level and what they replace.
func (b *bench) answers() []string {
	var all []string
	for i, body := range b.log {
		if e := body.Evaluation; e != nil {
			s := string(e.Subject) + " " + e.Level.Chinese()
			if e.Replaces != 0 {
				s += " for " + b.log[e.Replaces-1].Evaluation.Level.Chinese()
			}
			all = append(all, s)
			_ = i
		}
	}
	return all
}

func (b *bench) wantState(s State) {
	b.t.Helper()
	if b.m.state != s {
		b.t.Fatalf("state %s, want %s", b.m.state, s)
	}
}

func (b *bench) wantAnswers(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.answers()); diff != "" {
		b.t.Fatalf("evaluations in the log (-want +got):\n%s", diff)
	}
}

func (b *bench) wantEnded(want ...rating.Closing) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.ended); diff != "" {
		b.t.Fatalf("endings (-want +got):\n%s", diff)
	}
}

const staff, matter = rating.StaffSubject, rating.MatterSubject
