// Command testsum reads what "go test -json" prints and says it for people: each package as it ends, the words of what has failed, then how
// long the slowest packages and tests took, what was skipped and why, and how much of the code was run, by cover profiles. It ends with the
// lines that go test itself ends with, which who reads CI looks for.
//
//	{ go test -json -coverprofile=cover.out ./... || echo '{"Action":"go-failed"}'; } | testsum cover.out -- go test -count=2
//
// With a command behind "--", one to three tests that have failed are run by it again, alone, and are named as unsteady if they pass then:
// docs/decisions/025. Its status is 1 if anything has failed otherwise.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	args, command := os.Args[1:], []string(nil)
	if i := slices.Index(args, "--"); i >= 0 {
		args, command = args[:i], args[i+1:]
	}
	flags := flag.NewFlagSet("testsum", flag.ExitOnError)
	verbose := flags.Bool("v", false, "print what tests say that pass, too")
	_ = flags.Parse(args) // it exits
	s := newSummary(os.Stdout)
	s.verbose = *verbose
	failed, err := s.run(os.Stdin, flags.Args(), commandAgain(command))
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

// event is one line of go test -json.
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64 // seconds
}

// test names one test; the name is empty for what a package itself says.
type test struct{ pkg, name string }

// summary is what was seen so far.
type summary struct {
	out     io.Writer
	verbose bool
	said    map[test][]string
	took    map[string]float64 // by package
	tests   map[string]float64 // by test, without those within others
	skipped map[string][]string
	closing []string // go test's own lines of the packages
	passed  int
	failed  []test
	words   []string // of what has failed
	broken  bool     // something failed that is no test by itself
}

func newSummary(out io.Writer) *summary {
	return &summary{out: out, said: make(map[test][]string), took: make(map[string]float64), tests: make(map[string]float64),
		skipped: make(map[string][]string)}
}

// run reads until the end of in, prints the summary, and returns whether anything has failed for good.
func (s *summary) run(in io.Reader, profiles []string, again rerun) (failed bool, err error) {
	began := time.Now()
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.line(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return true, fmt.Errorf("read what go test prints: %w", err)
		}
	}
	unsteady := s.unsteady(again)
	s.print("%s", strings.Join(s.words, ""))
	s.print("\n%d tests passed, %d failed, in %s\n", s.passed, len(s.failed), time.Since(began).Round(time.Second))
	for _, t := range unsteady {
		s.print("unsteady: %s.%s failed, and passed when it was run again, alone: mend it; its words are above\n", t.pkg, t.name)
	}
	s.slowest(s.took, 5)
	s.slowest(s.tests, 15)
	s.skips()
	share, err := covered(profiles)
	if err != nil {
		return true, err
	}
	if len(profiles) > 0 {
		s.print("coverage: %.1f %% of the statements, without what runs in processes of their own\n", 100*share)
	}
	s.print("\n%s", strings.Join(s.closing, ""))
	failed = s.broken || len(s.failed) > 0
	if failed {
		s.print("FAIL\n")
	}
	return failed, nil
}

func (s *summary) print(format string, values ...any) { _, _ = fmt.Fprintf(s.out, format, values...) }

// line takes one line. What is no event is of the go command itself.
func (s *summary) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		s.print("%s", line)
		return
	}
	at := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		s.print("%s", e.Output)
	case "build-fail":
		s.broken = true
	case "go-failed":
		s.broken = s.broken || len(s.failed) == 0
	case "output":
		s.said[at] = append(s.said[at], e.Output)
	case "pass", "fail", "skip":
		s.end(at, e)
		delete(s.said, at)
	}
}

