package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"haochaping/internal/cli"
)

// child is a running program.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // valid then
}

// manager is the socket of a service manager that listens and says nothing: with it a box knows that it is started again when it ends.
type manager struct{ conn *net.UnixConn }

func newManager(dir string) (*manager, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	go func() { // a daemon waits until it is heard
		for said := make([]byte, 4096); err == nil; {
			_, err = conn.Read(said)
		}
	}()
	return &manager{conn}, nil
}

func (m *manager) close() error {
	if m == nil {
		return nil
	}
	return m.conn.Close()
}

// run starts a program that lies beside this one, and returns its addresses once it has bound them. When it has ended by itself, ended is
// called.
func (s *stagehand) run(ctx context.Context, name, config, addresses string, ended func(error), env ...string) (map[string]string, error) {
	c := &child{cmd: exec.Command(filepath.Join(s.bin, name), "-config", config), done: make(chan struct{})}
	c.cmd.Stderr = s.stderr
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true} // Ctrl-C is for us; we end it in order
	path := filepath.Join(s.dir, addresses)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an earlier start
		return nil, err
	}
	if err := s.begin(c); err != nil {
		if errors.Is(err, errStopped) {
			return nil, err
		}
		return nil, cli.Hint(cli.Because(err, "无法启动 "+name, "cannot start "+name), "三个程序须在同一目录；make build 就是这样",
			"build all programs into one folder; make build does")
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
		ended(c.err)
	}()
	for {
		b, err := os.ReadFile(path)
		if err == nil {
			var m map[string]string
			return m, json.Unmarshal(b, &m)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-c.done:
			return nil, fmt.Errorf("%s has ended: %w", name, errors.Join(c.err, errEnded))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var (
	errStopped = errors.New("the demonstration ends")
	errEnded   = errors.New("it has bound no address")
)

// begin starts a child unless all are being ended.
func (s *stagehand) begin(c *child) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errStopped
	}
	if err := c.cmd.Start(); err != nil {
		return err
	}
	s.children = append(s.children, c)
	return nil
}

// over ends the demonstration, since a program has ended by itself.
func (s *stagehand) over(name string) func(error) {
	return func(err error) { s.failed(fmt.Errorf("%s has ended by itself: %v", name, err)) }
}

// runBox starts a box, and again each time it ends in order: it was asked to by the centre.
func (s *stagehand) runBox(ctx context.Context, b *demoBox) error {
	ended := func(err error) {
		if err == nil && ctx.Err() == nil {
			err = s.runBox(ctx, b)
		}
		if err != nil && !errors.Is(err, errStopped) {
			s.over("ratingd " + b.slot)(err)
		}
	}
	addresses, err := s.run(ctx, "ratingd", filepath.Join(s.dir, b.slot+".toml"), b.slot+".json", ended,
		"NOTIFY_SOCKET="+s.manager.conn.LocalAddr().String())
	if err == nil {
		b.bound(addresses)
	}
	return err
}

// stop ends the programs in the reverse order of their start.
func (s *stagehand) stop() error {
	var errs []error
	if s.network != nil {
		errs = append(errs, s.network.close())
	}
	s.mu.Lock()
	s.stopped = true
	all := s.children
	s.mu.Unlock()
	for i := len(all) - 1; i >= 0; i-- {
		c := all[i]
		if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
		}
		select {
		case <-c.done:
		case <-time.After(10 * time.Second):
			errs = append(errs, c.cmd.Process.Kill())
			<-c.done
		}
	}
	return errors.Join(append(errs, s.manager.close())...)
}
