package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"haochaping/device/sound"
	"haochaping/internal/central/fleet"
	"haochaping/internal/opsapi"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/rating"
)

// equipmentEnv names a folder that stands for lamps and a sound card: they are there when the files "outputs" and "cards" are. What the
// lamps show is written into "lit", if that is there.
const equipmentEnv = "RATINGD_TEST_EQUIPMENT"

func equip(env *environment, dir string) {
	env.aplay, env.soundCards = filepath.Join(dir, "aplay"), filepath.Join(dir, "cards")
	env.openOutputs = func([]string, bool) (outputs, error) {
		if _, err := os.Stat(filepath.Join(dir, "outputs")); err != nil {
			return nil, err
		}
		return filedOutputs(filepath.Join(dir, "outputs")), nil
	}
}

// filedOutputs are there as long as their file is, and panic as long as it says so.
type filedOutputs string

func (f filedOutputs) Set(on []bool) error {
	b, err := os.ReadFile(string(f))
	if string(b) == "panic" {
		panic("the lamps' driver is wrong")
	}
	if err != nil {
		return err
	}
	lit, err := os.OpenFile(filepath.Join(filepath.Dir(string(f)), "lit"), os.O_WRONLY|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(lit, lampText(on))
	return errors.Join(err, lit.Close())
}

func (f filedOutputs) Close() error { return nil }

// ailing is an optional part, how it is broken, and how it is mended.
type ailing struct {
	config string
	want   string // in what is said of it
	mend   func(t *testing.T)
}

// ailments breaks every optional part of a box.
func ailments(t *testing.T, b *box, dir string, reader string) map[string]ailing {
	at := func(name string) string { return filepath.Join(dir, name) }
	font, err := os.ReadFile("../../display/fonts/NotoSerifTibetan-subset.ttf")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, at("truncated.ttf"), string(font[:len(font)/2]))
	writeFile(t, at("empty.ttc"), "")
	writeFile(t, at("outputs"), "panic")
	writeFile(t, at("blocked"), "a file where a folder should be")
	writeFile(t, filepath.Join(b.state, "tokens.json"), `{"tokens":[`)
	hall := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(hall.Close)
	tone := sound.Tone(440, 16000, 1)
	taken := func(key string) ailing {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		_, port, _ := net.SplitHostPort(l.Addr().String())
		return ailing{fmt.Sprintf("%s = %q\n", key, l.Addr()), fmt.Sprintf("port %s is taken by ratingd.test (process %d)", port, os.Getpid()),
			func(t *testing.T) { _ = l.Close() }}
	}
	return map[string]ailing{
		"fonts": {fmt.Sprintf("screen.fonts = [%q, %q]\n", at("truncated.ttf"), at("empty.ttc")), "truncated.ttf", func(t *testing.T) {
			writeFile(t, at("truncated.ttf"), string(font))
			writeFile(t, at("empty.ttc"), string(font))
		}},
		"screen_files": {fmt.Sprintf("screen.files = %q\n", at("blocked/screens")), "not a directory", func(t *testing.T) {
			if err := os.Remove(at("blocked")); err != nil {
				t.Fatal(err)
			}
		}},
		"browser":       taken("screen.browser"),
		"window_api":    taken("window_api.listen"),
		"operations":    taken("operations.listen"),
		"window_tokens": {"", "tokens.json", func(t *testing.T) { writeFile(t, filepath.Join(b.state, "tokens.json"), `{"tokens":[]}`) }},
		"webhook": {fmt.Sprintf("window_api.webhook_url = %q\nwindow_api.webhook_secret_file = %q\n", hall.URL, at("secret")),
			"webhook_secret_file",
			func(t *testing.T) { writeFile(t, at("secret"), "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n") }},
		"cards": {fmt.Sprintf("cards.port = %q\ncards.profile = %q\n", at("reader"), at("reader.toml")), "reader.toml", func(t *testing.T) {
			writeFile(t, at("reader.toml"), "name = \"reader\"\n[[frame]]\nkind = \"card\"\nlayout = \"text*4-20=30-39 eol\"\n")
			if err := os.Symlink(reader, at("reader")); err != nil {
				t.Fatal(err)
			}
		}},
		"link": {fmt.Sprintf("uplink.password_file = %q\n", at("password")), "uplink.password_file",
			func(t *testing.T) { writeFile(t, at("password"), "") }},
		"lamps": {"lamps.buzzer = \"L9\"\n", "a fault of the program: the lamps' driver", func(t *testing.T) { writeFile(t, at("outputs"), "") }},
		"prompts": {fmt.Sprintf("sound.asking = %q\n", at("asking.wav")), "asking.wav",
			func(t *testing.T) { writeFile(t, at("asking.wav"), string(tone.WAV())) }},
		"sound": {"", "sound card", func(t *testing.T) {
			writeFile(t, at("cards"), " 0 [test           ]: test\n")
			if err := os.WriteFile(at("aplay"), []byte("#!/bin/sh\ncat >/dev/null\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	}
}

// TestNothingOptionalStopsTheKeys starts a box all of whose optional parts are broken, and rates on it. Then each is mended, and
// its trouble ends while the daemon runs on.
func TestNothingOptionalStopsTheKeys(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newBox(t, w, "ailing", 1)
	keypad, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	card, cardTTY, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keypad.Close(); _ = tty.Close(); _ = card.Close(); _ = cardTTY.Close() })
	b.keys = fmt.Sprintf("keys.source = \"serial\"\nkeys.serial.port = %q\nkeys.staff = \"0x39\"\n", tty.Name()) +
		"keys.map = [{key=\"0x30\",level=5},{key=\"0x31\",level=4},{key=\"0x32\",level=3},{key=\"0x33\",level=2},{key=\"0x34\",level=1}]\n"
	w.enrol(b, 0)
	dir := t.TempDir()
	ill := ailments(t, b, dir, cardTTY.Name())
	config := fmt.Sprintf("device = %q\nstate = %q\naddresses_file = %q\n%sscreen.panel = \"none\"\nscreen.width = 480\n"+
		"screen.height = 320\nvisit.thanks = \"1s\"\n",
		b.name, b.state, b.addresses, b.keys)
	config += fmt.Sprintf("uplink.broker = \"mqtt://%s\"\nuplink.centre_key = %q\noperations.socket = %q\n", w.proxy.Addr(), w.centreKey,
		b.socket())
	// A box that has its window already, which no other part of it can give.
	writeFile(t, b.config, config+"window_api.listen = \"\"\nscreen.fonts = []\n")
	b.launch()
	b.untilWindow("a window", "idle")
	b.stop()
	for _, a := range ill {
		config += a.config
	}
	writeFile(t, b.config, config)
	b.extra = []string{equipmentEnv + "=" + dir}
	b.launch()
	rate := func(n int) {
		t.Helper()
		want := fmt.Sprintf("ratingd_presses_total{result=\"recorded\"} %d\n", n)
		b.until("an idle window", func(m string) bool { return strings.Contains(m, `window_state{state="idle"} 1`) })
		_, _ = keypad.Write([]byte("9"))
		b.until("a question", func(m string) bool { return strings.Contains(m, `window_state{state="asking"} 1`) })
		time.Sleep(500 * time.Millisecond) // nobody answers sooner
		_, _ = keypad.Write([]byte("0"))
		b.until("a recorded answer", func(m string) bool { return strings.Contains(m+"\n", want) })
	}
	b.untilWindow("a window", "idle")
	rate(1)
	for name, a := range ill {
		b.untilPart(name, func(p opsapi.Part) bool {
			return !p.OK && !p.Vital && strings.Contains(p.What.EN, a.want) && p.What.ZH != "" && p.Do.ZH != "" && p.Do.EN != ""
		})
	}
	if p := b.untilHealth(http.StatusOK)["keys"]; !p.OK {
		t.Errorf("the keys are %+v", p)
	}
	if m := b.metrics(); !strings.Contains(m, `ratingd_part_ok{part="window_api"} 0`) {
		t.Errorf("the metrics do not tell of the port:\n%s", m)
	}
	ill["link"].mend(t)
	b.toldTheCentre("fonts.file", "window_api.address", "cards.reader")

	pid := b.process.Process.Pid
	for name, a := range ill {
		if name != "link" {
			a.mend(t)
		}
	}
	b.untilPart("prompts", func(p opsapi.Part) bool { return p.OK })
	rate(2) // which is heard
	for name := range ill {
		b.untilPart(name, func(p opsapi.Part) bool { return p.OK })
	}
	if b.process.Process.Pid != pid {
		t.Error("the daemon was started again")
	}
	b.bound = waitAddresses(t, b.addresses)
	b.settle()
	b.stop()
	b.recordedTroubles(ill)
}

// toldTheCentre waits until the centre knows the box's troubles.
func (b *box) toldTheCentre(codes ...string) {
	b.t.Helper()
	books, err := inspect.Open(b.t.Context(), filepath.Join(b.w.dir, "centre"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = books.Close() }()
	var states []fleet.State
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if states, err = books.Fleet.States(b.t.Context(), "", 100); err != nil {
			b.t.Fatal(err)
		}
		i := slices.IndexFunc(states, func(s fleet.State) bool { return string(s.ID) == b.name })
		if i >= 0 && states[i].Health != nil && !slices.ContainsFunc(codes,
			func(p string) bool { return !slices.Contains(states[i].Health.Troubles, p) }) {
			return
		}
	}
	b.t.Fatalf("the centre knows of the box: %+v", states)
}

// recordedTroubles holds the box's records against what was broken and mended.
func (b *box) recordedTroubles(ill map[string]ailing) {
	b.t.Helper()
	fault, recovered := make(map[string]int), make(map[string]int)
	for _, r := range b.records() {
		if r.Event == nil {
			continue
		}
		switch r.Event.Name {
		case rating.EventFault:
			fault[r.Event.Detail["part"]]++
		case rating.EventRecovered:
			recovered[r.Event.Detail["part"]]++
		}
	}
	for name := range ill {
		if fault[name] != 1 || recovered[name] != 1 {
			b.t.Errorf("%s: %d records of its failure and %d of its return, want one each", name, fault[name], recovered[name])
		}
	}
}

// until waits until the metrics are so.
func (b *box) until(what string, done func(metrics string) bool) {
	b.t.Helper()
	var m string
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if m = b.metrics(); done(m) {
			return
		}
	}
	b.t.Fatalf("%s: %s did not come:\n%s", b.name, what, m)
}

// untilWindow waits until the daemon answers and its window does what is wanted.
func (b *box) untilWindow(what, state string) {
	b.t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if s, err := opsapi.Ask(b.t.Context(), b.socket()); err == nil && s.State == state {
			return
		}
	}
	b.t.Fatalf("%s: %s did not come", b.name, what)
}

// untilPart waits until a part is as wanted.
func (b *box) untilPart(name string, done func(opsapi.Part) bool) {
	b.t.Helper()
	var body string
	for end := time.Now().Add(75 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var h opsapi.Health
		if _, body = b.ops("/healthz"); json.Unmarshal([]byte(body), &h) != nil {
			continue
		}
		if i := slices.IndexFunc(h.Parts, func(p opsapi.Part) bool { return p.Name == name }); i >= 0 && done(h.Parts[i]) {
			return
		}
	}
	b.t.Errorf("the part %s is not as wanted:\n%s", name, body)
}
