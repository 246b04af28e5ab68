package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"image"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"haochaping/display"
	"haochaping/internal/kernelclock"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/store"
)

// benchWindow is a window as the centre assigns it.
var benchWindow = rating.Window{ID: "A12", Name: "综合受理12号窗口", Hall: "市民中心政务服务大厅", Generation: 1}

// benchPress measures from a key that goes down to the view that says thanks, or beyond.
func benchPress(b *testing.B, thanked func(terminal.View)) {
	db, err := store.Open(filepath.Join(b.TempDir(), "log.db"),
		store.Options{Device: "bench", Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	clk := clock{1, kernelclock.SinceBoot, time.Now, func() bool { return true }}
	views := make(chan terminal.View, 16)
	loop := terminal.NewLoop(terminal.LoopConfig{
		Timings: terminal.Timings{Wait: time.Minute, Thanks: 3 * time.Second}, Log: db, Now: clk.now, Random: rand.Reader,
		Show: func(v terminal.View) { views <- v }, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- loop.Run(ctx, terminal.Started{At: clk.now(), Window: &benchWindow}) }()
	wait := func(s terminal.State) terminal.View {
		for v := range views {
			if v.State == s {
				return v
			}
		}
		return terminal.View{}
	}
	wait(terminal.Idle)
	for b.Loop() {
		b.StopTimer()
		if _, err := loop.OpenVisit(ctx, rating.Visit{Grouping: rating.Single, Subjects: []rating.Subject{rating.StaffSubject},
			Opener: rating.OpenedByPC}); err != nil {
			b.Fatal(err)
		}
		wait(terminal.Asking)
		at := clk.now().Add(time.Second) // a press that comes at once is no answer
		b.StartTimer()
		loop.Post(terminal.Press{At: at, Level: rating.Satisfied})
		thanked(wait(terminal.Correcting))
	}
	go func() {
		for range views {
			continue
		}
	}()
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
}

// BenchmarkPressToDurable is the time from a key to the record on the disk.
func BenchmarkPressToDurable(b *testing.B) { benchPress(b, func(terminal.View) {}) }

// BenchmarkPressToFrame is the time from a key to the thanks drawn at 1024×600.
func BenchmarkPressToFrame(b *testing.B) {
	fonts, err := display.LoadFonts(nil)
	if err != nil {
		b.Fatal(err)
	}
	size := image.Pt(1024, 600)
	board := display.NewBoard(display.NewRenderer(fonts), size, display.NewBrowser(size))
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	s := scene{links: &linkBook{who: identity{"bench", key}, base: "https://rate.example.com"}, order: rating.Levels()}
	benchPress(b, func(v terminal.View) {
		screen, err := s.screen(picture{view: v, online: true})
		if err != nil {
			b.Fatal(err)
		}
		if err := board.Show(screen); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkResidentMemory reports the resident memory of the daemon, idle, with an empty store and with a million pending
// records.
func BenchmarkResidentMemory(b *testing.B) {
	for _, n := range []int{0, 1_000_000} {
		b.Run(fmt.Sprintf("pending=%d", n), func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(residentMB(b, n), "MB-RSS")
			}
		})
	}
}

func residentMB(b *testing.B, pending int) float64 {
	dir := b.TempDir()
	program := filepath.Join(dir, "ratingd")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	fillStore(b, filepath.Join(dir, "log.db"), pending)
	public := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	config := filepath.Join(dir, "ratingd.toml")
	text := fmt.Sprintf("device = \"bench\"\nstate = %q\naddresses_file = %q\nkeys.source = \"simulated\"\n"+
		"keys.map = [{key=\"1\",level=5},{key=\"2\",level=4},{key=\"3\",level=3},{key=\"4\",level=2},{key=\"5\",level=1}]\n"+
		"screen.panel = \"none\"\nscreen.browser = \"127.0.0.1:0\"\nscreen.fonts = []\nuplink.broker = \"mqtt://127.0.0.1:9\"\n"+
		"uplink.centre_key = %q\nwindow_api.listen = \"127.0.0.1:0\"\nwindow_api.loopback_without_token = true\noperations.socket = \"\"\n",
		dir, filepath.Join(dir, "addresses.json"), base64.RawURLEncoding.EncodeToString(public))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	c := exec.Command(program, "-config", config)
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Process.Signal(syscall.SIGTERM); _ = c.Wait() }()
	time.Sleep(3 * time.Second)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range bytes.Lines(status) {
		if v, ok := strings.CutPrefix(string(line), "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(v)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kb) / 1024
		}
	}
	b.Fatal("/proc does not tell")
	return 0
}

func fillStore(b *testing.B, path string, n int) {
	db, err := store.Open(path, store.Options{Device: "bench", Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	bodies := make([]rating.Body, 1000)
	for i := range bodies {
		bodies[i] = rating.EvaluationBody(rating.Stamp{Boot: 1, Mono: int64(i)},
			rating.Evaluation{Visit: 7, Subject: rating.StaffSubject, Level: 5, Channel: rating.Keypad})
	}
	for range n / len(bodies) {
		if _, err := db.Append(bodies...); err != nil {
			b.Fatal(err)
		}
	}
	// The last record closes the visit, so that the start need not look through all of them.
	if n > 0 {
		if _, err := db.Append(rating.OutcomeBody(rating.Stamp{Boot: 1}, rating.Closing{Visit: 7, Outcome: rating.Rated})); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}
