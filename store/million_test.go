package store

import (
	"path/filepath"
	"runtime"
	"testing"

	"haochaping/internal/rating"
)

// BenchmarkMillion drains a log of a million records that nobody has acknowledged, as after years without a network, and
// compacts it. It reports what memory the drain needs beyond what the open log had, and the file's size before and after.
func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		path := filepath.Join(b.TempDir(), "log.db")
		o := options()
		o.Retain = Retention{Bytes: 64 << 20}
		s, err := Open(path, o)
		if err != nil {
			b.Fatal(err)
		}
		fill(b, s, 1_000_000)
		before, err := s.Size()
		if err != nil {
			b.Fatal(err)
		}
		heap := heapInUse()
		b.StartTimer()
		most := uint64(0)
		for n := 0; s.Released() < s.Last(); n++ {
			first, records, err := s.Pending(0, 500, 250<<10)
			if err == nil {
				err = s.Acknowledge(s.Epoch(), first+uint64(len(records))-1)
			}
			if err != nil {
				b.Fatal(err)
			}
			if n%200 == 0 {
				most = max(most, heapInUse())
			}
		}
		removed, err := s.Compact(rating.Stamp{Boot: 1})
		if err != nil || removed == 0 {
			b.Fatalf("removed %d, %v", removed, err)
		}
		after, err := s.Size()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(most-min(most, heap))/1e6, "heap-MB")
		b.ReportMetric(float64(before)/1e6, "before-MB")
		b.ReportMetric(float64(after)/1e6, "after-MB")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