// end takes the end of a test or a package.
func (s *summary) end(at test, e event) {
	if at.name != "" && !strings.Contains(at.name, "/") {
		s.tests[at.pkg+"."+at.name] = e.Elapsed
	}
	switch {
	case at.name == "":
		s.took[at.pkg] = e.Elapsed
		s.closing = append(s.closing, own(s.said[at])...)
		s.print("%-4s %6.1fs %s\n", map[string]string{"pass": "ok", "fail": "FAIL", "skip": "none"}[e.Action], e.Elapsed, at.pkg)
		if e.Action == "fail" {
			s.fail(at)
			s.unended(at.pkg)
			s.broken = s.broken || !slices.ContainsFunc(s.failed, func(t test) bool { return t.pkg == at.pkg })
		}
	case e.Action == "fail":
		s.fail(at)
		s.failed = append(s.failed, at)
	case e.Action == "skip":
		why := reason(s.said[at])
		s.skipped[why] = append(s.skipped[why], at.pkg+"."+at.name)
	default:
		s.passed++
		// What each goroutine did when the package's time was over stands with the test that ended last, whatever that came to.
		if slices.ContainsFunc(s.said[at], func(line string) bool { return strings.HasPrefix(line, "panic: test timed out") }) {
			s.fail(at)
		}
		if s.verbose {
			s.print("%s", strings.Join(s.said[at], ""))
		}
	}
}

// fail keeps what was said of what has failed. A race and a panic are no matter of luck.
func (s *summary) fail(at test) {
	words := strings.Join(s.said[at], "")
	s.words = append(s.words, words)
	s.broken = s.broken || strings.Contains(words, "DATA RACE") || strings.Contains(words, "panic: ")
}

// unended keeps what tests of a package said that never ended, since its time was over or its program died.
func (s *summary) unended(pkg string) {
	for _, at := range slices.SortedFunc(maps.Keys(s.said), func(x, y test) int { return cmp.Compare(x.name, y.name) }) {
		if at.pkg == pkg && at.name != "" {
			s.fail(at)
			delete(s.said, at)
		}
	}
}

// own returns the lines that go test prints of a package that has ended.
func own(said []string) (all []string) {
	for _, line := range said {
		if word, _, ok := strings.Cut(line, "\t"); ok && slices.Contains([]string{"ok  ", "?   ", "FAIL", ""}, word) {
			all = append(all, line)
		}
	}
	return all
}

// reason returns why a test was skipped: the last thing that it said.
func reason(said []string) string {
	for _, line := range slices.Backward(said) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "===") {
			continue
		}
		if _, words, ok := strings.Cut(line, ".go:"); ok {
			if _, words, ok = strings.Cut(words, ": "); ok {
				return words
			}
		}
		return line
	}
	return "without a word"
}

// slowest names the most of what took longest, in seconds.
func (s *summary) slowest(took map[string]float64, most int) {
	all := slices.SortedFunc(maps.Keys(took), func(a, b string) int { return cmp.Compare(took[b], took[a]) })
	for _, name := range all[:min(most, len(all))] {
		s.print("%7.0f s %s\n", took[name], name)
	}
}

func (s *summary) skips() {
	if len(s.skipped) == 0 {
		s.print("nothing was skipped\n")
	}
	for _, why := range slices.Sorted(maps.Keys(s.skipped)) {
		tests := s.skipped[why]
		s.print("skipped %d: %s (%s%s)\n", len(tests), why, strings.Join(tests[:min(3, len(tests))], ", "),
			map[bool]string{true: ", …"}[len(tests) > 3])
	}
}

// covered returns the share of statements that were run, by the profiles of several runs.
func covered(profiles []string) (float64, error) {
	statements := make(map[string]int) // by their place
	ran := make(map[string]bool)
	for _, name := range profiles {
		b, err := os.ReadFile(name)
		if err != nil {
			return 0, fmt.Errorf("read a cover profile: %w", err)
		}
		for line := range strings.Lines(string(b)) {
			var place string
			var n, count int
			if _, err := fmt.Sscan(line, &place, &n, &count); err != nil {
				continue // the first line names the mode
			}
			statements[place] = n
			ran[place] = ran[place] || count > 0
		}
	}
	all, hit := 0, 0
	for place, n := range statements {
		all += n
		if ran[place] {
			hit += n
		}
	}
	if all == 0 {
		return 0, nil
	}
	return float64(hit) / float64(all), nil
}
