// Package tty waits, in tests, for what opens a serial port whose other end a test holds.
package tty

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// UntilRaw returns once somebody has opened the port behind master, which throws away what came before and ends the terminal's echo.
func UntilRaw(t *testing.T, master *os.File) {
	t.Helper()
	raw, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var set *unix.Termios
		if e := raw.Control(func(fd uintptr) { set, err = unix.IoctlGetTermios(int(fd), unix.TCGETS) }); e != nil || err != nil {
			t.Fatal(e, err)
		}
		if set.Lflag&unix.ECHO == 0 {
			time.Sleep(100 * time.Millisecond) // what came before is thrown away right after
			return
		}
	}
	t.Fatal("the port was not opened within a minute")
}
