package uplink

import (
	"testing"

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
			"silence": func(*rapid.T) { g.w = g.w.onSilence() },
			"reconnect": func(*rapid.T) {
				g.w = g.w.onConnected()
			},
			"restart": func(*rapid.T) { g.w = newWindow(g.w.released, g.log, 1<<12) },
			"":        func(t *rapid.T) { g.check(t) },
		})
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
	batches []batch         // on the line; they stay there, and so can come twice
	acks    []uint64
}

func (g *game) send(t *rapid.T, size uint64) {
	if !g.w.room() || g.w.sent >= g.log {
		return
	}
	b := batch{g.w.sent + 1, min(g.w.sent+size, g.log)}
	g.batches = append(g.batches, b)
	g.w = g.w.onSent(b.last)
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
	g.w = g.w.onAck(through)
}

func (g *game) check(t *rapid.T) {
	switch w := g.w; {
	case w.released > g.through:
		t.Fatalf("released through %d, the centre has through %d", w.released, g.through)
	case w.sent < w.released || w.highest < w.sent || w.highest > g.log:
		t.Fatalf("window %+v of a log of %d", w, g.log)
	case w.limit < minLimit/4 || w.limit > 1<<12:
		t.Fatalf("limit %d", w.limit)
	}
	last := g.w.released
	for _, f := range g.w.flights {
		if f <= last {
			t.Fatalf("flights %v after %d", g.w.flights, last)
		}
		last = f
	}
}
