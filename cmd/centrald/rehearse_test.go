package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNobodyIsToldOfARehearsal: numbers that are made up may be somebody's, and a province must not hear of ratings that there are not.
func TestNobodyIsToldOfARehearsal(t *testing.T) {
	for _, line := range []string{`deadline.sms.url = "https://sms.example.com"`, `upward.table = "/etc/table.toml"`} {
		dir := t.TempDir()
		path, state := filepath.Join(dir, "centrald.toml"), filepath.Join(dir, "centre")
		if err := os.WriteFile(path, fmt.Appendf(nil, "state = %q\n%s\n", state, line), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err := run(t.Context(), []string{"-config", path, "rehearse", city}, environment{&out, &out, time.Now, rand.Reader, manager})
		if err == nil || !strings.Contains(err.Error(), "made up") {
			t.Errorf("%s: %v", line, err)
		}
		if _, err := os.Stat(state); err == nil {
			t.Errorf("%s: something was written", line)
		}
	}
}
