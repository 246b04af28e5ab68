package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"haochaping/internal/windowapi"
)

// sample returns the first block of a language in the documentation.
func sample(t *testing.T, language string) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/window-pc.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(b)
	if m == nil {
		t.Fatalf("the documentation has no sample in %s", language)
	}
	if n := bytes.Count(m[1], []byte("\n")); n > 15 {
		t.Errorf("the sample in %s has %d lines, promised are 15", language, n)
	}
	return string(m[1])
}

func TestSamplesAreShort(t *testing.T) {
	for _, language := range []string{"sh", "js", "csharp", "java"} {
		sample(t, language)
	}
}

// TestSamples runs the documentation's samples against a box with tokens, whose citizen presses a key.
func TestSamples(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newGPIOBox(t, w, "samples", 1)
	w.enrol(b, 0)
	config, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, b.config, strings.Replace(string(config), "loopback_without_token = true", "loopback_without_token = false", 1))
	b.start()
	token, _, err := windowapi.AddToken(filepath.Join(b.state, windowapi.TokensFile), "PC", rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range []struct {
		language, file string
		run            []string
		need           string // the Debian package, empty if the sample is run only where its program is
		want           string
	}{
		{"sh", "sample.sh", []string{"bash"}, "curl", `"outcome":"rated"`},
		{"js", "sample.mjs", []string{"node"}, "nodejs", "rated"},
		{"java", "Window.java", []string{"java", "-Dfile.encoding=UTF-8"}, "", "rated"},
	} {
		t.Run(s.language, func(t *testing.T) {
			program := s.run[0]
			if s.language == "sh" {
				program = "curl"
			}
			if _, err := exec.LookPath(program); err != nil {
				if os.Getenv("CI") != "" && s.need != "" {
					t.Fatalf("install %s: %v", s.need, err)
				}
				t.Skipf("needs %s", program)
			}
			file := filepath.Join(t.TempDir(), s.file)
			// Each of them is about another case: one case is rated once.
			writeFile(t, file, strings.ReplaceAll(sample(t, s.language), "620102202600001", "62010220260000"+strconv.Itoa(i)))
			c := exec.Command(s.run[0], append(s.run[1:], file)...)
			c.Env = append(os.Environ(), "BOX=http://"+b.bound["window_api"], "TOKEN="+token, "LANG=C.UTF-8")
			var out bytes.Buffer
			c.Stdout, c.Stderr = &out, &out
			before, err := b.look()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- c.Wait() }()
			b.wait("a visit of the sample", func(s boxState) bool { return s.State == "asking" && s.Visit != before.Visit })
			answered := false
			for range 20 {
				b.press(5)
				select {
				case err := <-done:
					answered = true
					if got := strings.TrimSpace(out.String()); err != nil || got != s.want {
						t.Errorf("%v: %s", err, out.String())
					}
				case <-time.After(3500 * time.Millisecond): // the thanks, then the matter; sooner it is the same press going on
				}
				if answered {
					return
				}
			}
			_ = c.Process.Kill()
			t.Errorf("the sample does not end: %v: %s", <-done, out.String())
		})
	}
}
