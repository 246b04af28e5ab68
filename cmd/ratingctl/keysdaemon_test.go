package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/opsapi"
	"haochaping/internal/proof/testkit"
)

// TestKeysThroughTheDaemon asks a daemon what its keys do, with a port that is not touched.
func TestKeysThroughTheDaemon(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "ops.sock")
	l, err := opsapi.ListenUnix(socket)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan bool, 2)
	api := opsapi.New(opsapi.Config{
		Monitor: opsapi.NewMonitor(opsapi.Clocks{Mono: func() time.Duration { return 0 }, Wall: time.Now}),
		Metrics: opsapi.NewMetrics(), Logger: slog.New(slog.DiscardHandler),
		Keys: func(ctx context.Context, pause bool, tell func(opsapi.KeyEvent) error) error {
			asked <- pause
			if pause {
				return fmt.Errorf("a citizen is being asked")
			}
			for _, e := range []opsapi.KeyEvent{
				{What: opsapi.KeyShown}, {What: opsapi.KeyDown, Code: "0x31"}, {What: opsapi.KeyDown, Code: "0x39"},
				{What: opsapi.KeyTogether, Code: "0x31"},
				{What: opsapi.KeyStuck, Code: "0x31"}, {What: opsapi.KeypadLost, Why: "unplugged"}, {What: opsapi.KeyHidden},
			} {
				if err := tell(e); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		},
	})
	server := &http.Server{Handler: api, ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	config := filepath.Join(dir, "ratingd.toml")
	text := fmt.Sprintf("device = \"lz-0417\"\noperations.socket = %q\nkeys.source = \"serial\"\nkeys.serial.port = \"/dev/nowhere\"\n"+
		"keys.map = [{key=\"0x31\", level=5}]\n", socket)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := new(testkit.Said)
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"keys", "-config", config}, out, io.Discard) }()
	for _, want := range []string{"Press each key once", "0x31                 5 非常满意\n", "no level: add it to keys.map",
		"together with another key", "stuck", "cannot be read: unplugged", "A citizen is asked"} {
		out.Wait(t, want, 1)
	}
	cancel()
	if err := <-done; err != nil || <-asked {
		t.Errorf("error %v, or the window was paused", err)
	}
	out.Wait(t, "5 非常满意  已收到 / seen", 1)
	if err := run(t.Context(), []string{"keys", "-config", config, "-pause"}, new(bytes.Buffer), io.Discard); err == nil || !<-asked ||
		!strings.Contains(err.Error(), "a citizen is being asked") {
		t.Errorf("while a citizen is asked: %v", err)
	}
}
