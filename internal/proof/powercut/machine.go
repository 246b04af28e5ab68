package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// diskBytes is the size of the disks: small, so that copying one costs little, and large enough for a log of some
// megabytes twice and the file system's journal.
const diskBytes = 32 << 20

// machine is a computer with one disk. Its methods must all be called on the thread that has its mounts.
type machine struct {
	dir    string // everything is below it
	mount  string // where the disk's file system is while the power is on
	bay    *bay
	disk   *disk
	repair int // how often the file system had to be repaired before it could be mounted
}

// newMachine prepares a machine in an empty folder.
func newMachine(dir string) (*machine, error) {
	m := &machine{dir: dir, mount: filepath.Join(dir, "mount")}
	if err := os.Mkdir(m.mount, 0o700); err != nil {
		return nil, err
	}
	var err error
	m.bay, err = openBay(filepath.Join(dir, "bay"))
	return m, err
}

func (m *machine) close() error { return errors.Join(m.off(), m.bay.close()) }

// format returns a disk with an empty ext4.
func format(dir string) ([]byte, error) {
	image := filepath.Join(dir, "empty.img")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, diskBytes)); err != nil {
		return nil, err
	}
	err := run("mkfs.ext4", "-q", "-F", "-b", "4096", "-N", "128", "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(image)
	return b, errors.Join(err, os.Remove(image))
}

// on plugs in a disk of the given content, which it takes over, and mounts it as a computer does when it starts.
func (m *machine) on(medium []byte, random *rand.Rand) error {
	m.disk = newDisk(medium, random)
	path := m.bay.plug(m.disk)
	device, hold, err := attach(path, m.dir)
	if err != nil {
		return err
	}
	defer func() { _ = hold.Close() }()
	mount := func() error { return unix.Mount(device, m.mount, "ext4", unix.MS_NOATIME, "") }
	err = mount()
	if err == nil {
		return nil
	}
	// What every Linux system does before it mounts. Ext4's superblock has two sectors and can be torn.
	out, fsckErr := exec.Command("e2fsck", "-f", "-y", device).CombinedOutput()
	if again := mount(); again != nil {
		return fmt.Errorf("mount the disk: %w; e2fsck (%w) does not help: %w\n%s", err, fsckErr, again, out)
	}
	m.repair++
	return nil
}

// off unmounts the disk, if it is mounted.
func (m *machine) off() error {
	for try := 0; ; try++ {
		err := unix.Unmount(m.mount, 0)
		if err == nil || errors.Is(err, unix.EINVAL) {
			m.bay.unplug()
			return nil
		}
		if try == 400 {
			return errors.Join(fmt.Errorf("unmount the disk: %w", err), unix.Unmount(m.mount, unix.MNT_DETACH))
		}
		time.Sleep(5 * time.Millisecond) // a process that was killed is not gone at once
	}
}

// shutdown unmounts the disk in order and returns its content.
func (m *machine) shutdown() ([]byte, error) {
	if err := m.off(); err != nil {
		return nil, err
	}
	return m.disk.content()
}

func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
