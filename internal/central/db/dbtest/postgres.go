// Package dbtest starts a PostgreSQL server for tests: a cluster of its own in a temporary folder, reached through a socket
// there, so that no test meets another one or the machine's own server. It needs Debian's package postgresql.
package dbtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Postgres is a running server. Its methods are safe for concurrent use.
type Postgres struct {
	// Dir holds the cluster (data), its socket and its log.
	Dir string

	bin      string // folder of the server's programs
	identity *syscall.SysProcAttr
	options  []string

	mu        sync.Mutex
	server    *exec.Cmd // guarded by mu; nil while it does not run
	databases int       // guarded by mu; made so far
}

// StartPostgres starts a server that ends with the test. Without fsync it is fast; settings such as "fsync=on" are added
// to the command line. The test is skipped if PostgreSQL is not installed, and fails with CI=1.
func StartPostgres(t testing.TB, settings ...string) *Postgres {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		missing(t)
		return nil
	}
	slices.Sort(found)
	dir, err := os.MkdirTemp("", "pg") // a socket's path has room for 107 bytes, which a test's own folder may exceed
	if err != nil {
		t.Fatal(err)
	}
	p := &Postgres{Dir: dir, bin: filepath.Dir(found[len(found)-1]),
		options: []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=",
			"unix_socket_directories=" + dir, "max_connections=50"}}
	p.options = append(p.options, settings...)
	t.Cleanup(func() {
		if err := errors.Join(p.stop(syscall.SIGINT), os.RemoveAll(dir)); err != nil {
			t.Errorf("end PostgreSQL: %v", err)
		}
	})
	if err := p.become(); err != nil {
		t.Fatal(err)
	}
	if out, err := p.command("initdb", "-D", p.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
		"--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

func missing(t testing.TB) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("PostgreSQL is not installed: install the Debian package postgresql")
	}
	t.Skip("PostgreSQL is not installed: install the Debian package postgresql")
}

// become makes the server's programs run as the user postgres, since they refuse to run as root.
func (p *Postgres) become() error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	p.identity = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(p.Dir, uid, gid)
}

func (p *Postgres) data() string { return filepath.Join(p.Dir, "data") }

func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(p.bin, name), args...)
	c.SysProcAttr, c.Dir = p.identity, p.Dir
	return c
}

// Start starts the server again after Kill or Stop, and returns when it takes connections.
func (p *Postgres) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	args := []string{"-D", p.data()}
	for _, o := range p.options {
		args = append(args, "-c", o)
	}
	log, err := os.OpenFile(filepath.Join(p.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	server := p.command("postgres", args...)
	server.Stdout, server.Stderr = log, log
	err = server.Start()
	if err := errors.Join(err, log.Close()); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	p.server = server
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for p.command("pg_isready", "-q", "-h", p.Dir).Run() != nil {
		select {
		case <-ctx.Done():
			said, _ := os.ReadFile(filepath.Join(p.Dir, "log"))
			return fmt.Errorf("PostgreSQL takes no connections after a minute:\n%s", said)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Kill ends the server as a power cut would.
func (p *Postgres) Kill() error { return p.stop(syscall.SIGQUIT) }

// Stop ends the server in order, and its connections with it.
func (p *Postgres) Stop() error { return p.stop(syscall.SIGINT) }

func (p *Postgres) stop(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		return nil
	}
	server := p.server
	p.server = nil
	if err := server.Process.Signal(s); err != nil {
		return fmt.Errorf("end PostgreSQL: %w", err)
	}
	var exit *exec.ExitError
	if err := server.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

// Database makes an empty database and returns its URL.
func (p *Postgres) Database(t testing.TB) string {
	t.Helper()
	p.mu.Lock()
	p.databases++
	name := "t" + strconv.Itoa(p.databases)
	p.mu.Unlock()
	if out, err := p.command("createdb", "-h", p.Dir, "-U", "postgres", name).CombinedOutput(); err != nil {
		t.Fatalf("createdb: %v\n%s", err, strings.TrimSpace(string(out)))
	}
	return p.URL(name)
}

// URL returns the URL of a database of this server.
func (p *Postgres) URL(database string) string {
	return "postgres://postgres@/" + database + "?" + url.Values{"host": {p.Dir}, "sslmode": {"disable"}}.Encode()
}
