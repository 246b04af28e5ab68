package uplink

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWindowOverABadLine plays a log, a window and a centre that is reached over a line which loses, repeats and delays,
// and checks that nothing is released that the centre does not have, and that everything arrives once the line is good.
func TestWindowOverABadLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &game{w: newWindow(0, 0, 1<<12)}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) { g.log += uint64(rapid.IntRange(1, 50).Draw(t, "records")) },
			"send":   func(t *rapid.T) { g.send(t, uint64(rapid.IntRange(1, 20).Draw(t, "batch"))) },
			"deliver": func(t *rapid.T) {
				if len(g.batches) > 0 {
					g.deliver(rapid.IntRange(0, len(g.batches)-1).Draw(t, "which"))
				}
			},
			"lose": func(t *rapid.T) {
				if len(g.batches) > 0 {
					i := rapid.IntRange(0, len(g.batches)-1).Draw(t, "which")
					g.batches = append(g.batches[:i], g.batches[i+1:]...)
				}
			},
			"ack": func(t *rapid.T) {
				if len(g.acks) > 0 {
					g.ack(t, g.acks[rapid.IntRange(0, len(g.acks)-1).Draw(t, "which")])
				}
			},
			"forge":   func(t *rapid.T) { g.ack(t, rapid.Uint64().Draw(t, "through")) },
			"wait":    func(t *rapid.T) { g.now = g.now.Add(time.Duration(rapid.IntRange(1, 10).Draw(t, "s")) * time.Second) },
			"silence": func(*rapid.T) { g.w = g.w.onSilence() },
			"too large": func(*rapid.T) {
				if g.w.sent < g.log {
					g.w = g.w.skip()
				}
			},
			"answered behind it": func(*rapid.T) { g.w = g.w.onBeyond(g.now) },
			"reconnect": func(*rapid.T) {
				g.w = g.w.onConnected()
			},
			"restart": func(*rapid.T) { g.w = newWindow(g.w.released, g.log, 1<<12) },
			"":        func(t *rapid.T) { g.check(t) },
		})
		g.w = g.w.again() // nothing is too large any more
		for range 10_000 {
			if g.w.released == g.log {
				return
			}
			g.w = g.w.onSilence()
			g.send(t, 20)
			g.deliver(len(g.batches) - 1)
			g.ack(t, g.acks[len(g.acks)-1])
		}
		t.Fatalf("released through %d of %d on a good line", g.w.released, g.log)
	})
}

type batch struct{ first, last uint64 }

type game struct {
	w       window
	log     uint64          // last seq
	centre  map[uint64]bool // what it has
	through uint64          // without a gap
	now     time.Time
	batches []batch // on the line; they stay there, and so can come twice
	acks    []uint64
}

func (g *game) send(t *rapid.T, size uint64) {
	if !g.w.room() || g.w.sent >= g.log {
		return
	}
	b := batch{g.w.sent + 1, min(g.w.sent+size, g.log)}
	g.batches = append(g.batches, b)
	g.w = g.w.onSent(flight{b.first, b.last, b.first == b.last, int(b.last-b.first+1) * 100, g.now})
	if len(g.w.flights) > maxFlights {
		t.Fatalf("%d batches on their way", len(g.w.flights))
	}
}

func (g *game) deliver(i int) {
	if g.centre == nil {
		g.centre = make(map[uint64]bool)
	}
	for seq := g.batches[i].first; seq <= g.batches[i].last; seq++ {
		g.centre[seq] = true
	}
	for g.centre[g.through+1] {
		g.through++
	}
	g.acks = append(g.acks, g.through)
}

func (g *game) ack(t *rapid.T, through uint64) {
	if !g.w.accepts(through) {
		return
	}
	if through > g.w.highest {
		t.Fatalf("accepted through %d, sent was through %d", through, g.w.highest)
	}
	if through > g.through {
		return // a forged one: the signature refuses it, which is not the window's business
	}
	g.w = g.w.onAck(through, g.now)
}

func (g *game) check(t *rapid.T) {
	switch w := g.w; {
	case w.released > g.through:
		t.Fatalf("released through %d, the centre has through %d", w.released, g.through)
	case w.sent < w.released || w.highest < w.sent || w.highest > g.log:
		t.Fatalf("window %+v of a log of %d", w, g.log)
	case w.limit < minLimit || w.limit > 1<<12:
		t.Fatalf("limit %d", w.limit)
	}
	last := g.w.released
	for _, f := range g.w.flights {
		if f.last <= last {
			t.Fatalf("flights %v after %d", g.w.flights, last)
		}
		last = f.last
	}
}

// TestWindowFollowsTheLine sends a long backlog over lines of different widths and checks how long what is on its way keeps
// each line busy: longer than the silence of 10 s and the box would take the line for dead.
func TestWindowFollowsTheLine(t *testing.T) {
	for _, line := range []struct {
		rate     int // bytes in a second
		trip     time.Duration
		maxBusy  time.Duration
		minShare float64 // of the line's time that is used at least
		flights  int     // at once at most
	}{
		{1_000, 1200 * time.Millisecond, 9 * time.Second, 0.9, thinFlights},
		{10_000, 300 * time.Millisecond, 5 * time.Second, 0.9, wideFlights},
		{100_000, 100 * time.Millisecond, 5 * time.Second, 0.9, wideFlights},
		{300_000, 100 * time.Millisecond, 5 * time.Second, 0.9, wideFlights},
		{600_000, 100 * time.Millisecond, 5 * time.Second, 0.9, wideFlights},
		{1_000_000, 100 * time.Millisecond, 4 * time.Second, 0.9, wideFlights},
		{10_000_000, 20 * time.Millisecond, time.Second, 0.9, maxFlights},
	} {
		backlog := uint64(max(3_000_000, 10*line.rate)) // bytes, each a record
		w := newWindow(0, backlog, 1<<18)
		now := time.Unix(0, 0)
		free := now // when the line has carried all that was sent
		var busiest time.Duration
		most := 0
		for w.released < backlog {
			for w.room() && w.sent < backlog {
				n := min(w.limit, int(backlog-w.sent))
				if free.Before(now) {
					free = now
				}
				free = free.Add(time.Duration(n) * time.Second / time.Duration(line.rate))
				busiest = max(busiest, free.Sub(now))
				w = w.onSent(flight{w.sent + 1, w.sent + uint64(n), n == 1, n, now})
			}
			most = max(most, len(w.flights))
			// The acknowledgement of the first batch comes when the line has carried it, and there and back is over.
			rest := 0
			for _, f := range w.flights[1:] {
				rest += f.bytes
			}
			arrival := free.Add(-time.Duration(rest) * time.Second / time.Duration(line.rate)).Add(line.trip)
			if arrival.After(now) {
				now = arrival
			}
			w = w.onAck(w.flights[0].last, now)
		}
		share := float64(backlog) / float64(line.rate) / now.Sub(time.Unix(0, 0)).Seconds()
		t.Logf("%d bytes/s: %.0f s, at most %s queued, %.0f %% of the line", line.rate, now.Sub(time.Unix(0, 0)).Seconds(), busiest, 100*share)
		if most != line.flights {
			t.Errorf("%d bytes/s: %d batches were on their way at once, want %d", line.rate, most, line.flights)
		}
		if busiest > line.maxBusy || share < line.minShare {
			t.Errorf("%d bytes/s: %s queued, want at most %s; %.2f of the line used, want %.2f", line.rate, busiest, line.maxBusy, share,
				line.minShare)
		}
	}
}
