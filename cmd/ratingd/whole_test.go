package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"haochaping/internal/central/ledger"
	"haochaping/internal/rating"
)

// TestWhole starts the whole product: two boxes, one with GPIO keys and one with a serial keypad, a broker, and the
// centre. It rates, cuts the network, kills the boxes with SIGKILL at random moments, and then compares the centre's
// books with what the citizens were thanked for.
func TestWhole(t *testing.T) {
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
			w.proxy.set(true)
			for _, b := range boxes {
				b.settle()
				b.stop()
			}
			w.stopCentre()
			for _, b := range boxes {
				b.compare(filepath.Join(w.dir, "centre", "ledger.db"))
			}
		})
	}
}

const visitsPerBox = 12

// world is everything that is not a box.
type world struct {
	t         *testing.T
	dir       string
	centrald  string // program
	config    string
	process   *exec.Cmd
	proxy     *proxy
	centreKey string
	rate      string
}

func startCentre(t *testing.T, broker func(*testing.T) string) *world {
	w := &world{t: t, dir: t.TempDir()}
	w.centrald = filepath.Join(w.dir, "centrald")
	build := exec.Command("go", "build", "-o", w.centrald, "haochaping/cmd/centrald")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build centrald: %v\n%s", err, out)
	}
	addresses := filepath.Join(w.dir, "centre.json")
	text := fmt.Sprintf("state = %q\naddresses_file = %q\nrate.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n",
		filepath.Join(w.dir, "centre"), addresses)
	var mqtt string
	if broker == nil {
		text += "broker.listen = \"127.0.0.1:0\"\n"
	} else {
		mqtt = broker(t)
		text += fmt.Sprintf("broker.url = \"mqtt://%s\"\n", mqtt)
	}
	w.config = filepath.Join(w.dir, "centrald.toml")
	writeFile(t, w.config, text)
	w.process = exec.Command(w.centrald, "-config", w.config)
	w.process.Stderr = &testLog{t: t, name: "centrald"}
	if err := w.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stopCentre)
	bound := waitAddresses(t, addresses)
	if broker == nil {
		mqtt = bound["mqtt"]
	}
	w.centreKey, w.rate = bound["public_key"], bound["rate"]
	w.proxy = newProxy(t, mqtt)
	return w
}

func (w *world) stopCentre() {
	if w.process == nil {
		return
	}
	_ = w.process.Process.Signal(syscall.SIGTERM)
	_ = w.process.Wait()
	w.process = nil
}

func (w *world) enrol(b *box, i int) {
	key := b.publicKey()
	out, err := exec.Command(w.centrald, "device", "-config", w.config, "add", "-id", b.name, "-key", key,
		"-hall", "市民中心政务服务大厅", "-window", fmt.Sprintf("w%d", i+1), "-name", fmt.Sprintf("综合窗口%d号", i+1), "-generation", "1").CombinedOutput()
	if err != nil {
		w.t.Fatalf("enrol %s: %v\n%s", b.name, err, out)
	}
}

