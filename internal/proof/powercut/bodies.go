package powercut

import (
	"fmt"
	"math/rand/v2"
	"time"

	"haochaping/internal/rating"
)

// bodies makes what windows write, no two alike.
type bodies struct {
	run    uint64
	n      uint64
	random *rand.Rand
}

// stockBodies and stockCases make up some 1.2 MB, which a compaction can win back.
const (
	stockBodies = 50
	stockCases  = 150
)

func (b *bodies) stamp() rating.Stamp {
	mono := int64(b.run<<24 + b.n)
	return rating.Stamp{Boot: 1, Mono: mono, Wall: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC).UnixMilli() + mono, Synced: true}
}

// some returns n bodies: mostly presses and outcomes, some visits, of which a few have ten kilobytes.
func (b *bodies) some(n int) []rating.Body {
	all := make([]rating.Body, n)
	for i := range all {
		switch n := b.random.IntN(20); {
		case n < 8:
			all[i] = b.press()
		case n < 13:
			all[i] = b.outcome()
		case n < 19:
			all[i] = b.visit(1 + b.random.IntN(4))
		default:
			all[i] = b.visit(60)
		}
	}
	return all
}

func (b *bodies) stock() []rating.Body {
	all := make([]rating.Body, stockBodies)
	for i := range all {
		all[i] = b.visit(stockCases)
	}
	return all
}

func (b *bodies) presses(n int) []rating.Body {
	all := make([]rating.Body, n)
	for i := range all {
		all[i] = b.press()
	}
	return all
}

func (b *bodies) id() rating.VisitID { return rating.VisitID(b.run<<32 + b.n) }

func (b *bodies) press() rating.Body {
	b.n++
	return rating.EvaluationBody(b.stamp(), rating.Evaluation{Visit: b.id(), Subject: rating.StaffSubject,
		Level: rating.Level(1 + b.random.IntN(5)), Channel: rating.Keypad, WaitedMS: b.random.Int64N(10_000)})
}

func (b *bodies) outcome() rating.Body {
	b.n++
	return rating.OutcomeBody(b.stamp(), rating.Closing{Visit: b.id(), Outcome: rating.Rated, Rated: []rating.Subject{rating.StaffSubject}})
}

func (b *bodies) visit(cases int) rating.Body {
	b.n++
	v := rating.Visit{ID: b.id(), Window: rating.Window{ID: "A12", Name: "综合受理12号窗口", Hall: "市民中心政务服务大厅", Generation: 3},
		Staff: rating.Staff{ID: "0417", Name: "王芳"}, Grouping: rating.Single,
		Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject},
		Opener:   rating.OpenedByPC, WaitSec: 60}
	for i := range cases {
		v.Cases = append(v.Cases, rating.Case{ProjectNo: fmt.Sprintf("62010220261123%06d", b.n*200+uint64(i)),
			TaskCode: "11620102MB0417001X", TaskName: "居民身份证换领", Completed: true})
	}
	return rating.VisitBody(b.stamp(), v)
}
