package store

import (
	"os"
	"path/filepath"
	"testing"

	"haochaping/internal/rating"
)

// BenchmarkPlainFsync is one append of a record's bytes to a plain file with fsync: what no log can beat.
func BenchmarkPlainFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r := rating.Record{V: 1, Device: "box-1", Epoch: 1, Seq: 1, Body: press(1)}
	raw, err := r.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := f.Write(raw); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppend is a press becoming durable.
func BenchmarkAppend(b *testing.B) {
	s := openAt(b, filepath.Join(b.TempDir(), "log.db"))
	n := int64(0)
	for b.Loop() {
		if _, err := s.Append(press(n)); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// BenchmarkAppendAndDrain100k is a backlog of 100,000 records coming into being and being sent and acknowledged.
func BenchmarkAppendAndDrain100k(b *testing.B) {
	for b.Loop() {
		s := openAt(b, filepath.Join(b.TempDir(), "log.db"))
		fill(b, s, 100_000)
		for {
			first, records, err := s.Pending(0, 500, 250<<10)
			if err != nil {
				b.Fatal(err)
			}
			if len(records) == 0 {
				break
			}
			if err := s.Acknowledge(s.Epoch(), first+uint64(len(records))-1); err != nil {
				b.Fatal(err)
			}
		}
		size, err := s.Size()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(size)/100_000, "file-B/record")
	}
}

// BenchmarkOpenMillion opens a log with a million records that nobody has acknowledged.
func BenchmarkOpenMillion(b *testing.B) {
	path := filepath.Join(b.TempDir(), "log.db")
	s := openAt(b, path)
	fill(b, s, 1_000_000)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := Open(path, options())
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func fill(b testing.TB, s *Store, n int) {
	bodies := make([]rating.Body, 1000)
	for done := 0; done < n; done += len(bodies) {
		for i := range bodies {
			bodies[i] = press(int64(done + i))
		}
		if _, err := s.Append(bodies...); err != nil {
			b.Fatal(err)
		}
	}
}
