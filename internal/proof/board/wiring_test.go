package board

import (
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/rating"
)

// centrePage is what a person sees at the centre.
type centrePage struct {
	h      *hall
	client *http.Client
}

// signedIn puts the box to a window of the directory, and signs the administrator of its hall in.
func (h *hall) signedIn() centrePage {
	h.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	p := centrePage{h, &http.Client{Jar: jar, Timeout: time.Minute}}
	h.centrald("directory", "import", "-apply", "-reason", "test", "../../../cmd/ratingctl/organisation.csv")
	h.centrald("device", "add", "-id", device, "-key", base64.RawURLEncoding.EncodeToString(h.key), "-window-id", "SL-H2-B01")
	h.centrald("account", "add", "-login", "li.qiang", "-name", "李强", "-role", "hall", "-scope", "SL-H2", "-area", "629901000000")
	u, err := url.Parse(strings.Fields(h.centrald("account", "link", "-sign-in", "li.qiang"))[0])
	if err != nil {
		h.t.Fatal(err)
	}
	p.post(u.Path, url.Values{"to": {"/fleet"}})
	return p
}

func (p centrePage) post(path string, form url.Values) {
	p.h.t.Helper()
	r, err := p.client.PostForm("http://"+p.h.bound["admin"]+path, form)
	p.read(path, r, err)
}

func (p centrePage) text(path string) string {
	p.h.t.Helper()
	r, err := p.client.Get("http://" + p.h.bound["admin"] + path)
	return p.read(path, r, err)
}

func (p centrePage) read(path string, r *http.Response, err error) string {
	p.h.t.Helper()
	if err != nil {
		p.h.t.Fatal(err)
	}
	text, err := io.ReadAll(r.Body)
	if _ = r.Body.Close(); err != nil || r.StatusCode != http.StatusOK {
		p.h.t.Fatalf("%s: %d, %v\n%s", path, r.StatusCode, err, text)
	}
	return html.UnescapeString(string(text))
}

// startManaged starts ratingd again whenever it ends, as a service manager does, which takes what the daemon says of itself.
func (h *hall) startManaged() {
	h.t.Helper()
	h.sh("syslogd -O /tmp/said.log; { while :; do NOTIFY_SOCKET=/dev/log ratingd -config /data/ratingd.toml >> /tmp/ratingd.log 2>&1; " +
		"sleep 1; done; } > /dev/null 2>&1 &")
	h.eventually("the window", 2*time.Minute, func() bool { return strings.Contains(h.status(), `"state"`) })
}

// tap presses a key and lets it go, by the machine's time.
func (h *hall) tap(keys ...string) {
	h.t.Helper()
	for _, key := range keys {
		if err := h.board.Press(key); err != nil {
			h.t.Fatal(err)
		}
	}
	h.sh("sleep 0.6")
	for _, key := range keys {
		if err := h.board.Release(key); err != nil {
			h.t.Fatal(err)
		}
	}
	h.sh("sleep 0.6")
}

// TestWiringIsLearntOverThePage teaches a box whose configuration names other lines and another level of pressed keys, with presses that
// must not be taken between. Pulling the plug in the middle leaves the old wiring; what is confirmed is how presses count from then on.
func TestWiringIsLearntOverThePage(t *testing.T) {
	h := newHall(t, `keys.source = "gpio"
keys.gpio.active_high = true
keys.map = [{key="LAMP",level=5},{key="BUZZER",level=4},{key="RATE3",level=3},{key="RATE4",level=2},{key="RATE5",level=1}]
`)
	h.start(Options{})
	h.startManaged()
	p := h.signedIn()
	at := "/fleet/boxes/" + device
	learn := func() {
		t.Helper()
		h.eventually("the box that takes commands", time.Minute, func() bool { return strings.Contains(p.text(at), "学习未知的 GPIO 接线") })
		p.post(at+"/commands", url.Values{"name": {"learn_keys"}, "lines": {"1"}})
		h.eventually("the lesson", time.Minute, func() bool { return strings.Contains(h.status(), `"paused"`) })
		h.sh("sleep 8") // nobody touches the keys
	}
	keys := []string{"RATE1", "RATE2", "RATE3", "RATE4", "RATE5"} // from the best level to the worst, the other way round than configured
	teach := func() {
		t.Helper()
		learn()
		h.tap(keys[3], keys[4]) // at once
		h.picture("two-at-once")
		for _, key := range keys {
			h.tap(key)
			h.tap(key)
		}
		for _, key := range keys {
			h.tap(key)
		}
		h.eventually("what was learnt, on the page", time.Minute, func() bool { return strings.Contains(p.text(at), "核对学到的按键") })
		h.picture("learnt")
	}
	teach()
	h.board.PowerOff()
	h.start(Options{})
	if kept := h.sh("cat /data/state/keys.toml 2>/dev/null || true"); kept != "" {
		t.Errorf("a lesson that nobody has confirmed leaves\n%s", kept)
	}
	h.startManaged() // a pause goes on over a power cut
	h.eventually("the box that takes commands", time.Minute, func() bool { return strings.Contains(p.text(at), "学习未知的 GPIO 接线") })
	h.sh("sleep 3")
	p.post(at+"/commands", url.Values{"name": {"resume"}})
	h.eventually("the window that serves", time.Minute, func() bool { return strings.Contains(h.status(), `"idle"`) })
	teach()
	text := p.text(at)
	for _, want := range []string{"同时变化，不采用", "低电平有效", "RATE1 与第一遍相同"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
	if kept := h.sh("cat /data/state/keys.toml 2>/dev/null || true"); kept != "" {
		t.Errorf("before it is confirmed is kept\n%s", kept)
	}
	lesson := regexp.MustCompile(`name="lesson" value="([^"]+)"`).FindStringSubmatch(text)
	if lesson == nil {
		t.Fatalf("nothing is to be confirmed:\n%s", text)
	}
	p.post(at+"/keys", url.Values{"lesson": {lesson[1]}})
	h.eventually("what is kept", time.Minute, func() bool {
		return strings.Contains(h.sh("cat /data/state/keys.toml 2>/dev/null || true"), "keys.active_high = false")
	})
	h.eventually("the window", 2*time.Minute, func() bool { return strings.Contains(h.status(), `"idle"`) })
	h.board.PowerOff()
	h.start(Options{})
	h.startManaged()
	want := make(map[rating.VisitID]rating.Level)
	for i, key := range slices.Backward(keys) {
		want[h.visit()] = rating.Levels()[i]
		h.press(key, len(want))
		h.eventually("the end of the visit", time.Minute, func() bool { return strings.Contains(h.status(), `"idle"`) })
	}
	h.eventually(fmt.Sprintf("%v at the centre, and nothing that was pressed during the lesson", want), time.Minute,
		func() bool { return maps.Equal(h.counted(), want) })
}

// picture photographs the screen for whoever looks at it.
func (h *hall) picture(name string) {
	h.t.Helper()
	if err := h.board.Photograph(h.t.Context(), h.photograph(name)); err != nil {
		h.t.Fatal(err)
	}
}
