package terminal

import (
	"testing"
	"time"

	"haochaping/internal/rating"
)

// TestAConfigurationSetsTheManner: how the box asks follows its configuration, within its bounds, and stays where that says nothing.
func TestAConfigurationSetsTheManner(t *testing.T) {
	b := newExplainingBench(t, func(*rating.Window) {})
	w := *b.m.window
	own := b.m.catalogue()
	other := own
	other.Version = 9
	manner := Manner{Timings: Timings{Wait: 40 * time.Second, Bounds: rating.WaitRule{Sec: 40, Least: 30, Most: 90}, Thanks: 2 * time.Second},
		Reasons: Reasons{Catalogue: other, Order: b.m.reasons.Order, Time: 5 * time.Second},
		Texts:   rating.ScreenTexts{Thanks: rating.Words{ZH: "谢谢您"}}}
	w.Generation++
	b.do(Configured{At: b.now, Window: w, Manner: &manner})
	if got := b.m.View().Texts; got != manner.Texts {
		t.Errorf("the screen says %+v", got)
	}
	b.open(7, staff)
	if got := b.m.visit.visit.WaitSec; got != 40 {
		t.Errorf("a visit waits %d s, want 40", got)
	}
	b.press(2)
	b.tick(1900 * time.Millisecond)
	b.wantState(Correcting)
	b.tick(200 * time.Millisecond)
	b.wantState(Explaining)
	if got := b.m.catalogue().Version; got != 9 {
		t.Errorf("the reasons are of catalogue %d, want 9", got)
	}
	b.tick(5 * time.Second)
	b.wantState(Idle)
	for i, wait := range map[rating.VisitID]int{8: 10, 9: 600, 10: 50} {
		b.do(OpenVisit{b.now, rating.Visit{ID: i, Subjects: []rating.Subject{staff}, Grouping: rating.Single,
			Cases: []rating.Case{{ProjectNo: "p" + i.String(), Completed: true}}, Opener: rating.OpenedByPC, WaitSec: wait}})
		if got, want := b.m.visit.visit.WaitSec, min(max(wait, 30), 90); got != want {
			t.Errorf("a visit for which the PC wants %d s waits %d s, want %d", wait, got, want)
		}
		b.do(CancelVisit{b.now, i})
	}
	w.Generation++
	b.do(Configured{At: b.now, Window: w})
	if got := b.m.View().Texts; got != manner.Texts || b.m.timings != manner.Timings {
		t.Errorf("a configuration that says nothing has changed it to %+v, %+v", got, b.m.timings)
	}
}
