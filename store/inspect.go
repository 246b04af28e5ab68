package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/boltfile"
	"haochaping/internal/rating"
)

// Inspection is a look at a log from outside, without locking it: the daemon may be writing it meanwhile.
type Inspection struct {
	Device   rating.DeviceID
	Epoch    rating.Epoch
	Trimmed  uint64 // records through this one were removed after the centre had them
	Released uint64 // the centre has acknowledged through this one, as far as the file says
	Last     uint64 // newest record
	Boots    uint32
	Size     int64 // of the file, in bytes

	path  string
	start rating.Hash
}

// Inspect reads what a log says of itself. It returns ErrDamaged, wrapped, if that cannot be.
func Inspect(path string) (*Inspection, error) {
	var out *Inspection
	err := again(func() error {
		v, err := look(path)
		if err != nil {
			return err
		}
		defer v.close()
		out, err = v.inspect()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", path, err)
	}
	return out, nil
}

// inspectTries is how often a page that does not make sense is read anew: a writer may just have used it again. The pauses
// between them are much longer than a commit.
const inspectTries = 20

func again(f func() error) error {
	var err error
	for range inspectTries {
		if err = damage(f()); !errors.Is(err, ErrDamaged) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// look is a log as of one transaction.
type glance struct {
	file  *os.File
	image *boltfile.File
	size  int64
	root  map[string][]byte // small values and, under their seqs, the tail
	tail  []uint64
}

func look(path string) (*glance, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	image, err := boltfile.Open(f, info.Size())
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	v := &glance{file: f, image: image, size: info.Size(), root: make(map[string][]byte)}
	err = image.RootBucket().Walk(nil, func(e boltfile.Element) error {
		if e.Bucket {
			return nil
		}
		if isSeq(e.Key) {
			v.tail = append(v.tail, binary.BigEndian.Uint64(e.Key))
		}
		v.root[string(e.Key)] = append([]byte(nil), e.Value...)
		return nil
	})
	if err != nil {
		v.close()
		return nil, err
	}
	return v, nil
}

func (v *glance) close() { _ = v.file.Close() }

func (v *glance) inspect() (*Inspection, error) {
	out := &Inspection{path: v.file.Name(), Size: v.size}
	meta, err := v.image.RootBucket().Bucket(metaBucket)
	if err != nil {
		return nil, err
	}
	values := make(map[string][]byte)
	if err := meta.Walk(nil, func(e boltfile.Element) error {
		values[string(e.Key)] = append([]byte(nil), e.Value...)
		return nil
	}); err != nil {
		return nil, err
	}
	if b := values[keyVersion]; len(b) != 8 || binary.BigEndian.Uint64(b) != Version {
		return nil, fmt.Errorf("its format is not %d, which this program reads; start the daemon of this version once, or take the other "+
			"version's tool", Version)
	}
	get := func(key string) []byte {
		if err != nil || values[key] == nil {
			return nil
		}
		var value []byte
		value, err = unseal([]byte(key), values[key])
		return value
	}
	device, epoch, boot, mark := get(keyDevice), get(keyEpoch), get(keyBoot), get(keyTrimmed)
	released, relErr := unseal(keyReleased, v.root[string(keyReleased)])
	if err := errors.Join(err, relErr); err != nil {
		return nil, err
	}
	if len(released) != 8 {
		return nil, fmt.Errorf("%w: the release mark has %d bytes", ErrDamaged, len(released))
	}
	out.Device, out.Released = rating.DeviceID(device), binary.BigEndian.Uint64(released)
	if out.Epoch, err = rating.ParseEpoch(string(epoch)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	m, b := trimMark{Hash: rating.Genesis(out.Device, out.Epoch)}, bootMark{}
	for _, j := range []struct {
		raw []byte
		to  any
	}{{mark, &m}, {boot, &b}} {
		if j.raw == nil {
			continue
		}
		if err := json.Unmarshal(j.raw, j.to); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	out.Trimmed, out.start, out.Boots = m.Seq, m.Hash, b.Count
	out.Last, err = v.last(m.Seq)
	return out, err
}

func (v *glance) last(trimmed uint64) (uint64, error) {
	if len(v.tail) > 0 {
		return v.tail[len(v.tail)-1], nil
	}
	records, err := v.image.RootBucket().Bucket(recordsBucket)
	if err != nil {
		return 0, err
	}
	// The bucket has no last; the way to it is a search, since its seqs have no gaps.
	has := func(seq uint64) bool {
		found := false
		walkErr := records.Walk(seqKey(seq), func(boltfile.Element) error { found = true; return errEnough })
		if walkErr != nil && !errors.Is(walkErr, errEnough) {
			err = walkErr
		}
		return found
	}
	n := sort.Search(math.MaxInt, func(i int) bool { return !has(trimmed + 1 + uint64(i)) })
	return trimmed + uint64(n), err
}

// Records calls yield with the log's records from the given seq on, oldest first and each checked against the one before,
// until yield returns an error, which it returns; those that are appended meanwhile may come too. ErrDamaged says that
// from the named record on the file cannot be read, or does not follow from what comes before.
func (n *Inspection) Records(from uint64, yield func(r rating.Record, raw []byte) error) error {
	c := chain{device: n.Device, epoch: n.Epoch, head: n.start, last: n.Trimmed}
	var stop error
	for {
		before := c.last
		err := again(func() error {
			v, err := look(n.path)
			if err != nil {
				return err
			}
			defer v.close()
			return v.each(c.last+1, func(seq uint64, raw []byte) error {
				next := c
				if err := next.add(seq, raw); err != nil {
					return err
				}
				c = next
				if seq < from {
					return nil
				}
				r, err := rating.DecodeRecord(raw)
				if err != nil {
					return fmt.Errorf("%w: record %d: %w", ErrDamaged, seq, err)
				}
				if stop = yield(r, raw); stop != nil {
					return errEnough
				}
				return nil
			})
		})
		switch {
		case stop != nil:
			return stop
		case err != nil:
			return fmt.Errorf("read %s from record %d on: %w", n.path, c.last+1, err)
		case c.last == before:
			return nil
		}
	}
}

// each calls yield with the records from the given seq on.
func (v *glance) each(from uint64, yield func(seq uint64, raw []byte) error) error {
	records, err := v.image.RootBucket().Bucket(recordsBucket)
	if err != nil {
		return err
	}
	take := func(key, value []byte) error {
		raw, err := unseal(key, value)
		if err != nil {
			return err
		}
		return yield(binary.BigEndian.Uint64(key), raw)
	}
	err = records.Walk(seqKey(from), func(e boltfile.Element) error {
		if len(e.Key) != 8 {
			return fmt.Errorf("%w: a record's key has %d bytes", ErrDamaged, len(e.Key))
		}
		return take(e.Key, e.Value)
	})
	for _, seq := range v.tail {
		if err == nil && seq >= from {
			err = take(seqKey(seq), v.root[string(seqKey(seq))])
		}
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// escape makes a path one that Glob takes literally.
func escape(path string) string {
	return strings.NewReplacer(`[`, `\[`, `*`, `\*`, `?`, `\?`, `\`, `\\`).Replace(path)
}

// Aside lists the files beside the log that were damaged and set aside, oldest first.
func Aside(path string) ([]string, error) {
	all, err := filepath.Glob(escape(path) + asideSuffix + "*")
	if err != nil {
		return nil, fmt.Errorf("look for files that were set aside: %w", err)
	}
	slices.SortFunc(all, func(a, b string) int { return asideNumber(path, a) - asideNumber(path, b) })
	return all, nil
}

// asideNumber returns the number in the name of a file that was set aside, 0 if there is none.
func asideNumber(path, file string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(file, path+asideSuffix), suffixRead))
	if err != nil {
		return 0
	}
	return n
}
