package powercut

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// diskBytes is the size of the disks: small, so that a cut is quick, and large enough for a log that is worth compacting.
const diskBytes = 32 << 20

// Machine has one disk, with an ext4 on it that is mounted while the power is on. It is not safe for concurrent use.
//
// The process that serves the disk must not map a file of it into its memory: a page fault would wait for the server, and
// the garbage collector for the fault.
type Machine struct {
	bay    *bay
	mount  string
	medium []byte // while the power is off
	disk   *disk  // while it is on
	loop   string // while it is on
}

// NewMachine returns a machine that is off, with an empty disk. It works in the given folder, which must be there.
func NewMachine(dir string) (*Machine, error) {
	empty, err := format(dir)
	if err != nil {
		return nil, err
	}
	m := &Machine{mount: filepath.Join(dir, "mount"), medium: empty}
	if err := os.Mkdir(m.mount, 0o700); err != nil {
		return nil, err
	}
	m.bay, err = newBay(filepath.Join(dir, "bay"))
	return m, err
}

// Mount returns where the disk's files are while the power is on.
func (m *Machine) Mount() string { return m.mount }

// Close takes everything out.
func (m *Machine) Close() error {
	return errors.Join(m.Off(), m.bay.close())
}

// Lacking returns what this computer lacks to cut the power, "" if nothing.
func Lacking() string {
	if os.Geteuid() != 0 {
		return "root"
	}
	for _, dev := range []string{"/dev/fuse", "/dev/loop-control"} {
		if _, err := os.Stat(dev); err != nil {
			return dev
		}
	}
	for program, pkg := range map[string]string{"mkfs.ext4": "e2fsprogs", "losetup": "mount"} {
		if _, err := exec.LookPath(program); err != nil {
			return program + " (Debian package " + pkg + ")"
		}
	}
	return ""
}

// format returns a disk with an empty ext4.
func format(dir string) ([]byte, error) {
	image := filepath.Join(dir, "empty.img")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Truncate(image, diskBytes); err != nil {
		return nil, err
	}
	if err := run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-b", "4096", "-m", "0", image); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(image)
	return b, errors.Join(err, os.Remove(image))
}

func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// On plugs the disk in and mounts it.
func (m *Machine) On() error {
	var path string
	m.disk, path = m.bay.plug(m.medium)
	m.medium = nil
	out, err := exec.Command("losetup", "-f", "--show", path).Output()
	if err != nil {
		return fmt.Errorf("losetup: %w", err)
	}
	m.loop = strings.TrimSpace(string(out))
	if err := syscall.Mount(m.loop, m.mount, "ext4", syscall.MS_NOATIME, "noinit_itable"); err != nil {
		return fmt.Errorf("mount the disk: %w", err)
	}
	return nil
}

// Cut ends the power while programs write, and returns how many blocks were not flushed. The caller ends the programs
// before Off.
func (m *Machine) Cut(random *rand.Rand) (atStake int) {
	n, medium := m.disk.cut(random)
	m.medium = medium
	return n
}

// Off takes the disk out. If the power was not cut, everything is flushed.
func (m *Machine) Off() error {
	var errs []error
	if m.disk == nil {
		return nil
	}
	for try := 0; ; try++ {
		err := syscall.Unmount(m.mount, 0)
		if err == nil || errors.Is(err, syscall.EINVAL) {
			break
		}
		if try == 100 {
			errs = append(errs, fmt.Errorf("unmount the disk: %w", err), syscall.Unmount(m.mount, syscall.MNT_DETACH))
			break
		}
		time.Sleep(5 * time.Millisecond) // a process that was killed may not be gone
	}
	if m.loop != "" {
		errs = append(errs, run("losetup", "-d", m.loop))
		m.loop = ""
	}
	if m.medium == nil { // the power was not cut
		if errno := m.disk.Fsync(context.Background(), nil, 0); errno != 0 {
			errs = append(errs, errno)
		}
		m.medium = m.disk.durable
	}
	m.disk = nil
	m.bay.unplug()
	return errors.Join(errs...)
}
