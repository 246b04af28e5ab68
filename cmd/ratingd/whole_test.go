package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"haochaping/internal/proof/faultnet"
	"haochaping/internal/proof/testkit"
	"haochaping/internal/rating"
)

// TestWhole starts the whole product: two boxes, one with GPIO keys and one with a serial keypad, a broker, and the
// centre. It rates, cuts the network, kills the boxes with SIGKILL at random moments, and then compares the centre's
// books with what the citizens were thanked for.
func TestWhole(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts the whole product several times")
	}
	for _, c := range []struct {
		name   string
		broker func(*testing.T) string // starts a broker and returns its address; nil for the embedded one
	}{{"embedded broker", nil}, {"mosquitto", startMosquitto}} {
		t.Run(c.name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 0))
			w := startCentre(t, c.broker)
			boxes := []*box{newGPIOBox(t, w, "gpio-box", random.Uint64()), newSerialBox(t, w, "serial-box", random.Uint64())}
			for i, b := range boxes {
				w.enrol(b, i)
				b.start()
			}
			var wg sync.WaitGroup
			for _, b := range boxes {
				wg.Go(func() { b.day(visitsPerBox) })
			}
			days := make(chan struct{})
			go func() { wg.Wait(); close(days) }()
			w.breakNetwork(random, days)
			w.proxy.Later(faultnet.Pass)
			for _, b := range boxes {
				b.settle()
				b.stop()
			}
			w.stopCentre()
			for _, b := range boxes {
				b.compare(filepath.Join(w.dir, "centre"))
			}
		})
	}
}

const visitsPerBox = 12

// breakNetwork cuts the network at random until the days are over.
func (w *world) breakNetwork(random *rand.Rand, over <-chan struct{}) {
	for up := true; ; up = !up {
		if up {
			w.proxy.Later(faultnet.Pass)
		} else {
			w.proxy.Set(faultnet.Hangup)
			w.cuts++
		}
		select {
		case <-over:
			return
		case <-time.After(time.Duration(200+random.IntN(2500)) * time.Millisecond):
		}
	}
}

// box is one window with a citizen before it who remembers what was thanked for.
type box struct {
	t      *testing.T
	w      *world
	name   string
	random *rand.Rand
	keys   string // the configuration's part about the keys
	press  func(level int)
	keypad io.WriteCloser // standard input of the daemon, where it has GPIO lines

	wrap  []string // a command that runs the daemon; empty: none
	extra []string // variables of the daemon's environment

	state, config, addresses string
	said                     *testkit.Said
	process                  *exec.Cmd
	bound                    map[string]string

	thanked []thanks
	pressed map[string]map[rating.Level]bool // by visit: every level that was pressed
	kills   int
	fail    func() // takes the disk away, where that is possible
}

// thanks is an answer that the screen has said thank you for.
type thanks struct {
	visit string
	level rating.Level
}

func newBox(t *testing.T, w *world, name string, seed uint64) *box {
	dir := filepath.Join(w.dir, name)
	return &box{
		t: t, w: w, name: name, random: rand.New(rand.NewPCG(seed, 1)), state: filepath.Join(dir, "state"),
		config: filepath.Join(dir, "ratingd.toml"), addresses: filepath.Join(dir, "addresses.json"),
		pressed: make(map[string]map[rating.Level]bool),
	}
}

// newGPIOBox returns a box whose keys are five simulated lines. The best level is on the right.
func newGPIOBox(t *testing.T, w *world, name string, seed uint64) *box {
	b := newBox(t, w, name, seed)
	b.keys = "keys.source = \"gpio\"\nkeys.map = " +
		"[{key=\"L1\",level=1},{key=\"L2\",level=2},{key=\"L3\",level=3},{key=\"L4\",level=4},{key=\"L5\",level=5}]\n"
	b.press = func(level int) {
		for _, action := range []string{"down", "up", "down"} { // a bounce
			_, _ = fmt.Fprintf(b.keypad, "L%d %s\n", level, action)
		}
		time.Sleep(200 * time.Millisecond) // a finger's time, also for a machine that is busy with the other tests
		_, _ = fmt.Fprintf(b.keypad, "L%d up\n", level)
	}
	return b
}

