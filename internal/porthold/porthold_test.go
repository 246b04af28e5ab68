package porthold

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindsTheProgramThatHasAPort(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("%s: %v", address, err) // a machine without IPv6
			continue
		}
		port := uint16(l.Addr().(*net.TCPAddr).Port)
		name, err := os.ReadFile("/proc/self/comm")
		if err != nil {
			t.Fatal(err)
		}
		h := Find("/proc", port)
		if h.PID != os.Getpid() || h.Program != strings.TrimSpace(string(name)) || h.UID != os.Getuid() {
			t.Errorf("%s: %+v, want this process %d, %s", address, h, os.Getpid(), name)
		}
		if !strings.Contains(h.ZH(), h.Program) || !strings.Contains(h.EN(), h.Program) {
			t.Errorf("%q, %q", h.ZH(), h.EN())
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if h := Find("/proc", port); h.PID != 0 || h.UID != -1 || h.EN() != "another program" {
			t.Errorf("after it was closed: %+v", h)
		}
	}
}

// The processes of others are hidden: then the account is told.
func TestTellsTheAccountOfAHiddenProgram(t *testing.T) {
	proc := t.TempDir()
	if err := os.Mkdir(filepath.Join(proc, "net"), 0o700); err != nil {
		t.Fatal(err)
	}
	table := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:20B9 0100007F:1111 01 00000000:00000000 00:00000000 00000000    33        0 1 1 0\n" +
		"   1: 0100007F:20B9 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 48151 1 0\n" +
		"   2: torn\n"
	if err := os.WriteFile(filepath.Join(proc, "net", "tcp"), []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	if h := Find(proc, 8377); h.UID != 0 || h.EN() != "a program of the user root" {
		t.Errorf("%+v, %s", h, h.EN())
	}
}
