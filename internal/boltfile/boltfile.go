package boltfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// ErrDamaged says that a page does not hold what it should.
var ErrDamaged = errors.New("the file is damaged")

// Sizes and marks of the format.
const (
	headerSize  = 16
	elementSize = 16
	metaSize    = 64
	magic       = 0xED0CDAED
	version     = 2

	branchFlag   = 0x01
	leafFlag     = 0x02
	metaFlag     = 0x04
	freelistFlag = 0x10
	bucketFlag   = 0x01 // of a leaf's element

	noFreelist = ^uint64(0)
	// maxDepth is more than any tree has: each level multiplies by two at least, usually by a hundred.
	maxDepth = 64
	// maxPageBytes bounds a page with its overflow.
	maxPageBytes = 1 << 24
)

// Meta is what holds a file together as of one transaction.
type Meta struct {
	PageSize int
	Root     uint64 // page of the root bucket
	Freelist uint64 // page of the list of free pages
	High     uint64 // number of the first page that was never used
	Tx       uint64
}

// File is a file as of one transaction. It is not safe for concurrent use.
type File struct {
	Meta
	// OneMeta says that only one of the two metas is valid. Bbolt goes by the other then; if the lost one was the newer, the
	// last transaction is gone without a trace.
	OneMeta bool

	r io.ReaderAt
}

// Open reads the metas of a file of the given size in bytes. It returns ErrDamaged, wrapped, if none of them is valid, or
// if the file is shorter than its valid meta says.
func Open(r io.ReaderAt, size int64) (*File, error) {
	if size == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrDamaged)
	}
	var best *Meta
	var problem error
	valid := 0
	for _, at := range []int64{0, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536} { // the second meta is one page behind the first
		m, err := readMeta(r, at)
		switch {
		case err != nil && at == 0:
			problem = err
		case err == nil && at != 0 && int64(m.PageSize) != at:
			// A page of data that looks like a meta.
		case err == nil:
			if valid++; best == nil || m.Tx > best.Tx {
				best = &m
			}
		}
	}
	if best == nil {
		if errors.Is(problem, ErrDamaged) || errors.Is(problem, io.EOF) {
			return nil, fmt.Errorf("%w: it has no valid meta page", ErrDamaged)
		}
		return nil, problem
	}
	if best.High > uint64(size)/uint64(best.PageSize) {
		return nil, fmt.Errorf("%w: it has %d bytes and should have %d pages of %d", ErrDamaged, size, best.High, best.PageSize)
	}
	return &File{Meta: *best, OneMeta: valid < 2, r: r}, nil
}

// CheckMetas returns ErrDamaged, wrapped, if neither meta of a file with pages of that size is valid. Bbolt cannot begin a
// transaction then. It may be called while bbolt writes the file, of which it changes one meta at a time.
func CheckMetas(r io.ReaderAt, pageSize int) error {
	_, err := readMeta(r, 0)
	if err == nil {
		return nil
	}
	if _, other := readMeta(r, int64(pageSize)); other == nil {
		return nil
	}
	return err
}

func readMeta(r io.ReaderAt, at int64) (Meta, error) {
	var b [headerSize + metaSize]byte
	if _, err := r.ReadAt(b[:], at); err != nil {
		return Meta{}, err
	}
	p, le := b[headerSize:], binary.LittleEndian
	sum := fnv.New64a()
	_, _ = sum.Write(p[:metaSize-8]) // a hash never fails
	m := Meta{PageSize: int(le.Uint32(p[8:])), Root: le.Uint64(p[16:]), Freelist: le.Uint64(p[32:]), High: le.Uint64(p[40:]),
		Tx: le.Uint64(p[48:])}
	switch {
	case le.Uint32(p) != magic || le.Uint32(p[4:]) != version || le.Uint64(p[56:]) != sum.Sum64():
		return m, fmt.Errorf("%w: the meta at %d is not valid", ErrDamaged, at)
	case m.PageSize < 512 || m.PageSize > 1<<16 || m.PageSize&(m.PageSize-1) != 0 || m.High < 4 || m.High > 1<<40:
		return m, fmt.Errorf("%w: the meta at %d says pages of %d bytes, %d of them", ErrDamaged, at, m.PageSize, m.High)
	}
	return m, nil
}

// page is a page with its overflow.
type page struct {
	id       uint64
	flags    uint16
	count    int
	overflow uint64
	data     []byte // header included
}