// newSerialBox returns a box with a keypad that sends one byte a key over a pseudo-terminal. The best level is "0".
func newSerialBox(t *testing.T, w *world, name string, seed uint64) *box {
	b := newBox(t, w, name, seed)
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close(); _ = tty.Close() })
	b.keys = fmt.Sprintf("keys.source = \"serial\"\nkeys.serial.port = %q\nkeys.serial.profile = \"byte\"\n", tty.Name()) +
		"keys.map = [{key=\"0x30\",level=5},{key=\"0x31\",level=4},{key=\"0x32\",level=3},{key=\"0x33\",level=2},{key=\"0x34\",level=1}]\n"
	b.press = func(level int) { _, _ = master.Write([]byte{byte('0' + 5 - level)}) }
	return b
}

// publicKey draws the box's key and returns its public part.
func (b *box) publicKey() string {
	b.writeConfig()
	out, err := exec.Command(programs.Path(b.t, "ratingctl"), "identity", "-config", b.config).CombinedOutput()
	if err != nil {
		b.t.Fatalf("ratingctl identity: %v\n%s", err, out)
	}
	for _, field := range strings.Fields(string(out)) {
		if len(field) == 43 || strings.HasPrefix(field, "sm2:") {
			return field
		}
	}
	b.t.Fatalf("ratingctl identity printed no public key:\n%s", out)
	return ""
}

func (b *box) writeConfig() {
	if err := os.MkdirAll(b.state, 0o700); err != nil {
		b.t.Fatal(err)
	}
	writeFile(b.t, b.config, fmt.Sprintf("device = %q\nstate = %q\naddresses_file = %q\n", b.name, b.state, b.addresses)+b.keys+
		fmt.Sprintf("screen.panel = \"none\"\nscreen.browser = \"127.0.0.1:0\"\nscreen.width = 480\nscreen.height = 320\nscreen.fonts = []\n"+
			"visit.wait = \"20s\"\nvisit.thanks = \"1s\"\nreasons.time = \"3s\"\nlink.base = \"http://%s\"\n"+
			"uplink.broker = \"mqtt://%s\"\nuplink.centre_key = %q\nuplink.resend = \"1s\"\nwindow_api.listen = \"127.0.0.1:0\"\n"+
			"operations.socket = %q\nwindow_api.loopback_without_token = true\n",
			b.w.rate, b.w.proxy.Addr(), b.w.centreKey, b.socket()))
}

func (b *box) start() {
	b.t.Helper()
	b.launch()
	b.wait("idle", func(s boxState) bool { return s.State == "idle" })
}

// launch starts the daemon and waits until it listens.
func (b *box) launch() {
	b.t.Helper()
	if err := os.Remove(b.addresses); err != nil && !os.IsNotExist(err) {
		b.t.Fatal(err)
	}
	words := append(slices.Clone(b.wrap), os.Args[0], "-config", b.config)
	b.process = exec.Command(words[0], words[1:]...)
	b.process.Env = append(append(os.Environ(), pinsEnv+"=1"), b.extra...)
	b.said = testkit.Shown(b.t, b.name)
	b.process.Stderr = b.said
	var err error
	if b.keypad, err = b.process.StdinPipe(); err != nil {
		b.t.Fatal(err)
	}
	if err := b.process.Start(); err != nil {
		b.t.Fatal(err)
	}
	p := b.process
	b.t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	b.bound = waitAddresses(b.t, b.addresses)
}

func (b *box) stop() {
	_ = b.process.Process.Signal(syscall.SIGTERM)
	if err := b.process.Wait(); err != nil {
		b.t.Errorf("%s did not stop in order: %v", b.name, err)
	}
}

