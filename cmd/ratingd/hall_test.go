package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/proof/chromium"
	"haochaping/internal/rating"
)

// hallOf is how many boxes the simulated hall has: HALL, else 5.
func hallOf(t *testing.T) int {
	t.Helper()
	text := os.Getenv("HALL")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 60 {
		t.Fatalf("HALL=%q; write a number of boxes from 1 to 60", text)
	}
	return n
}

// TestAHallIsSetUp sets up a hall of new boxes as somebody does who is no engineer: all are switched on with nothing but the file that
// they share, a browser types the codes on their screens, compares the digits and accepts all; the keys are learnt over the page, and each
// box looks at itself. It prints how long that took; the time of people is not in it.
func TestAHallIsSetUp(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts the whole product")
	}
	n := hallOf(t)
	lessons := 1
	if os.Getenv("HALL") != "" {
		lessons = n
	}
	w := &world{t: t, dir: t.TempDir(), centrald: programs.Path(t, "centrald"), command: exec.Command}
	w.launch("broker.listen = \"127.0.0.1:0\"\nbroker.certificates = true\nenrol.listen = \"127.0.0.1:0\"\nenrol.names = [\"127.0.0.1\"]\n")
	w.centre("directory", "import", "-apply", "../ratingctl/organisation.csv")
	w.centre("directory", "import", "-apply", w.moreWindows(n))
	shared := filepath.Join(w.dir, "haochaping.toml")
	defaults := filepath.Join(w.dir, "defaults.toml")
	// The keypads of this hall are turned round against what somebody has written for all.
	writeFile(t, defaults, "[keys]\nsource = \"simulated\"\nmap = "+
		"[{key=\"k1\",level=1},{key=\"k2\",level=2},{key=\"k3\",level=3},{key=\"k4\",level=4},{key=\"k5\",level=5}]\n")
	w.centre("image-config", "-url", "https://"+waitAddresses(t, filepath.Join(w.dir, "centre.json"))["enrol"], "-broker", "mqtts://"+w.mqtt,
		"-defaults", defaults, "-out", shared)
	w.centre("account", "add", "-login", "hall.admin", "-name", "大厅管理员", "-role", "hall", "-scope", "SL-H2", "-area", "629901000000")
	supervised := serviceManager(t)

	began := time.Now()
	var boxes []*box
	for i := range n {
		b := newBox(t, w, fmt.Sprint("hall-", i), uint64(i))
		if err := os.MkdirAll(b.state, 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, b.config, fmt.Sprintf("state = %q\naddresses_file = %q\nenrol.file = %q\n", b.state, b.addresses, shared)+
			"screen.panel = \"none\"\nscreen.browser = \"127.0.0.1:0\"\nscreen.width = 480\nscreen.height = 320\nscreen.fonts = []\n"+
			fmt.Sprintf("window_api.listen = \"\"\noperations.socket = %q\n", b.socket()))
		b.extra = []string{supervised}
		b.launch()
		boxes = append(boxes, b)
	}
	digits := make(map[string]string) // by code, as the screens show them
	var codes []string
	for _, b := range boxes {
		b.wait("showing its code", func(s boxState) bool { return s.Code != "" && s.Digits != "" })
		s, err := b.look()
		if err != nil {
			t.Fatal(err)
		}
		digits[s.Code], codes = s.Digits, append(codes, s.Code)
	}
	t.Logf("%d boxes show their codes after %v", n, since(began))

	h := newHallBrowser(t, w)
	h.do("type the codes", chromedp.Navigate(h.base+"/fleet/enrol"), chromedp.SendKeys(chromedp.CSS("#code"), strings.Join(codes, ", ")),
		chromedp.Click(chromedp.CSS(".pairing button")), chromedp.WaitVisible(chromedp.CSS(".accept > p > button")))
	shown := h.texts(`Array.from(document.querySelectorAll(".tile.new")).map(e => e.querySelector("[name=code]").value + " " + ` +
		`e.querySelector(".digits").textContent)`)
	for _, x := range shown {
		if code, four, _ := strings.Cut(x, " "); digits[code] != four || four == "" {
			t.Errorf("the page shows %s for the code %s, the screen %s", four, code, digits[code])
		}
	}
	if len(shown) != n {
		t.Fatalf("the page shows %d boxes of %d", len(shown), n)
	}
	h.do("accept all", chromedp.Click(chromedp.CSS(".accept > p > button")), chromedp.WaitVisible(chromedp.CSS(".done")))
	for _, b := range boxes {
		b.wait("let in", func(s boxState) bool { return s.State == "idle" && !s.Offline && s.Code == "" })
	}
	t.Logf("%d boxes serve their windows after %v", n, since(began))
	for i, b := range boxes {
		if i > 0 && i%10 == 0 {
			h = newHallBrowser(t, w) // a browser's life is bounded
		}
		at := h.base + "/fleet/boxes/" + b.bound["device"]
		if i < lessons {
			h.learn(b, at)
		}
		h.selfTest(at)
	}
	t.Logf("%d boxes set up, %d with their keys learnt, %v from the first boot to the last self-test; people's own time comes on top", n,
		lessons, since(began))
	for _, b := range boxes {
		b.stop()
	}
}

