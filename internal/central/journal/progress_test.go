package journal

import (
	"encoding/binary"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

func hashOf(seq uint64, log byte) rating.Hash {
	return rating.HashOf(append(binary.BigEndian.AppendUint64(nil, seq), log))
}

// TestProgressAgreesWithASet plays batches that repeat, overlap, come out of order, are forked and let records go, against a plain set.
func TestProgressAgreesWithASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		here := make(map[uint64]map[rating.Hash]bool)
		lookup := func(first, last uint64) (map[uint64][]rating.Hash, error) {
			out := make(map[uint64][]rating.Hash)
			for s := first; s <= last; s++ {
				for h := range here[s] {
					out[s] = append(out[s], h)
				}
			}
			return out, nil
		}
		var p progress
		var released uint64
		for range rapid.IntRange(1, 40).Draw(t, "batches") {
			first := rapid.Uint64Range(1, 60).Draw(t, "first")
			r := run{first: first, released: rapid.Uint64Range(0, first-1).Draw(t, "released")}
			if rapid.IntRange(0, 3).Draw(t, "release") > 0 {
				r.released = min(released, first-1)
			}
			log := byte(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "log"))
			for i := range rapid.Uint64Range(1, 8).Draw(t, "records") {
				r.hashes = append(r.hashes, hashOf(first+i, log))
			}
			news := r.released > released
			for i, h := range r.hashes {
				news = news || !here[first+uint64(i)][h]
			}
			var missing [2]uint64
			for s := p.through + 1; news && s <= r.released; s++ {
				if len(here[s]) == 0 {
					missing[1] = s
					if missing[0] == 0 {
						missing[0] = s
					}
				}
			}
			next, v, err := p.take(r, lookup)
			if err != nil {
				t.Fatal(err)
			}
			if v.enter != news {
				t.Fatalf("batch %+v of %+v: entered %t, want %t", r, p, v.enter, news)
			}
			if p = next; v.enter {
				released = max(released, r.released)
				for i, h := range r.hashes {
					if here[first+uint64(i)] == nil {
						here[first+uint64(i)] = make(map[rating.Hash]bool)
					}
					here[first+uint64(i)][h] = true
				}
			}
			through := released
			for len(here[through+1]) > 0 {
				through++
			}
			if v.through != through || v.ack != min(through, r.last()) {
				t.Fatalf("through %d and acknowledged %d, want %d and %d", v.through, v.ack, through, min(through, r.last()))
			}
			if v.missing != missing {
				t.Fatalf("missing %v, want %v", v.missing, missing)
			}
			if v.ack > 0 && v.ackHead == (rating.Hash{}) && len(here[v.ack]) > 0 {
				t.Fatalf("record %d is here and acknowledged without its hash", v.ack)
			}
			if v.ack > 0 && v.ackHead != (rating.Hash{}) && !here[v.ack][v.ackHead] {
				t.Fatalf("record %d is acknowledged by a hash that nobody has sent", v.ack)
			}
			if v.ack >= r.first && v.ackHead != r.hashes[v.ack-r.first] {
				t.Fatalf("record %d is acknowledged by another hash than its sender's", v.ack)
			}
		}
	})
}

func TestALogThatIsScatteredIsNotAcknowledgedFurther(t *testing.T) {
	none := func(uint64, uint64) (map[uint64][]rating.Hash, error) { return nil, nil }
	var p progress
	var err error
	for i := range uint64(maxBeyond) {
		if p, _, err = p.take(run{first: 3 + 2*i, hashes: []rating.Hash{hashOf(3+2*i, 0)}}, none); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err = p.take(run{first: 1001, hashes: []rating.Hash{hashOf(1001, 0)}}, none); !errors.Is(err, errScattered) {
		t.Fatalf("one range more: %v", err)
	}
	p, v, err := p.take(run{first: 1, hashes: []rating.Hash{hashOf(1, 0), hashOf(2, 0)}}, none)
	if err != nil || v.through != 3 || len(p.beyond) != maxBeyond-1 {
		t.Fatalf("what was missing: through %d with %d ranges beyond, %v", v.through, len(p.beyond), err)
	}
}
