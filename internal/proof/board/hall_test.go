package board

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
)

// device is the name of the box on the board.
const device = "board-1"

// hall is a centre on this computer, and a box on a board that knows it.
type hall struct {
	t       *testing.T
	dir     string
	parts   Parts
	centre  *exec.Cmd
	log     bytes.Buffer // the centre's
	bound   map[string]string
	staging string // what goes on the box's disk
	key     ed25519.PublicKey
	boots   int
	board   *Board
}

// newHall starts a centre and makes the disk of a box that is enrolled there. Configure adds to the box's configuration.
func newHall(t *testing.T, configure string) *hall {
	t.Helper()
	needTools(t)
	h := &hall{t: t, dir: t.TempDir()}
	cache, err := filepath.Abs("../../../build/board")
	if err != nil {
		t.Fatal(err)
	}
	if h.parts, err = Fetch(t.Context(), cache, "arm64"); err != nil {
		t.Fatal(err)
	}
	h.build("", "centrald")
	h.startCentre()
	h.staging = filepath.Join(h.dir, "disk")
	for _, folder := range []string{"bin", "state"} {
		if err := os.MkdirAll(filepath.Join(h.staging, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.build("arm64", "ratingd")
	h.build("arm64", "ratingctl")
	key, err := boxconfig.Config{State: filepath.Join(h.staging, "state"), RecordAlgorithm: recordkey.Ed25519}.Identity()
	if err != nil {
		t.Fatal(err)
	}
	h.key = key.Public().(ed25519.PublicKey)
	centre := strings.TrimSpace(h.centrald("key"))
	h.centrald("device", "add", "-id", device, "-key", base64.RawURLEncoding.EncodeToString(h.key),
		"-hall", "市民中心政务服务大厅", "-window", "A07", "-name", "综合窗口7号", "-staff-id", "0107", "-staff-name", "王芳", "-department", "民政局")
	_, port, err := net.SplitHostPort(h.bound["mqtt"])
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("device = %q\nstate = \"/data/state\"\nlink.base = \"https://rate.example.com\"\nscreen.fonts = []\n", device) +
		fmt.Sprintf("uplink.broker = \"mqtt://10.0.2.2:%s\"\nuplink.centre_key = %q\nuplink.resend = \"3s\"\nvisit.wait = \"10m\"\n"+
			"visit.thanks = \"10s\"\nwindow_api.loopback_without_token = true\n", port, centre) +
		configure
	if err := os.WriteFile(filepath.Join(h.staging, "ratingd.toml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Disk(t.Context(), h.disk(), h.staging, 200); err != nil {
		t.Fatal(err)
	}
	return h
}

// gpioKeys is the configuration of five keys on the board's GPIO lines.
const gpioKeys = `keys.source = "gpio"
keys.map = [{key="RATE5",level=5},{key="RATE4",level=4},{key="RATE3",level=3},{key="RATE2",level=2},{key="RATE1",level=1}]
`

func needTools(t *testing.T) {
	t.Helper()
	if os.Getenv("BOARD") == "" {
		t.Skip("this boots machines: run it with \"make board\"")
	}
	for program, pack := range map[string]string{"qemu-system-aarch64": "qemu-system-arm", "dtc": "device-tree-compiler",
		"mkfs.ext4": "e2fsprogs",
		"depmod":    "kmod", "apt-get": "apt", "dpkg-deb": "dpkg", "zbarimg": "zbar-tools"} {
		if _, err := exec.LookPath(program); err != nil {
			if _, err := os.Stat("/sbin/" + program); err == nil {
				continue
			}
			if os.Getenv("CI") != "" {
				t.Fatalf("install the Debian package %s", pack)
			}
			t.Skipf("install the Debian package %s", pack)
		}
	}
}

func (h *hall) disk() string { return filepath.Join(h.dir, "disk.img") }

// build builds a program, for the box if an architecture is named.
func (h *hall) build(architecture, program string) {
	h.t.Helper()
	to := filepath.Join(h.dir, program)
	c := exec.CommandContext(h.t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", to, "haochaping/cmd/"+program)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if architecture != "" {
		c.Env = append(c.Env, "GOARCH="+architecture)
		c.Args[len(c.Args)-2] = filepath.Join(h.staging, "bin", program)
	}
	if out, err := c.CombinedOutput(); err != nil {
		h.t.Fatalf("build %s: %v\n%s", program, err, out)
	}
}

func (h *hall) startCentre() {
	h.t.Helper()
	addresses := filepath.Join(h.dir, "addresses.json")
	config := fmt.Sprintf("state = %q\naddresses_file = %q\n[broker]\nlisten = \"127.0.0.1:0\"\n[rate]\nlisten = \"127.0.0.1:0\"\n[admin]\n"+
		"listen = \"127.0.0.1:0\"\n",
		filepath.Join(h.dir, "centre"), addresses)
	if err := os.WriteFile(filepath.Join(h.dir, "centrald.toml"), []byte(config), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.centre = exec.Command(filepath.Join(h.dir, "centrald"), "-config", filepath.Join(h.dir, "centrald.toml"))
	h.centre.Stderr = &h.log
	h.centre.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := h.centre.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = h.centre.Process.Kill()
		_ = h.centre.Wait()
		if h.t.Failed() {
			h.t.Logf("the centre said:\n%s", h.log.String())
		}
	})
	h.eventually("the centre's addresses", time.Minute, func() bool {
		b, err := os.ReadFile(addresses)
		return err == nil && json.Unmarshal(b, &h.bound) == nil
	})
}

// centrald runs a command of the centre.
func (h *hall) centrald(args ...string) string {
	h.t.Helper()
	c := exec.CommandContext(h.t.Context(), filepath.Join(h.dir, "centrald"),
		append([]string{"-config", filepath.Join(h.dir, "centrald.toml")}, args...)...)
	out, err := c.Output()
	if err != nil {
		h.t.Fatalf("centrald %v: %v", args, err)
	}
	return string(out)
}

// start boots the board.
func (h *hall) start(o Options) {
	h.t.Helper()
	h.boots++
	o.Parts, o.Disk, o.Log = h.parts, h.disk(), filepath.Join(h.dir, fmt.Sprintf("console-%d.log", h.boots))
	b, err := Start(h.t.Context(), o)
	h.own(b, err)
}

// own makes b the box, and leaves evidence of it if the test fails.
func (h *hall) own(b *Board, err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	h.board = b
	name := fmt.Sprintf("failed-%d", h.boots)
	h.t.Cleanup(func() {
		if h.t.Failed() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if log, err := b.Sh(ctx, "cat /tmp/ratingd.log; ratingctl log -config /data/ratingd.toml | tail -20; journalctl -b --no-pager | tail "+
				"-50; true"); err == nil {
				h.t.Logf("the box said:\n%s", log)
			}
			h.t.Logf("its console ends with\n%s", b.Console(20))
			_ = b.Photograph(ctx, h.photograph(name)) // it may be off
		}
		_ = b.Stop()
	})
}

// photograph returns where a picture of this test is kept.
func (h *hall) photograph(name string) string {
	dir, err := filepath.Abs("../../../build/photographs")
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		h.t.Error(err)
	}
	return filepath.Join(dir, strings.ReplaceAll(h.t.Name(), "/", "-")+"-"+name+".png")
}

// sh runs a script on the box.
func (h *hall) sh(script string) string {
	h.t.Helper()
	return h.shFor(time.Minute, script)
}

// shFor is sh for what takes longer under emulation.
func (h *hall) shFor(limit time.Duration, script string) string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), limit)
	defer cancel()
	out, err := h.board.Sh(ctx, script)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

