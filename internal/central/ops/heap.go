package ops

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// heapGrowth is by how many percent a large heap grows until garbage is collected. Go's 100 would take half as much memory again.
	heapGrowth = 60
	// heapFloor is up to how many bytes a small one grows: at 5,000 visits a second one of 21 MB would be looked through a hundred times a
	// second else.
	heapFloor = 42 << 20
	// heapRoom is how much the program takes of the machine's memory, besides its file, before Go gives back what it does not use and
	// collects sooner. It grows with what is in use.
	heapRoom = 76 << 20
	// heapLook is how often it is looked how large it is.
	heapLook = time.Second
)

// growth returns by how many percent a heap may grow of which so many bytes are in use.
func growth(live uint64) int {
	if live >= heapFloor*100/(100+heapGrowth) {
		return heapGrowth
	}
	return int(heapFloor*100/max(live, 1<<20)) - 100
}

// room returns how many bytes Go may keep of the machine's memory while so many are in use, and so many by stacks. No collection frees a
// stack: without room for those of many connections garbage would be collected all the time.
func room(live, stacks uint64) int64 {
	return max(heapRoom, max(heapFloor, int64(live)*(100+heapGrowth)/100)+int64(stacks)+heapRoom/8)
}

// KeepHeap fits the collection of garbage to the heap, until ctx ends, and leaves it then as Go has it. It returns nil. One of them may run
// in a process.
func KeepHeap(ctx context.Context) error {
	defer func() {
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(math.MaxInt64)
	}()
	used := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	tick := time.NewTicker(heapLook)
	defer tick.Stop()
	for {
		metrics.Read(used)
		live, stacks := used[0].Value.Uint64(), used[1].Value.Uint64()
		debug.SetGCPercent(growth(live))
		debug.SetMemoryLimit(room(live, stacks))
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
