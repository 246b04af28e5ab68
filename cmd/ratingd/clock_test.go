package main

import (
	"testing"
	"time"

	"haochaping/internal/rating"
)

// TestClockWasSet looks at a clock twice, ten seconds apart.
func TestClockWasSet(t *testing.T) {
	const noon = 1_790_000_000_000
	before := rating.Stamp{Boot: 1, Mono: 50_000, Wall: noon}
	for name, c := range map[string]struct {
		wall        int64
		was, synced bool
		want        bool
		jump        time.Duration
	}{
		"goes on":               {wall: noon + 10_000},
		"goes on, set":          {wall: noon + 10_000, was: true, synced: true},
		"slews":                 {wall: noon + 10_400, was: true, synced: true},
		"becomes right":         {wall: noon + 10_000, synced: true, want: true},
		"set from 1970":         {wall: noon + 1e12, synced: true, want: true, jump: 1e12*time.Millisecond - 10*time.Second},
		"steps back":            {wall: noon - 3_590_000, was: true, synced: true, want: true, jump: -time.Hour},
		"steps, and nobody set": {wall: noon + 3_610_000, want: true, jump: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			last := before
			last.Synced = c.was
			e, got := clockWasSet(last, rating.Stamp{Boot: 1, Mono: 60_000, Wall: c.wall, Synced: c.synced})
			if jump := e.At.Time().Sub(e.Before.Time()); got != c.want || c.want && c.jump != 0 && jump != c.jump {
				t.Errorf("told %t, a jump of %s; want %t, %s", got, jump, c.want, c.jump)
			}
		})
	}
}
