package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

func timed(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// startPostgres starts a server with a cluster of its own in a folder, with the settings that a centre has.
func startPostgres(dir string) (address string, stop func() error, err error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", nil, errors.New("PostgreSQL is not installed: install the Debian package postgresql")
	}
	slices.Sort(found)
	bin := filepath.Dir(found[len(found)-1])
	home := filepath.Join(dir, "pg")
	if err := os.Mkdir(home, 0o700); err != nil {
		return "", nil, err
	}
	var as *syscall.SysProcAttr
	if os.Geteuid() == 0 { // it refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			return "", nil, err
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := errors.Join(err1, err2, os.Chown(home, uid, gid), os.Chmod(dir, 0o711)); err != nil {
			return "", nil, err
		}
		as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(bin, name), args...)
		c.SysProcAttr, c.Dir = as, home
		return c
	}
	data := filepath.Join(home, "data")
	if out, err := command("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C").CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	server := command("postgres", "-D", data, "-c", "listen_addresses=", "-c", "unix_socket_directories="+home, "-c", "shared_buffers=256MB", "-c", "max_wal_size=2GB")
	if err := server.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error {
		_ = server.Process.Signal(syscall.SIGINT)
		_ = server.Wait()
		return nil
	}
	for began := time.Now(); command("pg_isready", "-q", "-h", home).Run() != nil; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			return "", nil, errors.Join(errors.New("PostgreSQL takes no connections after a minute"), stop())
		}
	}
	return "postgres:///postgres?" + url.Values{"host": {home}, "user": {"postgres"}}.Encode(), stop, nil
}
