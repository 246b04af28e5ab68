package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"haochaping/device/keypad"
	"haochaping/internal/rating"
)

// learnt is a keypad behind a pseudo-terminal and the tool that learns it.
type learnt struct {
	master  *os.File
	config  string
	profile string
	out     *screenText
	done    chan error
	cancel  context.CancelFunc
}

func startLearning(t *testing.T, args ...string) *learnt {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close(); _ = tty.Close() })
	dir := t.TempDir()
	l := &learnt{master: master, config: filepath.Join(dir, "ratingd.toml"), profile: filepath.Join(dir, "hall.toml"), out: new(screenText), done: make(chan error, 1)}
	text := fmt.Sprintf("device = \"lz-0417\"\nkeys.source = \"serial\"\nkeys.serial.port = %q\n", tty.Name())
	if err := os.WriteFile(l.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(t.Context())
	t.Cleanup(l.cancel)
	go func() {
		l.done <- run(ctx, append([]string{"keys", "-config", l.config, "-learn", "-out", l.profile}, args...), l.out, io.Discard)
	}()
	return l
}

// press writes bytes as one burst and waits until the tool has shown them.
func (l *learnt) press(t *testing.T, b []byte) {
	t.Helper()
	before := strings.Count(l.out.String(), "\n")
	if _, err := l.master.Write(b); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); strings.Count(l.out.String(), "\n") == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("% x was not shown:\n%s", b, l.out)
		}
	}
}

func xorFrame(i byte) []byte { return []byte{0xaa, 0x05, 0x10 + i, 0xaa ^ 0x05 ^ (0x10 + i), 0x55} }

// modbusFrame is what a keypad sends that writes the key's number to a holding register, with the CRC worked out here.
func modbusFrame(i byte) []byte {
	b := []byte{0x01, 0x06, 0x00, 0x10, 0x00, i + 1}
	crc := uint16(0xffff)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			if crc&1 == 1 {
				crc = crc>>1 ^ 0xa001
			} else {
				crc >>= 1
			}
		}
	}
	return append(b, byte(crc), byte(crc>>8))
}

// TestKeypadsAreLearnt learns keypads over a pseudo-terminal, from the best level down and with noise in between, and then
// reads them with the profile and the map that the tool has printed.
func TestKeypadsAreLearnt(t *testing.T) {
	for name, c := range map[string]struct {
		frame func(i byte) []byte
		want  string // in the profile
	}{
		"byte":   {func(i byte) []byte { return []byte{0x81 + i} }, `layout = "key"`},
		"line":   {func(i byte) []byte { return []byte(fmt.Sprintf("KEY%d\r\n", i+1)) }, `layout = "4b 45 59 key=30-39|41-5a|61-7a 0d 0a"`},
		"words":  {func(i byte) []byte { return []byte([]string{"best", "good", "fair", "bad", "worst"}[i] + "\r") }, "text*3-5=21-7e 0d"},
		"xor":    {xorFrame, `layout = "aa 05 key xor8 55"`},
		"modbus": {modbusFrame, `layout = "01 06 00 10 00 key crc16le"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLearning(t)
			l.out.wait(t, "Press 5 非常满意")
			for i := range byte(5) {
				l.press(t, c.frame(i))
				l.press(t, []byte{0x00, 0xf7, i}) // noise
				if i > 0 {
					l.press(t, c.frame(i-1)) // the wrong key
				}
				l.press(t, c.frame(i))
				if i < 4 {
					l.out.wait(t, fmt.Sprintf("Press %s, and", rating.Levels()[i+1]))
				}
			}
			if err := <-l.done; err != nil {
				t.Fatalf("%v\n%s", err, l.out)
			}
			text, err := os.ReadFile(l.profile)
			if err != nil || !strings.Contains(string(text), c.want) {
				t.Fatalf("%v, profile:\n%s\nwant %s", err, text, c.want)
			}
			// What is to be pasted, pasted.
			paste := l.out.String()[strings.Index(l.out.String(), "keys.source"):]
			paste = paste[:strings.Index(paste, "\n]\n")+3]
			if err := os.WriteFile(l.config, []byte("device = \"lz-0417\"\n"+paste), 0o600); err != nil {
				t.Fatal(err)
			}
			readAll(t, l, c.frame)
		})
	}
}

// readAll presses the five keys of a keypad that "ratingctl keys" reads, from the worst to the best.
func readAll(t *testing.T, l *learnt, frame func(i byte) []byte) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := new(screenText)
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"keys", "-config", l.config}, out, io.Discard) }()
	out.wait(t, "Press each key once")
	for i, level := range rating.Levels() {
		for end := time.Now().Add(10 * time.Second); !strings.Contains(out.String(), level.String()+"\n"); time.Sleep(400 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s was not read:\n%s", level, out)
			}
			if _, err := l.master.Write(frame(byte(i))); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "no level") || strings.Contains(out.String(), "not pressed") {
		t.Errorf("not every press was one of the five:\n%s", out)
	}
}

func TestLearningRefuses(t *testing.T) {
	t.Run("two keys alike", func(t *testing.T) {
		l := startLearning(t, "-times", "1")
		l.out.wait(t, "Press 5 非常满意")
		for range 7 { // once for the first key, and then instead of the second
			l.press(t, []byte("1"))
		}
		if err := <-l.done; err == nil || !strings.Contains(err.Error(), "keys 1 and 2 both send 31") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a profile that is there", func(t *testing.T) {
		l := startLearning(t, "-out", "/etc/passwd")
		err := <-l.done
		if h := new(hinted); !errors.As(err, &h) || !strings.Contains(err.Error(), "is there already") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("ended too soon", func(t *testing.T) {
		l := startLearning(t)
		l.out.wait(t, "Press 5 非常满意")
		l.cancel()
		if err := <-l.done; err == nil || !strings.Contains(err.Error(), "nothing was written") {
			t.Errorf("error %v", err)
		}
		if _, err := os.Stat(l.profile); !os.IsNotExist(err) {
			t.Errorf("a profile was written: %v", err)
		}
	})
}

// TestSpeedIsFound has a keypad that answers at 2400 bits per second with its frame, and at other speeds with what such a
// frame is read as: a pseudo-terminal has no speed of its own, so that the keypad is told by what the tool prints.
func TestSpeedIsFound(t *testing.T) {
	l := startLearning(t, "-scan", "-times", "1")
	for _, baud := range keypad.ScanOrder() {
		l.out.wait(t, fmt.Sprintf("%6d  press now", baud))
		b := []byte{0xe6, 0x00, 0x9e}
		if baud == 2400 {
			b = xorFrame(0)
		}
		l.press(t, b)
	}
	l.out.wait(t, "The speed is 2400")
	l.out.wait(t, "Press 5 非常满意")
	for i := range byte(5) {
		l.press(t, xorFrame(i))
	}
	if err := <-l.done; err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(l.profile)
	if err != nil || !strings.Contains(string(text), "baud = 2400\n") {
		t.Errorf("%v, profile:\n%s", err, text)
	}
}

func TestKeypadsAreListed(t *testing.T) {
	config := filepath.Join(t.TempDir(), "ratingd.toml")
	if err := os.WriteFile(config, []byte("device = \"lz-0417\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := new(screenText)
	if err := run(t.Context(), []string{"keys", "-config", config, "-list"}, out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range append(keypad.Names(), "Input devices with keys") {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not listed:\n%s", want, out)
		}
	}
}
