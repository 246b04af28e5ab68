package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "cover.out")
	if err := os.WriteFile(profile, []byte("mode: atomic\na.go:1.2,3.4 3 0\na.go:5.6,7.8 1 9\na.go:1.2,3.4 3 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := strings.Join([]string{
		`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:12: chromium is missing: install it\n"}`,
		`{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}`,
		`{"Action":"skip","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: it is wrong\n"}`,
		`{"Action":"fail","Package":"p","Test":"TestB"}`,
		`{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:1: noise\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestC","Elapsed":1.5}`,
		`{"Action":"output","Package":"p","Output":"FAIL\n"}`,
		`{"Action":"output","Package":"p","Output":"FAIL\tp\t2.5s\n"}`,
		`{"Action":"fail","Package":"p","Elapsed":2.5}`,
		`{"Action":"output","Package":"q","Output":"ok  \tq\t0.5s\tcoverage: 1.0% of statements\n"}`,
		`{"Action":"pass","Package":"q","Elapsed":0.5}`,
		`go: a word of its own`,
	}, "\n")
	var out strings.Builder
	failed, err := newSummary(&out).run(strings.NewReader(in), []string{profile}, nil)
	if err != nil || !failed {
		t.Errorf("failed %t, %v", failed, err)
	}
	for _, want := range []string{"it is wrong", "FAIL    2.5s p", "1 tests passed, 1 failed",
		"skipped 1: chromium is missing: install it (p.TestA)", "coverage: 25.0 %",
		"go: a word of its own", "\n      2 s p.TestC\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if !strings.HasSuffix(out.String(), "\n\nFAIL\tp\t2.5s\nok  \tq\t0.5s\tcoverage: 1.0% of statements\nFAIL\n") {
		t.Errorf("it does not end with go test's own lines:\n%s", out.String())
	}
	if strings.Contains(out.String(), "noise") {
		t.Errorf("what a good test says stands in\n%s", out.String())
	}
}

// TestATimeThatIsOver says which test did not end, and what each goroutine did: go test counts the latter as words of the test that ended
// last, which has passed.
func TestATimeThatIsOver(t *testing.T) {
	in := strings.Join([]string{
		`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: it waits\n"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"panic: test timed out after 1s\n"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"goroutine 7 [sleep]:\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestB","Elapsed":0.1}`,
		`{"Action":"output","Package":"p","Output":"FAIL\tp\t1.0s\n"}`,
		`{"Action":"fail","Package":"p","Elapsed":1.0}`,
	}, "\n")
	var out strings.Builder
	if failed, err := newSummary(&out).run(strings.NewReader(in), nil, nil); err != nil || !failed {
		t.Errorf("failed %t, %v", failed, err)
	}
	for _, want := range []string{"it waits", "panic: test timed out", "goroutine 7 [sleep]"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestWhatDoesNotBuildFails(t *testing.T) {
	var out strings.Builder
	failed, err := newSummary(&out).run(strings.NewReader(`{"ImportPath":"p","Action":"build-output","Output":"a.go:1: nonsense\n"}
{"ImportPath":"p","Action":"build-fail"}
`), nil, nil)
	if err != nil || !failed || !strings.Contains(out.String(), "nonsense") {
		t.Errorf("failed %t, %v: %s", failed, err, out.String())
	}
}

const aFailure = `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: it is late\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- FAIL: TestB (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t2.5s\n"}
{"Action":"fail","Package":"p","Elapsed":2.5}
{"Action":"go-failed"}
`

func TestWhatFailsIsRunAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		in      string
		passes  bool
		again   int
		failed  bool
		closing string
	}{
		"it passes then":  {aFailure, true, 1, false, "ok  \tp\t1s\n"},
		"it fails again":  {aFailure, false, 1, true, "FAIL\n"},
		"a race":          {strings.Replace(aFailure, "it is late", "WARNING: DATA RACE", 1), true, 0, true, "FAIL\n"},
		"a panic":         {strings.Replace(aFailure, "it is late", "panic: nil", 1), true, 0, true, "FAIL\n"},
		"a whole package": {`{"Action":"fail","Package":"p","Elapsed":2.5}` + "\n", true, 0, true, "FAIL\n"},
		"go itself":       {`{"Action":"go-failed"}` + "\n", true, 0, true, "FAIL\n"},
		"too many": {aFailure + strings.ReplaceAll(aFailure, "TestB", "TestC") + strings.ReplaceAll(aFailure, "TestB", "TestD") +
			strings.ReplaceAll(aFailure, "TestB", "TestE"), true, 0, true, "FAIL\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			again := 0
			failed, err := newSummary(&out).run(strings.NewReader(tt.in), nil, func(at test) (string, bool) {
				again++
				return "ok  \tp\t1s\n", tt.passes && at == test{"p", "TestB"}
			})
			if err != nil || failed != tt.failed || again != tt.again {
				t.Errorf("failed %t, %v, run again %d times", failed, err, again)
			}
			if !strings.HasSuffix(out.String(), tt.closing) || strings.Contains(out.String(), "--- FAIL") == (tt.again == 1 && tt.passes) &&
				tt.again == 1 {
				t.Errorf("it says\n%s", out.String())
			}
			if !tt.failed && !strings.Contains(out.String(), "unsteady: p.TestB failed") {
				t.Errorf("it does not name the test:\n%s", out.String())
			}
		})
	}
}
