package powercut

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// loopMajor is the kernel's number of loop devices.
const loopMajor = 7

// attach makes a loop device of a file and returns its path. The device goes by itself when its last user has closed it,
// which is the caller with the file that it gets, and then whoever has mounted it. Nodes that /dev does not have, as in a
// container, are made in dir.
//
// The file is not opened by package os: that would ask the FUSE server whether the file can be polled.
func attach(path, dir string) (device string, hold *os.File, err error) {
	backing, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, fmt.Errorf("open the disk: %w", err)
	}
	defer func() { _ = unix.Close(backing) }() // the kernel has its own hold on it
	control, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, fmt.Errorf("open /dev/loop-control: %w", err)
	}
	defer func() { _ = unix.Close(control) }()
	for range 50 {
		n, err := unix.IoctlRetInt(control, unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return "", nil, fmt.Errorf("find a free loop device: %w", err)
		}
		if device, err = loopNode(n, dir); err != nil {
			return "", nil, err
		}
		fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return "", nil, fmt.Errorf("open %s: %w", device, err)
		}
		config := unix.LoopConfig{Fd: uint32(backing), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		err = unix.IoctlLoopConfigure(fd, &config)
		if err == nil {
			return device, os.NewFile(uintptr(fd), device), nil
		}
		_ = unix.Close(fd)
		if !errors.Is(err, unix.EBUSY) {
			return "", nil, fmt.Errorf("set up %s: %w", device, err)
		}
		time.Sleep(time.Millisecond) // somebody was faster; there are others
	}
	return "", nil, errors.New("no loop device is free")
}

func loopNode(n int, dir string) (string, error) {
	device := "/dev/loop" + strconv.Itoa(n)
	if _, err := os.Stat(device); err == nil {
		return device, nil
	}
	device = filepath.Join(dir, "loop"+strconv.Itoa(n))
	err := unix.Mknod(device, unix.S_IFBLK|0o600, int(unix.Mkdev(loopMajor, uint32(n))))
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return "", fmt.Errorf("make a node for loop device %d: %w", n, err)
	}
	return device, nil
}