// day is n visits, some with a correction, some with a power cut in the middle.
func (b *box) day(n int) {
	for range n {
		killed := b.visit()
		if killed {
			b.start()
		}
	}
}

// visit opens a visit, presses and waits for the thanks. It reports whether the daemon was killed meanwhile.
func (b *box) visit() (killed bool) {
	id := b.openVisit()
	b.pressed[id] = make(map[rating.Level]bool)
	deadline := time.Duration(-1)
	if b.random.IntN(3) == 0 {
		deadline = time.Duration(b.random.IntN(250)) * time.Millisecond
	}
	kill := make(chan struct{})
	if deadline >= 0 {
		time.AfterFunc(deadline, func() { _ = b.process.Process.Signal(syscall.SIGKILL); close(kill) })
	}
	answers := 1 + b.random.IntN(2)
	last := rating.Level(0)
	for range answers {
		level := rating.Level(1 + b.random.IntN(5))
		if level == last {
			continue
		}
		b.pressed[id][level] = true
		b.press(int(level))
		if !b.sawThanks(id, level, kill) {
			break
		}
		last = level
		b.remember(id, level)
	}
	if deadline >= 0 {
		<-kill
		b.kills++
		_ = b.process.Wait()
		return true
	}
	b.wait("free after a visit", boxState.free)
	return false
}

// remember notes an answer, in place of the one that it corrects.
func (b *box) remember(visit string, level rating.Level) {
	if n := len(b.thanked); n > 0 && b.thanked[n-1].visit == visit {
		b.thanked[n-1].level = level
		return
	}
	b.thanked = append(b.thanked, thanks{visit, level})
}

// sawThanks waits until the screen has thanked for the level. A citizen who is not thanked presses again, which a box that
// took the first press ignores.
func (b *box) sawThanks(visit string, level rating.Level, kill <-chan struct{}) bool {
	again := time.Now().Add(3 * time.Second)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(again) {
			b.press(int(level))
			again = time.Now().Add(3 * time.Second)
		}
		select {
		case <-kill:
			return false
		default:
		}
		s, err := b.look()
		if err == nil && s.State == "correcting" && s.Visit == visit && s.Chosen == level {
			return true
		}
	}
	b.t.Errorf("%s: no thanks for visit %s within a minute", b.name, visit)
	return false
}

// reading is how long a citizen looks at a question before a key is pressed, which is no answer sooner.
const reading = 250 * time.Millisecond

func (b *box) openVisit() string {
	body := `{"staff":{"id":"0417"},"cases":[{"project_no":"6201022026000001","task_code":"11620102MB","task_name":"居住证办理",` +
		`"completed":false}],"subjects":["staff"]}`
	resp, err := http.Post("http://"+b.bound["window_api"]+"/v1/visits", "application/json", strings.NewReader(body))
	if err != nil {
		b.t.Errorf("%s: %v", b.name, err)
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	var reply struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil || resp.StatusCode != http.StatusCreated {
		b.t.Errorf("%s: open a visit: %s, %v", b.name, resp.Status, err)
	}
	time.Sleep(reading)
	return reply.ID
}

func (b *box) look() (boxState, error) {
	var s boxState
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + b.bound["browser"] + "/state.json")
	if err != nil {
		return s, err
	}
	defer func() { _ = resp.Body.Close() }()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// free reports whether the box waits for the next visit, perhaps while it asks for the reasons of the last one.
func (s boxState) free() bool { return s.State == "idle" || s.State == "explaining" }

func (b *box) wait(what string, done func(boxState) bool) {
	b.t.Helper()
	var s boxState
	var err error
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if s, err = b.look(); err == nil && done(s) {
			return
		}
	}
	b.t.Errorf("%s: not %s within 60 s: %+v, %v", b.name, what, s, err)
}

// settle waits until the centre has acknowledged everything.
func (b *box) settle() {
	b.wait("drained", func(s boxState) bool { return s.Pending == 0 && !s.Offline })
}
