package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"haochaping/internal/boxcode"
)

// TestABoxWithoutAScreenTellsItsCode lets in a box that has five keys with lamps and nothing to show a code on, by what its lamps told: the
// page takes the numbers as they were written down, and shows those of the check digits. Then its lamps thank for an answer, which counts.
func TestABoxWithoutAScreenTellsItsCode(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts the whole product")
	}
	w := &world{t: t, dir: t.TempDir(), centrald: programs.Path(t, "centrald"), command: exec.Command}
	w.launch("broker.listen = \"127.0.0.1:0\"\nbroker.certificates = true\nenrol.listen = \"127.0.0.1:0\"\nenrol.names = [\"127.0.0.1\"]\n")
	w.centre("directory", "import", "-apply", "../ratingctl/organisation.csv")
	admin := w.signedIn("SL-H2", "629901000000")
	shared := filepath.Join(w.dir, "haochaping.toml")
	door := waitAddresses(t, filepath.Join(w.dir, "centre.json"))["enrol"]
	w.centre("image-config", "-url", "https://"+door, "-broker", "mqtts://"+w.mqtt, "-out", shared)

	b := newDarkBox(t, w, shared)
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: not within two minutes; the lamps have shown %v", what, b.lit())
			}
		}
	}
	b.launch()
	var code, check string
	began := time.Now()
	until("a code and its check digits", func() bool { code, check = readLamps(b.lit()); return code != "" })
	t.Logf("the lamps told the code %s and the digits %s within %v of the start", code, check, time.Since(began).Round(100*time.Millisecond))
	if p := mustAsk(t, b.box).Part("window"); p.Code != "window.waits" || !strings.Contains(p.What.ZH, boxcode.Clean(code)) {
		t.Errorf("the status of a box whose lamps tell %s says %+v", code, p)
	}

	// The code is written down in groups.
	typed := code[:4] + " " + code[4:8] + " " + code[8:12] + " " + code[12:]
	var text string
	var window []string
	until("the page", func() bool {
		text = admin.get("/fleet/enrol?hall=SL-H2&code=" + url.QueryEscape(typed))
		window = regexp.MustCompile(`<option value="(SL-H2-[^"]+)" selected>`).FindStringSubmatch(text)
		return window != nil
	})
	if !strings.Contains(text, `<b class="digits">`+check[:4]+" "+check[4:]+"</b>") || !strings.Contains(text, b.bound["device"]) {
		t.Fatalf("the page does not show the box %s with %s:\n%s", b.bound["device"], check, text)
	}
	admin.post("/fleet/halls/SL-H2/enrol", url.Values{"code": {typed}, "window": {window[1]}})
	until("let in", func() bool { s := mustAsk(t, b.box); return s.State == "idle" && s.Part(linkPart).OK })
	if all := b.lit(); strings.Contains(all[len(all)-1], "1") {
		t.Errorf("the lamps of a box that was let in show %s", all[len(all)-1])
	}

	before := len(b.lit())
	b.openVisit()
	b.press(5)
	until("thanks", func() bool { all := b.lit()[before:]; return len(all) > 0 && all[len(all)-1] == "00001" })
	until("drained", func() bool { return mustAsk(t, b.box).Queue.Pending == 0 })
	device := b.bound["device"]
	b.stop()
	w.stopCentre()
	if n := w.counted(device); n != 1 {
		t.Errorf("%d evaluations count, want 1", n)
	}
}

// darkBox is a box with five keys, each with a lamp, and no screen.
type darkBox struct {
	*box
	noted string // file of what the lamps have shown
}

func newDarkBox(t *testing.T, w *world, shared string) darkBox {
	b := darkBox{newGPIOBox(t, w, "dark", 1), ""}
	if err := os.MkdirAll(b.state, 0o700); err != nil {
		t.Fatal(err)
	}
	equipment := t.TempDir()
	b.extra, b.noted = []string{equipmentEnv + "=" + equipment}, filepath.Join(equipment, "lit")
	writeFile(t, filepath.Join(equipment, "outputs"), "")
	writeFile(t, b.noted, "")
	writeFile(t, b.config, fmt.Sprintf("state = %q\naddresses_file = %q\nenrol.file = %q\n", b.state, b.addresses, shared)+b.keys+
		"screen.panel = \"none\"\nlamps.keys = [\"M1\", \"M2\", \"M3\", \"M4\", \"M5\"]\n"+
		"visit.thanks = \"3s\"\nreasons.ask = false\nuplink.resend = \"1s\"\nwindow_api.listen = \"127.0.0.1:0\"\n"+
		"window_api.loopback_without_token = true\n"+fmt.Sprintf("operations.socket = %q\n", b.socket()))
	return b
}

// lit returns what the lamps have shown.
func (b darkBox) lit() []string {
	b.t.Helper()
	text, err := os.ReadFile(b.noted)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Fields(string(text))
}
