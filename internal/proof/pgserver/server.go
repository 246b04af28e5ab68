// Package pgserver runs PostgreSQL servers for tests and proofs: clusters of their own in temporary folders, reached through a socket
// there, so that none meets another one or the machine's own server. It needs Debian's package postgresql.
package pgserver

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
	"time"
)

// ErrMissing says that PostgreSQL is not installed.
var ErrMissing = errors.New("PostgreSQL is not installed: install the Debian package postgresql")

// Server is one server. Its methods are safe for concurrent use.
type Server struct {
	// Dir holds the cluster (data), its socket and its log.
	Dir string

	bin      string // folder of the server's programs
	identity *syscall.SysProcAttr
	options  []string

	mu        sync.Mutex
	server    *exec.Cmd // guarded by mu; nil while it does not run
	databases int       // guarded by mu; made so far
}

// Fast are settings with which nothing is safe from a power cut, and all is fast.
func Fast() []string { return []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off"} }

// New makes a cluster and starts its server with settings such as "fsync=off".
func New(settings ...string) (*Server, error) {
	s, err := prepare(settings)
	if err != nil {
		return nil, err
	}
	out, err := s.Command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w\n%s", err, out), s.Close())
	}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func prepare(settings []string) (*Server, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return nil, ErrMissing
	}
	slices.Sort(found)
	dir, err := os.MkdirTemp("", "pg") // a socket's path has room for 107 bytes, which a test's own folder may exceed
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, bin: filepath.Dir(found[len(found)-1]),
		options: append([]string{"listen_addresses=", "unix_socket_directories=" + dir, "max_connections=60"}, settings...)}
	if err := s.become(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// become makes the server's programs run as the user postgres, since they refuse to run as root.
func (s *Server) become() error {
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
	s.identity = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return os.Chown(s.Dir, uid, gid)
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

// Command returns one of PostgreSQL's programs, to be run as the server is.
func (s *Server) Command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.SysProcAttr, c.Dir = s.identity, s.Dir
	return c
}

// Start starts the server again after Kill or Stop, and returns when it takes connections.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	args := []string{"-D", s.data()}
	for _, o := range s.options {
		args = append(args, "-c", o)
	}
	log, err := os.OpenFile(filepath.Join(s.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	server := s.Command("postgres", args...)
	server.Stdout, server.Stderr = log, log
	err = server.Start()
	if err := errors.Join(err, log.Close()); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.server = server
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for s.Command("pg_isready", "-q", "-h", s.Dir).Run() != nil {
		select {
		case <-ctx.Done():
			said, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
			return fmt.Errorf("PostgreSQL takes no connections after a minute:\n%s", said)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Kill ends the server as a power cut would.
func (s *Server) Kill() error { return s.stop(syscall.SIGQUIT) }

// Stop ends the server in order, and its connections with it.
func (s *Server) Stop() error { return s.stop(syscall.SIGINT) }

// Close ends the server and removes its cluster.
func (s *Server) Close() error { return errors.Join(s.Stop(), os.RemoveAll(s.Dir)) }

func (s *Server) stop(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	server := s.server
	s.server = nil
	if err := server.Process.Signal(sig); err != nil {
		return fmt.Errorf("end PostgreSQL: %w", err)
	}
	var exit *exec.ExitError
	if err := server.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

// Database makes an empty database and returns its URL.
func (s *Server) Database() (string, error) {
	s.mu.Lock()
	s.databases++
	name := "t" + strconv.Itoa(s.databases)
	s.mu.Unlock()
	if out, err := s.Command("createdb", "-h", s.Dir, "-U", "postgres", name).CombinedOutput(); err != nil {
		return "", fmt.Errorf("createdb: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return URL(name, s), nil
}

// URL returns the URL of a database that is on the first of some servers which takes writes.
func URL(database string, servers ...*Server) string {
	var hosts []string
	for _, s := range servers {
		hosts = append(hosts, s.Dir)
	}
	return "postgres://postgres@/" + database + "?" +
		url.Values{"host": {strings.Join(hosts, ",")}, "sslmode": {"disable"}, "target_session_attrs": {"read-write"}}.Encode()
}

// Standby makes a copy of a running server that follows it. A server whose settings have synchronous_standby_names=* waits for it.
func (s *Server) Standby() (*Server, error) {
	x, err := prepare(nil)
	if err != nil {
		return nil, err
	}
	x.options = append(x.options, "hot_standby=on")
	out, err := s.Command("pg_basebackup", "-h", s.Dir, "-U", "postgres", "-D", x.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync").
		CombinedOutput()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pg_basebackup: %w\n%s", err, out), x.Close())
	}
	if err := x.Start(); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// Promote makes a standby take writes.
func (s *Server) Promote() error {
	if out, err := s.Command("pg_ctl", "promote", "-w", "-D", s.data()).CombinedOutput(); err != nil {
		return fmt.Errorf("promote: %w\n%s", err, out)
	}
	return nil
}

// Query runs a statement by psql and returns what it prints.
func (s *Server) Query(database, text string) (string, error) {
	out, err := s.Command("psql", "-Atqc", text, "-h", s.Dir, "-U", "postgres", database).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", text, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}
