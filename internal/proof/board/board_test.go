package board

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"haochaping/internal/rating"
	"haochaping/qrcode"
)

// TestKeysReachTheCentre presses keys from outside through the GPIO controller, kills the daemon and pulls the plug in the
// middle, and finds each press in the centre's books once.
func TestKeysReachTheCentre(t *testing.T) {
	h := newHall(t, gpioKeys)
	h.start(Options{})
	h.startBox()
	want := make(map[rating.VisitID]rating.Level)
	rate := func(key string, level rating.Level) {
		t.Helper()
		id := h.visit()
		h.press(key, len(want)+1)
		want[id] = level
	}
	arrived := func(what string) {
		t.Helper()
		h.eventually(what, time.Minute, func() bool { return maps.Equal(h.counted(), want) })
	}
	rate("RATE5", 5)
	rate("RATE4", 4)
	rate("RATE3", 3)
	rate("RATE2", 2)
	rate("RATE1", 1)
	arrived("all five at the centre")

	// The daemon is killed right after a press, and started again.
	rate("RATE4", 4)
	h.sh("kill -9 $(cat /tmp/ratingd.pid)")
	h.startBox()
	arrived("the one before the kill")

	// What the screen shows is photographed and read.
	visit := h.visit()
	_, text, _ := strings.Cut(h.readQR("asking", true), "HTTPS://RATE.EXAMPLE.COM/R/")
	token, err := qrcode.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	if claim, err := token.Verify(h.key); err != nil || claim.Visit != visit || claim.Device != device {
		t.Errorf("the QR code claims %+v, want visit %s; its signature: %v", claim, visit, err)
	}
	h.press("RATE5", len(want)+1)
	h.readQR("thanks", false)

	// The plug is pulled while the thanks are shown.
	h.board.PowerOff()
	want[visit] = 5
	h.start(Options{})
	h.startBox()
	arrived("the one before the power cut")
	rate("RATE2", 2)
	arrived("the one after")
	h.sh("ratingctl log -config /data/ratingd.toml -verify")
	h.centrald("verify")
}

