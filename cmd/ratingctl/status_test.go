package main

import (
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// wellBox is what a healthy box answers.
func wellBox() opsapi.Status {
	now := time.Date(2026, 11, 23, 1, 30, 0, 0, time.UTC)
	celsius, offset := 48, int64(23)
	part := func(name string, vital bool, zh, en string) opsapi.Part {
		return opsapi.Part{Name: name, OK: true, Vital: vital, What: condition.Text{ZH: zh, EN: en}, Since: now.Add(-time.Hour)}
	}
	recovered := now.Add(-26*time.Hour + 90*time.Second)
	return opsapi.Status{
		V: opsapi.StatusVersion, Device: "lz-0417", Version: "v1.2.0", Fingerprint: "78ED 1458 E629 20CF", Started: now.Add(-75 * time.Hour),
		UptimeSec: 75 * 3600,
		State:     "idle", Window: &opsapi.Window{ID: "A12", Name: "综合受理12号窗口", Hall: "市民中心", Generation: 3}, Healthy: true,
		Parts: []opsapi.Part{part("store", true, "可以写入", "it can be written"), part("terminal", true, "正常", "it works"),
			part("keys", true, "正常", "they are read"),
			part("screen", false, "正常", "it is shown"), part("link", false, "已连接", "connected"), part("window", false, "", ""),
			part("disk", false, "", ""),
			part("clock", false, "", ""), part("certificate", false, "未配置（用密码连接中心）",
				"none is configured; the password is used"), part("temperature", false, "", "")},
		LastFault: &opsapi.Fault{Part: "keys", What: condition.Of("keys.lost", "").What, Since: now.Add(-26 * time.Hour), Until: &recovered},
		Centre: opsapi.Centre{Broker: "mqtts://mqtt.example.com:8883", Connected: true, Since: now.Add(-3*time.Hour - 5*time.Minute),
			Connections: 2},
		Disk:        opsapi.Disk{Folder: "/var/lib/ratingd", FreeBytes: 25 << 30, SizeBytes: 29 << 30},
		Clock:       opsapi.Clock{Now: now, Synced: true, OffsetMS: &offset},
		Certificate: &opsapi.Certificate{NotAfter: now.AddDate(0, 7, 0), Days: 212}, TemperatureC: &celsius,
	}
}

// sickBox is what a box answers of which everything is wrong.
func sickBox() opsapi.Status {
	s := wellBox()
	now := s.Clock.Now
	hot := 85
	s.State, s.Window, s.Healthy, s.Certificate.Days, s.Certificate.NotAfter = "enrolling", nil, false, -3, now.AddDate(0, 0, -2)
	for i, code := range []condition.Code{"store.read_only", "terminal.stopped", "keys.lost", "screen.lost", "link.login", "window.unenrolled",
		"disk.low",
		"clock.unsynced", "certificate.ended", "temperature.hot"} {
		s.Parts[i] = troubled(s.Parts[i], condition.Of(code, ""), now.Add(-40*time.Minute))
	}
	s.Parts = append(s.Parts,
		troubled(opsapi.Part{Name: "window_api"}, condition.Of("window_api.address", "127.0.0.1:8377"), now.Add(-40*time.Minute)),
		opsapi.Part{Name: "lamps", OK: true, What: condition.Text{ZH: "正常"}, Since: now})
	s.LastFault = &opsapi.Fault{Part: "store", What: s.Parts[0].What, Since: s.Parts[0].Since}
	s.Centre = opsapi.Centre{Broker: s.Centre.Broker, Since: now.Add(-50 * time.Hour)}
	s.Queue = opsapi.Queue{Pending: 417, OldestSec: 180_061}
	s.Disk.FreeBytes, s.Clock.Synced, s.Clock.OffsetMS, s.TemperatureC, s.UnknownKeys, s.StuckKeys = 5<<20, false, nil, &hot, 2, 1
	return s
}

// troubled returns a part with a finding.
func troubled(p opsapi.Part, f condition.Finding, since time.Time) opsapi.Part {
	p.OK, p.Code, p.Level, p.What, p.Means, p.Do, p.Since = f.OK(), f.Code, f.Level, f.What, f.Means, f.Do, since
	return p
}

// answering returns the configuration of a box whose daemon answers with s.
func answering(t *testing.T, s opsapi.Status) (config string) {
	t.Helper()
	dir := t.TempDir()
	return statusConfig(t, dir, answerAt(t, dir, &s))
}

// answerAt answers at a socket in dir with what s holds at the moment, and returns its path.
func answerAt(t *testing.T, dir string, s *opsapi.Status) (socket string) {
	t.Helper()
	socket = filepath.Join(dir, "ops.sock")
	l, err := opsapi.ListenUnix(socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/status" {
			http.NotFound(w, r)
			return
		}
		if err := json.NewEncoder(w).Encode(s); err != nil {
			t.Error(err)
		}
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return socket
}

func statusConfig(t *testing.T, dir, socket string) string {
	t.Helper()
	config := filepath.Join(dir, "ratingd.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "device = \"lz-0417\"\nstate = %q\noperations.socket = %q\n", filepath.Join(dir, "state"),
		socket), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

func TestStatusScreens(t *testing.T) {
	hinted := wellBox()
	hinted.Parts[7] = troubled(hinted.Parts[7], condition.Of("clock.unsynced", ""), hinted.Clock.Now)
	hinted.Clock.Synced, hinted.Queue, hinted.Certificate, hinted.LastFault = false, opsapi.Queue{Pending: 1, OldestSec: -1}, nil, nil
	for name, c := range map[string]struct {
		status opsapi.Status
		exit   int
		lang   string
	}{"well": {wellBox(), 0, "both"}, "sick": {sickBox(), exitSick, "zh"}, "sick-en": {sickBox(), exitSick, "en"},
		"warned":    {hinted, 0, "both"},
		"warned-en": {hinted, 0, "en"}} {
		t.Run(name, func(t *testing.T) {
			got, err := ratingctl(t, "status", "-lang", c.lang, "-config", answering(t, c.status))
			if exitStatus(err) != c.exit {
				t.Errorf("it ends with %d, %v, want %d", exitStatus(err), err, c.exit)
			}
			path := filepath.Join("testdata", "status-"+name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if c.lang == "en" && regexp.MustCompile(`\p{Han}`).MatchString(strings.NewReplacer("综合受理12号窗口", "", "市民中心", "").Replace(got)) {
				t.Errorf("in English it says:\n%s", got)
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the screen (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatusAsJSON(t *testing.T) {
	got, err := ratingctl(t, "status", "-json", "-config", answering(t, sickBox()))
	if exitStatus(err) != exitSick {
		t.Errorf("it ends with %v", err)
	}
	var s opsapi.Status
	if err := json.Unmarshal([]byte(got), &s); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sickBox(), s); diff != "" {
		t.Errorf("the status (-want +got):\n%s", diff)
	}
}

// Each way in which nobody answers has its status and says what to do.
func TestStatusOfABoxThatDoesNotAnswer(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		socket string
		exit   int
		advice string
	}{
		"never started":  {filepath.Join(dir, "none"), exitNotRunning, "systemctl start ratingd"},
		"killed":         {stale, exitNotRunning, "systemctl start ratingd"},
		"not configured": {"", exitUnknown, "operations.socket"},
	} {
		_, err := ratingctl(t, "status", "-config", statusConfig(t, dir, c.socket))
		if exitStatus(err) != c.exit || !strings.Contains(cli.HintOf(err).EN, c.advice) {
			t.Errorf("%s: it ends with %d, %v", name, exitStatus(err), err)
		}
	}
	// One that runs, and listens where the configuration said before it was changed.
	log, err := store.Open(filepath.Join(dir, "state", "log.db"), store.Options{Device: "lz-0417", Random: rand.Reader,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ratingctl(t, "status", "-config", statusConfig(t, dir, stale)); exitStatus(err) != exitUnknown ||
		!strings.Contains(err.Error(), "ratingd 在运行") || !strings.Contains(cli.HintOf(err).EN, "systemctl restart ratingd") {
		t.Errorf("a box that cannot be asked: it ends with %d, %v", exitStatus(err), err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ratingctl(t, "status", "-config", filepath.Join(dir, "nowhere.toml")); exitStatus(err) != exitUnknown {
		t.Errorf("without a configuration it ends with %d, %v", exitStatus(err), err)
	}
}
