package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"haochaping/device/keypad"
	"haochaping/internal/cli"
	"haochaping/internal/proof/testkit"
	"haochaping/internal/rating"
)

// learnt is a keypad behind a pseudo-terminal and the tool that learns it.
type learnt struct {
	master  *os.File
	config  string
	profile string
	out     *testkit.Said
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
	l := &learnt{master: master, config: filepath.Join(dir, "ratingd.toml"), profile: filepath.Join(dir, "hall.toml"), out: new(testkit.Said),
		done: make(chan error, 1)}
	text := fmt.Sprintf("device = \"lz-0417\"\nkeys.source = \"serial\"\nkeys.serial.port = %q\n", tty.Name())
	if slices.Contains(args, "-cards") {
		text = fmt.Sprintf("device = \"lz-0417\"\ncards.port = %q\n", tty.Name())
	}
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
	for end := time.Now().Add(time.Minute); strings.Count(l.out.String(), "\n") == before; time.Sleep(5 * time.Millisecond) {
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
		"words":  {func(i byte) []byte { return []byte([]string{"best", "good", "fair", "bad", "worst"}[i] + "\r") }, "text*3-5=20-7e 0d"},
		"xor":    {xorFrame, `layout = "aa 05 key xor8 55"`},
		"modbus": {modbusFrame, `layout = "01 06 00 10 00 key crc16le"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLearning(t)
			l.out.Wait(t, "Press 5 非常满意", 1)
			for i := range byte(5) {
				l.press(t, c.frame(i))
				l.press(t, []byte{0x00, 0xf7, i}) // noise
				if i > 0 {
					l.press(t, c.frame(i-1)) // the wrong key
				}
				l.press(t, c.frame(i))
				if i < 4 {
					l.out.Wait(t, fmt.Sprintf("Press %s, and", rating.Levels()[i+1]), 1)
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
	out := new(testkit.Said)
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"keys", "-config", l.config}, out, io.Discard) }()
	out.Wait(t, "Press each key once", 1)
	for i, level := range rating.Levels() {
		for end := time.Now().Add(time.Minute); !strings.Contains(out.String(), level.String()+"\n"); time.Sleep(400 * time.Millisecond) {
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
		l.out.Wait(t, "Press 5 非常满意", 1)
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
		if cli.HintOf(err).ZH == "" || !strings.Contains(err.Error(), "is there already") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("ended too soon", func(t *testing.T) {
		l := startLearning(t)
		l.out.Wait(t, "Press 5 非常满意", 1)
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
		l.out.Wait(t, fmt.Sprintf("%6d  现在按 / press now", baud), 1)
		b := []byte{0xe6, 0x00, 0x9e}
		if baud == 2400 {
			b = xorFrame(0)
		}
		l.press(t, b)
	}
	l.out.Wait(t, "The speed is 2400", 1)
	l.out.Wait(t, "Press 5 非常满意", 1)
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
	out := new(testkit.Said)
	if err := run(t.Context(), []string{"keys", "-config", config, "-list"}, out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range append(keypad.Names(), "Input devices with keys") {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not listed:\n%s", want, out)
		}
	}
}

// TestReleasesAreLearnt learns a keypad that sends 'A' when a key goes down and 'a' when it is let go, 180 ms later, and which
// sends "ok" by itself; then a press of one key with what was written is that key, once, and its release.
func TestReleasesAreLearnt(t *testing.T) {
	t.Parallel()
	l := startLearning(t)
	stop := make(chan struct{})
	var line sync.Mutex
	send := func(b ...byte) {
		line.Lock()
		defer line.Unlock()
		_, _ = l.master.Write(b)
	}
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		for tick := time.NewTicker(1100 * time.Millisecond); ; {
			select {
			case <-tick.C:
				send('o', 'k', '\r')
			case <-stop:
				tick.Stop()
				return
			}
		}
	}()
	l.out.Wait(t, "It sends by itself: 6f 6b 0d", 1)
	l.out.Wait(t, "Press 5 非常满意", 1)
	for i := range byte(5) {
		for range 3 {
			send('A' + i)
			time.Sleep(180 * time.Millisecond)
			send('a' + i)
			time.Sleep(400 * time.Millisecond)
			if i == 4 && strings.Contains(l.out.String(), "keys.map") || i < 4 &&
				strings.Contains(l.out.String(), fmt.Sprintf("Press %s, and", rating.Levels()[i+1])) {
				break
			}
		}
	}
	l.out.Wait(t, "keys.map", 1)
	close(stop)
	<-beats
	if err := <-l.done; err != nil {
		t.Fatalf("%v\n%s", err, l.out)
	}
	text, err := os.ReadFile(l.profile)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kind = \"release\"", `keys = ["a", "b", "c", "d", "e"]`, `of = ["A", "B", "C", "D", "E"]`,
		"kind = \"heartbeat\"\nlayout = \"6f 6b 0d\"\nevery = \""} { // how often depends on when a busy machine lets it beat
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	p, err := keypad.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(p.NewDecoder().Feed([]byte("Bbok\rDd")))
	if want := "[{key B []} {release B []} {key D []} {release D []}]"; got != want {
		t.Errorf("read %s, want %s", got, want)
	}
}

// TestAnUnlikelyOrderIsAskedAbout learns keys whose codes go up and down: they are pressed once more, in the same order or not.
func TestAnUnlikelyOrderIsAskedAbout(t *testing.T) {
	const order = "13254"
	for name, c := range map[string]struct{ again, want string }{"the same": {order, ""},
		"another": {"12", "was pressed where 3 was learnt"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLearning(t, "-untouched", "0s")
			for i := range order {
				l.out.Wait(t, fmt.Sprintf("Press %s, and", rating.Levels()[i]), 1)
				l.press(t, []byte{order[i]})
				time.Sleep(200 * time.Millisecond)
				l.press(t, []byte{order[i]})
			}
			l.out.Wait(t, "are in no order", 1)
			for _, key := range []byte(c.again) {
				l.press(t, []byte{key})
			}
			err := <-l.done
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q\n%s", err, c.want, l.out)
			}
			if _, missing := os.Stat(l.profile); (missing == nil) != (c.want == "") {
				t.Errorf("the profile: %v", missing)
			}
		})
	}
}

// TestCardReadersAreLearnt learns readers over a pseudo-terminal, and then shows another card with what the tool has printed.
func TestCardReadersAreLearnt(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		cards []string
		want  string // of the last one
	}{
		"STX, CR LF, ETX": {nil, []string{"\x020012345678\r\n\x03", "\x020012349999\r\n\x03", "\x020000000017\r\n\x03", "\x020004711471\r\n\x03"},
			"0004711471"},
		"three numbers": {[]string{"-number", "12345678"},
			[]string{"0012345678,190,24910\r\n", "0009334109,142,28\r\n", "0000000017,0,17\r\n", "0004711471,71,58223\r\n"}, "0004711471"},
		"binary": {nil, []string{"\x02\x0a\x02\x06\x00\x8e\x6d\x5d\xb0\x03", "\x02\x0a\x02\x2e\x00\xb6\xd7\xb5\xf2\x03",
			"\x02\x0a\x02\x06\x00\x00\x00\x01\x0f\x03",
			"\x02\x0a\x02\x2e\x00\xb6\xd7\xb5\xf2\x03"}, "0011982773"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLearning(t, append([]string{"-cards"}, c.args...)...)
			l.out.Wait(t, "Hold a card to the reader", 1)
			for i, card := range c.cards[:3] {
				for range 2 {
					l.press(t, []byte(card))
					time.Sleep(100 * time.Millisecond)
				}
				if i < 2 {
					l.out.Wait(t, "Hold another card", i+1)
				}
			}
			if err := <-l.done; err != nil {
				t.Fatalf("%v\n%s", err, l.out)
			}
			paste := l.out.String()[strings.Index(l.out.String(), "cards.port"):]
			paste, _, _ = strings.Cut(paste, "\n\n")
			if err := os.WriteFile(l.config, []byte("device = \"lz-0417\"\n"+paste+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			out := new(testkit.Said)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- run(ctx, []string{"keys", "-config", l.config, "-cards"}, out, io.Discard) }()
			out.Wait(t, "Hold one card", 1)
			for end := time.Now().Add(time.Minute); !strings.Contains(out.String(),
				fmt.Sprintf("card = %q", c.want)); time.Sleep(200 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("the card was not read:\n%s", out)
				}
				if _, err := l.master.WriteString(c.cards[3]); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := l.master.WriteString("no card at all, and nothing that is like one"); err != nil {
				t.Fatal(err)
			}
			out.Wait(t, "not understood by the profile", 1)
			cancel()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		})
	}
}
