package journal

import (
	"errors"
	"slices"

	"haochaping/internal/rating"
)

// maxBeyond bounds the ranges of a log that came after gaps. Boxes send in order, so that more are nobody's honest work.
const maxBeyond = 64

// errScattered says that a log has too many gaps to take one more range.
var errScattered = errors.New("the log has too many gaps already; the records before them have to come first")

// span is a run of records of a log that are here.
type span struct {
	First uint64      `json:"first"`
	Last  uint64      `json:"last"`
	Hash  rating.Hash `json:"hash"` // of record Last
}

// progress is how much of a log is here. It is a value.
type progress struct {
	through  uint64      // every seq up to it is here, or known to be lost
	hash     rating.Hash // of record through; zero where that is lost
	released uint64
	beyond   []span // by First; none touches another or through
}

// run is what a batch brings: the hashes of the records First, First+1, …
type run struct {
	first    uint64
	hashes   []rating.Hash
	released uint64
}

func (r run) last() uint64 { return r.first + uint64(len(r.hashes)) - 1 }

// known returns the hashes of the records of a log from first to last that are here: several where a log was forked.
type known func(first, last uint64) (map[uint64][]rating.Hash, error)

// verdict is what a batch comes to.
type verdict struct {
	enter   bool // it has something that is not here
	through uint64
	ack     uint64
	ackHead rating.Hash
	forks   int // records that are here with other contents only
	// missing is what the box says it has let go and what is not here: from and to, both included; zero if nothing is.
	missing [2]uint64
}

// overlaps reports whether a record of the run may be here already.
func (p progress) overlaps(r run) bool {
	return r.first <= p.through || slices.ContainsFunc(p.beyond, func(s span) bool { return r.first <= s.Last && s.First <= r.last() })
}

// take returns what becomes of a log by a batch. Only one that may overlap is looked up.
func (p progress) take(r run, lookup known) (progress, verdict, error) {
	v := verdict{enter: true}
	if p.overlaps(r) {
		here, err := lookup(r.first, r.last())
		if err != nil {
			return p, verdict{}, err
		}
		v.enter = r.released > p.released
		for i, h := range r.hashes {
			others := here[r.first+uint64(i)]
			if slices.Contains(others, h) {
				continue
			}
			v.enter = true
			if len(others) > 0 {
				v.forks++
			}
		}
	}
	next := p
	if v.enter {
		next = p.with(r)
		if len(next.beyond) > maxBeyond {
			return p, verdict{}, errScattered
		}
		if r.released > p.through {
			v.missing = p.lacking(r.released)
		}
	}
	v.through, v.ack, v.ackHead = next.through, min(next.through, r.last()), next.hash
	if v.ack >= r.first {
		v.ackHead = r.hashes[v.ack-r.first] // as its sender has it, which of a copied card may be another
	}
	return next, v, nil
}

// lacking returns the first and the last record up to one that is not here; zero if all are.
func (p progress) lacking(through uint64) (missing [2]uint64) {
	next := p.through + 1
	for _, s := range append(slices.Clone(p.beyond), span{First: through + 1, Last: through + 1}) {
		if last := min(s.First-1, through); next <= last {
			if missing[0] == 0 {
				missing[0] = next
			}
			missing[1] = last
		}
		next = s.Last + 1
	}
	return missing
}

// with returns p with the records of a run and what it says was released.
func (p progress) with(r run) progress {
	next := progress{through: p.through, hash: p.hash, released: max(p.released, r.released)}
	all := append(slices.Clone(p.beyond), span{r.first, r.last(), r.hashes[len(r.hashes)-1]})
	slices.SortFunc(all, func(a, b span) int {
		if a.First != b.First {
			return int(int64(a.First) - int64(b.First))
		}
		return int(int64(a.Last) - int64(b.Last))
	})
	if next.released > next.through {
		next.through, next.hash = next.released, rating.Hash{} // the box cannot send what it has let go
	}
	for _, s := range all {
		n := len(next.beyond)
		switch {
		case s.Last == next.through && next.hash == (rating.Hash{}):
			next.hash = s.Hash
		case s.Last <= next.through:
		case s.First <= next.through+1:
			next.through, next.hash = s.Last, s.Hash
		case n > 0 && s.First <= next.beyond[n-1].Last+1:
			if last := &next.beyond[n-1]; s.Last > last.Last {
				last.Last, last.Hash = s.Last, s.Hash
			}
		default:
			next.beyond = append(next.beyond, s)
		}
	}
	return next
}
