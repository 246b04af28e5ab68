package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/internal/windowapi"
	"haochaping/sync/wire"
)

// citizens are the files that make what the citizen sees, hears and touches: they alone may know a whole view.
var citizens = map[string]bool{
	"audience.go": true, "screen.go": true, "lamps.go": true, "sound.go": true, "keys.go": true, // output
	"browser.go":     true, // the screen itself, on this machine
	"keywatch.go":    true, // tells of no key while a citizen is asked, for which it has to know that
	"testpicture.go": true, // takes the screen, the lamps and the sound while nobody is asked, and gives them back
}

// Nobody else in the daemon has a view in hand: whoever tells of the window gets terminal.Public from the loop.
func TestOnlyTheCitizenSeesAView(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		uses := false
		ast.Inspect(parsed, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				in, _ := s.X.(*ast.Ident)
				of, _ := s.X.(*ast.SelectorExpr)
				// What the audience keeps is a view, or has one in it, whatever it is called where it is taken out.
				taken := of != nil && slices.Contains([]string{"shown", "lamps", "heard"}, of.Sel.Name) &&
					slices.Contains([]string{"get", "each"}, s.Sel.Name)
				uses = uses || taken || s.Sel.Name == "view" || s.Sel.Name == "Chosen" || in != nil && in.Name == "terminal" && s.Sel.Name == "View"
			}
			return true
		})
		if uses && !citizens[name] {
			t.Errorf("%s uses a whole view, in which an answer stands; take terminal.Public, which Loop.View returns", name)
		}
		if uses {
			known++
		}
	}
	if known != len(citizens) {
		t.Errorf("%d of the %d files that may know a view do; take the others off the list", known, len(citizens))
	}
}

// A view cannot be written down by mistake, in JSON or in the log.
func TestAViewIsNotWrittenDown(t *testing.T) {
	v := terminal.View{State: terminal.Correcting, Chosen: rating.VerySatisfied}
	for name, x := range map[string]any{"a view": v, "in a struct": struct{ V terminal.View }{v}, "by pointer": &v} {
		if b, err := json.Marshal(x); err == nil {
			t.Errorf("%s is %s", name, b)
		}
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("shown", "view", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("shown", "view", v)
	if strings.Contains(log.String(), "correcting") || strings.Contains(log.String(), "Chosen") || strings.Contains(log.String(), `"5"`) {
		t.Errorf("the log says %s", log.String())
	}
}

// No type that leaves the box for others than the centre's books could carry a level, a reason or a view.
func TestNoOutsideTypeCarriesAnAnswer(t *testing.T) {
	private := []reflect.Type{reflect.TypeFor[rating.Level](), reflect.TypeFor[rating.CatalogueReason](), reflect.TypeFor[rating.Evaluation](),
		reflect.TypeFor[terminal.View]()}
	var look func(path string, x reflect.Type, seen map[reflect.Type]bool)
	look = func(path string, x reflect.Type, seen map[reflect.Type]bool) {
		for _, p := range private {
			if x == p {
				t.Errorf("%s is a %s", path, p)
			}
		}
		if seen[x] {
			return
		}
		seen[x] = true
		switch x.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			look(path, x.Elem(), seen)
		case reflect.Struct:
			for i := range x.NumField() {
				look(path+"."+x.Field(i).Name, x.Field(i).Type, seen)
			}
		}
	}
	for _, x := range []any{terminal.Public{}, windowapi.Window{}, windowapi.Status{}, windowapi.Event{}, opsapi.Status{}, opsapi.Health{},
		opsapi.KeyEvent{}, wire.Health{}, wire.Presence{}, wire.Reply{}} {
		look(reflect.TypeOf(x).String(), reflect.TypeOf(x), make(map[reflect.Type]bool))
	}
}
