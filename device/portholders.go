package device

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctlPointer makes a request that fills what p points to.
func ioctlPointer[T any](fd int, request uintptr, p *T) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(p))); errno != 0 {
		return errno
	}
	return nil
}

// takenBy names the programs that have a device open, or says how to find them.
func takenBy(name string) string {
	if who := holders(name); len(who) > 0 {
		return strings.Join(who, ", ")
	}
	return "only root can see which; sudo fuser -v " + name + " tells"
}

// holders lists the other programs that have a device open, as "minicom (process 123)". Those of other users are seen by root
// alone.
func holders(name string) []string {
	path, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil
	}
	var all []string
	self, last := strconv.Itoa(os.Getpid()), ""
	for _, link := range links {
		pid := strings.Split(link, "/")[2]
		if pid == self || pid == last {
			continue
		}
		if to, err := os.Readlink(link); err != nil || to != path {
			continue
		}
		comm, err := os.ReadFile("/proc/" + pid + "/comm")
		if err != nil {
			comm = []byte("a program that has ended")
		}
		all = append(all, strings.TrimSpace(string(comm))+" (process "+pid+")")
		last = pid
	}
	return all
}
