package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/sdnotify"
)

// TestTheWatchdogIsNotFedWhileTheWriterHangs counts what the service manager hears before and after the journal's writer hangs.
func TestTheWatchdogIsNotFedWhileTheWriterHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "40000"}
	manager, err := sdnotify.Connect(func(name string) string { return env[name] }, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var hanging atomic.Bool
	looks := make(chan struct{}) // a look at a time, so that nothing depends on the machine's speed
	s := supervisor{manager: manager, status: func() string { return "" }, logger: slog.New(slog.DiscardHandler),
		look: func(ctx context.Context) error {
			select {
			case looks <- struct{}{}:
			case <-ctx.Done():
			}
			return nil
		},
		hangs: func() error {
			if hanging.Load() {
				return errors.New("it hangs")
			}
			return nil
		}}
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	fed := func() (n int) {
		b := make([]byte, 4096)
		for {
			if err := socket.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			k, err := socket.Read(b)
			if err != nil {
				return n
			}
			n += strings.Count(string(b[:k]), "WATCHDOG=1")
		}
	}
	<-looks
	<-looks // so that the first was told of
	if fed() == 0 {
		t.Error("the watchdog is not fed though nothing hangs")
	}
	hanging.Store(true)
	<-looks // the one before may have been told of
	fed()
	for range 3 {
		<-looks
	}
	if n := fed(); n > 0 {
		t.Errorf("the watchdog was fed %d times while the writer hangs", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