// page reads a page and checks its header.
func (f *File) page(id uint64) (page, error) {
	if id < 2 || id >= f.High {
		return page{}, fmt.Errorf("%w: page %d of %d is referred to", ErrDamaged, id, f.High)
	}
	b := make([]byte, f.PageSize)
	if _, err := f.r.ReadAt(b, int64(id)*int64(f.PageSize)); err != nil {
		return page{}, fmt.Errorf("read page %d: %w", id, err)
	}
	p, err := f.header(b, id)
	if err != nil || p.overflow == 0 {
		return p, err
	}
	p.data = make([]byte, (p.overflow+1)*uint64(f.PageSize))
	if _, err := f.r.ReadAt(p.data, int64(id)*int64(f.PageSize)); err != nil {
		return page{}, fmt.Errorf("read page %d: %w", id, err)
	}
	return p, nil
}

// header reads the header of a page of which b holds the beginning.
func (f *File) header(b []byte, id uint64) (page, error) {
	le := binary.LittleEndian
	p := page{id: le.Uint64(b), flags: le.Uint16(b[8:]), count: int(le.Uint16(b[10:])), overflow: uint64(le.Uint32(b[12:])), data: b}
	switch {
	case p.id != id:
		return p, fmt.Errorf("%w: page %d says that it is page %d", ErrDamaged, id, p.id)
	case p.flags != branchFlag && p.flags != leafFlag && p.flags != freelistFlag:
		return p, fmt.Errorf("%w: page %d is of type %#x", ErrDamaged, id, p.flags)
	case (p.overflow+1)*uint64(f.PageSize) > maxPageBytes || id+p.overflow >= f.High:
		return p, fmt.Errorf("%w: page %d says that it is followed by %d more", ErrDamaged, id, p.overflow)
	}
	return p, nil
}

// slice returns the n bytes at off, or an error if they are not inside.
func slice(b []byte, off, n uint64) ([]byte, error) {
	if off > uint64(len(b)) || n > uint64(len(b))-off {
		return nil, fmt.Errorf("%w: bytes %d to %d of a page of %d", ErrDamaged, off, off+n, len(b))
	}
	return b[off : off+n], nil
}

// child is an element of a branch page.
type child struct {
	key []byte
	id  uint64
}

func (p page) children() ([]child, error) {
	if p.count == 0 || headerSize+p.count*elementSize > len(p.data) {
		return nil, fmt.Errorf("%w: branch page %d says that it has %d elements", ErrDamaged, p.id, p.count)
	}
	all := make([]child, p.count)
	for i := range all {
		at := uint64(headerSize + i*elementSize)
		e := p.data[at:]
		key, err := slice(p.data, at+uint64(binary.LittleEndian.Uint32(e)), uint64(binary.LittleEndian.Uint32(e[4:])))
		if err != nil {
			return nil, fmt.Errorf("branch page %d, element %d: %w", p.id, i, err)
		}
		if i > 0 && bytes.Compare(all[i-1].key, key) >= 0 {
			return nil, fmt.Errorf("%w: the keys of branch page %d are not in order", ErrDamaged, p.id)
		}
		all[i] = child{key, binary.LittleEndian.Uint64(e[8:])}
	}
	return all, nil
}

// Element is a key with its value, or a bucket with its name.
type Element struct {
	Key, Value []byte // valid until the next page is read, not to be changed
	Bucket     bool   // Value is a bucket
}

// element returns the i-th element of a leaf page that begins at data.
func element(data []byte, i int) (Element, error) {
	at := uint64(headerSize + i*elementSize)
	e, err := slice(data, at, elementSize)
	if err != nil {
		return Element{}, err
	}
	le := binary.LittleEndian
	pos, ksize, vsize := uint64(le.Uint32(e[4:])), uint64(le.Uint32(e[8:])), uint64(le.Uint32(e[12:]))
	both, err := slice(data, at+pos, ksize+vsize)
	if err != nil {
		return Element{}, err
	}
	return Element{Key: both[:ksize], Value: both[ksize:], Bucket: le.Uint32(e)&bucketFlag != 0}, nil
}

func elements(data []byte, count int, from []byte, yield func(Element) error) error {
	var last []byte
	for i := range count {
		e, err := element(data, i)
		if err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
		if i > 0 && bytes.Compare(last, e.Key) >= 0 {
			return fmt.Errorf("%w: the keys are not in order", ErrDamaged)
		}
		last = e.Key
		if bytes.Compare(e.Key, from) < 0 {
			continue
		}
		if err := yield(e); err != nil {
			return err
		}
	}
	return nil
}
