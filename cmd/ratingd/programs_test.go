package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// builtPrograms are centrald and ratingctl, built once for all tests, when the first one needs them.
type builtPrograms struct {
	once sync.Once
	dir  string
	err  error
}

var programs builtPrograms

// path returns where a program is.
func (p *builtPrograms) path(t *testing.T, name string) string {
	t.Helper()
	p.once.Do(func() { p.dir, p.err = buildPrograms() })
	if p.err != nil {
		t.Fatal(p.err)
	}
	return filepath.Join(p.dir, name)
}

func buildPrograms() (string, error) {
	dir, err := os.MkdirTemp("", "haochaping-test-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", dir+"/", "haochaping/cmd/centrald", "haochaping/cmd/ratingctl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	// A test may run one as another user.
	return dir, os.Chmod(dir, 0o755)
}

// remove takes them away when all tests have ended.
func (p *builtPrograms) remove() error {
	if p.dir == "" {
		return nil
	}
	if err := os.RemoveAll(p.dir); err != nil {
		return errors.Join(errors.New("remove the built programs"), err)
	}
	return nil
}