// startBox starts ratingd on the box and waits until its window API answers.
func (h *hall) startBox() {
	h.t.Helper()
	h.sh("ratingd -config /data/ratingd.toml >> /tmp/ratingd.log 2>&1 & echo $! > /tmp/ratingd.pid")
	h.eventually("the window", time.Minute, func() bool { return strings.Contains(h.status(), `"idle"`) })
}

func (h *hall) status() string {
	return h.sh("wget -q -O - http://127.0.0.1:8377/v1/status || true")
}

// visit opens a visit from the window's PC, gives the citizen the time to read the question, and returns the visit's id: a press in the
// first 200 ms is no answer.
func (h *hall) visit() rating.VisitID {
	h.t.Helper()
	answer := h.sh(`wget -q -O - --header 'Content-Type: application/json' --post-data '{"subjects":["staff"]}' ` +
		`http://127.0.0.1:8377/v1/visits`)
	var v struct{ ID rating.VisitID }
	if err := json.Unmarshal([]byte(answer), &v); err != nil {
		h.t.Fatalf("open a visit: %v: %s", err, answer)
	}
	h.sh("sleep 1") // by the machine's time, which is slower than ours
	return v.ID
}

// press presses a key until the box's log holds as many evaluations as that: how long a finger stays does not matter, and the
// machine may be slow.
func (h *hall) press(key string, evaluations int) {
	h.t.Helper()
	if err := h.board.Press(key); err != nil {
		h.t.Fatal(err)
	}
	h.recorded(evaluations)
	if err := h.board.Release(key); err != nil {
		h.t.Fatal(err)
	}
}

// recorded waits until the box's log holds as many evaluations as that.
func (h *hall) recorded(n int) {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		out := h.sh("ratingctl log -config /data/ratingd.toml -format jsonl -last 0")
		switch got := strings.Count(out, `"kind":"evaluation"`); {
		case got >= n:
			return
		case time.Now().After(end):
			h.t.Fatalf("the box's log holds %d evaluations, want %d:\n%s", got, n, out)
		}
	}
}

// counted returns what the centre's books count, by visit.
func (h *hall) counted() map[rating.VisitID]rating.Level {
	h.t.Helper()
	centre, err := inspect.Open(h.t.Context(), filepath.Join(h.dir, "centre"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = centre.Close() }()
	all, err := centre.Entries(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	counted := make(map[rating.VisitID]rating.Level)
	for _, e := range all {
		if e.Status != rating.Counted {
			continue
		}
		if _, twice := counted[e.Visit]; twice {
			h.t.Errorf("visit %s counts twice", e.Visit)
		}
		counted[e.Visit] = e.Level
	}
	return counted
}

func (h *hall) eventually(what string, limit time.Duration, ok func() bool) {
	h.t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("not within %s: %s", limit, what)
		}
	}
}
