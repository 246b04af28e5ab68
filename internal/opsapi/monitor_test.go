package opsapi

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"haochaping/internal/condition"
)

// bench is a Monitor of one part, in the time of a synctest bubble, where the machine started at its begin.
func bench(look func(context.Context) condition.Finding) (*Monitor, func() time.Time) {
	begin := time.Now()
	m := NewMonitor(Clocks{Mono: func() time.Duration { return time.Since(begin) }, Wall: time.Now},
		Watched{Name: "store", Vital: true, Look: look}, Watched{Name: "link",
			Look: func(context.Context) condition.Finding { return condition.Of("link.unreached", "") }})
	return m, time.Now
}

var well, ill = condition.Well("好", "well"), condition.Finding{Code: "store.broken", Level: condition.Ill,
	What: condition.Text{ZH: "坏", EN: "ill"}}

func TestMonitorRemembersSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sick atomic.Bool
		m, now := bench(func(context.Context) condition.Finding {
			if sick.Load() {
				return ill
			}
			return well
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		time.Sleep(time.Minute)
		h := m.Health(ctx)
		if !h.OK || !h.Parts[0].OK || now().Sub(h.Parts[0].Since) != time.Minute {
			t.Errorf("a box whose centre alone is away is %+v", h)
		}
		if f := m.LastFault(); f != nil {
			t.Errorf("being offline is a fault: %+v", f)
		}
		sick.Store(true)
		m.Wake()
		synctest.Wait()
		failed := now()
		time.Sleep(time.Hour + time.Second) // not at the moment of one of Run's looks
		if h = m.Health(ctx); h.OK || h.Parts[0].OK || !h.Parts[0].Since.Equal(failed) || h.Parts[0].What.EN != "ill" {
			t.Errorf("an hour after the store failed: %+v", h)
		}
		if f := m.LastFault(); f == nil || f.Part != "store" || !f.Since.Equal(failed) || f.Until != nil {
			t.Errorf("the fault is %+v", f)
		}
		sick.Store(false)
		time.Sleep(lookPause)
		synctest.Wait()
		if h, f := m.Health(ctx), m.LastFault(); !h.OK || f.Until == nil || f.Until.Sub(f.Since) != time.Hour+lookPause {
			t.Errorf("after it works again: %+v, %+v", h, f)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A part that hangs is reported within the limit, is looked at by one goroutine however many ask, and is well again when it
// goes on.
func TestMonitorDoesNotHangWithItsParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int32
		release := make(chan struct{})
		m, now := bench(func(context.Context) condition.Finding {
			looks.Add(1)
			<-release
			return well
		})
		begun := now()
		for range 3 {
			asked := now()
			h := m.Health(t.Context())
			if took := now().Sub(asked); took > lookLimit {
				t.Errorf("an answer took %s", took)
			}
			if h.OK || h.Parts[0].OK || !h.Parts[0].Since.Equal(begun) {
				t.Errorf("a store that hangs is %+v", h)
			}
			time.Sleep(time.Second)
		}
		if n := looks.Load(); n != 1 {
			t.Errorf("%d goroutines hang in the store", n)
		}
		close(release)
		synctest.Wait()
		if h := m.Health(t.Context()); !h.OK || looks.Load() != 2 {
			t.Errorf("after it goes on: %+v, %d looks", h, looks.Load())
		}
	})
}

// The box's clock starts in 1970. When it is set, what was told of earlier moments is right as well.
func TestMonitorFollowsTheClock(t *testing.T) {
	mono, wall := time.Duration(0), time.Unix(0, 0)
	m := NewMonitor(Clocks{Mono: func() time.Duration { return mono }, Wall: func() time.Time { return wall.Add(mono) }},
		Watched{Name: "keys", Look: func(context.Context) condition.Finding { return ill }})
	m.Health(t.Context())
	mono, wall = time.Hour, time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	if since := m.Health(t.Context()).Parts[0].Since; !since.Equal(wall) {
		t.Errorf("since %s, want %s", since, wall)
	}
}

// TestMonitorContainsAPanic has a part that cannot be looked at.
func TestMonitorContainsAPanic(t *testing.T) {
	m := NewMonitor(Clocks{Mono: func() time.Duration { return 0 }, Wall: time.Now})
	m.Add(Watched{Name: "lamps", Look: func(context.Context) condition.Finding { panic("no lamp") }})
	if h := m.Health(t.Context()); len(h.Parts) != 1 || h.Parts[0].OK || !strings.Contains(h.Parts[0].What.EN, "no lamp") {
		t.Errorf("the parts are %+v, want the panic", h.Parts)
	}
}
