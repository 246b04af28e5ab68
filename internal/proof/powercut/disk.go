package powercut

import (
	"errors"
	"math/rand/v2"
	"sync"
)

// The units of the disk, in bytes.
const (
	blockSize  = 4096 // what the cache holds together
	sectorSize = 512  // what is written whole or not at all
)

// errPower is what every operation returns once the power is cut.
var errPower = errors.New("the power is cut")

// disk is a block device with a volatile cache. Its methods are safe for concurrent use.
type disk struct {
	gone chan struct{} // closed at the cut

	mu      sync.Mutex
	medium  []byte           // what survives
	cache   map[int64][]byte // blocks that were written and not flushed, by number
	order   []int64          // their numbers, so that the random choices do not depend on the map's order
	random  *rand.Rand
	dead    bool
	fuse    int // operations until the cut, 0 if none is planned
	flushes int64
	trace   func(number int64, content []byte, n int) // called with each block of which n bytes were written; nil if nobody looks
}

// newDisk makes a disk of the given content, which it takes over.
func newDisk(medium []byte, random *rand.Rand) *disk {
	return &disk{gone: make(chan struct{}), medium: medium, cache: make(map[int64][]byte), random: random}
}

func (d *disk) size() int64 { return int64(len(d.medium)) }

// read fills dest and returns how much of it the disk has.
func (d *disk) read(dest []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return 0, errPower
	}
	if off >= d.size() {
		return 0, nil
	}
	n := copy(dest, d.medium[off:])
	for at := off - off%blockSize; at < off+int64(n); at += blockSize {
		b, ok := d.cache[at/blockSize]
		if !ok {
			continue
		}
		if at < off {
			copy(dest[:n], b[off-at:])
		} else {
			copy(dest[at-off:n], b)
		}
	}
	return n, nil
}

// write puts data into the cache.
func (d *disk) write(data []byte, off int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off+int64(len(data)) > d.size() {
		return errors.New("beyond the end of the disk")
	}
	if !d.step() {
		return errPower
	}
	for p := 0; p < len(data); {
		number, in := (off+int64(p))/blockSize, (off+int64(p))%blockSize
		b, ok := d.cache[number]
		if !ok {
			b = append(make([]byte, 0, blockSize), d.medium[number*blockSize:(number+1)*blockSize]...)
			d.cache[number] = b
			d.order = append(d.order, number)
		} else if d.random.IntN(2) == 0 {
			d.settle(number, d.random.Float64()) // a cache may write the older version before it gets the newer
		}
		n := copy(b[in:], data[p:])
		if d.trace != nil {
			d.trace(number, b, n)
		}
		p += n
	}
	return nil
}

// flush brings the cache to the medium.
func (d *disk) flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.step() {
		return errPower
	}
	d.flushes++
	for number, b := range d.cache {
		copy(d.medium[number*blockSize:], b)
	}
	clear(d.cache)
	d.order = d.order[:0]
	return nil
}

// step counts an operation and reports whether there is power for it. The caller holds mu.
func (d *disk) step() bool {
	if d.fuse > 0 {
		if d.fuse--; d.fuse == 0 {
			d.end()
		}
	}
	return !d.dead
}

// settle writes sectors of a cached block to the medium, each with the given probability. The caller holds mu.
func (d *disk) settle(number int64, share float64) {
	b := d.cache[number]
	for s := int64(0); s < blockSize; s += sectorSize {
		if d.random.Float64() < share {
			copy(d.medium[number*blockSize+s:], b[s:s+sectorSize])
		}
	}
}

// cutAfter plans the cut for the given operation from now on, counting writes and flushes; it still has no power.
func (d *disk) cutAfter(operations int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fuse = operations
}

// chance has what happens at random from now on follow from the given source.
func (d *disk) chance(random *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.random = random
}

// cut ends the power now, if it has not ended. It returns what the medium holds, and how many blocks were at stake.
func (d *disk) cut() (medium []byte, atStake int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end()
	return d.medium, len(d.order)
}

// end ends the power. Of the blocks that were not flushed some survive, some are lost, some are torn. The caller holds mu.
func (d *disk) end() {
	if d.dead {
		return
	}
	d.dead = true
	share := d.random.Float64() // so that some cuts lose nearly all and others nearly nothing
	for _, number := range d.order {
		switch {
		case d.random.IntN(2) == 0:
			d.settle(number, share)
		case d.random.Float64() < share:
			d.settle(number, 1)
		}
	}
	close(d.gone)
}

// content takes the disk out in order and returns what it holds.
func (d *disk) content() ([]byte, error) {
	err := d.flush()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true // the next disk has the medium
	return d.medium, err
}

// observe has f called with each block that is written, as it is then, and how many bytes of it were.
func (d *disk) observe(f func(number int64, content []byte, n int)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trace = f
}

// pause calls f while nothing is written, with the number of flushes until then.
func (d *disk) pause(f func(flushes int64)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d.flushes)
}