// breakNetwork cuts the network at random until the days are over.
func (w *world) breakNetwork(random *rand.Rand, over <-chan struct{}) {
	for up := true; ; up = !up {
		w.proxy.set(up)
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

	state, config, addresses string
	process                  *exec.Cmd
	bound                    map[string]string

	thanked []thanks
	pressed map[string]map[rating.Level]bool // by visit: every level that was pressed
	kills   int
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
	b.keys = "keys.source = \"gpio\"\nkeys.map = [{key=\"L1\",level=1},{key=\"L2\",level=2},{key=\"L3\",level=3},{key=\"L4\",level=4},{key=\"L5\",level=5}]\n"
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
	b.keys = fmt.Sprintf("keys.source = \"serial\"\nkeys.serial.port = %q\nkeys.serial.format = \"byte\"\n", tty.Name()) +
		"keys.map = [{key=\"0x30\",level=5},{key=\"0x31\",level=4},{key=\"0x32\",level=3},{key=\"0x33\",level=2},{key=\"0x34\",level=1}]\n"
	b.press = func(level int) { _, _ = master.Write([]byte{byte('0' + 5 - level)}) }
	return b
}

// publicKey draws the box's key and returns its public part.
func (b *box) publicKey() string {
	b.writeConfig()
	out, err := exec.Command("go", "run", "haochaping/cmd/ratingctl", "identity", "-config", b.config).CombinedOutput()
	if err != nil {
		b.t.Fatalf("ratingctl identity: %v\n%s", err, out)
	}
	for _, field := range strings.Fields(string(out)) {
		if len(field) == 43 {
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
			"visit.wait = \"20s\"\nvisit.thanks = \"1s\"\nlink.base = \"http://%s\"\n"+
			"uplink.broker = \"mqtt://%s\"\nuplink.centre_key = %q\nuplink.resend = \"1s\"\nwindow_api.listen = \"127.0.0.1:0\"\n",
			b.w.rate, b.w.proxy.addr(), b.w.centreKey))
}

func (b *box) start() {
	b.t.Helper()
	if err := os.Remove(b.addresses); err != nil && !os.IsNotExist(err) {
		b.t.Fatal(err)
	}
	b.process = exec.Command(os.Args[0], "-config", b.config)
	b.process.Env = append(os.Environ(), pinsEnv+"=1")
	b.process.Stderr = &testLog{t: b.t, name: b.name}
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
	b.wait("idle", func(s boxState) bool { return s.State == "idle" })
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
	b.wait("idle after a visit", func(s boxState) bool { return s.State == "idle" })
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
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
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
	b.t.Errorf("%s: no thanks for visit %s within 10 s", b.name, visit)
	return false
}

func (b *box) openVisit() string {
	body := `{"staff":{"id":"0417"},"cases":[{"project_no":"6201022026000001","task_code":"11620102MB","task_name":"居住证办理","completed":false}],"subjects":["staff"]}`
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

// compare holds what was thanked for against the centre's books.
func (b *box) compare(path string) {
	ctx := context.Background()
	books, err := ledger.Open(ctx, path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = books.Close() }()
	entries, err := books.Latest(ctx, 10000)
	if err != nil {
		b.t.Fatal(err)
	}
	counted := make(map[string]rating.Level)
	seqs := make(map[string]uint64)
	for _, e := range entries {
		if string(e.Device) != b.name {
			continue
		}
		id := e.Visit.String()
		if !b.pressed[id][e.Level] {
			b.t.Errorf("%s: the books hold %s for visit %s, which nobody pressed", b.name, e.Level, id)
		}
		if e.Status != ledger.Counted {
			continue
		}
		if _, twice := counted[id]; twice {
			b.t.Errorf("%s: visit %s counts twice", b.name, id)
		}
		counted[id], seqs[id] = e.Level, e.Seq
	}
	last := uint64(0)
	for _, th := range b.thanked {
		level, ok := counted[th.visit]
		switch {
		case !ok:
			b.t.Errorf("%s: the books lack visit %s, which was thanked for", b.name, th.visit)
		case level != th.level && !b.killedWhileCorrecting(th.visit):
			b.t.Errorf("%s: visit %s is in the books as %s, thanked for was %s", b.name, th.visit, level, th.level)
		case seqs[th.visit] <= last:
			b.t.Errorf("%s: visit %s is out of order", b.name, th.visit)
		}
		last = seqs[th.visit]
	}
	b.t.Logf("%s: %d visits, %d thanked, %d in the books, %d SIGKILLs, %d cuts of the network",
		b.name, len(b.pressed), len(b.thanked), len(counted), b.kills, b.w.proxy.cutCount())
	findings, err := books.Findings(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range findings {
		if string(f.Device) == b.name && f.ResolvedAt.IsZero() {
			b.t.Errorf("%s: finding %+v", b.name, f)
		}
	}
	b.verifyChain(books)
}

// killedWhileCorrecting reports whether a second press may have been recorded though the screen did not get to say so.
func (b *box) killedWhileCorrecting(visit string) bool { return len(b.pressed[visit]) > 1 }

func (b *box) verifyChain(books *ledger.Ledger) {
	device := rating.DeviceID(b.name)
	epochs, err := books.Epochs(context.Background(), device)
	if err != nil || len(epochs) != 1 {
		b.t.Fatalf("%s: epochs %v, %v; want one", b.name, epochs, err)
	}
	r, err := books.VerifyChain(context.Background(), device, epochs[0])
	if err != nil {
		b.t.Errorf("%s: the chain does not verify: %v", b.name, err)
	}
	if r.First != 1 || r.Records == 0 {
		b.t.Errorf("%s: the chain is %+v", b.name, r)
	}
}

// startMosquitto starts a mosquitto of its own on a loopback port and returns its address.
func startMosquitto(t *testing.T) string {
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto"
		if _, err := os.Stat(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal("mosquitto is not installed (Debian package mosquitto)")
			}
			t.Skip("mosquitto is not installed (Debian package mosquitto)")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(address)
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	writeFile(t, config, "listener "+port+" 127.0.0.1\nallow_anonymous true\n")
	p := exec.Command(program, "-c", config)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			return address
		}
		if time.Now().After(end) {
			t.Fatalf("mosquitto does not answer: %v", err)
		}
	}
}

// proxy is the network between the boxes and the broker.
type proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	up    bool
	cuts  int
	conns map[net.Conn]bool
}

func newProxy(t *testing.T, target string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, up: true, conns: make(map[net.Conn]bool)}
	t.Cleanup(func() { _ = l.Close(); p.set(false) })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.pass(c)
		}
	}()
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) cutCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

func (p *proxy) set(up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.up && !up {
		p.cuts++
	}
	p.up = up
	if !up {
		for c := range p.conns {
			_ = c.Close()
		}
		clear(p.conns)
	}
}

func (p *proxy) pass(c net.Conn) {
	defer func() { _ = c.Close() }()
	s, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = s.Close() }()
	p.mu.Lock()
	up := p.up
	if up {
		p.conns[c], p.conns[s] = true, true
	}
	p.mu.Unlock()
	if !up {
		return
	}
	done := make(chan struct{}, 2)
	for _, ends := range [][2]net.Conn{{c, s}, {s, c}} {
		go func() { _, _ = io.Copy(ends[0], ends[1]); done <- struct{}{} }()
	}
	<-done
	_ = c.Close()
	_ = s.Close()
	<-done
	p.mu.Lock()
	delete(p.conns, c)
	delete(p.conns, s)
	p.mu.Unlock()
}

func waitAddresses(t *testing.T, path string) map[string]string {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var m map[string]string
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return m
	}
	t.Fatalf("%s was not written within 30 s", path)
	return nil
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// testLog keeps what a process says and shows it if the test fails.
type testLog struct {
	t    *testing.T
	name string
	mu   sync.Mutex
	buf  bytes.Buffer
	once sync.Once
}

func (l *testLog) Write(p []byte) (int, error) {
	l.once.Do(func() {
		l.t.Cleanup(func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.t.Failed() {
				l.t.Logf("%s said:\n%s", l.name, l.buf.String())
			}
		})
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}
