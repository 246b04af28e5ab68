package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"

	"haochaping/internal/proof/powercut"
	"haochaping/internal/rating"
)

// box is one window with a citizen before it, who remembers what the screen has said thank you for.
type box struct {
	name    string
	p       *process
	line    *line
	machine *powercut.Machine // nil where the power cannot be cut
	state   string            // folder
	keypad  *os.File          // the keypad's end of the serial line
	tty     *os.File          // the box's end, kept open while the box is away
	client  http.Client

	visits sync.Mutex // held during a visit, and by whoever wants none

	mu      sync.Mutex
	pressed map[string]map[rating.Level]bool
	thanked map[string]rating.Level // by visit
	order   []string
	slowest time.Duration // from a press to its thanks
	faults  int           // times that the keys were out of service
}

func newBox(dir, name string, l *line, rate, centreKey, program string, cuts bool) (*box, error) {
	dir = filepath.Join(dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b := &box{name: name, line: l, client: http.Client{Timeout: 5 * time.Second}, state: filepath.Join(dir, "state"),
		pressed: make(map[string]map[rating.Level]bool), thanked: make(map[string]rating.Level)}
	if cuts {
		var err error
		if b.machine, err = powercut.NewMachine(dir); err != nil {
			return nil, err
		}
		if err := b.machine.On(); err != nil {
			return nil, err
		}
		b.state = filepath.Join(b.machine.Mount(), "state")
	}
	keypad, tty, err := pty.Open()
	if err != nil {
		return nil, err
	}
	b.keypad, b.tty = keypad, tty
	config := filepath.Join(dir, "ratingd.toml")
	text := fmt.Sprintf("device = %q\nstate = %q\naddresses_file = %q\nkeys.source = \"serial\"\nkeys.serial.port = %q\n"+
		"keys.serial.profile = \"byte\"\n",
		name, b.state, filepath.Join(dir, "addresses.json"), tty.Name()) +
		"keys.map = [{key=\"0x35\",level=5},{key=\"0x34\",level=4},{key=\"0x33\",level=3},{key=\"0x32\",level=2},{key=\"0x31\",level=1}]\n" +
		"screen.panel = \"none\"\nscreen.browser = \"127.0.0.1:0\"\nscreen.width = 480\nscreen.height = 320\nscreen.fonts = []\n" +
		fmt.Sprintf("visit.wait = \"5s\"\nvisit.thanks = \"1s\"\nlink.base = \"http://%s\"\nwindow_api.listen = \"127.0.0.1:0\"\n"+
			"window_api.loopback_without_token = true\noperations.socket = \"\"\n", rate) +
		fmt.Sprintf("uplink.broker = \"mqtt://%s\"\nuplink.centre_key = %q\nuplink.resend = \"3s\"\n", l.addr(), centreKey)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	b.p = &process{program: program, args: []string{"-config", config}, addresses: filepath.Join(dir, "addresses.json"), log: log}
	return b, os.WriteFile(config, []byte(text), 0o600)
}

// live is one visit after the other until ctx ends.
func (b *box) live(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		b.visits.Lock()
		b.visit(ctx, random)
		b.visits.Unlock()
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
	}
}

// visit opens a visit, presses one key or two and waits for the thanks, as far as the box lets it.
func (b *box) visit(ctx context.Context, random *rand.Rand) {
	id := b.openVisit(ctx)
	if id == "" {
		return
	}
	time.Sleep(250 * time.Millisecond) // a press sooner is no answer
	b.mu.Lock()
	b.pressed[id] = make(map[rating.Level]bool)
	b.mu.Unlock()
	last := rating.Level(0)
	for range 1 + random.IntN(3)/2 {
		level := rating.Level(1 + random.IntN(5))
		if level == last {
			return
		}
		last = level
		b.mu.Lock()
		b.pressed[id][level] = true
		b.mu.Unlock()
		began := time.Now()
		_, _ = b.keypad.Write([]byte{byte('0' + level)})
		if !b.sees(ctx, id, level) {
			return
		}
		b.mu.Lock()
		b.slowest = max(b.slowest, time.Since(began))
		if _, again := b.thanked[id]; !again {
			b.order = append(b.order, id)
		}
		b.thanked[id] = level
		b.mu.Unlock()
	}
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		if s, err := b.look(ctx); err != nil || s.Visit != id {
			return
		}
	}
}

