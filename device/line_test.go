package device

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"haochaping/device/keypad"
)

func profileOf(t *testing.T, text string) *keypad.Profile {
	t.Helper()
	p, err := keypad.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// keypadOn runs a serial source over a pseudo-terminal and returns its master when the line is being read.
func keypadOn(t *testing.T, p *keypad.Profile) (*Serial, *os.File, <-chan Event) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keypad")
	s := NewSerial(SerialConfig{Port: path, Profile: p, Now: now(), Logger: quiet})
	events := running(t, s.Run)
	wantEvent(t, events, ActionLost, "")
	master := openTTY(t, path)
	wantEvent(t, events, ActionBack, "")
	time.Sleep(50 * time.Millisecond) // the port was opened, but is it being read?
	return s, master, events
}

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestALineThatBabbles sends keys without pause, as fast as a pseudo-terminal takes them: no press comes of it, it is
// reported, it costs little, and the keypad is back when the line is silent again.
func TestALineThatBabbles(t *testing.T) {
	for _, name := range []string{"byte", "line"} {
		t.Run(name, func(t *testing.T) {
			_, master, events := keypadOn(t, shipped(t, name))
			lump := []byte(strings.Repeat("1", 4096))
			if name == "line" {
				lump = []byte(strings.Repeat("1\r\n", 1400))
			}
			if err := syscall.SetNonblock(int(master.Fd()), true); err != nil {
				t.Fatal(err)
			}
			before, began := cpuTime(t), time.Now()
			for time.Since(began) < 3*time.Second {
				if _, err := master.Write(lump); err != nil && !errors.Is(err, syscall.EAGAIN) {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
			}
			share := float64(cpuTime(t)-before) / float64(time.Since(began))
			if share > 0.25 { // with the babbling itself, and the race detector
				t.Errorf("%.0f%% of a core is used", 100*share)
			}
			t.Logf("%.1f%% of a core is used, the babbling included", 100*share)
			if e := wantEvent(t, events, ActionLost, ""); !errors.Is(e.Err, errBabbles) {
				t.Errorf("lost because of %v", e.Err)
			}
			wantEvent(t, events, ActionBack, "")
			if _, err := master.Write([]byte("S1\r\n")[map[string]int{"byte": 1, "line": 0}[name]:map[string]int{"byte": 2,
				"line": 4}[name]]); err != nil {
				t.Fatal(err)
			}
			wantEvent(t, events, Down, map[string]Code{"byte": "0x31", "line": "S1"}[name])
		})
	}
}

// TestSeveralKeysAtOnceAreNone holds that keys that come together are nobody's choice, in one write or within 40 ms.
func TestSeveralKeysAtOnceAreNone(t *testing.T) {
	for _, c := range []struct {
		profile, first, second string
		want                   []Code
	}{
		{"byte", "1", "3", []Code{"0x31", "0x33"}},
		{"line", "A\r\n", "B\r\n", []Code{"A", "B"}},
		{"slz", string(slz(1)), string(slz(4)), []Code{"1", "4"}},
	} {
		for _, apart := range []time.Duration{0, 25 * time.Millisecond} {
			t.Run(fmt.Sprint(c.profile, apart), func(t *testing.T) {
				t.Parallel()
				_, master, events := keypadOn(t, shipped(t, c.profile))
				first := c.first
				if apart == 0 {
					first += c.second
				}
				if _, err := master.WriteString(first); err != nil {
					t.Fatal(err)
				}
				if apart > 0 {
					time.Sleep(apart)
					if _, err := master.WriteString(c.second); err != nil {
						t.Fatal(err)
					}
				}
				a, b := wantEvent(t, events, Down, c.want[0]), wantEvent(t, events, Down, c.want[1])
				if close := b.At-a.At <= togetherWithin; a.Beside != close || b.Beside != close || apart == 0 && !close {
					t.Errorf("%+v and %+v, want both beside each other", a, b)
				}
			})
		}
	}
}

// TestABurstIsOneKeyOrNone holds what the bytes of one burst are.
func TestABurstIsOneKeyOrNone(t *testing.T) {
	_, master, events := keypadOn(t, shipped(t, "byte"))
	for _, c := range []struct{ sent, want string }{
		{"444", "0x34"}, {"5555", "noise: 35 35 35 35"}, {"678:;<", "noise: 36 37 38 3a 3b 3c"}, {"9", "0x39"},
	} {
		if _, err := master.WriteString(c.sent); err != nil {
			t.Fatal(err)
		}
		wantEvent(t, events, Down, Code(c.want))
	}
}

// TestTheBeginningOfAFrameIsForgotten leaves a frame cut off, and the next is read whole.
func TestTheBeginningOfAFrameIsForgotten(t *testing.T) {
	_, master, events := keypadOn(t, profileOf(t, "name='x'\ngap='100ms'\n[[frame]]\nlayout='aa bb key*2 any cc'\n"))
	for _, b := range [][]byte{{0xaa, 0xbb, 1}, {0xaa, 0xbb, 2, 3, 4, 0xcc}} {
		if _, err := master.Write(b); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
	wantEvent(t, events, Down, "0x0203")
}

const prompting = "name='x'\n[[frame]]\nlayout='key'\n[prompt]\nasking=\"'ASK' sum8(1:)\"\nthanks=\"'TH'\"\nidle=\"'ID'\"\nfault=\"'FA'\"\n"

func readText(t *testing.T, master *os.File, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(master, got); err != nil || string(got) != want {
		t.Fatalf("the keypad was told %q, %v, want %q", got, err, want)
	}
}

func TestPrompts(t *testing.T) {
	s, master, events := keypadOn(t, profileOf(t, prompting))
	s.Prompt(keypad.Asking)
	readText(t, master, "ASK\x9e") // 'S'+'K'
	s.Prompt(keypad.Asking)        // nothing new
	s.Prompt(keypad.Thanks)
	readText(t, master, "TH")
	s.Prompt(keypad.Fault)
	readText(t, master, "FA")
	// Unplugged, the keypad hears what is shown when it is back.
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	wantEvent(t, events, ActionLost, "")
	s.Prompt(keypad.Idle)
	master = openTTY(t, s.cfg.Port)
	wantEvent(t, events, ActionBack, "")
	readText(t, master, "ID")
	s.Prompt(keypad.Asking)
	readText(t, master, "ASK\x9e") // and not ID twice
}

// deafPort is a port whose other end takes nothing: a Write lasts until it is flushed.
type deafPort struct {
	in    chan []byte
	once  sync.Once
	freed chan struct{}
	wrote chan string
}

func (d *deafPort) Read(b []byte) (int, error) {
	select {
	case in := <-d.in:
		return copy(b, in), nil
	case <-time.After(10 * time.Millisecond):
		return 0, nil
	}
}

func (d *deafPort) Write(b []byte) (int, error) {
	d.wrote <- string(b)
	<-d.freed
	return 0, errors.New("flushed")
}

func (d *deafPort) Flush() error { d.once.Do(func() { close(d.freed) }); return nil }
func (d *deafPort) Close() error { return nil }

// TestAKeypadThatTakesNothingHoldsUpNoKey has a Write that never returns by itself.
func TestAKeypadThatTakesNothingHoldsUpNoKey(t *testing.T) {
	d := &deafPort{in: make(chan []byte), freed: make(chan struct{}), wrote: make(chan string, 10)}
	s := NewSerial(SerialConfig{Port: "deaf", Profile: profileOf(t, prompting), Now: now(), Logger: quiet,
		Open: func(string, keypad.Line, func() time.Duration) (Port, error) { return d, nil }})
	events := running(t, s.Run)
	s.Prompt(keypad.Asking)
	<-d.wrote
	for i := range 100 { // none waits
		s.Prompt([]keypad.Prompt{keypad.Thanks, keypad.Idle}[i%2])
	}
	for _, key := range []string{"1", "2", "3"} {
		d.in <- []byte(key)
		wantEvent(t, events, Down, Code("0x3"+key))
	}
	if len(d.wrote) != 0 {
		t.Errorf("%q was written besides", <-d.wrote)
	}
}

// faultyPort panics as a driver of ours may.
type faultyPort struct{ deafPort }

func (*faultyPort) Read([]byte) (int, error) { panic("a fault") }

// TestAPanicOfAPortIsALostLine ends the line alone, and opens it anew.
func TestAPanicOfAPortIsALostLine(t *testing.T) {
	good := &deafPort{in: make(chan []byte), freed: make(chan struct{}), wrote: make(chan string, 10)}
	ports := []Port{&faultyPort{deafPort{freed: make(chan struct{}), wrote: make(chan string, 10)}}, good}
	s := NewSerial(SerialConfig{Port: "faulty", Profile: profileOf(t, prompting), Now: now(), Logger: quiet, AtOnce: true,
		Open: func(string, keypad.Line, func() time.Duration) (Port, error) {
			p := ports[0]
			ports = ports[len(ports)-1:]
			return p, nil
		}})
	events := running(t, s.Run)
	if e := wantEvent(t, events, ActionLost, ""); e.Err == nil || !strings.Contains(e.Err.Error(), "a fault") {
		t.Errorf("lost because of %v", e.Err)
	}
	wantEvent(t, events, ActionBack, "")
	good.in <- []byte("1")
	wantEvent(t, events, Down, "0x31")
}

// TestNoiseIsNeverHeld sends noise on a line whose keypad says when a key is let go: what is none of its keys is told once, and is no key
// that stays down and sticks.
func TestNoiseIsNeverHeld(t *testing.T) {
	p, err := keypad.Parse([]byte("name = \"x\"\n[[frame]]\nlayout = \"key\"\nkeys = [\"0x41\", \"0x42\", \"0x00\"]\n" +
		"[[frame]]\nkind = \"release\"\nlayout = \"key\"\nkeys = [\"0x61\", \"0x62\", \"0x10\"]\nof = [\"0x41\", \"0x42\", \"0x00\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for sent, code := range map[string]Code{"AaBbAaBbAaBbAaBb": "noise: 41 61 42 62 41 61 42 62", "\x00\x00": "0x00 (BREAK?)"} {
		keys := &holds{}
		keys.open(0)

		b := newBurst(p, 9600, nil, lineUser{read: keys.read, noise: keys.noise, spoilt: keys.spoilt})
		b.feed([]byte(sent), time.Second)
		b.settled()
		got := keys.pass(time.Minute)
		if len(got) != 2 || got[0].Action != Down || got[1].Action != Up || got[0].Code != code || got[1].Code != code {
			t.Errorf("%q: %+v", sent, got)
		}
	}
}

// TestAKeypadThatIsNeverReadIsTold has a keypad send frames at another speed: after the third the bytes are told, once, until a key is
// read.
func TestAKeypadThatIsNeverReadIsTold(t *testing.T) {
	for name, frames := range map[string]struct{ wrong, right string }{"slz": {"\x98\x80\xf8\x00", string(slz(3))},
		"line": {"\xb1\x8d", "3\r\n"}} {
		var told []string
		b := newBurst(shipped(t, name), 9600, make(chan []byte, 9), lineUser{
			read: func(r keypad.Read, _ time.Duration) { told = append(told, r.Code) },
			unread: func(head []byte, _ time.Duration, times int) {
				if times == unreadTimes {
					told = append(told, fmt.Sprintf("%x", head))
				}
			},
		})
		at := time.Second
		send := func(frame string) {
			b.feed([]byte(frame), at)
			at += 2 * time.Second
			if end, open := b.over(); open && end < at {
				b.settled()
			}
		}
		for range 6 {
			send(frames.wrong)
		}
		send(frames.right)
		for range 3 { // noise now and then
			send(frames.wrong)
			send(frames.wrong)
			send(frames.right)
		}
		want := []string{fmt.Sprintf("%x", frames.wrong), "3", "3", "3", "3"}
		if !slices.Equal(told, want) {
			t.Errorf("%s: told %q, want %q", name, told, want)
		}
	}
}
