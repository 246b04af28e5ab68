package powercut

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrImpossible is wrapped by errors that say that this computer does not allow to cut the power: the kernel lacks
// something, or the container does. ErrMissing is for what only has to be installed.
var (
	ErrImpossible = errors.New("the power cannot be cut here")
	ErrMissing    = errors.New("a program is missing")
)

// inSpace calls f with a new folder, on a thread of its own with its own mounts. They are gone when f has returned or the
// process has ended, however it ended, and nobody else has seen them. What f starts sees them too.
func inSpace(f func(dir string) error) error {
	if err := possible(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "powercut")
	if err != nil {
		return err
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with this goroutine
		err := privateMounts()
		if err == nil {
			err = f(dir)
		}
		result <- err
	}()
	return errors.Join(<-result, os.RemoveAll(dir))
}

func privateMounts() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("%w: a mount namespace: %w", ErrImpossible, err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("%w: private mounts: %w", ErrImpossible, err)
	}
	return nil
}

// possible reports what is lacking, as far as can be told without trying.
func possible() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: it needs root", ErrImpossible)
	}
	for _, node := range []string{"/dev/fuse", "/dev/loop-control"} {
		f, err := os.OpenFile(node, os.O_RDWR|syscall.O_NONBLOCK, 0)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrImpossible, err)
		}
		_ = f.Close()
	}
	for _, program := range []string{"mkfs.ext4", "e2fsck", "debugfs"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: %s, of the Debian package e2fsprogs", ErrMissing, program)
		}
	}
	return nil
}

// boot prepares a machine below dir and proves with an empty disk that it works.
func boot(dir string) (m *machine, empty []byte, err error) {
	if m, err = newMachine(dir); err != nil {
		return nil, nil, impossible(err)
	}
	if empty, err = format(dir); err == nil {
		if err = m.on(empty, newRandom(0, 0)); err == nil {
			empty, err = m.shutdown()
		}
	}
	if err != nil {
		return nil, nil, errors.Join(impossible(err), m.close())
	}
	return m, empty, nil
}

// impossible marks the errors of a kernel or container that does not let us.
func impossible(err error) error {
	for _, no := range []error{unix.EPERM, unix.EACCES, unix.ENODEV, unix.ENXIO, unix.ENOSYS} {
		if errors.Is(err, no) {
			return fmt.Errorf("%w: %w", ErrImpossible, err)
		}
	}
	return err
}
