package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	bolt "go.etcd.io/bbolt"

	"haochaping/internal/rating"
)

// Version is the version of the file's format.
const Version = 2

// pageSize is fixed, so that a file moves between machines, and is what a card writes at least.
const pageSize = 4096

// The newest records, the tail, and the release mark lie in the root bucket itself, whose one leaf page every transaction
// writes anyway. When that page is full the tail moves into the bucket of records, several at once. So an append writes
// three pages: the root, the list of free pages and the meta. DESIGN.md has the figures.
//
// The bucket meta holds small values that change seldom. Every key that is a seq is 8 bytes, big-endian. Every value but
// the version's is sealed.
var (
	recordsBucket = []byte("records")
	metaBucket    = []byte("meta")
	keyReleased   = []byte("released") // in the root; 8 bytes
)

// The keys of the meta bucket.
const (
	keyVersion = "version" // 8 bytes, not sealed, in every version of the format
	keyDevice  = "device"
	keyEpoch   = "epoch"
	keyBoot    = "boot"    // bootMark
	keyTrimmed = "trimmed" // trimMark, set when records are removed
	notePrefix = "note:"
)

// fillAppend is how full a page of records becomes. Records are only ever added at the end, so no room is kept for others.
const fillAppend = 1.0

// What a page and an element of one take besides keys and values.
const (
	pageHeader    = 16
	elementHeader = 16
	// inlineLimit is the size from which a bucket has pages of its own.
	inlineLimit = pageSize / 4
	// rootSpare is kept free in the root, for what bbolt may add.
	rootSpare = 64
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// seal appends a checksum over key and value. A flipped byte on a card then reads as damage and not as another answer.
func seal(key, value []byte) []byte {
	sum := crc32.Update(crc32.Checksum(key, castagnoli()), castagnoli(), value)
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, len(value)+4), value...), sum)
}

