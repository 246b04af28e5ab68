package boltfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
)

// Bucket is a tree of keys: the root, or one that an element holds.
type Bucket struct {
	f      *File
	root   uint64 // page; 0: inline
	inline []byte // the page inside the value
}

// RootBucket returns the bucket that holds the others.
func (f *File) RootBucket() Bucket { return Bucket{f: f, root: f.Root} }

// bucket reads the value of an element that is a bucket.
func (f *File) bucket(value []byte) (Bucket, error) {
	if len(value) < 16 {
		return Bucket{}, fmt.Errorf("%w: a bucket of %d bytes", ErrDamaged, len(value))
	}
	b := Bucket{f: f, root: binary.LittleEndian.Uint64(value)}
	if b.root != 0 {
		return b, nil
	}
	if len(value) < 16+headerSize || binary.LittleEndian.Uint16(value[16+8:]) != leafFlag {
		return Bucket{}, fmt.Errorf("%w: an inline bucket without a leaf", ErrDamaged)
	}
	b.inline = slices.Clone(value[16:])
	return b, nil
}

// ErrNoBucket says that there is no bucket of that name.
var ErrNoBucket = errors.New("there is no such bucket")

// Bucket returns the bucket of the given name inside b.
func (b Bucket) Bucket(name []byte) (Bucket, error) {
	found, err := Bucket{}, fmt.Errorf("bucket %q: %w", name, ErrNoBucket)
	stop := errors.New("found")
	walkErr := b.Walk(name, func(e Element) error {
		if bytes.Equal(e.Key, name) && e.Bucket {
			found, err = b.f.bucket(e.Value)
		}
		return stop
	})
	if walkErr != nil && !errors.Is(walkErr, stop) {
		return Bucket{}, fmt.Errorf("bucket %q: %w", name, walkErr)
	}
	return found, err
}

// Walk calls yield with the elements from the given key on, in order, until yield returns an error, which it returns.
func (b Bucket) Walk(from []byte, yield func(Element) error) error {
	if b.root == 0 {
		return elements(b.inline, int(binary.LittleEndian.Uint16(b.inline[10:])), from, yield)
	}
	return b.f.walk(b.root, from, make(map[uint64]bool), 0, yield)
}

