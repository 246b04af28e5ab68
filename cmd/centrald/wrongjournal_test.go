package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOldBooksWaitForTheRightJournal starts a centre whose journal lacks what this machine has signed: nothing is taken over into it.
func TestOldBooksWaitForTheRightJournal(t *testing.T) {
	c, dir := emptyCentre(t)
	state := stateOf(t, dir)
	head := "haochaping-journal/0011223344556677/1\n100\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n\n— x y\n"
	for name, text := range map[string]string{headFile: head, firstBooks: "old books"} {
		if err := os.WriteFile(filepath.Join(state, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.command("-config", c.config); err == nil || !strings.Contains(err.Error(), "centrald accept") {
		t.Errorf("the centre starts: %v", err)
	}
	if text, err := os.ReadFile(filepath.Join(state, firstBooks)); err != nil || string(text) != "old books" {
		t.Errorf("the old books are %q, %v", text, err)
	}
}

// TestNothingIsNotVerified looks at a journal without rows, as a restore that was refused leaves it.
func TestNothingIsNotVerified(t *testing.T) {
	c, dir := emptyCentre(t)
	bad := filepath.Join(dir, "bad.hcp")
	if err := os.WriteFile(bad, []byte("no backup"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.command("restore", "-config", c.config, bad); err == nil {
		t.Error("what is no backup was restored")
	}
	if out, err := c.command("verify", "-config", c.config); err == nil || strings.Contains(out, "verified\n") ||
		!strings.Contains(err.Error(), "empty") {
		t.Errorf("%q, %v", out, err)
	}
}

// emptyCentre makes a centre whose journal has no row, and returns its folder too.
func emptyCentre(t *testing.T) (c *centre, dir string) {
	t.Helper()
	dir = t.TempDir()
	c = &centre{t: t, config: writeConfig(t, dir)}
	none := filepath.Join(dir, "none.csv")
	if err := os.WriteFile(none, []byte("id,key,window\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.command("device", "-config", c.config, "import", "-csv", none); err != nil {
		t.Fatal(err)
	}
	return c, dir
}

// stateOf finds the folder in which the centre has made its key.
func stateOf(t *testing.T, dir string) string {
	t.Helper()
	for _, pattern := range []string{keyFile, "*/" + keyFile} {
		if found, err := filepath.Glob(filepath.Join(dir, pattern)); err == nil && len(found) == 1 {
			return filepath.Dir(found[0])
		}
	}
	t.Fatal("the centre has no state folder")
	return ""
}
