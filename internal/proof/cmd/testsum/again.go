package main

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// rerun runs a test of a package again, alone. It returns what was printed, and whether the test passed each time.
type rerun func(t test) (printed string, passed bool)

// commandAgain returns what runs a test by a command such as "go test -count=2", or nil without one.
func commandAgain(command []string) rerun {
	if len(command) == 0 {
		return nil
	}
	return func(t test) (string, bool) {
		args := append(slices.Clone(command[1:]), "-run", "^"+regexp.QuoteMeta(t.name)+"$", t.pkg)
		out, err := exec.Command(command[0], args...).CombinedOutput()
		return string(out), err == nil && !strings.Contains(string(out), "no tests to run")
	}
}

// mostUnsteady is how many tests may be run again: more have a cause in common.
const mostUnsteady = 3

// unsteady runs again what has failed, and returns what then passed if all did: nothing counts as failed any more.
func (s *summary) unsteady(again rerun) []test {
	var tests []test
	for _, t := range s.failed {
		t.name, _, _ = strings.Cut(t.name, "/")
		if !slices.Contains(tests, t) {
			tests = append(tests, t)
		}
	}
	if again == nil || s.broken || len(tests) == 0 || len(tests) > mostUnsteady {
		return nil
	}
	for _, t := range tests {
		printed, passed := again(t)
		if !passed {
			s.words = append(s.words, "\nrun again, alone, it says:\n"+printed)
			return nil
		}
		s.closing = slices.DeleteFunc(s.closing, func(line string) bool { return strings.HasPrefix(line, "FAIL\t"+t.pkg+"\t") })
		s.closing = append(s.closing, printed)
	}
	for i := range s.words { // who looks for failures by go test's marks is not to find one
		s.words[i] = strings.NewReplacer("--- FAIL:", "--- unsteady:", "FAIL\t", "unsteady\t", "FAIL\n", "\n").Replace(s.words[i])
	}
	s.failed = nil
	return tests
}