// sees waits until the screen thanks for a level. It gives up when the visit is over or the box away.
func (b *box) sees(ctx context.Context, id string, level rating.Level) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		s, err := b.look(ctx)
		switch {
		case err != nil || s.Visit != id:
			return false
		case s.State == "correcting" && s.Chosen == level:
			return true
		case s.State == "fault":
			b.mu.Lock()
			b.faults++
			b.mu.Unlock()
			return false
		}
	}
	return false
}

func (b *box) openVisit(ctx context.Context) string {
	const body = `{"staff":{"id":"0417","name":"王芳"},"cases":[{"project_no":"6201022026000001","task_code":"11620102MB0417001X",` +
		`"task_name":"居住证办理","completed":false}],"subjects":["staff"]}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.p.where("window_api")+"/v1/visits", strings.NewReader(body))
	if err != nil {
		return ""
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.client.Do(req)
	if err != nil {
		time.Sleep(50 * time.Millisecond) // the box is away
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	var reply struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil || resp.StatusCode != http.StatusCreated {
		time.Sleep(50 * time.Millisecond) // it is starting
		return ""
	}
	return reply.ID
}

// view is what the box says beside its screen.
type view struct {
	State   string       `json:"state"`
	Offline bool         `json:"offline"`
	Visit   string       `json:"visit"`
	Chosen  rating.Level `json:"chosen"`
	Pending uint64       `json:"pending"`
}

func (b *box) look(ctx context.Context) (v view, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.p.where("browser")+"/state.json", nil)
	if err != nil {
		return v, err
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return v, err
	}
	defer func() { _ = resp.Body.Close() }()
	return v, json.NewDecoder(resp.Body).Decode(&v)
}

// drained waits until the centre has everything, and reports whether it has.
func (b *box) drained(ctx context.Context, within time.Duration) bool {
	for end := time.Now().Add(within); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		if v, err := b.look(ctx); err == nil && v.Pending == 0 && !v.Offline {
			return true
		}
	}
	return false
}

// powerCut takes the power from the box and gives it back.
func (b *box) powerCut(random *rand.Rand) error {
	b.machine.Cut(random)
	b.p.end(syscall.SIGKILL)
	if err := b.machine.Off(); err != nil {
		return err
	}
	if err := b.machine.On(); err != nil {
		return err
	}
	// A cut may bring back what was removed just before it.
	if err := os.Remove(b.ballast()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return b.p.start()
}

func (b *box) ballast() string { return filepath.Join(b.machine.Mount(), "ballast") }

// damage flips bytes of the log of a box that has nothing to lose just then, since the centre has it all.
func (b *box) damage(ctx context.Context, random *rand.Rand) (done bool, err error) {
	b.visits.Lock()
	defer b.visits.Unlock()
	if !b.drained(ctx, 20*time.Second) {
		return false, nil
	}
	b.p.end(syscall.SIGKILL)
	f, err := os.OpenFile(filepath.Join(b.state, "log.db"), os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	for range 1 + random.IntN(3) {
		at := random.Int64N(info.Size())
		if random.IntN(2) == 0 {
			at = at / 4096 * 4096
		}
		if _, err := f.WriteAt([]byte{byte(random.IntN(256))}, at); err != nil {
			return false, err
		}
	}
	if err := f.Close(); err != nil {
		return false, err
	}
	return true, b.p.start()
}

// fill takes the disk's last room for a while.
func (b *box) fill(d time.Duration) error {
	f, err := os.Create(b.ballast())
	if err != nil {
		return err
	}
	for size := 1 << 20; size >= 512; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	_ = f.Sync()
	time.Sleep(d)
	if err := f.Close(); err != nil {
		return err
	}
	return os.Remove(b.ballast())
}

func (b *box) close() error {
	b.p.end(syscall.SIGKILL)
	var err error
	for _, c := range []io.Closer{b.keypad, b.tty, b.p.log} {
		_ = c.Close()
	}
	if b.machine != nil {
		err = b.machine.Close()
	}
	return err
}
