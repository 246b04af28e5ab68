// Package sdnotify tells the service manager how the program is: that it is ready, what it does, that it makes progress, that
// it is about to end. It is the sender's half of systemd's protocol, sd_notify(3), and needs no library of it.
//
// A program that nobody supervises has no socket; then every method does nothing, so that callers need not ask. What cannot
// be sent is an error for the log and no reason to stop: a manager that hears nothing acts by itself.
//
// It does not decide whether the program makes progress. That is the program's business.
package sdnotify

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Manager is the way to the service manager. A nil Manager is that of a program without one. It is safe for concurrent use.
type Manager struct {
	conn     *net.UnixConn
	watchdog time.Duration
}

// Connect returns the way to the manager that the environment names, nil if it names none. The environment's variables are
// those of sd_notify(3) and sd_watchdog_enabled(3); pid is the program's own number, since a child inherits variables that are
// not meant for it.
func Connect(getenv func(string) string, pid int) (*Manager, error) {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	if path[0] != '/' && path[0] != '@' { // @ is Linux's abstract name space, which net writes in the same way
		return nil, fmt.Errorf("NOTIFY_SOCKET=%q: only an absolute path or an abstract name is supported", path)
	}
	watchdog, err := watchdogTime(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"), pid)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("reach the service manager: %w", err)
	}
	return &Manager{conn, watchdog}, nil
}

func watchdogTime(usec, forPID string, pid int) (time.Duration, error) {
	if usec == "" || forPID != "" && forPID != strconv.Itoa(pid) {
		return 0, nil
	}
	const longest = int64(1<<63-1) / int64(time.Microsecond)
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n <= 0 || n > longest {
		return 0, fmt.Errorf("WATCHDOG_USEC=%q: want microseconds, 1 to %d", usec, longest)
	}
	return time.Duration(n) * time.Microsecond, nil
}

// Watchdog returns the longest silence that the manager bears before it kills the program and starts it anew; 0 if it
// waits for ever.
func (m *Manager) Watchdog() time.Duration {
	if m == nil {
		return 0
	}
	return m.watchdog
}

// Ready says that the program does what it is for.
func (m *Manager) Ready() error { return m.send("READY=1") }

// Stopping says that the program has begun to end.
func (m *Manager) Stopping() error { return m.send("STOPPING=1") }

// Alive feeds the watchdog.
func (m *Manager) Alive() error { return m.send("WATCHDOG=1") }

// Extend asks for at least so much more time to start or to stop.
func (m *Manager) Extend(d time.Duration) error {
	return m.send("EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(d.Microseconds(), 10))
}

// Status says in a line for people what the program does. Characters that would end the line become spaces.
func (m *Manager) Status(text string) error {
	return m.send("STATUS=" + strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, text))
}

func (m *Manager) send(state string) error {
	if m == nil {
		return nil
	}
	if _, err := m.conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("tell the service manager %q: %w", state, err)
	}
	return nil
}
