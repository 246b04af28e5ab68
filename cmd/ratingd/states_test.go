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

	"haochaping/display"
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
		if got := statusText(terminal.View{State: state}.Public(), who, opsapi.Health{}, 0); strings.HasPrefix(got, "，") ||
			strings.Contains(got, "/ ;") {
			t.Errorf("%s has no words: %s", state, got)
		}
	}
	for _, state := range append(terminalStates(t), terminal.Fault) {
		m := opsapi.NewMetrics()
		m.Watch(func(context.Context) opsapi.Status { return opsapi.Status{State: string(state.Public())} })
		w := httptest.NewRecorder()
		opsapi.New(opsapi.Config{Metrics: m, Logger: slog.New(slog.DiscardHandler)}).
			ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if n := strings.Count(w.Body.String(), "\nratingd_window_state{state=\""+string(state.Public())+"\"} 1\n"); n != 1 {
			t.Errorf("%s is in the metrics %d times", state, n)
		}
	}
}

// Keys that are out of service are told of in one word, where the screen says it and nowhere else: status, metrics, the centre's report,
// the window's PC and "systemctl status".
func TestAFaultIsOneWordEverywhere(t *testing.T) {
	who := identity{"lz-0417", make(ed25519.PrivateKey, ed25519.PrivateKeySize)}
	for _, state := range terminalStates(t) {
		for _, problem := range []terminal.Problem{"", terminal.StoreProblem, terminal.KeypadProblem} {
			v := terminal.View{State: state, Problem: problem}
			shown := displayState(v) == display.Fault
			if state == terminal.Correcting { // the citizen alone sees that there are thanks
				shown = problem != ""
			}
			if got := v.Public().Word() == terminal.Fault; got != shown {
				t.Errorf("%s with the problem %q: others are told of a fault: %v, on the screen: %v", state, problem, got, shown)
			}
			if got := strings.HasPrefix(statusText(v.Public(), who, opsapi.Health{}, 0), "按键停用"); got != shown {
				t.Errorf("%s with the problem %q: systemctl status tells of a fault: %v, the screen: %v", state, problem, got, shown)
			}
		}
	}
}
