package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a program that is ended and started again. Its methods are safe for concurrent use.
type process struct {
	program   string
	args      []string
	addresses string // the file in which it says where it listens; "" if it does not
	log       *os.File

	mu    sync.Mutex
	cmd   *exec.Cmd // nil while it does not run
	bound map[string]string
}

// start starts the program and waits until it listens.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.addresses != "" {
		if err := os.Remove(p.addresses); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	p.cmd = exec.Command(p.program, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(30 * time.Second); p.addresses != ""; time.Sleep(5 * time.Millisecond) {
		if b, err := os.ReadFile(p.addresses); err == nil {
			return json.Unmarshal(b, &p.bound)
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s did not say within 30 s where it listens; its log is %s", p.program, p.log.Name())
		}
	}
	return nil
}

// signal sends a signal to the program, if it runs.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

// end ends the program with a signal and waits until it is gone.
func (p *process) end(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(s)
	late := time.AfterFunc(30*time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait() // killed
	late.Stop()
	p.cmd = nil
}

func (p *process) where(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bound[name]
}

// memory returns the resident memory in kB, 0 if it does not run.
func (p *process) memory() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(v)[0])
			return n
		}
	}
	return 0
}