func (f *File) walk(id uint64, from []byte, seen map[uint64]bool, depth int, yield func(Element) error) error {
	p, err := f.page(id)
	if err != nil {
		return err
	}
	switch p.flags {
	case leafFlag:
		if err := elements(p.data, p.count, from, yield); err != nil {
			return fmt.Errorf("leaf page %d: %w", id, err)
		}
		return nil
	case branchFlag:
		if seen[id] || depth > maxDepth {
			return fmt.Errorf("%w: branch page %d is below itself", ErrDamaged, id)
		}
		seen[id] = true
		children, err := p.children()
		if err != nil {
			return err
		}
		first := max(0, sort.Search(len(children), func(i int) bool { return bytes.Compare(children[i].key, from) > 0 })-1)
		for _, c := range children[first:] {
			if err := f.walk(c.id, from, seen, depth+1, yield); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%w: page %d is in a tree and of type %#x", ErrDamaged, id, p.flags)
}

// Check reads every branch, the leaves of the buckets at the root, and the list of free pages, and reports what is wrong
// with them. The leaves below are not read, which keeps it short; they are checked for being referred to once, and by
// nobody who thinks them free. After Check, bbolt's way down to any leaf is sound.
func (f *File) Check() error {
	used := newBitmap(f.High)
	if err := f.checkRoot(f.Root, used, 0); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	return f.checkFree(used)
}

// checkRoot reads all pages of the root bucket and checks the buckets that it holds.
func (f *File) checkRoot(id uint64, used bitmap, depth int) error {
	p, err := f.page(id)
	if err != nil {
		return err
	}
	if err := used.take(p.id, p.overflow); err != nil {
		return err
	}
	if p.flags == branchFlag && depth < maxDepth {
		children, err := p.children()
		if err != nil {
			return err
		}
		for _, c := range children {
			if err := f.checkRoot(c.id, used, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if p.flags != leafFlag {
		return fmt.Errorf("%w: page %d is in the root, of type %#x and at depth %d", ErrDamaged, id, p.flags, depth)
	}
	return elements(p.data, p.count, nil, func(e Element) error {
		if !e.Bucket {
			return nil
		}
		b, err := f.bucket(e.Value)
		switch {
		case err != nil:
			return fmt.Errorf("bucket %q: %w", e.Key, err)
		case b.root == 0:
			return b.Walk(nil, func(Element) error { return nil })
		}
		if err := f.checkTree(b.root, used, 0); err != nil {
			return fmt.Errorf("bucket %q: %w", e.Key, err)
		}
		return nil
	})
}

// checkTree follows the branches below a page. Whether a page is a leaf is told by the first of its siblings, since a
// tree's leaves are all at one depth.
func (f *File) checkTree(id uint64, used bitmap, depth int) error {
	p, err := f.page(id)
	if err != nil {
		return err
	}
	if err := used.take(p.id, p.overflow); err != nil {
		return err
	}
	if p.flags == leafFlag {
		return elements(p.data, p.count, nil, func(Element) error { return nil })
	}
	if p.flags != branchFlag || depth > maxDepth {
		return fmt.Errorf("%w: page %d is in a tree, of type %#x and at depth %d", ErrDamaged, id, p.flags, depth)
	}
	children, err := p.children()
	if err != nil {
		return err
	}
	last, err := f.page(children[len(children)-1].id)
	if err != nil {
		return err
	}
	for i, c := range children {
		if last.flags == leafFlag && i < len(children)-1 {
			if c.id < 2 || c.id >= f.High {
				return fmt.Errorf("%w: page %d of %d is referred to", ErrDamaged, c.id, f.High)
			}
			if err := used.take(c.id, 0); err != nil {
				return err
			}
			continue
		}
		if err := f.checkTree(c.id, used, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (f *File) checkFree(used bitmap) error {
	if f.Freelist == noFreelist {
		return nil
	}
	p, err := f.page(f.Freelist)
	if err != nil {
		return err
	}
	if p.flags != freelistFlag {
		return fmt.Errorf("%w: the list of free pages is page %d, of type %#x", ErrDamaged, p.id, p.flags)
	}
	if err := used.take(p.id, p.overflow); err != nil {
		return err
	}
	ids, n := p.data[headerSize:], uint64(p.count)
	if p.count == 0xFFFF {
		n, ids = binary.LittleEndian.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids)/8) {
		return fmt.Errorf("%w: the list of free pages says that it has %d", ErrDamaged, n)
	}
	for i := range n {
		id := binary.LittleEndian.Uint64(ids[8*i:])
		if id < 2 || id >= f.High {
			return fmt.Errorf("%w: page %d of %d is said to be free", ErrDamaged, id, f.High)
		}
		if err := used.take(id, 0); err != nil {
			return err
		}
	}
	return nil
}

// bitmap notes which pages have been met.
type bitmap []uint64

func newBitmap(n uint64) bitmap { return make(bitmap, n/64+1) }

func (b bitmap) take(id, overflow uint64) error {
	for i := id; i <= id+overflow; i++ {
		if i/64 >= uint64(len(b)) || b[i/64]&(1<<(i%64)) != 0 {
			return fmt.Errorf("%w: page %d is used twice", ErrDamaged, i)
		}
		b[i/64] |= 1 << (i % 64)
	}
	return nil
}

// Scan calls yield with every element of whatever looks like a leaf page, in the order of the pages, old versions of
// pages included, whether or not a tree leads there. It is for files that cannot be read otherwise: it needs no meta, only
// the size of the pages, and passes over what it cannot read. A page that the disk itself fails to read is passed over too
// and counted.
func Scan(r io.ReaderAt, size int64, pageSize int, yield func(page uint64, e Element) error) (unreadable int, err error) {
	head := make([]byte, pageSize)
	for id := uint64(0); int64(id)*int64(pageSize) < size; id++ {
		n, err := r.ReadAt(head, int64(id)*int64(pageSize))
		if err != nil && !errors.Is(err, io.EOF) {
			unreadable++
			continue
		}
		data := head[:n]
		le := binary.LittleEndian
		if n < headerSize || le.Uint64(data) != id || le.Uint16(data[8:]) != leafFlag {
			continue
		}
		count, overflow := int(le.Uint16(data[10:])), uint64(le.Uint32(data[12:]))
		if total := (overflow + 1) * uint64(pageSize); overflow > 0 && total <= maxPageBytes {
			data = make([]byte, total)
			if n, err = r.ReadAt(data, int64(id)*int64(pageSize)); err != nil && !errors.Is(err, io.EOF) {
				unreadable++
				data = head
			} else {
				data = data[:n]
			}
		}
		if err := scanLeaf(id, data, count, yield); err != nil {
			return unreadable, err
		}
	}
	return unreadable, nil
}

func scanLeaf(id uint64, data []byte, count int, yield func(uint64, Element) error) error {
	for i := range count {
		e, err := element(data, i)
		if err != nil {
			continue // the others may be whole
		}
		if e.Bucket && len(e.Value) >= 16+headerSize && binary.LittleEndian.Uint64(e.Value) == 0 {
			inner := e.Value[16:]
			if err := scanLeaf(id, inner, int(binary.LittleEndian.Uint16(inner[10:])), yield); err != nil {
				return err
			}
			continue
		}
		if err := yield(id, e); err != nil {
			return err
		}
	}
	return nil
}
