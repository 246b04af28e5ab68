// Package mosquitto runs Debian's mosquitto for tests and proofs: brokers of their own on loopback, each with its own configuration.
package mosquitto

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/proof/testkit"
)

// ErrMissing says that mosquitto is not installed.
var ErrMissing = errors.New("mosquitto is not installed: install the Debian package mosquitto")

// Open is the line of configuration with which everybody may do everything, as a careless hall has it.
const Open = "allow_anonymous true\n"

// answersWithin is how long a broker may take to start on a busy machine.
const answersWithin = time.Minute

// Program returns where mosquitto is. Debian puts it where only root's path leads. Without it the error is ErrMissing.
func Program() (string, error) {
	if path, err := exec.LookPath("mosquitto"); err == nil {
		return path, nil
	}
	const path = "/usr/sbin/mosquitto"
	if _, err := os.Stat(path); err != nil {
		return "", ErrMissing
	}
	return path, nil
}

// Need returns where mosquitto is. Without it the test is skipped, and fails where CI is set.
func Need(t *testing.T) string {
	t.Helper()
	path, err := Program()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return path
}

// Broker is one broker, which may end and start again.
type Broker struct {
	Address string // host and port
	Config  string // path of its configuration, which a test may change while it does not run

	program string
	command *exec.Cmd
}

// New returns a broker that does not run yet, with lines of configuration besides its listener's.
func New(t *testing.T, lines string) *Broker {
	t.Helper()
	b := &Broker{program: Need(t), Config: filepath.Join(t.TempDir(), "mosquitto.conf"), Address: testkit.Address(t)}
	_, port, _ := net.SplitHostPort(b.Address)
	if err := os.WriteFile(b.Config, []byte("listener "+port+" 127.0.0.1\n"+lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

// Start starts a broker with lines of configuration that ends with the test, and returns its address.
func Start(t *testing.T, lines string) string {
	t.Helper()
	b := New(t, lines)
	b.Start(t)
	return b.Address
}

// Start starts the broker and waits until it answers. It ends with the test, if not before.
func (b *Broker) Start(t *testing.T) {
	t.Helper()
	b.command = exec.Command(b.program, "-c", b.Config)
	Run(t, b.command, b.Address)
}

// End sends the broker a signal that ends it, and waits until it has ended.
func (b *Broker) End(s syscall.Signal) {
	_ = b.command.Process.Signal(s)
	_ = b.command.Wait() // killed, which it is told
}

// Run starts a broker by a command of the test's own, and waits until it answers at an address. It ends with the test, if not before.
func Run(t *testing.T, command *exec.Cmd, address string) {
	t.Helper()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() }) // it may have ended
	for end := time.Now().Add(answersWithin); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("mosquitto does not answer: %v", err)
		}
	}
}
