package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"haochaping/internal/opsapi"
	"haochaping/internal/proof/faultnet"
)

// socket returns the path of the box's operations socket.
func (b *box) socket() string { return filepath.Join(filepath.Dir(b.config), "ops.sock") }

// ops asks the box how it is.
func (b *box) ops(path string) (status int, body string) {
	b.t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", b.socket())
		}}}
	resp, err := client.Get("http://localhost" + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// over ends a visit that is rated as the window's PC does, which is told how it has ended, and waits until the box is idle.
func (b *box) over(visit string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodDelete, "http://"+b.bound["window_api"]+"/v1/visits/"+visit, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it was read
	if err != nil || resp.StatusCode != http.StatusConflict || !strings.Contains(string(text), "rated") {
		b.t.Errorf("%s: the end of visit %s: %s %s, %v", b.name, visit, resp.Status, text, err)
	}
	b.wait("idle", func(s boxState) bool { return s.State == "idle" })
}

// untilHealth waits until /healthz answers with the status and returns the parts.
func (b *box) untilHealth(status int) map[string]opsapi.Part {
	b.t.Helper()
	var got int
	var body string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got, body = b.ops("/healthz"); got == status {
			var h opsapi.Health
			if err := json.Unmarshal([]byte(body), &h); err != nil {
				b.t.Fatal(err)
			}
			parts := make(map[string]opsapi.Part)
			for _, p := range h.Parts {
				parts[p.Name] = p
			}
			return parts
		}
	}
	b.t.Fatalf("/healthz answers %d, want %d:\n%s", got, status, body)
	return nil
}

// metrics returns the box's own metrics but for those that other programs and the time change.
func (b *box) metrics() string {
	b.t.Helper()
	_, body := b.ops("/metrics")
	var out []string
	for _, line := range strings.Split(body, "\n") {
		if strings.HasPrefix(line, "ratingd_") && !strings.HasPrefix(line, "ratingd_temperature") &&
			!strings.HasPrefix(line, "ratingd_state_free") && !strings.HasPrefix(line, "ratingd_records_pending_oldest") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// TestOperations asks a running box how it is, while its citizen answers and corrects, its network is away and its disk is
// full.
func TestOperations(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newSerialBox(t, w, "ops", 1)
	keypad, tty, err := pty.Open() // one that can be unplugged
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tty.Close() }()
	b.keys = regexp.MustCompile(`keys\.serial\.port = .*`).ReplaceAllString(b.keys, fmt.Sprintf("keys.serial.port = %q", tty.Name()))
	b.press = func(level int) { _, _ = keypad.Write([]byte{byte('0' + 5 - level)}) }
	b.keys += "operations.listen = \"127.0.0.1:0\"\n"
	if os.Geteuid() == 0 {
		mountSmall(t, b.state)
	}
	w.enrol(b, 0)
	config, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	// The longest thanks that there are: how soon the next press is in the log is the machine's business. The PC ends them.
	writeFile(t, b.config, strings.Replace(string(config), `visit.thanks = "1s"`, `visit.thanks = "10s"`, 1))
	b.start()
	first := b.openVisit()
	b.press(4)
	b.sawThanks(first, 4, nil)
	b.over(first)
	var s opsapi.Status
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var err error
		if s, err = opsapi.Ask(t.Context(), b.socket()); err != nil {
			t.Fatal(err)
		}
		if s.Centre.Connected && s.Queue.Pending == 0 {
			break
		}
	}
	if !s.Healthy || s.Device != "ops" || s.Window == nil || s.Window.Name != "综合窗口1号" || s.State != "idle" || s.Clock.OffsetMS == nil ||
		s.Centre.Unsigned {
		t.Errorf("the status of a healthy box is %+v", s)
	}

	b.onLoopback()
	b.askedByTheTool()

	// Without network the box is healthy. What an answer changes is not changed by its correction.
	w.proxy.Set(faultnet.Hangup)
	for end := time.Now().Add(time.Minute); strings.Contains(b.metrics(), `part_ok{part="link"} 1`); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the cut network is not noticed")
		}
	}
	if p := b.untilHealth(http.StatusOK)["link"]; p.OK || p.Vital {
		t.Errorf("offline, the link is %+v", p)
	}
	id := b.openVisit()
	before := b.metrics()
	b.press(5)
	b.sawThanks(id, 5, nil)
	after := b.metrics()
	silences := regexp.MustCompile(`(?m)^ratingd_(uplink_|trouble\{.*part="link").*\n?`) // they go on by themselves
	if silences.ReplaceAllString(after, "") != silences.ReplaceAllString(before, "") ||
		!strings.Contains(after, `ratingd_window_state{state="asking"} 1`) {
		t.Errorf("an answer shows in the metrics:\n%s\nbefore it:\n%s", after, before)
	}
	b.press(1)
	b.sawThanks(id, 1, nil)
	if corrected := b.metrics(); silences.ReplaceAllString(corrected, "") != silences.ReplaceAllString(after, "") {
		t.Errorf("a correction shows in the metrics:\n%s\nbefore it:\n%s", corrected, after)
	}
	b.over(id)
	m := b.metrics()
	for _, want := range []string{`ratingd_presses_total{result="recorded"} 2`, `ratingd_press_commit_seconds_count 2`,
		`ratingd_visits_opened_total 2`,
		`ratingd_visits_ended_total{outcome="rated"} 2`, `ratingd_records_pending 3`} {
		if !strings.Contains(m, want) {
			t.Errorf("after a visit offline, of which visit, answer and outcome wait, %s is missing:\n%s", want, m)
		}
	}

	if os.Geteuid() == 0 {
		ballast := filepath.Join(b.state, "ballast")
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if p := b.untilHealth(http.StatusServiceUnavailable)["store"]; p.OK || !p.Vital || !strings.Contains(p.What.EN, "full") {
			t.Errorf("on a full disk, the store is %+v", p)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		b.untilHealth(http.StatusOK)
		if f := mustAsk(t, b).LastFault; f == nil || f.Part != "store" || f.Until == nil {
			t.Errorf("the last fault is %+v", f)
		}
	}

	if err := keypad.Close(); err != nil {
		t.Fatal(err)
	}
	if p := b.untilHealth(http.StatusServiceUnavailable)["keys"]; p.OK || !p.Vital || !strings.Contains(p.What.EN, "QR code works") {
		t.Errorf("without keypad, the keys are %+v", p)
	}
	if s := mustAsk(t, b); s.State != "fault" || !strings.Contains(b.metrics(), `ratingd_window_state{state="fault"} 1`) {
		t.Errorf("without keypad, the window is told to be %q, and the metrics say\n%s", s.State, b.metrics())
	}

	b.stop()
	if _, err := os.Stat(b.socket()); !os.IsNotExist(err) {
		t.Errorf("the socket stays after an orderly end: %v", err)
	}
	w.stopCentre()
}

