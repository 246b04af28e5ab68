package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/cases"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/descriptions"
)

// TestHostileDoors asks each operation of the business systems' doors, by their description: without a token, with one of another door, and
// with bodies that are too large, of no JSON, or of nothing known.
func TestHostileDoors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tokens")
	line := func(name, more string) string {
		return fmt.Sprintf("%s %x %s\n", name, sha256.Sum256([]byte(name)), more)
	}
	doors := "doors=" + strings.Join(cases.Doors(), ",")
	if err := os.WriteFile(file, []byte(line("all", doors)+line("elsewhere", "area=99 "+doors)+line("figures", "doors=figures")),
		0o600); err != nil {
		t.Fatal(err)
	}
	x, _ := pagesOf(t)
	c := &command{env: environment{io.Discard, io.Discard, time.Now, nil, manager}}
	door, err := c.cases(casesConfig{Listen: "127.0.0.1:0", TokensFile: file}, x, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := door.listener.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := descriptions.ReadDocument("../../internal/central/cases/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, token, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Idempotency-Key", "walk")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return webtest.Do(door.handler, r)
	}
	operations := d.Operations()
	if len(operations) < 5 {
		t.Fatalf("the description has %q", operations)
	}
	for _, o := range operations {
		method, path, _ := strings.Cut(o, " ")
		path = strings.NewReplacer("{area}", "620100", "{project}", "p-1").Replace(path)
		for _, token := range []string{"", "wrong", "all "} {
			if got := ask(method, path, token, "{}"); got.Code != http.StatusUnauthorized {
				t.Errorf("%s with the token %q: %d", o, token, got.Code)
			}
		}
		if path != "/v1/figures" {
			if got := ask(method, path, "figures", "{}"); got.Code != http.StatusForbidden {
				t.Errorf("%s with a token of another door: %d", o, got.Code)
			}
		}
		if method != "POST" {
			if got := ask(method, path, "elsewhere", ""); got.Code != http.StatusNotFound {
				t.Errorf("%s of another area: %d", o, got.Code)
			}
			continue
		}
		if !d.TakesBody(o) {
			continue
		}
		for body, want := range map[string][]int{strings.Repeat("[", 1<<20+1): {413, 400}, "{": {400}, `{"colour":"red"}`: {400}, "[]": {400},
			strings.Repeat("[", 100_000):    {400},
			`{"cases":null,"answers":null}`: {400, 422}} {
			if got := ask(method, path, "all", body); !slices.Contains(want, got.Code) {
				t.Errorf("%s of %.20q: %d %s", o, body, got.Code, got.Body)
			}
		}
		for _, other := range []string{"GET", "PUT", "DELETE", "PATCH"} {
			if got := ask(other, path, "all", "{}"); got.Code != http.StatusMethodNotAllowed && got.Code != http.StatusNotFound {
				t.Errorf("%s %s: %d", other, path, got.Code)
			}
		}
	}
}