// moreWindows writes a file with as many windows of a hall as boxes come.
func (w *world) moreWindows(n int) string {
	w.t.Helper()
	text := "类别,编号,名称,生效日期,大厅\n"
	for i := range n {
		text += fmt.Sprintf("窗口,SL-H2-D%02d,综合受理%d号窗口,2020-01-01,SL-H2\n", i+1, i+101)
	}
	path := filepath.Join(w.dir, "windows.csv")
	writeFile(w.t, path, text)
	return path
}

func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Millisecond) }

// hallBrowser is the browser of a hall's administrator, who is signed in.
type hallBrowser struct {
	t    *testing.T
	ctx  context.Context
	base string
}

func newHallBrowser(t *testing.T, w *world) hallBrowser {
	t.Helper()
	h := hallBrowser{t, chromium.Start(t), "http://" + waitAddresses(t, filepath.Join(w.dir, "centre.json"))["admin"]}
	link, err := url.Parse(strings.Fields(w.centre("account", "link", "-sign-in", "hall.admin"))[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(h.ctx, chromedp.Navigate("about:blank")); err != nil { // the browser lives as long as what it was first asked with
		t.Fatal(err)
	}
	h.do("sign in", chromedp.Navigate(h.base+link.Path), chromedp.Click(chromedp.CSS("#enter")),
		chromedp.WaitVisible(chromedp.CSS("nav.menu")))
	return h
}

func (h hallBrowser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	h.t.Helper()
	patience, stop := context.WithTimeout(h.ctx, time.Minute)
	defer stop()
	if err := chromedp.Do(patience, steps...); err != nil {
		h.t.Fatalf("%s: %v", what, err)
	}
}

func (h hallBrowser) texts(script string) []string {
	h.t.Helper()
	all, err := chromedp.Run(h.ctx, chromedp.Evaluate[[]string](script))
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// learn has a box's keys learnt: its best level is on the key k1.
func (h hallBrowser) learn(b *box, at string) {
	h.t.Helper()
	h.reach(at)
	h.do("learn the keys", chromedp.Click(chromedp.CSS(".commands details:has([value=learn_keys]) summary")),
		chromedp.Click(chromedp.CSS(".commands form:has([value=learn_keys]) button")), chromedp.WaitVisible(chromedp.CSS("[data-waiting]")))
	for round := 1; round <= 2; round++ {
		for i, level := range rating.Levels() {
			b.wait("asking for "+level.String(), func(s boxState) bool { return s.Press == level && s.Round == round })
			resp, err := http.Post(fmt.Sprintf("http://%s/keys/k%d", b.bound["browser"], i+1), "", nil)
			if err != nil {
				h.t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
	}
	h.do("see what was learnt", chromedp.WaitVisible(chromedp.CSS(".learnt button")))
	keys := h.texts(`Array.from(document.querySelectorAll(".learnt .keys li")).map(e => e.querySelector("b").textContent + " " + ` +
		`e.querySelector("code").textContent)`)
	if want := []string{"非常满意 k1", "满意 k2", "基本满意 k3", "不满意 k4", "非常不满意 k5"}; !slices.Equal(keys, want) {
		h.t.Errorf("the page shows %v, want %v", keys, want)
	}
	before := b.process
	h.do("confirm", chromedp.Click(chromedp.CSS(".learnt button")), chromedp.WaitNotPresent(chromedp.CSS(".learnt")))
	if err := before.Wait(); err != nil {
		h.t.Errorf("%s did not end in order: %v", b.name, err)
	}
	b.launch()
	b.wait("there again", func(s boxState) bool { return s.State == "idle" && !s.Offline })
}

// selfTest has a box look at itself, as soon as the centre has heard that it is there.
func (h hallBrowser) selfTest(at string) {
	h.t.Helper()
	for end, taken := time.Now().Add(time.Minute), false; !taken && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		h.reach(at)
		h.do("self-test", chromedp.Click(chromedp.CSS(".commands form:has([value=self_test]) button")),
			chromedp.WaitVisible(chromedp.CSS("#commands[data-waiting], #commands details.result, p.status")))
		taken = len(h.texts("Array.from(document.querySelectorAll('p.status')).map(e => e.textContent)")) == 0
	}
	h.do("tested", chromedp.WaitVisible(chromedp.CSS("#commands:not([data-waiting]) details.result")))
}

// reach opens a box's page, until the centre has heard that it is there and takes commands.
func (h hallBrowser) reach(at string) {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		h.do("open", chromedp.Navigate(at), chromedp.WaitVisible(chromedp.CSS("#commands")))
		if len(h.texts("Array.from(document.querySelectorAll('.commands button')).map(e => e.textContent)")) > 0 {
			return
		}
	}
	h.t.Fatalf("%s never takes commands", at)
}