// TestStoppedDaemon taps a key while the daemon does not run: the kernel's times of the edges tell it later.
func TestStoppedDaemon(t *testing.T) {
	h := newHall(t, gpioKeys)
	h.start(Options{})
	h.startBox()
	want := map[rating.VisitID]rating.Level{h.visit(): 2}
	h.sh("kill -STOP $(cat /tmp/ratingd.pid)")
	if err := h.board.Press("RATE2"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if err := h.board.Release("RATE2"); err != nil {
		t.Fatal(err)
	}
	h.sh("sleep 0.2; kill -CONT $(cat /tmp/ratingd.pid)")
	h.recorded(1)
	h.eventually("it at the centre", time.Minute, func() bool { return maps.Equal(h.counted(), want) })
}

// readQR photographs the screen until it has a QR code, or none, and returns what it says.
func (h *hall) readQR(name string, wanted bool) (text string) {
	h.t.Helper()
	picture := h.photograph(name)
	h.eventually("the screen "+name, time.Minute, func() bool {
		if err := h.board.Photograph(h.t.Context(), picture); err != nil {
			h.t.Fatal(err)
		}
		out, _ := exec.Command("zbarimg", "-q", "--raw", "--oneshot", "-Sbinary", picture).Output() // fails if there is none
		text = strings.TrimSpace(string(out))
		return (text != "") == wanted
	})
	return text
}

// TestWiring starts the daemon with lines that are not there or are taken, and finds them named in its log.
func TestWiring(t *testing.T) {
	h := newHall(t, strings.NewReplacer("RATE5", "RATE9", "RATE3", "POWER").Replace(gpioKeys))
	h.start(Options{})
	h.sh("ratingd -config /data/ratingd.toml > /tmp/ratingd.log 2>&1 & echo $! > /tmp/ratingd.pid")
	h.eventually("the missing line in the log", time.Minute, func() bool { return strings.Contains(h.sh("cat /tmp/ratingd.log"), "RATE9") })
	h.sh("kill $(cat /tmp/ratingd.pid); sed -i s/RATE9/RATE5/ /data/ratingd.toml")
	h.sh("exec 9< /data/ratingd.toml; ratingd -config /data/ratingd.toml <&9 > /tmp/ratingd.log 2>&1 & echo $! > /tmp/ratingd.pid")
	h.eventually("who holds the busy line", time.Minute,
		func() bool { return strings.Contains(h.sh("cat /tmp/ratingd.log"), "GPIO Key Poweroff") })
	if to := h.sh("readlink /proc/$(cat /tmp/ratingd.pid)/fd/0"); to != "/data/ratingd.toml" {
		t.Errorf("file descriptor 0 is %s", to)
	}
	// The box asks by its QR code meanwhile, once it was told its window.
	h.eventually("the box that says so", time.Minute, func() bool { return strings.Contains(h.status(), `"fault"`) })
	h.eventually("a visit at its window", time.Minute, func() bool {
		return strings.Contains(h.sh(`wget -q -O - --header 'Content-Type: application/json' --post-data '{"subjects":["staff"]}' `+
			`http://127.0.0.1:8377/v1/visits || true`), `"id"`)
	})
	h.readQR("fault", true)
}

// TestLamps looks at an output from outside while the daemon asks: it is lit, and never was before. The screen is a large one, on
// which the daemon needs the most memory.
func TestLamps(t *testing.T) {
	h := newHall(t, gpioKeys+"lamps.backlight = \"LAMP\"\n")
	h.start(Options{Width: 1920, Height: 1200})
	h.startBox()
	h.visit()
	h.readQR("large-asking", true)
	h.press("RATE4", 1)
	h.readQR("large-thanks", false)
	h.visit()
	h.readQR("large-again", true)
	h.memory(64)
	h.eventually("the light", time.Minute, func() bool {
		seen := h.board.Output("LAMP")
		return len(seen) > 0 && seen[len(seen)-1]
	})
}

// TestCardReader signs somebody in by a card that stays on the reader, pulls the reader out under it, plugs it in again, and
// signs them out by the same card later.
func TestCardReader(t *testing.T) {
	h := newHall(t, gpioKeys+"cards.port = \"/dev/ttyUSB0\"\n")
	h.start(Options{})
	h.sh("mkdir -p /run/ratingd")
	h.startBox()
	roster := filepath.Join(h.dir, "roster.toml")
	if err := os.WriteFile(roster, []byte("[[member]]\nid = \"0417\"\nname = \"王丽\"\ncard = \"0012345678\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.centrald("device", "add", "-id", device, "-key", base64.RawURLEncoding.EncodeToString(h.key), "-hall", "市民中心", "-window", "A07", "-name",
		"综合窗口7号", "-sign-in", "-roster", roster)
	state := func(what, want string) {
		t.Helper()
		h.eventually(what, time.Minute, func() bool { return strings.Contains(h.status(), want) })
	}
	part := func(ok bool) {
		t.Helper()
		h.eventually("the part cards", time.Minute, func() bool {
			out := h.sh("ratingctl status -config /data/ratingd.toml -json || true")
			_, cards, _ := strings.Cut(strings.Join(strings.Fields(out), ""), `"name":"cards"`)
			return strings.HasPrefix(cards, fmt.Sprintf(`,"ok":%t`, ok))
		})
	}
	hold := func(times int) {
		t.Helper()
		for range times {
			if _, err := h.board.Reader().Write([]byte("0012345678\r\n")); err != nil {
				t.Fatal(err)
			}
			h.sh("sleep 0.5")
		}
	}
	state("a window without staff", `"closed"`)
	part(false)
	if err := h.board.PlugReader(t.Context()); err != nil {
		t.Fatal(err)
	}
	part(true)
	hold(8)
	state("the owner of the card", `"0417"`)
	if err := h.board.UnplugReader(t.Context()); err != nil {
		t.Fatal(err)
	}
	part(false)
	h.sh("sleep 3")
	if err := h.board.PlugReader(t.Context()); err != nil {
		t.Fatal(err)
	}
	part(true)
	hold(4)
	h.sh("sleep 4") // the card is taken away
	state("the owner of the card still", `"0417"`)
	hold(1)
	state("a window that was left", `"closed"`)
	if n := strings.Count(h.sh("ratingctl log -config /data/ratingd.toml -format jsonl -last 0"), `"name":"signed_`); n != 2 {
		t.Errorf("%d sign-ins and sign-outs are in the log, want 2", n)
	}
}

// TestWhatItCosts counts the instructions that the daemon takes while nothing happens and for one evaluation. Their number
// is the same on any machine of this kind; docs/numbers.md says what follows for a Pi.
func TestWhatItCosts(t *testing.T) {
	h := newHall(t, gpioKeys+"reasons.ask = false\n") // their screen follows the thanks, at a time that the host's load decides
	h.start(Options{CountInstructions: true})
	h.startBox()
	spent := func() (instructions, switches int64) {
		out := h.sh("cd /proc/$(cat /tmp/ratingd.pid)/task; cat */schedstat; grep -h ctxt */status")
		for line := range strings.Lines(out) {
			f := strings.Fields(line)
			switch n, err := strconv.ParseInt(f[len(f)-1], 10, 64); {
			case err != nil:
				t.Fatal(err)
			case len(f) == 3:
				ns, err := strconv.ParseInt(f[0], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				instructions += ns / 2
			case strings.HasPrefix(line, "voluntary"):
				switches += n
			}
		}
		return instructions, switches
	}
	idle := func(seconds int64) (perSecond, switchesPerSecond float64) {
		n, s := spent()
		began := h.uptime()
		h.sh(fmt.Sprintf("sleep %d", seconds))
		n2, s2 := spent()
		took := h.uptime() - began
		return float64(n2-n) / took, float64(s2-s) / took
	}
	h.sh("sleep 5") // what belongs to the start is over
	perSecond, switches := idle(30)
	t.Logf("idle: %.2f million instructions and %.1f voluntary switches in a second", perSecond/1e6, switches)
	before, _ := spent()
	h.visit()
	h.readQR("costs-asking", true)
	h.sh("sleep 2") // the citizen reads, and the box draws the thanks ahead
	asked, _ := spent()
	h.press("RATE4", 1)
	h.readQR("costs-thanks", false)
	thanked, _ := spent()
	t.Logf("to ask and to prepare: %.1f million instructions; from the press to the thanks: %.1f million",
		float64(asked-before)/1e6, float64(thanked-asked)/1e6)
	h.memory(64)
	if thanked-asked > 20e6 {
		t.Errorf("a press takes %.1f million instructions, at most 20 are allowed", float64(thanked-asked)/1e6)
	}
	// A Pi Zero 2 W does some 800 million in a second: half a percent of one of its cores.
	if perSecond > 0.005*800e6 {
		t.Errorf("an idle daemon takes %.2f million instructions in a second, at most 4 are allowed", perSecond/1e6)
	}
}

// memory holds that the daemon never had more than so many megabytes resident.
func (h *hall) memory(megabytes int) {
	h.t.Helper()
	out := h.sh("grep -E 'VmHWM|Rss' /proc/$(cat /tmp/ratingd.pid)/status")
	kB, err := strconv.Atoi(strings.Fields(out)[1])
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Logf("resident at most %.1f MB: %s", float64(kB)/1024, strings.Join(strings.Fields(out), " "))
	if kB > megabytes*1024 {
		h.t.Errorf("the daemon had %.1f MB resident, at most %d are allowed", float64(kB)/1024, megabytes)
	}
}

// uptime returns the machine's own clock in seconds.
func (h *hall) uptime() float64 {
	h.t.Helper()
	first, _, _ := strings.Cut(h.sh("cat /proc/uptime"), " ")
	s, err := strconv.ParseFloat(first, 64)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// TestHardwareGoesAndReturns takes the GPIO controller and then the screen away while the daemon runs, and gives them back.
func TestHardwareGoesAndReturns(t *testing.T) {
	h := newHall(t, gpioKeys)
	h.start(Options{})
	h.startBox()
	want := map[rating.VisitID]rating.Level{h.visit(): 4}
	h.press("RATE4", 1)

	driver := "/sys/bus/amba/drivers/pl061_gpio/"
	h.sh("rmmod gpio_keys; echo 9030000.pl061 > " + driver + "unbind")
	h.eventually("a box that knows that its keys are gone", time.Minute, func() bool { return strings.Contains(h.status(), `"fault"`) })
	visit := h.visit()
	h.readQR("keys-gone", true)
	h.sh("echo 9030000.pl061 > " + driver + "bind")
	h.eventually("a box whose keys are back", time.Minute, func() bool { return strings.Contains(h.status(), `"asking"`) })
	for _, line := range []string{"RATE5", "RATE4", "RATE3", "RATE2", "RATE1"} { // a controller that was reset knows no levels
		if err := h.board.Release(line); err != nil {
			t.Fatal(err)
		}
	}
	h.sh("sleep 1")     // no finger lets go and presses again within a debounce time
	h.press("RATE1", 2) // and not one more: that the lines read as pressed while they were gone counts for nothing
	want[visit] = 1
	h.eventually("both at the centre", time.Minute, func() bool { return maps.Equal(h.counted(), want) })

	connector := h.sh("ls -d /sys/class/drm/card0-*/status | head -1")
	h.sh("echo off > " + connector)
	h.eventually("the lost screen in the log", time.Minute,
		func() bool { return strings.Contains(h.sh("cat /tmp/ratingd.log"), "the screen is lost") })
	want[h.visit()] = 3
	h.press("RATE3", 3) // the keys do without
	h.sh("echo on > " + connector)
	h.visit()
	h.readQR("screen-back", true)
	h.eventually("all three at the centre", time.Minute, func() bool { return maps.Equal(h.counted(), want) })
}
