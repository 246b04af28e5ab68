package powercut

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Build says which writer is put to the test.
type Build string

// The builds. All but Good are broken on purpose and have to be caught.
const (
	Good    Build = "good"
	NoSync  Build = "no fsync"
	TooSoon Build = "thanks before commit"
)

// Broken returns the builds that have to be caught.
func Broken() []Build { return []Build{NoSync, TooSoon} }

// disarmSync makes every fsync of this process return at once, successfully and in vain: the store with bbolt's NoSync,
// without a switch for it in the store. A filter in the kernel answers in the place of the system call.
func disarmSync() error {
	calls := []uint32{unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_MSYNC, unix.SYS_SYNCFS, unix.SYS_SYNC_FILE_RANGE}
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // the call's number is at offset 0
	for i, n := range calls {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: n, Jt: uint8(len(calls) - i)})
	}
	filter = append(filter,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO}) // error number 0 is success
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("make fsync useless: %w", errno)
	}
	return nil
}
