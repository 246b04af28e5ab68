package receiver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"haochaping/internal/proof/testkit"
)

// patience is how long whatever must happen may take on a busy machine.
const patience = time.Minute

// box is a real ratingd with a serial keypad, and a citizen before it.
type box struct {
	t       *testing.T
	dir     string // of the programs
	config  string
	page    string // address of its screen's page
	windows string // address of the window's PC
	press   func(level int)
}

// programs are the box's.
var programs testkit.Programs

func TestMain(m *testing.M) { os.Exit(programs.Main(m)) }

// startBox starts a box that trusts a centre's key and signs in an algorithm. It ends with the test.
func startBox(t *testing.T, broker, centreKey, algorithm string) *box {
	t.Helper()
	b := &box{t: t, dir: filepath.Dir(programs.Path(t, "ratingd"))}
	keypad, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keypad.Close(); _ = tty.Close() })
	b.press = func(level int) { _, _ = keypad.Write([]byte{byte('0' + level)}) }
	state := t.TempDir()
	addresses := filepath.Join(state, "addresses.json")
	b.config = filepath.Join(state, "ratingd.toml")
	text := fmt.Sprintf("device = \"real-box\"\nrecord_algorithm = %q\nstate = %q\naddresses_file = %q\n"+
		"keys.source = \"serial\"\nkeys.serial.port = %q\nkeys.serial.profile = \"byte\"\n"+
		"keys.map = [{key=\"0x35\",level=5},{key=\"0x34\",level=4},{key=\"0x33\",level=3},{key=\"0x32\",level=2},{key=\"0x31\",level=1}]\n"+
		"screen.panel = \"none\"\nscreen.browser = \"127.0.0.1:0\"\nscreen.width = 480\nscreen.height = 320\nscreen.fonts = []\n"+
		"visit.wait = \"60s\"\nvisit.thanks = \"3s\"\n"+
		"link.base = \"https://rate.example.com\"\nuplink.broker = \"mqtt://%s\"\nuplink.centre_key = %q\nuplink.resend = \"1s\"\n"+
		"window_api.listen = \"127.0.0.1:0\"\nwindow_api.loopback_without_token = true\noperations.socket = %q\n",
		algorithm, filepath.Join(state, "box"), addresses, tty.Name(), broker, centreKey, filepath.Join(state, "ops.sock"))
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(filepath.Join(b.dir, "ratingd"), "-config", b.config)
	var said strings.Builder
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		if err := c.Wait(); err != nil {
			t.Errorf("the box did not end in order: %v", err)
		}
		if t.Failed() {
			t.Logf("the box said:\n%s", said.String())
		}
	})
	b.until("listens", func() bool {
		text, err := os.ReadFile(addresses)
		var bound map[string]string
		if err != nil || json.Unmarshal(text, &bound) != nil {
			return false
		}
		b.page, b.windows = "http://"+bound["browser"], "http://"+bound["window_api"]
		return true
	})
	return b
}

// until waits for a state of the world.
func (b *box) until(what string, done func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if done() {
			return
		}
	}
	b.t.Fatalf("the box: not %q within %s", what, patience)
}

// output returns what ratingctl prints.
func (b *box) output(args ...string) string {
	b.t.Helper()
	args = append(args, "-config", b.config)
	out, err := exec.Command(filepath.Join(b.dir, "ratingctl"), args...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("ratingctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// publicKey returns the box's, as whoever enrols it reads it.
func (b *box) publicKey() string {
	for _, field := range strings.Fields(b.output("identity")) {
		if len(field) == 43 || strings.HasPrefix(field, "sm2:") {
			return field
		}
	}
	b.t.Fatal("ratingctl identity printed no public key")
	return ""
}

// shown is what the box's page says of it.
type shown struct {
	State, Visit, Link string
	Pending            uint64
	Chosen             int
}

func (b *box) look() (s shown) {
	resp, err := http.Get(b.page + "/state.json")
	if err != nil {
		return s
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		b.t.Errorf("the box's state: %v", err)
	}
	return s
}

func (b *box) is(states ...string) {
	b.t.Helper()
	b.until(strings.Join(states, " or "), func() bool {
		is := b.look().State
		for _, s := range states {
			if s == is {
				return true
			}
		}
		return false
	})
}

// delivered waits until the centre has signed for all that the box has.
func (b *box) delivered() {
	b.t.Helper()
	b.until("delivered", func() bool { return b.look().Pending == 0 })
}

// visit opens a visit and returns its ID.
func (b *box) visit(body string) string {
	b.t.Helper()
	b.is("idle", "explaining")
	resp, err := http.Post(b.windows+"/v1/visits", "application/json", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var opened struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&opened); err != nil || opened.ID == "" {
		b.t.Fatalf("open a visit: %s, %v", resp.Status, err)
	}
	b.is("asking")
	return opened.ID
}

// answer presses a key until the box has taken it: what comes before anybody can have read the question is no answer.
func (b *box) answer(level int) {
	b.t.Helper()
	b.until(fmt.Sprintf("answered with %d", level), b.pressing(level))
}

// corrects is answer for a second thought, which may come too late on a slow machine; then it returns false.
func (b *box) corrects(level int) bool {
	b.t.Helper()
	b.answer(level)
	return b.look().Chosen == level
}

// pressing returns what presses a key when there was time to read, and again after a while, and reports whether the box has thanked for it
// or rests, which it does not without an answer.
func (b *box) pressing(level int) func() bool {
	next := time.Now().Add(300 * time.Millisecond)
	return func() bool {
		s := b.look()
		if s.State == "correcting" && s.Chosen == level || s.State == "idle" || s.State == "explaining" {
			return true
		}
		if time.Now().After(next) {
			b.press(level)
			next = time.Now().Add(4 * time.Second)
		}
		return false
	}
}

// ended waits until the visit is over.
func (b *box) ended() {
	b.t.Helper()
	b.is("idle", "explaining")
}

// log returns the records that the box has made.
func (b *box) log() (all []map[string]any) {
	b.t.Helper()
	for line := range strings.Lines(b.output("log", "-format", "jsonl", "-last", "0")) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			b.t.Fatalf("%s: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}
