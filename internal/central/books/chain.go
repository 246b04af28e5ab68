package books

import (
	"context"
	"fmt"
	"slices"

	"haochaping/internal/rating"
)

// about names whose finding of which kind it is.
type about = findingKey

func (l *log) about(k FindingKind) about { return about{l.device.id, l.id, k} }

func (s *state) readRuns(l *log) fetch[*run] {
	return func(ctx context.Context, from uint64, back bool, n int) ([]*run, error) {
		return s.load.runs(ctx, l.id, from, back, n)
	}
}

// at returns the run that holds a number, or else the last before it, nil if there is none.
func (l *log) at(seq uint64) *run {
	i, found := l.runs.find(seq)
	switch {
	case found:
		return l.runs.rows[i]
	case i > 0:
		return l.runs.rows[i-1]
	}
	return nil
}

// after returns the first run behind a number, nil if there is none.
func (l *log) after(seq uint64) *run {
	if i, _ := l.runs.find(seq + 1); i < len(l.runs.rows) {
		return l.runs.rows[i]
	}
	return nil
}

// holds reports whether a record with this number is here. Its neighbours must have been read.
func (l *log) holds(seq uint64) bool {
	r := l.at(seq)
	return r != nil && r.last >= seq
}

// link puts a record that is new in its place, and compares it with those before and after it.
func (s *state) link(l *log, seq uint64, r *record) error {
	var prev *rating.Hash // as it says; unknown of one in quarantine
	if r.reason == "" {
		own := r.Prev // a run outlives the record, and those that were read with it
		prev = &own
	}
	before, after := l.at(seq), l.after(seq)
	want := rating.Hash{}
	known := false
	switch {
	case seq == 1 && prev != nil:
		want, known = rating.Genesis(l.device.name, l.epoch), true
	case before != nil && before.last == seq-1:
		want, known = before.hash, true
	}
	if known && prev != nil && *prev != want {
		if err := s.find(l.about(BrokenChain), seq, seq, saidUnlinked); err != nil {
			return err
		}
	}
	follows := after != nil && after.first == seq+1
	if follows && after.prev != nil && *after.prev != r.hash {
		if err := s.find(l.about(BrokenChain), seq+1, seq+1, saidUnlinked); err != nil {
			return err
		}
	}
	l.put(before, after, run{first: seq, last: seq, prev: prev, hash: r.hash}, follows)
	return nil
}

// put joins a record with the runs that it touches.
func (l *log) put(before, after *run, r run, follows bool) {
	if follows {
		r.last, r.hash = after.last, after.hash
		l.drop(after)
	}
	if before != nil && before.last == r.first-1 {
		before.last, before.hash = r.last, r.hash
		before.row.touch()
		return
	}
	r.row = fresh
	l.runs.insert(&r)
}

// drop takes a run away that another one has taken in.
func (l *log) drop(r *run) {
	l.runs.remove(r.first)
	if r.saved {
		l.gone = append(l.gone, r)
	}
}

// firstMissing returns the first number from the given one on that is not here.
func (s *state) firstMissing(l *log, from uint64) (uint64, error) {
	if err := l.runs.ensure(s.ctx, from, 1, 1, s.readRuns(l)); err != nil {
		return 0, fmt.Errorf("read runs: %w", err)
	}
	if r := l.at(from); r != nil && r.last >= from {
		return r.last + 1, nil
	}
	return from, nil
}

// nextPresent returns the first number after the given one that is here, 0 if there is none.
func (s *state) nextPresent(l *log, seq uint64) (uint64, error) {
	if err := l.runs.ensure(s.ctx, seq, 1, 1, s.readRuns(l)); err != nil {
		return 0, fmt.Errorf("read runs: %w", err)
	}
	if l.holds(seq + 1) {
		return seq + 1, nil
	}
	if r := l.after(seq); r != nil {
		return r.first, nil
	}
	return 0, nil
}

// advance moves through past records that are here, and past those that the box itself no longer has.
func (s *state) advance(l *log, released uint64) error {
	through := l.through
	for {
		next, err := s.firstMissing(l, through+1)
		if err != nil {
			return err
		}
		through = next - 1
		if through >= released {
			break
		}
		// The box cannot send what it has let go. The books say that it is missing and go on.
		after, err := s.nextPresent(l, next)
		if err != nil {
			return err
		}
		last := released
		if after > 0 {
			last = min(last, after-1)
		}
		if err := s.find(l.about(Gap), next, last, saidReleased); err != nil {
			return err
		}
		through = last
	}
	l.row.touch()
	l.through = through
	return s.resolveGaps(l)
}

// findGaps notes which records from first to last are not here.
func (s *state) findGaps(l *log, first, last uint64, detail string) error {
	for first <= last {
		next, err := s.firstMissing(l, first)
		if err != nil || next > last {
			return err
		}
		after, err := s.nextPresent(l, next)
		if err != nil {
			return err
		}
		end := last
		if after > 0 {
			end = min(last, after-1)
		}
		if err := s.find(l.about(Gap), next, end, detail); err != nil {
			return err
		}
		first = end + 1
	}
	return nil
}

