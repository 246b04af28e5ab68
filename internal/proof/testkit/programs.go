package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// programsEnv names a folder that holds ratingd, centrald and ratingctl as they are now. make test builds them there once for all packages.
const programsEnv = "HCP_PROGRAMS"

// BuildEnv returns the environment in which tests build programs: that of the Makefile, with which each package is compiled once for all.
func BuildEnv() []string { return append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath") }

// Programs are programs of the product, built once for all tests of a package, when the first one needs them. They have no race detector,
// under which SQLite is too slow for a backlog. The zero one is ready; it is safe for concurrent use.
type Programs struct {
	once sync.Once
	dir  string
	own  bool // dir was made by it
	err  error
}

// Path returns where a program is.
func (p *Programs) Path(t testing.TB, name string) string {
	t.Helper()
	p.once.Do(p.find)
	if p.err != nil {
		t.Fatal(p.err)
	}
	return filepath.Join(p.dir, name)
}

// find builds them, unless somebody has.
func (p *Programs) find() {
	if p.dir = os.Getenv(programsEnv); p.dir != "" {
		for _, name := range []string{"ratingd", "centrald", "ratingctl"} { // a look makes go test see that one is another than before
			_, err := os.Stat(filepath.Join(p.dir, name))
			p.err = errors.Join(p.err, err)
		}
		return
	}
	if p.dir, p.err = os.MkdirTemp("", "haochaping-test-"); p.err != nil {
		return
	}
	p.own = true
	build := exec.Command("go", "build", "-o", p.dir+"/", "haochaping/cmd/...")
	build.Env = BuildEnv()
	if out, err := build.CombinedOutput(); err != nil {
		p.err = fmt.Errorf("build the programs: %w\n%s", err, out)
	}
}

// Remove takes away what was built. A package's TestMain calls it when all tests have ended.
func (p *Programs) Remove() error {
	if !p.own {
		return nil
	}
	if err := os.RemoveAll(p.dir); err != nil {
		return errors.Join(errors.New("remove the built programs"), err)
	}
	return nil
}

// Main runs the tests of a package that needs programs, and returns the status with which its TestMain is to exit.
func (p *Programs) Main(m *testing.M) int {
	status := m.Run()
	if err := p.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}
