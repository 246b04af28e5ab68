package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"haochaping/internal/rating"
	"haochaping/store"
)

// Kind says which promise was broken.
type Kind string

// The kinds of breaches.
const (
	Missing       Kind = "missing"       // a record that was thanked for is not there, or not as it was
	Twice         Kind = "twice"         // a record is there twice
	Gap           Kind = "gap"           // numbering has a gap, or an Append is there in part
	Chain         Kind = "broken chain"  // a record does not follow from the one before it, or Verify fails
	Release       Kind = "release mark"  // it is beyond what was acknowledged, or behind what the file must have learnt
	Replaced      Kind = "replaced"      // the epoch has changed, or a file was set aside: the cut looked like damage
	Leftover      Kind = "leftover"      // a temporary file stays
	Unusable      Kind = "unusable"      // the log cannot be opened or written
	Contradiction Kind = "contradiction" // what the writer sees is not what the harness has found
)

// Breach is a promise that was broken.
type Breach struct {
	Kind   Kind
	Count  int
	Detail string
}

func (b Breach) String() string { return fmt.Sprintf("%s (%d): %s", b.Kind, b.Count, b.Detail) }

// copyState copies what is beside the log on a disk, and the log, into an empty folder. It reports whether there is a log.
//
// The store is opened on the copy and not on the disk: bbolt maps its file, and a process that waits for a page from its
// own FUSE server stands still for ever as soon as Go's collector wants all threads to stop. And so the next writer finds
// the disk as the cut has left it.
func copyState(mount, to string) (found bool, err error) {
	from := filepath.Dir(logPath(mount))
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at what the cut has left: %w", err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return false, fmt.Errorf("read what the cut has left: %w", err)
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o600); err != nil {
			return false, err
		}
		found = found || e.Name() == filepath.Base(logPath(mount))
	}
	return found, nil
}

// check opens the log that a cut has left, in a folder of its own, and compares it with what is expected. What is found beyond
// what was thanked for must stay from then on. An error means that the harness failed, not the store.
func (l *expected) check(dir string, found bool) ([]Breach, error) {
	if !found && l.epoch != "" {
		return []Breach{{Missing, len(l.bodies), "the log is gone"}}, nil
	}
	path := filepath.Join(dir, filepath.Base(logPath("")))
	s, err := openLog(path)
	if err != nil {
		return []Breach{{Unusable, 1, err.Error()}}, nil
	}
	broken, err := l.compare(s)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if broken == nil {
		broken = l.use(s, found)
	}
	if err := s.Close(); err != nil {
		broken = append(broken, Breach{Unusable, 1, err.Error()})
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			broken = append(broken, Breach{Leftover, 1, e.Name()})
		}
	}
	return broken, nil
}

// compare holds the log against what is expected.
func (l *expected) compare(s *store.Store) (broken []Breach, err error) {
	add := func(k Kind, n int, format string, args ...any) {
		if n > 0 {
			broken = append(broken, Breach{k, n, fmt.Sprintf(format, args...)})
		}
	}
	if e := s.Epoch().String(); l.epoch != "" && e != l.epoch {
		add(Replaced, 1, "the epoch was %s and is %s", l.epoch, e)
		return broken, nil // nothing else can hold
	}
	rep, err := s.Verify()
	if err != nil {
		add(Chain, 1, "%v", err)
		return broken, nil
	}
	if rep.First > l.asked+1 || s.Released() > l.asked {
		add(Release, 1, "records before %d are gone and through %d released, acknowledged was %d", rep.First, s.Released(), l.asked)
	}
	if s.Released() < l.known {
		add(Release, 1, "records through %d are released; %d was acknowledged before an append that was thanked for", s.Released(), l.known)
	}
	f, err := findings(s)
	if err != nil {
		return broken, err
	}
	add(Gap, f.gaps, "seqs do not follow each other")
	add(Chain, f.unchained, "records do not follow from the ones before them")
	add(Twice, f.twice, "records are there more than once")

	missing, changed := 0, 0
	for seq, hash := range l.bodies {
		switch raw, seen := l.raw[seq]; {
		case seq < rep.First: // compacted away; whether that was right is told above
		case f.bodies[seq] == "":
			missing++
		case f.bodies[seq] != hash || seen && raw != f.raw[seq]:
			changed++
		}
	}
	add(Missing, missing, "of the records through %d that were thanked for; %d is the last that is there", l.last, rep.Last)
	add(Missing, changed, "records are not what was thanked for")
	if rep.Last > l.last {
		more := int(rep.Last - l.last)
		if more != len(l.open) {
			add(Gap, 1, "of an append of %d records %d are there", len(l.open), more)
		}
		for i := range min(more, len(l.open)) {
			if f.bodies[l.last+1+uint64(i)] != l.open[i] {
				add(Twice, 1, "record %d is none that was appended", l.last+1+uint64(i))
			}
		}
	}
	l.bodies, l.raw, l.last, l.open = f.bodies, f.raw, rep.Last, nil
	l.taken, l.known = s.Released(), s.Released() // what only memory knew is forgotten, and sent again
	return broken, nil
}

// use makes sure that the log goes on, after which the copy is of no more use.
func (l *expected) use(s *store.Store, found bool) []Breach {
	if found {
		l.epoch = s.Epoch().String()
	}
	first, records, err := s.Pending(0, 10, 1<<20)
	if err != nil || first != s.Released()+1 || len(records) == 0 && l.last > s.Released() {
		return []Breach{{Unusable, 1, fmt.Sprintf("pending from %d, %d records: %v", first, len(records), err)}}
	}
	seq, err := s.Append(rating.EventBody(rating.Stamp{Boot: 2}, rating.EventStarted))
	if err != nil || seq != l.last+1 {
		return []Breach{{Unusable, 1, fmt.Sprintf("the record after %d becomes %d: %v", l.last, seq, err)}}
	}
	return nil
}

// finding is what a log holds.
type finding struct {
	bodies                 map[uint64]string
	raw                    map[uint64]rating.Hash
	gaps, unchained, twice int
}

// findings reads the whole log from its end, without trusting what Verify says.
func findings(s *store.Store) (finding, error) {
	f := finding{bodies: make(map[uint64]string), raw: make(map[uint64]rating.Hash)}
	seen := make(map[string]bool)
	var newer rating.Record
	var failure error
	err := s.Tail(func(seq uint64, raw []byte) bool {
		r, err := rating.DecodeRecord(bytes.Clone(raw))
		if err != nil {
			failure = err
			return false
		}
		hash, err := hashBody(r.Body)
		if err != nil {
			failure = err
			return false
		}
		f.bodies[seq], f.raw[seq] = hash, rating.HashOf(raw)
		if newer.Seq > 0 {
			if seq != newer.Seq-1 {
				f.gaps++
			}
			if newer.Prev != f.raw[seq] {
				f.unchained++
			}
		}
		if seen[hash] {
			f.twice++
		}
		seen[hash], newer = true, r
		return true
	})
	return f, errors.Join(err, failure)
}
