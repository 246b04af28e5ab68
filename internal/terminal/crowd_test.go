package terminal

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"haochaping/internal/rating"
)

// slowLog is a Log whose every append takes as long as a slow card's.
type slowLog struct {
	memory
	took time.Duration
}

func (l *slowLog) Append(bodies ...rating.Body) (uint64, error) {
	time.Sleep(l.took)
	return l.memory.Append(bodies...)
}

// TestPressGoesBeforeTheCrowd lets the PC want forty things at once on a slow card, and a citizen press a key: the press waits
// for the commit under way and no other, and none of what the PC wanted is lost.
func TestPressGoesBeforeTheCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const crowd, commit = 40, 50 * time.Millisecond
		l, log, stop := runningOn(t, &slowLog{took: commit})
		if _, err := l.OpenVisit(t.Context(), visit()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		errs := make(chan error, crowd)
		for range crowd {
			go func() { errs <- l.Printed(t.Context(), 1) }()
		}
		synctest.Wait()
		pressed := l.cfg.Now()
		l.Post(Press{At: pressed, Level: 5})
		for l.shown().State != Correcting {
			time.Sleep(time.Millisecond)
			if waited := l.cfg.Now().Sub(pressed); waited > 2*commit+5*time.Millisecond {
				t.Errorf("the thanks have not come after %s", waited)
				break
			}
		}
		for range crowd {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		prints := 0
		for _, b := range log.all() {
			if b.Event != nil && b.Event.Name == rating.EventPrinted {
				prints++
			}
		}
		if prints != crowd || !slices.Equal(log.evaluations(), []rating.Level{5}) {
			t.Errorf("%d prints of %d, evaluations %v", prints, crowd, log.evaluations())
		}
		stop()
	})
}