// unseal returns the value inside a sealed one.
func unseal(key, sealed []byte) ([]byte, error) {
	if len(sealed) < 4 {
		return nil, fmt.Errorf("%w: the value of %q is missing", ErrDamaged, key)
	}
	value, sum := sealed[:len(sealed)-4], binary.BigEndian.Uint32(sealed[len(sealed)-4:])
	if crc32.Update(crc32.Checksum(key, castagnoli()), castagnoli(), value) != sum {
		return nil, fmt.Errorf("%w: the checksum of %q does not hold", ErrDamaged, key)
	}
	return value, nil
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// isSeq reports whether a key of the root is that of a record of the tail.
func isSeq(key []byte) bool { return len(key) == 8 && key[0] == 0 }

// layout is one transaction's view of the file.
type layout struct {
	tx                  *bolt.Tx
	root, meta, records *bolt.Bucket
}

func layoutOf(tx *bolt.Tx) (layout, error) {
	l := layout{tx: tx, root: tx.Cursor().Bucket(), meta: tx.Bucket(metaBucket), records: tx.Bucket(recordsBucket)}
	if l.meta == nil || l.records == nil {
		return l, fmt.Errorf("%w: a bucket is missing", ErrDamaged)
	}
	l.records.FillPercent = fillAppend
	l.root.FillPercent = fillAppend
	return l, nil
}

// metaValue returns a sealed value of the meta bucket, nil if there is none.
func (l layout) metaValue(key string) ([]byte, error) {
	b := l.meta.Get([]byte(key))
	if b == nil {
		return nil, nil
	}
	return unseal([]byte(key), b)
}

func (l layout) putMeta(key string, value []byte) error {
	return l.meta.Put([]byte(key), seal([]byte(key), value))
}

func (l layout) putReleased(seq uint64) error {
	return l.root.Put(keyReleased, seal(keyReleased, seqKey(seq)))
}

func (l layout) released() (uint64, error) {
	b, err := unseal(keyReleased, l.root.Get(keyReleased))
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: the release mark has %d bytes", ErrDamaged, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// lastSeq returns the seq of the newest record, 0 if the file holds none.
func (l layout) lastSeq() uint64 {
	if k, _ := l.lastOfTail(); k != nil {
		return binary.BigEndian.Uint64(k)
	}
	if k, _ := l.records.Cursor().Last(); len(k) == 8 {
		return binary.BigEndian.Uint64(k)
	}
	return 0
}

// lastOfTail returns the newest element of the tail. The tail's keys come before the root's others.
func (l layout) lastOfTail() (key, value []byte) {
	c := l.root.Cursor()
	if k, _ := c.Seek(seqKey(1 << 56)); k == nil {
		key, value = c.Last()
	} else {
		key, value = c.Prev()
	}
	if !isSeq(key) {
		return nil, nil
	}
	return key, value
}

// record returns a record's bytes, valid until the transaction ends.
func (l layout) record(seq uint64) ([]byte, error) {
	key := seqKey(seq)
	b := l.root.Get(key)
	if b == nil {
		b = l.records.Get(key)
	}
	if b == nil {
		return nil, fmt.Errorf("%w: record %d is missing", ErrDamaged, seq)
	}
	return unseal(key, b)
}

var errEnough = errors.New("enough")

// each calls yield with the records from the given seq on, oldest first, until it returns an error. It returns nil for
// errEnough. Seqs must follow each other.
func (l layout) each(from uint64, yield func(seq uint64, raw []byte) error) error {
	want := from
	take := func(k, v []byte) error {
		seq := binary.BigEndian.Uint64(k)
		if seq != want {
			return fmt.Errorf("%w: record %d stands where %d should", ErrDamaged, seq, want)
		}
		raw, err := unseal(k, v)
		if err != nil {
			return fmt.Errorf("record %d: %w", seq, err)
		}
		want++
		return yield(seq, raw)
	}
	err := func() error {
		c := l.records.Cursor()
		for k, v := c.Seek(seqKey(from)); k != nil; k, v = c.Next() {
			if len(k) != 8 {
				return fmt.Errorf("%w: a record's key has %d bytes", ErrDamaged, len(k))
			}
			if err := take(k, v); err != nil {
				return err
			}
		}
		c = l.root.Cursor()
		for k, v := c.Seek(seqKey(from)); isSeq(k); k, v = c.Next() {
			if err := take(k, v); err != nil {
				return err
			}
		}
		return nil
	}()
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// put writes records that follow on the last one, and moves the tail if the root has no room for them. Records that a
// failed transaction has left behind at or after first make way.
func (l layout) put(first uint64, encoded [][]byte) error {
	if err := l.cut(first); err != nil {
		return err
	}
	need := 0
	for _, b := range encoded {
		need += elementHeader + 8 + len(b) + 4
	}
	to := l.root
	switch room := l.rootRoom(); {
	case need > room+l.tailSize():
		to = l.records // more than the root could ever take
		fallthrough
	case need > room:
		if err := l.moveTail(); err != nil {
			return err
		}
	}
	for i, b := range encoded {
		k := seqKey(first + uint64(i))
		if err := to.Put(k, seal(k, b)); err != nil {
			return err
		}
	}
	return nil
}

// fit moves the tail if the root has become too small for it, since the bucket meta lies in the same page while it is small.
func (l layout) fit() error {
	if l.rootRoom() >= 0 {
		return nil
	}
	return l.moveTail()
}

// cut removes the records from the given seq on.
func (l layout) cut(from uint64) error {
	for _, b := range []*bolt.Bucket{l.root, l.records} {
		var keys [][]byte
		c := b.Cursor()
		for k, _ := c.Seek(seqKey(from)); isSeq(k); k, _ = c.Next() {
			keys = append(keys, append([]byte(nil), k...))
		}
		for _, k := range keys {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l layout) moveTail() error {
	type pair struct{ k, v []byte }
	var all []pair
	c := l.root.Cursor()
	for k, v := c.First(); isSeq(k); k, v = c.Next() {
		all = append(all, pair{append([]byte(nil), k...), append([]byte(nil), v...)})
	}
	for _, p := range all {
		if err := errors.Join(l.records.Put(p.k, p.v), l.root.Delete(p.k)); err != nil {
			return err
		}
	}
	return nil
}

// tailSize returns how many bytes of the root the tail takes.
func (l layout) tailSize() int {
	n := 0
	c := l.root.Cursor()
	for k, v := c.First(); isSeq(k); k, v = c.Next() {
		n += elementHeader + len(k) + len(v)
	}
	return n
}

// rootRoom returns how many bytes more the root's page can take.
func (l layout) rootRoom() int {
	return pageSize - pageHeader - rootSpare - l.tailSize() - (elementHeader + len(keyReleased) + 12) -
		bucketSize(metaBucket, l.meta) - bucketSize(recordsBucket, l.records)
}

// bucketSize returns how many bytes of the root a bucket takes.
func bucketSize(name []byte, b *bolt.Bucket) int {
	const header = 16
	size := elementHeader + len(name) + header
	if b.Root() != 0 {
		return size
	}
	content := pageHeader
	c := b.Cursor()
	for k, v := c.First(); k != nil && content <= inlineLimit; k, v = c.Next() {
		content += elementHeader + len(k) + len(v)
	}
	if content > inlineLimit {
		return size
	}
	return size + content
}

// trimMark continues numbering and chain when the records before it are gone.
type trimMark struct {
	Seq  uint64      `json:"seq"`
	Hash rating.Hash `json:"hash"`
}

type bootMark struct {
	ID    string `json:"id"`
	Count uint32 `json:"count"`
}
