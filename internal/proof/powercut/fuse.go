package powercut

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// slot shows a disk to the kernel as a file.
type slot struct {
	fs.Inode
	d *disk
}

var (
	_ fs.NodeGetattrer = (*slot)(nil)
	_ fs.NodeSetattrer = (*slot)(nil)
	_ fs.NodeOpener    = (*slot)(nil)
	_ fs.NodeReader    = (*slot)(nil)
	_ fs.NodeWriter    = (*slot)(nil)
	_ fs.NodeFsyncer   = (*slot)(nil)
)

// Getattr tells the size.
func (s *slot) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = 0o600
	out.Size = uint64(s.d.size())
	return 0
}

// Setattr changes nothing: the kernel sets times that a disk does not have.
func (s *slot) Setattr(ctx context.Context, h fs.FileHandle, _ *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return s.Getattr(ctx, h, out)
}

// Open needs no handle.
func (s *slot) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) { return nil, 0, 0 }

// Read reads from the disk.
func (s *slot) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n, err := s.d.read(dest, off)
	if err != nil {
		return nil, syscall.EIO
	}
	return fuse.ReadResultData(dest[:n]), 0
}

// Write writes to the disk's cache.
func (s *slot) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if err := s.d.write(data, off); err != nil {
		return 0, syscall.EIO
	}
	return uint32(len(data)), 0
}

// Fsync flushes the disk's cache.
func (s *slot) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	if err := s.d.flush(); err != nil {
		return syscall.EIO
	}
	return 0
}

// bay is the file system whose files are disks.
type bay struct {
	dir    string
	root   *fs.Inode
	server *fuse.Server
	next   int
}

// openBay mounts an empty bay.
func openBay(dir string) (*bay, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	root := &fs.Inode{}
	server, err := fs.Mount(dir, root, &fs.Options{MountOptions: fuse.MountOptions{
		DirectMountStrict: true, FsName: "powercut", MaxWrite: 1 << 20}})
	if err != nil {
		return nil, fmt.Errorf("mount a FUSE file system: %w", err)
	}
	b := &bay{dir: dir, root: root, server: server}
	if err := keepServer(); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// keepServer keeps the processes that we start from inheriting the server's end of the file system, which go-fuse (v2.12.1,
// when it mounts by itself) leaves open to them. If we were killed, a writer would hold on to it, so that nobody would ever
// answer what that very writer waits for, not even to end.
func keepServer() error {
	const own = "/proc/self/fd"
	entries, err := os.ReadDir(own)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(own, e.Name())); err != nil || to != "/dev/fuse" {
			continue // or it is closed by now
		}
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			return err
		}
		syscall.CloseOnExec(fd)
	}
	return nil
}

// plug shows a disk and returns its path.
func (b *bay) plug(d *disk) string {
	b.unplug()
	b.next++
	node := b.root.NewPersistentInode(context.Background(), &slot{d: d}, fs.StableAttr{Mode: fuse.S_IFREG, Ino: uint64(b.next) + 1})
	b.root.AddChild(b.name(), node, true)
	return filepath.Join(b.dir, b.name())
}

// unplug takes the disk out that was plugged in last.
func (b *bay) unplug() { b.root.RmChild(b.name()) }

func (b *bay) name() string { return "disk" + strconv.Itoa(b.next) }

// close unmounts the bay, even if somebody still has a disk open.
func (b *bay) close() error {
	err := b.server.Unmount()
	if err == nil {
		return nil
	}
	if syscall.Unmount(b.dir, syscall.MNT_DETACH) == nil {
		return nil
	}
	return errors.Join(errors.New("unmount the FUSE file system"), err)
}
