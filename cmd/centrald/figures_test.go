package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAYearIsWrittenOnce publishes a year of a centre that nobody has rated.
func TestAYearIsWrittenOnce(t *testing.T) {
	state, out := t.TempDir(), filepath.Join(t.TempDir(), "open")
	path := filepath.Join(t.TempDir(), "centrald.toml")
	if err := os.WriteFile(path, []byte("state = '"+state+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	do := func(words ...string) error {
		said.Reset()
		return run(t.Context(), append([]string{"-config", path}, words...), environment{&said, &said, time.Now, rand.Reader, manager})
	}
	c := &command{env: environment{&said, &said, time.Now, rand.Reader, manager}, path: path}
	x, err := c.openConfigured(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{{"figures", "publish"}, {"figures", "publish", "-year", "2025"}, {"figures", "publish", "-year", time.Now().Format("2006"), "-out", out}} {
		if err := do(words...); err == nil {
			t.Errorf("%v did something: %s", words, &said)
		}
	}
	if err := do("figures", "publish", "-year", "2025", "-out", out); err != nil || !strings.Contains(said.String(), "figures-2025.csv") {
		t.Fatalf("%v: %s", err, &said)
	}
	if b, err := os.ReadFile(filepath.Join(out, "figures-2025.csv")); err != nil || !strings.Contains(string(b), "全部") {
		t.Errorf("%q, %v", b, err)
	}
	if err := do("figures", "publish", "-year", "2025", "-out", out); err == nil {
		t.Error("a year was published again over what is there")
	}
	if err := do("figures", "rebuild"); err != nil {
		t.Error(err)
	}
}
