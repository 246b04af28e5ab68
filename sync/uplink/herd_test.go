//go:build !race

package uplink

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// herdBoxes is how many boxes a province has.
const herdBoxes = 50_000

// TestHerd lets the boxes of a province come back after an outage, by the Uplink's own back-off, and compares the tables in
// docs/herd.md with what comes out. Run it with -v to see them. It only computes: make test runs it without the race detector.
func TestHerd(t *testing.T) {
	if testing.Short() {
		t.Skip("simulates 50,000 boxes several times")
	}
	var b strings.Builder
	fmt.Fprintln(&b, "| outage | connections attempted in the worst second | handshakes in the worst second | half are back | 99 % | all |")
	fmt.Fprintln(&b, "| --- | --- | --- | --- | --- | --- |")
	for _, c := range []struct {
		name   string
		lasts  time.Duration
		silent bool
	}{
		{"broker restarts, 3 s", 3 * time.Second, false}, {"1 min", time.Minute, true}, {"1 h", time.Hour, true}, {"1 day", 24 * time.Hour, true},
	} {
		fmt.Fprintf(&b, "| %s | %s |\n", c.name, newHerd(t, c.lasts, c.silent).comeBack(0))
	}
	fmt.Fprintln(&b, "\n| handshakes the broker makes in a second | connections attempted in the worst second | handshakes in the worst "+
		"second | half are back | 99 % | all |")
	fmt.Fprintln(&b, "| --- | --- | --- | --- | --- | --- |")
	for _, rate := range []int{250, 500, 1000, 2000, 5000} {
		fmt.Fprintf(&b, "| %d | %s |\n", rate, newHerd(t, time.Hour, true).comeBack(rate))
	}
	t.Logf("\n%s", b.String())
	doc, err := os.ReadFile("../../docs/herd.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if !strings.Contains(string(doc), line) {
			t.Errorf("docs/herd.md lacks %q", line)
		}
	}
}

// syns is when a kernel asks for a connection again, counted from the first time. The dial ends after 10 s.
var syns = [...]time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second}

// try is one request for a connection.
type try struct {
	at, began time.Duration // since the end of the outage; began is when its dial did
	syn       int           // index in syns
	attempt   int
}

// herd is the tries that come next, soonest first.
type herd struct {
	u     *Uplink
	tries []try
}

func (h *herd) Len() int           { return len(h.tries) }
func (h *herd) Less(i, j int) bool { return h.tries[i].at < h.tries[j].at }
func (h *herd) Swap(i, j int)      { h.tries[i], h.tries[j] = h.tries[j], h.tries[i] }
func (h *herd) Push(x any)         { h.tries = append(h.tries, x.(try)) }
func (h *herd) Pop() any {
	last := h.tries[len(h.tries)-1]
	h.tries = h.tries[:len(h.tries)-1]
	return last
}

// newHerd returns the boxes at the end of an outage. A silent outage swallows packets, so that each dial takes its 10 s; the
// other refuses at once. Only the last ten minutes matter, since the wait has reached its bound by then.
func newHerd(t *testing.T, lasts time.Duration, silent bool) *herd {
	t.Helper()
	h := &herd{u: bench(t, newMemory(), newKeys(t), nil)}
	h.u.cfg.Random = rand.New(rand.NewPCG(1, 2)).Float64
	first := 0
	if lasts > 10*time.Minute {
		lasts, first = 10*time.Minute, 10
	}
	for range herdBoxes {
		at, attempt := -lasts, first
		if first > 0 {
			at += time.Duration(h.u.cfg.Random() * float64(time.Minute)) // where it stands in its round after so long
		}
		for at += h.u.backoff(attempt); ; at += h.u.backoff(attempt) {
			attempt++
			dial := time.Duration(0)
			if silent {
				dial = h.u.cfg.Connect
			}
			if at+dial >= 0 {
				break
			}
			at += dial
		}
		next := try{at: at, began: at, attempt: attempt}
		for next.at < 0 && next.syn+1 < len(syns) {
			next.syn++
			next.at = at + syns[next.syn]
		}
		if next.at < 0 { // the kernel asked for the last time just before the end
			next = h.again(next)
		}
		h.tries = append(h.tries, next)
	}
	heap.Init(h)
	return h
}

// again returns the first try of the dial after the one of a try that failed.
func (h *herd) again(failed try) try {
	at := failed.began + h.u.cfg.Connect + h.u.backoff(failed.attempt)
	return try{at: at, began: at, attempt: failed.attempt + 1}
}

// backlog is how many connections a broker's kernel holds that the broker has not taken yet; a request beyond that is
// dropped, and repeated by the box's kernel.
const backlog = 1024

// comeBack plays the return to a broker that makes rate handshakes in a second, 0 for any number, and returns a table's row.
func (h *herd) comeBack(rate int) string {
	var asked, made []int
	var back []time.Duration
	count := func(n *[]int, at time.Duration) {
		second := int(at / time.Second)
		for len(*n) <= second {
			*n = append(*n, 0)
		}
		(*n)[second]++
	}
	free := time.Duration(0) // when the broker has made all handshakes that it was asked for
	for h.Len() > 0 {
		next := heap.Pop(h).(try)
		count(&asked, next.at)
		done := next.at
		if rate > 0 {
			step := time.Second / time.Duration(rate)
			if free-next.at > backlog*step {
				if next.syn++; next.syn < len(syns) {
					next.at = next.began + syns[next.syn]
				} else {
					next = h.again(next)
				}
				heap.Push(h, next)
				continue
			}
			free = max(free, next.at) + step
			done = free
		}
		count(&made, done)
		back = append(back, done)
	}
	slices.Sort(back)
	s := func(share float64) string {
		return fmt.Sprintf("%.0f s", back[int(share*float64(len(back)-1))].Seconds())
	}
	return fmt.Sprintf("%d | %d | %s | %s | %s", slices.Max(asked), slices.Max(made), s(0.5), s(0.99), s(1))
}