// resolveGaps closes the findings about gaps into which records have come by now, and notes what is still missing of them.
func (s *state) resolveGaps(l *log) error {
	if l.gaps == 0 {
		return nil
	}
	all, err := s.findingsOf(l.about(Gap))
	if err != nil {
		return err
	}
	for _, f := range slices.Clone(all.open) {
		if f.more {
			continue
		}
		missing, err := s.firstMissing(l, f.first)
		if err != nil {
			return err
		}
		next, err := s.nextPresent(l, f.first)
		if err != nil {
			return err
		}
		if missing == f.first && (next == 0 || next > f.last) {
			continue
		}
		first, last, detail := f.first, f.last, f.detail
		s.resolve(all, f, first, last)
		if err := s.findGaps(l, first, last, detail); err != nil {
			return err
		}
	}
	return nil
}

// fork is a second record with a number.
type fork struct {
	log   int64
	seq   uint64
	hash  rating.Hash
	prev  *rating.Hash // nil where it cannot be read
	place int64
	row   row
}

// salvaged is a record that came in another log's.
type salvaged struct {
	log   int64
	seq   uint64
	place int64
	hash  rating.Hash
}

// held is a record with some number that came by a place.
type held struct {
	seq   uint64
	place int64
	hash  rating.Hash
}

// heldBefore returns the records with a number and the one before it that came before a place.
func (s *state) heldBefore(l *log, seq uint64, place int64) ([]held, error) {
	first, last := max(1, seq-1), seq
	if l == s.outer { // the others of the batch are asked about next
		last = max(last, s.outerLast)
	}
	c := &s.heldOf
	if c.log != l || first < c.first || c.last < seq {
		all, err := s.load.held(s.ctx, l, first, last)
		if err != nil {
			return nil, fmt.Errorf("read the records %d to %d of %s, epoch %s: %w", first, last, l.device.name, l.epoch, err)
		}
		*c = heldCache{l, first, last, all}
	}
	var out []held
	for _, h := range c.all {
		if (h.seq == seq || h.seq+1 == seq) && h.place < place {
			out = append(out, h)
		}
	}
	for _, x := range s.salvaged {
		if x.log == l.id && (x.seq == seq || x.seq+1 == seq) && x.place < place {
			out = append(out, held{x.seq, x.place, x.hash})
		}
	}
	return out, nil
}

// heldCache is what is held of some numbers of a log.
type heldCache struct {
	log         *log
	first, last uint64
	all         []held
}

// again takes a record whose number is known: it is the same, or a fork. What came first stays.
func (s *state) again(l *log, seq uint64, r *record, place int64) error {
	all, err := s.heldBefore(l, seq, place)
	if err != nil {
		return err
	}
	here := func(seq uint64, hash rating.Hash) bool {
		return slices.ContainsFunc(all, func(h held) bool { return h.seq == seq && h.hash == hash })
	}
	if here(seq, r.hash) {
		return nil
	}
	if !slices.ContainsFunc(all, func(h held) bool { return h.seq == seq }) {
		return fmt.Errorf("the books hold record %d of %s, epoch %s, and the journal does not: %w", seq, l.device.name, l.epoch, errLost)
	}
	if err := s.find(l.about(Fork), seq, seq, saidTwice); err != nil {
		return err
	}
	l.row.touch()
	l.forks++
	f := fork{log: l.id, seq: seq, hash: r.hash, place: place, row: fresh}
	if r.reason == "" {
		own := r.Prev
		f.prev = &own
	}
	s.forks[l.id] = append(s.forks[l.id], f)
	if f.prev != nil && seq > 1 && !here(seq-1, *f.prev) {
		if err := s.find(l.about(ForkGap), seq-1, seq-1, saidForkGap); err != nil {
			return err
		}
	}
	hashes := []rating.Hash{r.hash}
	for _, h := range all {
		if h.seq == seq {
			hashes = append(hashes, h.hash)
		}
	}
	return s.closeForkGap(l, seq, hashes...)
}

// closeForkGap resolves the finding that a fork lacks what it follows on, if that has come. Hashes are those of the records with this
// number.
func (s *state) closeForkGap(l *log, seq uint64, hashes ...rating.Hash) error {
	later, err := s.load.forks(s.ctx, l.id, seq+1, seq+1)
	if err != nil {
		return fmt.Errorf("read forks: %w", err)
	}
	for _, f := range s.forks[l.id] {
		if f.seq == seq+1 {
			later = append(later, f)
		}
	}
	if len(later) == 0 {
		return nil
	}
	for _, f := range later {
		if f.prev != nil && !slices.Contains(hashes, *f.prev) {
			return nil
		}
	}
	all, err := s.findingsOf(l.about(ForkGap))
	if err != nil {
		return err
	}
	for _, f := range slices.Clone(all.open) {
		if !f.more && f.first <= seq && seq <= f.last {
			s.resolve(all, f, seq, seq)
		}
	}
	return nil
}
