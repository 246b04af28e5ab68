package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/upgrade"
	"haochaping/sync/wire"
)

// noNotes is a store that keeps none.
type noNotes struct{}

func (noNotes) Note(string) []byte           { return nil }
func (noNotes) SetNote(string, []byte) error { return nil }

// The command writes down what is asked for, and refuses what is no version; a box without a repository refuses it. Health says what root's
// service has reported.
func TestTheCentreAsksForAVersion(t *testing.T) {
	c := boxconfig.Config{State: t.TempDir()}
	o := orders{notes: noNotes{}, log: slog.New(slog.DiscardHandler), programs: askForPrograms(c)}
	ask := func(version, within string) error {
		_, err := o.carryOut(wire.Command{ID: "f-1", Name: wire.CommandUpdate, Args: map[string]string{"version": version, "within_sec": within}})
		return err
	}
	if err := ask("1.3.0", "600"); !errors.Is(err, errNoRepository) {
		t.Errorf("without a repository: %v", err)
	}
	c.Update.URL = "https://updates.example.com/apt"
	o.programs = askForPrograms(c)
	for _, wrong := range [][2]string{{"1.3.0", ""}, {"1.3.0", "0"}, {"-o x", "600"}, {"", "600"}} {
		if ask(wrong[0], wrong[1]) == nil {
			t.Errorf("%q within %q is asked for", wrong[0], wrong[1])
		}
	}
	if err := ask("1.3.0", "600"); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(c.State, upgrade.RequestFile))
	if err != nil || !strings.Contains(string(b), `"version":"1.3.0","within_sec":600,"command":"f-1"`) {
		t.Errorf("it is asked for %s, %v", b, err)
	}
	folder := t.TempDir()
	if p := installedPrograms(folder); p != nil {
		t.Errorf("without a report the box says %+v", p)
	}
	report := `{"installed":"1.2.0","version":"1.3.0","outcome":"returned","command":"f-1","why":"` + strings.Repeat("x", 1000) + `"}`
	if err := os.WriteFile(filepath.Join(folder, upgrade.ReportFile), []byte(report), 0o644); err != nil {
		t.Fatal(err)
	}
	p := installedPrograms(folder)
	if p == nil || p.Installed != "1.2.0" || p.Asked != "1.3.0" || p.Outcome != "returned" || len(p.Why) != 300 || p.Command != "f-1" {
		t.Errorf("the box says %+v", p)
	}
}

// What the updater says anew is told within seconds, and nothing else is.
func TestUpdatesAreFollowed(t *testing.T) {
	folder := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	told, ended := make(chan struct{}, 8), make(chan struct{})
	report := filepath.Join(folder, upgrade.ReportFile)
	if err := os.WriteFile(report, []byte(`{"installed":"1.2.0"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(ended)
		followUpdates(ctx, folder, func() { told <- struct{}{} })
	}()
	select {
	case <-told:
		t.Error("what had been said before is told as new")
	case <-time.After(2 * updatePause):
	}
	if err := os.WriteFile(report, []byte(`{"installed":"1.3.0"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told:
	case <-time.After(time.Minute):
		t.Error("what is new is not told")
	}
	stop()
	<-ended
}
