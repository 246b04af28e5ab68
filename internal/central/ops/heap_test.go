package ops

import (
	"context"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"
)

func TestASmallHeapGrowsToTheFloor(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 4100, 1 << 20: 4100, 12 << 20: 250, 21 << 20: 100, 27 << 20: 60, 31 << 20: 60, 1 << 30: 60,
	} {
		if got := growth(live); got != want {
			t.Errorf("%d bytes: %d %%, want %d", live, got, want)
		}
	}
}

func TestRoomGrowsWithWhatIsInUse(t *testing.T) {
	const mb, rest = 1 << 20, 76 << 20 / 8
	for _, x := range []struct {
		live, stacks uint64
		want         int64
	}{
		{0, 0, 76 * mb}, {40 * mb, 2 * mb, 76 * mb}, {100 * mb, 0, 160*mb + rest}, {1 << 30, 0, 8<<30/5 + rest},
		{2 * mb, 96 * mb, 138*mb + rest}, {100 * mb, 120 * mb, 280*mb + rest},
	} {
		if got := room(x.live, x.stacks); got < x.want-1 || got > x.want+1 {
			t.Errorf("%d bytes and stacks of %d: %d, want %d", x.live, x.stacks, got, x.want)
		}
	}
}

func TestTheHeapIsLeftAsGoHasIt(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := KeepHeap(ctx); err != nil {
		t.Fatal(err)
	}
	if limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100); limit != math.MaxInt64 || percent != 100 {
		t.Errorf("the limit is %d, and the heap grows by %d %%", limit, percent)
	}
}

// What waits for many boxes lies in stacks, which no collection frees: room is kept beside them, else garbage is collected all the time.
func TestStacksDoNotMakeGarbageBeCollectedAllTheTime(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	release := make(chan struct{})
	var waiting sync.WaitGroup
	deep := func() {
		var frame [12 << 10]byte
		waiting.Done()
		<-release
		runtime.KeepAlive(&frame)
	}
	for range 6000 { // 6,000 of 16 or 32 kB
		waiting.Add(1)
		go deep()
	}
	waiting.Wait()
	go func() { ended <- KeepHeap(ctx) }()
	for range 20 { // until the first look is over
		runtime.Gosched()
		time.Sleep(5 * time.Millisecond)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const each, parts = 64 << 10, 8 << 10 // 512 MB
	var kept []byte
	for range parts {
		kept = make([]byte, each)
	}
	runtime.KeepAlive(kept)
	runtime.ReadMemStats(&after)
	close(release)
	end()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if n := after.NumGC - before.NumGC; n > 40 {
		t.Errorf("512 MB were collected in %d rounds, with %d MB of stacks", n, before.StackInuse>>20)
	}
}
