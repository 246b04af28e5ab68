package sound

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWAVThereAndBack(t *testing.T) {
	for _, channels := range []int{1, 2} {
		want := Tone(440, 48000, channels)
		got, err := Parse(want.WAV())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%d channels: error %v (-want +got):\n%s", channels, err, diff)
		}
	}
}

func TestTonesAreDistinctAndSoft(t *testing.T) {
	seen := make(map[string]bool)
	for _, hertz := range Tones() {
		c := Tone(hertz, 48000, 1)
		if l := c.Length(); l > 200*time.Millisecond || l < 100*time.Millisecond {
			t.Errorf("%v Hz is %v long", hertz, l)
		}
		crossings, peak, last := 0, 0, int16(0)
		for _, s := range c.Samples {
			if last < 0 && s >= 0 {
				crossings++
			}
			peak, last = max(peak, int(math.Abs(float64(s)))), s
		}
		if got := float64(crossings) / c.Length().Seconds(); math.Abs(got-hertz) > 12 {
			t.Errorf("the tone of %v Hz swings %v times a second", hertz, got)
		}
		if first, end := c.Samples[0], c.Samples[len(c.Samples)-1]; first != 0 || end > 20 || end < -20 || peak < 10000 || peak > 22000 {
			t.Errorf("%v Hz begins with %d, ends with %d, peaks at %d", hertz, first, end, peak)
		}
		seen[string(c.WAV())] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d distinct tones, want 5", len(seen))
	}
}

func TestGain(t *testing.T) {
	c := Clip{48000, 1, []int16{-32768, -4, 0, 4, 32767}}
	for percent, want := range map[int][]int16{100: c.Samples, 0: {0, 0, 0, 0, 0}, 50: {-8192, -1, 0, 1, 8191}, 200: c.Samples,
		-1: {0, 0, 0, 0, 0}} {
		if diff := cmp.Diff(want, c.Gain(percent).Samples); diff != "" {
			t.Errorf("%d percent (-want +got):\n%s", percent, diff)
		}
	}
}

func TestPercent(t *testing.T) {
	levels := []Level{{7 * 60, 80}, {18 * 60, 30}}
	for minute, want := range map[int]int{0: 60, 7*60 - 1: 60, 7 * 60: 80, 17*60 + 59: 80, 18 * 60: 30, 1439: 30} {
		if got := Percent(levels, minute, 60); got != want {
			t.Errorf("at minute %d: %d percent, want %d", minute, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Tone(880, 8000, 2).WAV())
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEdata\x00\x00\x00\x00"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVELIST\x01\x00\x00\x00xx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		if c.Length() > maxLength || len(c.Samples) == 0 || len(c.Samples)%c.Channels != 0 {
			t.Errorf("accepted %d samples on %d channels", len(c.Samples), c.Channels)
		}
		if again, err := Parse(c.WAV()); err != nil || !cmp.Equal(again, c) {
			t.Errorf("what was accepted does not come back: %v", err)
		}
	})
}

// script writes an executable script that stands for aplay, and a list of one sound card.
func script(t *testing.T, body string) Config {
	t.Helper()
	dir := t.TempDir()
	command, cards := filepath.Join(dir, "aplay"), filepath.Join(dir, "cards")
	if err := os.WriteFile(command, []byte("#!/bin/sh\ncd "+dir+"\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cards, []byte(" 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Config{Command: command, Device: "plughw:0", Cards: cards, Logger: slog.New(slog.DiscardHandler)}
}

// running runs a Player until the test ends.
func running(t *testing.T, c Config) *Player {
	t.Helper()
	p := NewPlayer(c)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p
}

// appears waits for a file to have the wanted content.
func appears(t *testing.T, path string, want []byte) {
	t.Helper()
	var got []byte
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got, _ = os.ReadFile(path); bytes.Equal(got, want) {
			return
		}
	}
	t.Fatalf("%s has %d bytes %.60q, want %d bytes %.60q", path, len(got), got, len(want), want)
}

func TestPlayerGivesTheClipToAplay(t *testing.T) {
	c := script(t, "echo \"$@\" >args; cat >part; mv part wav\n")
	p := running(t, c)
	clip := Tone(523.25, 48000, 1)
	p.Play(clip)
	dir := filepath.Dir(c.Command)
	appears(t, filepath.Join(dir, "wav"), clip.WAV())
	appears(t, filepath.Join(dir, "args"), []byte("-q -D plughw:0 -\n"))
}

func TestNewestWins(t *testing.T) {
	c := script(t, "cat >part; if [ -e hung ]; then mv part wav; else echo hung >hung; sleep 1000; fi\n")
	p := running(t, c)
	dir := filepath.Dir(c.Command)
	p.Play(Tone(880, 48000, 1))
	appears(t, filepath.Join(dir, "hung"), []byte("hung\n"))
	between, last := Tone(440, 48000, 1), Tone(660, 48000, 1)
	began := time.Now()
	p.Play(between)
	p.Play(last)
	if took := time.Since(began); took > overtime/2 { // as long as it would take if they waited for the one that hangs
		t.Errorf("two clips took %v to hand over", took)
	}
	appears(t, filepath.Join(dir, "wav"), last.WAV())
}

func TestAplayThatHangsIsKilled(t *testing.T) {
	c := script(t, "cat >/dev/null; echo $$ >pid; sleep 1000\n")
	began := time.Now()
	err := NewPlayer(c).play(t.Context(), Tone(440, 48000, 1))
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "was killed") || took < overtime ||
		took > overtime+5*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}

func TestWithoutCardOrProgram(t *testing.T) {
	c := script(t, "exit 3")
	for name, change := range map[string]func(*Config){
		"no sound card":    func(c *Config) { c.Cards = filepath.Join(t.TempDir(), "none") },
		"package alsa":     func(c *Config) { c.Command = "no-such-aplay" },
		"exit status 3":    func(*Config) {},
		"--- no soundcard": func(c *Config) { c.Cards = write(t, "--- no soundcards ---\n") },
	} {
		changed := c
		change(&changed)
		if err := NewPlayer(changed).play(t.Context(), Tone(440, 48000, 1)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRealAplay plays through ALSA into a file and compares the samples.
func TestRealAplay(t *testing.T) {
	if _, err := exec.LookPath("aplay"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("aplay is not installed: install the Debian package alsa-utils")
		}
		t.Skip("aplay is not installed: install the Debian package alsa-utils")
	}
	dir := t.TempDir()
	raw := filepath.Join(dir, "raw")
	t.Setenv("ALSA_CONFIG_PATH", write(t, "pcm.captured { type file slave.pcm { type null } file \""+raw+"\" format raw }\n"))
	c := script(t, "")
	c.Command, c.Device = "aplay", "captured"
	clip := Tone(880, 48000, 1).Gain(50)
	if err := NewPlayer(c).play(t.Context(), clip); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	if want := clip.WAV()[44:]; !bytes.HasPrefix(got, want) {
		t.Errorf("ALSA was given %d bytes, want %d, or others", len(got), len(want))
	}
}
