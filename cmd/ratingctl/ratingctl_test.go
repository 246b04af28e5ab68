package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/cli"
	"haochaping/internal/proof/testkit"

	"github.com/creack/pty"
)

// TestKeys finds out a keypad's keys, with a map that has one of them.
func TestKeys(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = master.Close(); _ = tty.Close() }()
	dir := t.TempDir()
	config := filepath.Join(dir, "ratingd.toml")
	text := fmt.Sprintf("device = \"lz-0417\"\nkeys.source = \"serial\"\nkeys.serial.port = %q\nkeys.map = [{key=\"0x31\", level=5}]\n",
		tty.Name())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := new(testkit.Said)
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"keys", "-config", config}, out, io.Discard) }()
	out.Wait(t, "Press each key once", 1)
	// The port is being opened, which throws away what came before; a person presses again.
	for _, key := range []struct{ byte, want string }{{"1", "5 非常满意"}, {"9", "0x39                 没有等级：请写入 keys.map / no level: add it to " +
		"keys.map"}} {
		for end := time.Now().Add(time.Minute); !strings.Contains(out.String(), key.want); time.Sleep(400 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%q was not printed:\n%s", key.want, out)
			}
			if _, err := master.WriteString(key.byte); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"5 非常满意  已收到 / seen", "1 非常不满意  未按下 / not pressed"} {
		out.Wait(t, want, 1)
	}
}

func TestIdentityStaysTheSame(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "ratingd.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "device = \"lz-0417\"\nstate = %q\n", dir), 0o600); err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := run(t.Context(), []string{"identity", "-config", config}, out, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(first.String(), "lz-0417") || first.String() != second.String() {
		t.Errorf("first:\n%s\nthen:\n%s", first.String(), second.String())
	}
}

func TestErrorsHaveHints(t *testing.T) {
	for _, args := range [][]string{{"keys", "-config", "/nowhere.toml"}, {"demo", "-listen", "127.0.0.1:99999"}} {
		err := run(t.Context(), args, io.Discard, io.Discard)
		if h := cli.HintOf(err); h.ZH == "" || h.EN == "" {
			t.Errorf("%v: error %v, want one with a hint", args, err)
		}
	}
}
