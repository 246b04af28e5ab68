package journal

import (
	"testing"

	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

// sender is a box whose log has records of its own after those that it shares with its copy.
type sender struct {
	log      []rating.Hash // of the records from 1 on
	prev     []rating.Hash // which each names as the one before it
	released uint64
}

// batch returns the records from first on.
func (s *sender) batch(first uint64, n int) run {
	last := min(int(first)-1+n, len(s.log))
	return run{first: first, prev: s.prev[first-1], hashes: s.log[first-1 : last], released: s.released}
}

// acknowledged releases, as a box does, if the acknowledgement names its own record.
func (s *sender) acknowledged(v verdict) {
	if v.ack > s.released && v.ack <= uint64(len(s.log)) && s.log[v.ack-1] == v.ackHead {
		s.released = v.ack
	}
}

// centre is what has come in.
type centre struct {
	progress progress
	entered  []run
}

func (c *centre) take(r run) (verdict, error) {
	next, v, err := c.progress.take(r, func(first, last uint64) ([]run, error) { return holding(c.entered, first, last), nil })
	if err != nil {
		return v, err
	}
	if c.progress = next; v.enter {
		c.entered = append(c.entered, r)
	}
	return v, nil
}

func (c *centre) has(seq uint64, h rating.Hash) bool {
	for _, r := range holding(c.entered, seq, seq) {
		if other, _ := r.at(seq); other == h {
			return true
		}
	}
	return false
}

// copied draws a box and a copy of its card, which go on by themselves, and may have chains that are broken.
func copied(t *rapid.T) []*sender {
	const most = 40
	shared := rapid.IntRange(0, 12).Draw(t, "shared")
	var both []*sender
	for who := range byte(2) {
		var s sender
		for i := range shared + rapid.IntRange(1, most).Draw(t, "own") {
			seq := uint64(i + 1)
			hash := hashOf(seq, 0)
			if i >= shared {
				hash = hashOf(seq, 1+who)
			}
			prev := hashOf(0, 0)
			if i > 0 {
				prev = s.log[i-1]
			}
			if i >= shared && rapid.IntRange(0, 15).Draw(t, "broken") == 0 {
				prev = hashOf(seq, 9)
			}
			s.log, s.prev = append(s.log, hash), append(s.prev, prev)
		}
		both = append(both, &s)
	}
	return both
}

// TestNothingIsReleasedThatOnlyOneCopyHolds lets two boxes with one name and key send batches that come in any order, again, or never,
// while each hears the acknowledgements of both, late and in any order. What a box has let go is here. In the end each is rid of all that
// it holds.
func TestNothingIsReleasedThatOnlyOneCopyHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		boxes, c := copied(t), &centre{}
		var flying []run    // batches that were sent
		var heard []verdict // acknowledgements that were sent
		check := func() {
			for who, b := range boxes {
				for seq := uint64(1); seq <= b.released; seq++ {
					if !c.has(seq, b.log[seq-1]) {
						t.Fatalf("box %d has let go record %d, which is not here", who, seq)
					}
				}
			}
		}
		deliver := func(r run) verdict {
			v, err := c.take(r)
			if err != nil {
				t.Fatal(err)
			}
			heard = append(heard, v)
			return v
		}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			b := boxes[rapid.IntRange(0, 1).Draw(t, "box")]
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				if left := uint64(len(b.log)) - b.released; left > 0 {
					first := b.released + 1 + uint64(rapid.IntRange(0, int(left)-1).Draw(t, "ahead"))
					flying = append(flying, b.batch(first, rapid.IntRange(1, 6).Draw(t, "records")))
				}
			case 2:
				if len(flying) > 0 {
					deliver(rapid.SampledFrom(flying).Draw(t, "batch"))
				}
			case 3:
				if len(heard) > 0 {
					b.acknowledged(rapid.SampledFrom(heard).Draw(t, "acknowledgement"))
					check()
				}
			}
		}
		// Each sends what it holds as a box does after a silence: one batch after the other, from what it has let go.
		for who, b := range boxes {
			for tries := 0; b.released < uint64(len(b.log)); tries++ {
				if tries > len(b.log) {
					t.Fatalf("box %d is blocked after record %d", who, b.released)
				}
				v := deliver(b.batch(b.released+1, 5))
				for _, other := range boxes {
					other.acknowledged(v)
				}
				check()
			}
		}
	})
}

// TestACopyKeepsWhatHasNotCome is the shortest case: one box has sent its records 1 to 10, and of its copy's only 11 to 20 have come.
func TestACopyKeepsWhatHasNotCome(t *testing.T) {
	chain := func(who byte) *sender {
		s := &sender{}
		for seq := uint64(1); seq <= 30; seq++ {
			s.log, s.prev = append(s.log, hashOf(seq, who)), append(s.prev, hashOf(seq-1, who))
		}
		return s
	}
	c, a, b := &centre{}, chain(1), chain(2)
	for _, step := range []struct {
		r    run
		want uint64
	}{
		{a.batch(1, 10), 10}, {b.batch(11, 10), 0}, {b.batch(21, 10), 0}, {b.batch(1, 10), 10}, {b.batch(11, 10), 20}, {a.batch(11, 10), 20},
		{b.batch(21, 10), 30},
	} {
		v, err := c.take(step.r)
		if err != nil || v.ack != step.want {
			t.Errorf("records from %d on: acknowledged %d, %v, want %d", step.r.first, v.ack, err, step.want)
		}
	}
	if len(c.entered) != 5 {
		t.Errorf("%d batches were entered, want 5", len(c.entered))
	}
}
