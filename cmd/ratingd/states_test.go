package main

import (
	"context"
	"crypto/ed25519"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"haochaping/internal/opsapi"
	"haochaping/internal/terminal"
)

// terminalStates returns every state that package terminal declares, so that none can be added unnoticed.
func terminalStates(t *testing.T) (all []terminal.State) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../internal/terminal/model.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		kind, ok := spec.Type.(*ast.Ident)
		text, literal := spec.Values[0].(*ast.BasicLit)
		if ok && literal && kind.Name == "State" {
			name, err := strconv.Unquote(text.Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, terminal.State(name))
		}
		return true
	})
	if len(all) < 6 {
		t.Fatalf("only the states %v were found", all)
	}
	return all
}

// Whatever the window does has words in "systemctl status", and is one of the states in the metrics.
func TestEachStateIsTold(t *testing.T) {
	for _, state := range terminalStates(t) {
		who := identity{"lz-0417", make(ed25519.PrivateKey, ed25519.PrivateKeySize)}
		if got := statusText(terminal.View{State: state}.Public(), who, opsapi.Health{}, 0); strings.HasPrefix(got, "，") || strings.Contains(got, "/ ;") {
			t.Errorf("%s has no words: %s", state, got)
		}
		m := opsapi.NewMetrics()
		m.Watch(func(context.Context) opsapi.Status { return opsapi.Status{State: string(state.Public())} })
		w := httptest.NewRecorder()
		opsapi.New(opsapi.Config{Metrics: m, Logger: slog.New(slog.DiscardHandler)}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if n := strings.Count(w.Body.String(), "\nratingd_window_state{state=\""+string(state.Public())+"\"} 1\n"); n != 1 {
			t.Errorf("%s is in the metrics %d times", state, n)
		}
	}
}
