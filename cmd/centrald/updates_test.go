package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Boxes get the files of the repository, nothing beside it, and no list.
func TestUpdatesAreServed(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"apt/dists/stable/InRelease": "signed", "secret": "secret"} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h := updates(filepath.Join(folder, "apt"))
	for path, want := range map[string]int{"/dists/stable/InRelease": 200, "/dists/stable/": 404, "/": 404, "/dists/none": 404,
		"/%2e%2e/secret": 404, "/dists/..%2f..%2f..%2fsecret": 404} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
}
