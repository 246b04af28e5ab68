package sdnotify_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/sdnotify"
)

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// receiver plays the service manager.
func receiver(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func next(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestManagerHearsEachState(t *testing.T) {
	dir := t.TempDir()
	for _, socket := range []string{filepath.Join(dir, "notify"), "@" + filepath.Base(dir) + t.Name()} {
		c := receiver(t, socket)
		m, err := sdnotify.Connect(env(map[string]string{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}), 7)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Watchdog(); got != 30*time.Second {
			t.Errorf("the watchdog bears %v of silence, want 30s", got)
		}
		for _, step := range []struct {
			send func() error
			want string
		}{
			{m.Ready, "READY=1"},
			{m.Alive, "WATCHDOG=1"},
			{func() error { return m.Status("待上传 12 条\nREADY=0") }, "STATUS=待上传 12 条 READY=0"},
			{m.Stopping, "STOPPING=1"},
		} {
			if err := step.send(); err != nil {
				t.Fatal(err)
			}
			if got := next(t, c); got != step.want {
				t.Errorf("%s: the manager heard %q, want %q", socket, got, step.want)
			}
		}
	}
}

func TestWithoutManagerNothingHappens(t *testing.T) {
	m, err := sdnotify.Connect(env(nil), 1)
	if m != nil || err != nil {
		t.Fatalf("Connect without NOTIFY_SOCKET: %v, %v; want nothing", m, err)
	}
	for _, send := range []func() error{m.Ready, m.Alive, m.Stopping, func() error { return m.Status("x") }} {
		if err := send(); err != nil {
			t.Error(err)
		}
	}
	if m.Watchdog() != 0 {
		t.Error("there is a watchdog without a manager")
	}
}

func TestEnvironmentThatMakesNoSense(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	receiver(t, socket)
	for _, vars := range []map[string]string{
		{"NOTIFY_SOCKET": "relative"},
		{"NOTIFY_SOCKET": "vsock:2:1"},
		{"NOTIFY_SOCKET": socket + ".none"},
		{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "-1"},
		{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "0"},
		{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "9223372036854775807"},
	} {
		if m, err := sdnotify.Connect(env(vars), 1); err == nil {
			t.Errorf("%v is accepted: %v", vars, m)
		}
	}
	m, err := sdnotify.Connect(env(map[string]string{"NOTIFY_SOCKET": socket, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "2"}), 1)
	if err != nil || m.Watchdog() != 0 {
		t.Errorf("another process's watchdog is taken for ours: %v, %v", m, err)
	}
}

// The socket that systemd's own tool writes to is read in the same way, so that both understand the same protocol.
func TestProtocolIsThatOfSystemd(t *testing.T) {
	tool, err := exec.LookPath("systemd-notify")
	if err != nil {
		const what = "systemd-notify is missing: install the Debian package systemd"
		if os.Getenv("CI") != "" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	socket := filepath.Join(t.TempDir(), "notify")
	c := receiver(t, socket)
	cmd := exec.Command(tool, "--no-block", "--status=待上传")
	cmd.Env = []string{"NOTIFY_SOCKET=" + socket}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("systemd-notify: %v\n%s", err, out)
	}
	theirs := next(t, c)
	m, err := sdnotify.Connect(env(map[string]string{"NOTIFY_SOCKET": socket}), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Status("待上传"); err != nil {
		t.Fatal(err)
	}
	if ours := next(t, c); ours != theirs {
		t.Errorf("we say %q, systemd-notify %q", ours, theirs)
	}
}
