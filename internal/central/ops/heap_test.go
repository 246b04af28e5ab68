package ops

import "testing"

func TestASmallHeapGrowsToTheFloor(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 4700, 1 << 20: 4700, 12 << 20: 300, 24 << 20: 100, 30 << 20: 60, 31 << 20: 60, 1 << 30: 60,
	} {
		if got := growth(live); got != want {
			t.Errorf("%d bytes: %d %%, want %d", live, got, want)
		}
	}
}
