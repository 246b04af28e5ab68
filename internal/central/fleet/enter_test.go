package fleet_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
)

// TestWhoEntersABoxIsNamed: whoever gives a box another key could write evaluations in its name, so the journal has who did before it
// holds.
func TestWhoEntersABoxIsNamed(t *testing.T) {
	j, _, _ := journaltest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
	f, err := fleet.Open(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	d := fleet.Device{ID: "lz-1", EnrolledAt: time.UnixMilli(1), Window: rating.Window{ID: "A1", Area: "620102000000", Generation: 1}}
	enter := func(ctx context.Context) error {
		key, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		d.Key = key
		return f.EnterAll(ctx, "operator li", []fleet.Device{d})
	}
	if err := errors.Join(enter(t.Context()), f.Enter(t.Context(), "operator li", d)); err != nil { // the same again says nothing
		t.Fatal(err)
	}
	d.Window.Generation = 2
	if err := enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.Window.Name, d.Window.Generation = "x", 1
	if err := enter(t.Context()); !errors.Is(err, fleet.ErrGeneration) {
		t.Errorf("an older generation: %v", err)
	}
	entries, err := j.Read(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, e := range entries {
		switch a, err := e.Act(); {
		case e.Kind == journal.Device:
			rows = append(rows, "device")
		case err == nil:
			row := e.Source + " " + a.Do + " " + a.Object + " " + a.Domain
			if strings.Contains(string(a.Data), `"former_key"`) {
				row += " another key"
			}
			rows = append(rows, row)
		}
	}
	const act = "operator li enrol.enter lz-1 620102000000"
	if got, want := strings.Join(rows, "; "), act+"; device; "+act+" another key; device"; got != want {
		t.Errorf("the journal has %s, want %s", got, want)
	}
}
