package journal

import (
	"cmp"
	"errors"
	"slices"

	"haochaping/internal/rating"
)

// maxBeyond bounds the ranges of a log that came after gaps. Boxes send in order, so that more are nobody's honest work.
const maxBeyond = 64

// maxBack bounds the batches that are looked up to find whether a sender's earlier records are here. Boxes have up to eight on their way.
const maxBack = 16

var (
	// errScattered says that a log has too many gaps to take one more range.
	errScattered = errors.New("the log has too many gaps already; the records before them have to come first")
	// errCrowded says that there is more under some numbers of a log than is ever looked through.
	errCrowded = errors.New("too many different records have these numbers already")
)

// span is a run of records of a log that are here. Several boxes may have sent them, as a copied card makes it.
type span struct {
	First uint64      `json:"first"`
	Last  uint64      `json:"last"`
	Hash  rating.Hash `json:"hash"`  // of record Last
	Prev  rating.Hash `json:"prev"`  // which record First names as the one before it
	Since uint64      `json:"since"` // as that of progress, for the chain that ends in Hash
}

// progress is how much of a log is here. It is a value, and follows from the rows that were entered.
type progress struct {
	through  uint64      // every seq up to it is here, or known to be lost
	hash     rating.Hash // of record through; zero where that is lost
	since    uint64      // from this record on all of the chain that ends in hash is here; 0: and its box has let go what came before
	released uint64
	beyond   []span // by First; none touches another or through
}

// run is what a batch brings: the hashes of the records First, First+1, …
type run struct {
	first    uint64
	prev     rating.Hash // which the first record names as the one before it; zero if that cannot be read
	hashes   []rating.Hash
	released uint64
}

func (r run) last() uint64 { return r.first + uint64(len(r.hashes)) - 1 }

func (r run) end() rating.Hash { return r.hashes[len(r.hashes)-1] }

// at returns the hash of a record, and whether the run has one of this number.
func (r run) at(seq uint64) (rating.Hash, bool) {
	if seq < r.first || seq > r.last() {
		return rating.Hash{}, false
	}
	return r.hashes[seq-r.first], true
}

// known returns the batches of a log that are here and hold a record from first to last, or errCrowded.
type known func(first, last uint64) ([]run, error)

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

// take returns what becomes of a log by a batch. Only one that may overlap, or that does not go on where the log ends, is looked up.
func (p progress) take(r run, lookup known) (progress, verdict, error) {
	v := verdict{enter: true}
	if p.overlaps(r) {
		here, err := lookup(r.first, r.last())
		if err != nil {
			return p, verdict{}, err
		}
		news := 0
		news, v.forks = r.beside(here)
		v.enter = news > 0 || r.released > p.released
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
	v.through = next.through
	if next.through < r.first { // something between is not here
		if next.since == 0 {
			v.ack, v.ackHead = next.through, next.hash
		}
		return next, v, nil
	}
	whole, err := p.precedes(r, lookup)
	if whole {
		v.ack, v.ackHead = r.last(), r.end()
	}
	return next, v, err
}

// beside returns how many of the run's records are not here, and how many of these have a number that is taken.
func (r run) beside(here []run) (news, forks int) {
	for i, h := range r.hashes {
		taken, same := false, false
		for _, o := range here {
			if other, ok := o.at(r.first + uint64(i)); ok {
				taken, same = true, same || other == h
			}
		}
		switch {
		case same:
		case taken:
			forks++
			news++
		default:
			news++
		}
	}
	return news, forks
}

// precedes reports whether all is here that the run's sender still holds of what came before it. That every number is here does not
// say so, since another box with the same name may have sent those, and the sender would let go what only it has. Where a chain is broken
// the answer is no; its sender is silent for a while, begins after what it has let go, and is acknowledged then.
func (p progress) precedes(r run, lookup known) (bool, error) {
	if h, ok := r.at(p.through); ok && h == p.hash && p.since == 0 {
		return true, nil
	}
	seq, hash := r.first-1, r.prev
	for range maxBack {
		switch {
		case seq <= r.released:
			return true, nil
		case hash == (rating.Hash{}): // it names none
			return false, nil
		case seq == p.through && hash == p.hash && p.since <= r.released+1:
			return true, nil
		}
		here, err := lookup(seq, seq)
		if errors.Is(err, errCrowded) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		from := seq + 1
		for _, o := range here {
			h, ok := o.at(seq)
			if !ok || h != hash {
				continue
			}
			if o.first-1 <= o.released { // its own sender had let go what came before
				return true, nil
			}
			if o.first < from {
				from, r.prev = o.first, o.prev
			}
		}
		if from > seq {
			return false, nil
		}
		seq, hash = from-1, r.prev
	}
	return false, nil
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
	next := progress{through: p.through, hash: p.hash, since: p.since, released: max(p.released, r.released)}
	own := span{First: r.first, Last: r.last(), Hash: r.end(), Prev: r.prev, Since: r.first}
	if h, ok := r.at(p.through); ok && h == p.hash {
		own.Since = min(own.Since, p.since) // it repeats the end of what is here
	}
	if r.first-1 <= r.released {
		own.Since = 0
	}
	all := append(slices.Clone(p.beyond), own)
	slices.SortStableFunc(all, func(a, b span) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last)) })
	if next.released > next.through { // the box cannot send what it has let go
		next.through, next.hash, next.since = next.released, rating.Hash{}, 0
	}
	for _, s := range all {
		n := len(next.beyond)
		switch {
		case s.Last == next.through && next.hash == (rating.Hash{}):
			next.hash, next.since = s.Hash, s.Since
		case s.Last <= next.through:
		case s.First <= next.through+1:
			if !s.follows(next.through, next.hash) {
				next.since = s.Since
			}
			next.through, next.hash = s.Last, s.Hash
		case n > 0 && s.First <= next.beyond[n-1].Last+1:
			if last := &next.beyond[n-1]; s.Last > last.Last {
				if !s.follows(last.Last, last.Hash) {
					last.Since, last.Prev = s.Since, rating.Hash{} // Prev is of another chain
				}
				last.Last, last.Hash = s.Last, s.Hash
			}
		default:
			next.beyond = append(next.beyond, s)
		}
	}
	return next
}

// follows reports whether the chain of the span goes on from a record.
func (s span) follows(seq uint64, hash rating.Hash) bool {
	return s.Since == s.First && s.First == seq+1 && s.Prev == hash && hash != (rating.Hash{})
}
