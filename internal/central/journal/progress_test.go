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

// holding returns the runs that hold a record from first to last.
func holding(all []run, first, last uint64) (some []run) {
	for _, r := range all {
		if r.first <= last && first <= r.last() {
			some = append(some, r)
		}
	}
	return some
}

// TestProgressAgreesWithASet plays batches that repeat, overlap, come out of order, are forked and let records go, against a plain set.
func TestProgressAgreesWithASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		here := make(map[uint64]map[rating.Hash]bool)
		var entered []run
		lookup := func(first, last uint64) ([]run, error) { return holding(entered, first, last), nil }
		var p progress
		var released uint64
		for range rapid.IntRange(1, maxBack).Draw(t, "batches") {
			first := rapid.Uint64Range(1, 60).Draw(t, "first")
			r := run{first: first, released: rapid.Uint64Range(0, first-1).Draw(t, "released")}
			if rapid.IntRange(0, 3).Draw(t, "release") > 0 {
				r.released = min(released, first-1)
			}
			log := byte(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "log"))
			r.prev = hashOf(first-1, log)
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
				entered = append(entered, r)
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
			if v.through != through {
				t.Fatalf("through %d, want %d", v.through, through)
			}
			if v.missing != missing {
				t.Fatalf("missing %v, want %v", v.missing, missing)
			}
			whole := func(log byte, after, last uint64) bool {
				for s := after + 1; s <= last; s++ {
					if !here[s][hashOf(s, log)] {
						return false
					}
				}
				return true
			}
			switch want := min(through, r.last()); {
			case want >= first && whole(log, r.released, first-1) && v.ack == 0:
				t.Fatalf("nothing is acknowledged, want %d", want)
			case want >= first && v.ack != 0 && (v.ack != want || v.ackHead != hashOf(want, log) || !whole(log, released, first-1)):
				t.Fatalf("acknowledged %d by %x, want %d as its sender has it, or nothing", v.ack, v.ackHead[:], want)
			case want < first && v.ack > 0 && v.ack != through:
				t.Fatalf("acknowledged %d, want %d or nothing", v.ack, through)
			case want < first && v.ack > released && (v.ackHead != hashOf(v.ack, 0) || !whole(0, released, v.ack)) &&
				(v.ackHead != hashOf(v.ack, 1) || !whole(1, released, v.ack)):
				t.Fatalf("record %d is acknowledged by %x, and not all of what comes before it is here", v.ack, v.ackHead[:])
			}
		}
	})
}

func TestALogThatIsScatteredIsNotAcknowledgedFurther(t *testing.T) {
	none := func(uint64, uint64) ([]run, error) { return nil, nil }
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
