package strangers

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/proof/testkit"
)

// Program is a program that runs until the test ends, with all of its listeners.
type Program struct {
	At   map[string]string // its addresses, as its file has them
	said *testkit.Said
}

// Start starts a program with a configuration, which has it write its addresses into a file, and waits until all is there that is named.
func Start(t testing.TB, path, config, addresses string, all ...string) *Program {
	t.Helper()
	name := filepath.Base(path)
	p := &Program{said: testkit.Shown(t, name)}
	command := exec.Command(path, "-config", config)
	command.Stderr = p.said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() }) // killed, which it is told
	for end := time.Now().Add(time.Minute); !p.has(all); time.Sleep(20 * time.Millisecond) {
		if text, err := os.ReadFile(addresses); err == nil && json.Unmarshal(text, &p.At) != nil {
			p.At = nil
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not listen everywhere: %v", name, p.At)
		}
	}
	return p
}

func (p *Program) has(all []string) bool {
	for _, name := range all {
		if p.At[name] == "" {
			return false
		}
	}
	return p.At != nil
}

// Panicked fails the test if something in the program has, also where that was contained.
func (p *Program) Panicked(t *testing.T) {
	t.Helper()
	if text := p.said.String(); strings.Contains(text, "panic") {
		t.Fatalf("something has panicked:\n%s", text)
	}
}

// Dial connects to an address, by TLS where it speaks that. Nothing secret is sent.
func Dial(network, address string, secure bool) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, 10*time.Second)
	if err != nil || !secure {
		return conn, err
	}
	over := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true})
	return over, over.SetDeadline(time.Now().Add(10 * time.Second))
}