// onLoopback asks at the port, as a program and as a web page does.
func (b *box) onLoopback() {
	b.t.Helper()
	for host, want := range map[string]int{"": http.StatusOK, "attacker.example.com": http.StatusForbidden} {
		r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.bound["operations"]+"/metrics", nil)
		if err != nil {
			b.t.Fatal(err)
		}
		r.Host = host
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			b.t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != want {
			b.t.Errorf("for the host %q: %s, %v, want %d", host, resp.Status, err, want)
		}
	}
}

// askedByTheTool lets ratingctl look at the running box and its centre, which stay as they are, and then with another
// centre's key.
func (b *box) askedByTheTool() {
	b.t.Helper()
	tool := programs.Path(b.t, "ratingctl")
	// The disk of the test may have two megabytes, which is then the one ill of the box.
	out, _ := exec.Command(tool, "status", "-config", b.config).CombinedOutput()
	for _, want := range []string{"综合窗口1号", "✓ 等待办件", "✓ 已连接", "✓ 可以写入", "没有，全部已由中心确认"} {
		if !strings.Contains(string(out), want) {
			b.t.Errorf("%q is not in\n%s", want, out)
		}
	}
	out, _ = exec.Command(tool, "doctor", "-config", b.config).CombinedOutput()
	for _, want := range []string{"✓ 程序 daemon", "✓ 配置 config", "✓ 登记 window", "✓ 按键 keys", "✓ 存储 store", "✓ 中心 broker"} {
		if !strings.Contains(string(out), want) {
			b.t.Errorf("%q is not in\n%s", want, out)
		}
	}
	config, err := os.ReadFile(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	other := filepath.Join(b.t.TempDir(), "ratingd.toml")
	writeFile(b.t, other, strings.Replace(string(config), b.w.centreKey, strings.Repeat("A", 43), 1))
	if out, err := exec.Command(tool, "doctor", "-config", other).CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "uplink.centre_key 不是这个中心的公钥") {
		b.t.Errorf("with another centre's key: %v\n%s", err, out)
	}
	if s := mustAsk(b.t, b); !s.Centre.Connected || s.Centre.Connections != 1 {
		b.t.Errorf("the doctor has thrown the box off the broker: %+v", s.Centre)
	}
}

func mustAsk(t *testing.T, b *box) opsapi.Status {
	t.Helper()
	s, err := opsapi.Ask(t.Context(), b.socket())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
