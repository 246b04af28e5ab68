package powercut

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Sizes of the disk, in bytes.
const (
	blockSize  = 4096
	sectorSize = 512
)

// disk is a block device whose cache is lost when the power goes. Its methods are safe for concurrent use.
type disk struct {
	fs.Inode

	mu      sync.Mutex
	durable []byte           // what the medium holds
	dirty   map[int64][]byte // blocks that were written and not flushed, by their number
	dead    bool
	written int64 // bytes since the disk was made
	flushes int64
}

var (
	_ fs.NodeGetattrer = (*disk)(nil)
	_ fs.NodeSetattrer = (*disk)(nil)
	_ fs.NodeOpener    = (*disk)(nil)
	_ fs.NodeReader    = (*disk)(nil)
	_ fs.NodeWriter    = (*disk)(nil)
	_ fs.NodeFsyncer   = (*disk)(nil)
)

// Getattr says how large the disk is.
func (d *disk) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = 0o600
	out.Size = uint64(len(d.durable))
	return 0
}

// Setattr changes nothing.
func (d *disk) Setattr(ctx context.Context, h fs.FileHandle, _ *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return d.Getattr(ctx, h, out)
}

// Open lets the kernel keep no copy of its own.
func (d *disk) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) { return nil, 0, 0 }

// Read returns what was written last, flushed or not.
func (d *disk) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return nil, syscall.EIO
	}
	n := copy(dest, d.durable[min(off, int64(len(d.durable))):])
	for block, b := range d.dirty {
		if at := block*blockSize - off; at < int64(n) && at+blockSize > 0 {
			copy(dest[max(at, 0):n], b[max(-at, 0):])
		}
	}
	return fuse.ReadResultData(dest[:n]), 0
}

// Write puts data into the cache.
func (d *disk) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return 0, syscall.EIO
	}
	if off+int64(len(data)) > int64(len(d.durable)) {
		return 0, syscall.ENOSPC
	}
	d.written += int64(len(data))
	for p := 0; p < len(data); {
		block, in := (off+int64(p))/blockSize, (off+int64(p))%blockSize
		b := d.dirty[block]
		if b == nil {
			b = make([]byte, blockSize)
			copy(b, d.durable[block*blockSize:])
			d.dirty[block] = b
		}
		p += copy(b[in:], data[p:])
	}
	return uint32(len(data)), 0
}

// Fsync brings the cache to the medium.
func (d *disk) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return syscall.EIO
	}
	d.flushes++
	for block, b := range d.dirty {
		copy(d.durable[block*blockSize:], b)
	}
	clear(d.dirty)
	return 0
}

// cut ends the power. Of what was not flushed each block may have been written, lost, or torn between sectors: a disk may
// write its cache in any order. It returns the number of blocks that were at stake, and what the medium holds.
func (d *disk) cut(random *rand.Rand) (atStake int, medium []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	kept := random.Float64() // of the blocks; some cuts lose nearly all, some nearly nothing
	for block, b := range d.dirty {
		switch torn := random.IntN(3) == 0; {
		case torn:
			for s := 0; s < blockSize; s += sectorSize {
				if random.Float64() < kept {
					copy(d.durable[block*blockSize+int64(s):], b[s:s+sectorSize])
				}
			}
		case random.Float64() < kept:
			copy(d.durable[block*blockSize:], b)
		}
	}
	return len(d.dirty), d.durable
}

// traffic returns how many bytes were written and how often the cache was flushed.
func (d *disk) traffic() (written, flushes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.written, d.flushes
}

// bay is where disks are plugged in: a FUSE file system whose files are disks.
type bay struct {
	dir    string
	root   *fs.Inode
	server *fuse.Server
	next   int
}

// newBay mounts an empty bay in a folder.
func newBay(dir string) (*bay, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root := &fs.Inode{}
	server, err := fs.Mount(dir, root, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "powercut", MaxWrite: 1 << 20}})
	if err != nil {
		return nil, fmt.Errorf("mount the disk's server (is /dev/fuse there, and are you root?): %w", err)
	}
	return &bay{dir: dir, root: root, server: server}, nil
}

// plug makes a disk of the given content, which it takes over, and returns its path.
func (b *bay) plug(content []byte) (*disk, string) {
	b.next++
	d := &disk{durable: content, dirty: make(map[int64][]byte)}
	name := "disk" + strconv.Itoa(b.next)
	b.root.AddChild(name, b.root.NewPersistentInode(context.Background(), d, fs.StableAttr{Mode: fuse.S_IFREG, Ino: uint64(b.next) + 1}), true)
	return d, filepath.Join(b.dir, name)
}

// unplug forgets the disk that was plugged in last.
func (b *bay) unplug() { b.root.RmChild("disk" + strconv.Itoa(b.next)) }

func (b *bay) close() error {
	for try := 0; ; try++ {
		err := b.server.Unmount()
		if err == nil {
			return nil
		}
		if try == 50 { // the kernel lets a loop device go when it pleases; detached, the rest goes with it
			if syscall.Unmount(b.dir, syscall.MNT_DETACH) == nil {
				return nil
			}
			return fmt.Errorf("unmount the disk's server: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
