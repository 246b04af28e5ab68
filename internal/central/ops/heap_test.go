package ops

import (
	"context"
	"math"
	"runtime/debug"
	"testing"
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
	for live, want := range map[uint64]int64{0: 76 << 20, 40 << 20: 76 << 20, 100 << 20: 160<<20 + 76<<20/8, 1 << 30: 8<<30/5 + 76<<20/8} {
		if got := room(live); got < want-1 || got > want+1 {
			t.Errorf("%d bytes: %d, want %d", live, got, want)
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
