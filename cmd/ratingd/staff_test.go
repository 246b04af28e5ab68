package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"haochaping/internal/rating"
	"haochaping/internal/windowapi"
	"haochaping/store"
)

// status asks the window API what the window is doing.
func (b *box) status() (w windowapi.Window, err error) {
	resp, err := http.Get("http://" + b.bound["window_api"] + "/v1/status")
	if err != nil {
		return w, err
	}
	defer func() { _ = resp.Body.Close() }()
	return w, json.NewDecoder(resp.Body).Decode(&w)
}

func (b *box) waitStatus(what string, done func(windowapi.Window) bool) {
	b.t.Helper()
	var w windowapi.Window
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if w, err = b.status(); err == nil && done(w) {
			return
		}
	}
	b.t.Fatalf("%s: %s did not come, the window is %+v, %v", b.name, what, w, err)
}

// records reads the box's log, also while the daemon runs.
func (b *box) records() (all []rating.Record) {
	b.t.Helper()
	n, err := store.Inspect(filepath.Join(b.state, "log.db"))
	if err == nil {
		err = n.Records(0, func(r rating.Record, _ []byte) error { all = append(all, r); return nil })
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// TestStaffSignInByCard pushes a window's staff from the centre and lets them come and go by their cards, over a serial line.
func TestStaffSignInByCard(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newGPIOBox(t, w, "cards", 1)
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close(); _ = tty.Close() })
	b.keys += fmt.Sprintf("cards.port = %q\n", tty.Name())
	red := image.NewUniform(color.RGBA{0xff, 0, 0, 0xff})
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, &cropped{red, image.Rect(0, 0, 240, 300)}, nil); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "wang.jpg"), photo.String())
	writeFile(t, filepath.Join(dir, "roster.toml"), "[[member]]\nid = \"0417\"\nname = \"王丽\"\ndepartment = \"户政科\"\ncard = \"0012345678\"\n"+
		"photo = \"wang.jpg\"\n")
	w.enrol(b, 0, "-sign-in", "-roster", filepath.Join(dir, "roster.toml"))
	b.launch()
	b.waitStatus("a window without staff", func(s windowapi.Window) bool { return s.State == "closed" })
	resp, err := http.Post("http://"+b.bound["window_api"]+"/v1/visits", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusConflict {
		t.Errorf("a visit at a closed window: %s", resp.Status)
	}
	swipe := func(number string) {
		if _, err := master.WriteString(number + "\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	b.waitLog("the reader", func() { swipe("99990000") }, rating.EventUnknownCard)
	swipe("0012345678")
	wang := rating.Staff{ID: "0417", Name: "王丽", Department: "户政科"}
	b.waitStatus("the owner of the card", func(s windowapi.Window) bool { return s.State == "idle" && s.Staff == wang })
	b.waitPixels("the photo", func(m image.Image) bool { // on the idle screen it is at the left
		c := color.RGBAModel.Convert(m.At(m.Bounds().Dx()/10, m.Bounds().Dy()/2)).(color.RGBA)
		return c.R > 0xf0 && c.G < 0x10
	})
	pc := func(method, path, body string) {
		r, err := http.NewRequest(method, "http://"+b.bound["window_api"]+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s %s: %s", method, path, resp.Status)
		}
	}
	pc("PUT", "/v1/pause", "")
	_ = b.process.Process.Signal(syscall.SIGKILL)
	_ = b.process.Wait()
	_ = w.proxy.Close() // what the centre sent must be known without it
	b.launch()
	b.waitStatus("the same person and pause after a power cut",
		func(s windowapi.Window) bool { return s.State == "paused" && s.Staff == wang })
	pc("DELETE", "/v1/pause", "")
	b.waitStatus("a window that is resumed", func(s windowapi.Window) bool { return s.State == "idle" })
	// The PC has another name for the department; the card's owner is the same, and leaves by it.
	pc("PUT", "/v1/staff", `{"id":"0417","department":"综合科"}`)
	b.waitStatus("the PC's department", func(s windowapi.Window) bool { return s.Staff.Department == "综合科" })
	swipe("0012345678")
	b.waitStatus("a window that was left", func(s windowapi.Window) bool { return s.State == "closed" })
	var audit []string
	for _, r := range b.records() {
		if r.Event != nil && strings.HasPrefix(r.Event.Name, "signed") || r.Event != nil && r.Event.Name == rating.EventUnknownCard {
			audit = append(audit, fmt.Sprint(r.Event.Name, " ", r.Event.Detail["staff"], " ", r.Event.Detail["via"]))
		}
		if raw, err := json.Marshal(r); err != nil || bytes.Contains(raw, []byte("99990000")) && r.Event != nil &&
			r.Event.Name == rating.EventUnknownCard && len(r.Event.Detail) > 0 {
			t.Errorf("the log tells the number of a card that belongs to nobody: %s", raw)
		}
	}
	if got := strings.Join(audit, "; "); got != "unknown_card  ; signed_in 0417 card; signed_out 0417 card" {
		t.Errorf("the log says %s", got)
	}
}

// waitLog does something again and again, as a person would, until the log has an audit event of that name.
func (b *box) waitLog(what string, do func(), name string) {
	b.t.Helper()
	for range 10 {
		do()
		for range 30 {
			for _, r := range b.records() {
				if r.Event != nil && r.Event.Name == name {
					return
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	b.t.Fatalf("%s: nothing came of %s", b.name, what)
}

// cropped is an image with a size.
type cropped struct {
	image.Image
	bounds image.Rectangle
}

func (c *cropped) Bounds() image.Rectangle { return c.bounds }

// waitPixels waits until the screen looks as it should.
func (b *box) waitPixels(what string, looks func(image.Image) bool) {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get("http://" + b.bound["browser"] + "/frame.png")
		if err != nil {
			continue
		}
		m, err := png.Decode(resp.Body)
		_ = resp.Body.Close()
		if err == nil && looks(m) {
			return
		}
	}
	b.t.Errorf("%s: %s is not on the screen", b.name, what)
}

// TestWindowsWithoutIntegration runs a box with a staff key and one in walk-up mode, as they come from the centre.
func TestWindowsWithoutIntegration(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	keyed := newGPIOBox(t, w, "staffkey", 1)
	keyed.keys += "keys.staff = \"L6\"\n"
	w.enrol(keyed, 0)
	keyed.start()
	press := func() {
		_, _ = fmt.Fprintf(keyed.keypad, "L6 down\n")
		time.Sleep(100 * time.Millisecond)
		_, _ = fmt.Fprintf(keyed.keypad, "L6 up\n")
	}
	press()
	keyed.wait("the question", func(s boxState) bool { return s.State == "asking" })
	press() // again: it takes nothing away
	time.Sleep(reading)
	keyed.press(2)
	keyed.wait("the thanks", func(s boxState) bool { return s.State == "correcting" && s.Chosen == 2 })
	keyed.wait("the end", func(s boxState) bool { return s.State == "idle" })

	walk := newGPIOBox(t, w, "walkup", 2)
	w.enrol(walk, 1, "-walk-up", "1s")
	walk.launch()
	var link string
	walk.wait("the question", func(s boxState) bool { link = s.Link; return s.State == "asking" })
	time.Sleep(reading)
	walk.press(4)
	walk.wait("the thanks", func(s boxState) bool { return s.State == "correcting" && s.Chosen == 4 })
	walk.wait("the next question, with another link", func(s boxState) bool { return s.State == "asking" && s.Link != link && s.Link != "" })

	for b, opener := range map[*box]rating.Opener{keyed: rating.OpenedByStaffKey, walk: rating.OpenedByWalkUp} {
		b.stop()
		var visits []rating.Opener
		for _, r := range b.records() {
			if r.Visit != nil {
				visits = append(visits, r.Visit.Opener)
			}
		}
		if len(visits) != 1 || visits[0] != opener {
			t.Errorf("%s recorded visits by %v, want one by %s", b.name, visits, opener)
		}
	}
	if _, err := os.Stat(filepath.Join(walk.state, rosterFile)); err != nil {
		t.Error(err)
	}
}

// TestWhoLeavesTheRosterIsSignedOut: the centre takes somebody off the list who is signed in, and leaves somebody on it.
func TestWhoLeavesTheRosterIsSignedOut(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newGPIOBox(t, w, "roster", 1)
	path := filepath.Join(t.TempDir(), "roster.toml")
	roster := func(generation, text string) {
		writeFile(t, path, text)
		w.enrol(b, 0, "-sign-in", "-roster", path, "-generation", generation)
	}
	const wang, li = "[[member]]\nid = \"0417\"\nname = \"王丽\"\n", "[[member]]\nid = \"0418\"\nname = \"李强\"\n"
	roster("1", wang+li)
	b.launch()
	b.waitStatus("a window without staff", func(s windowapi.Window) bool { return s.State == "closed" })
	r, err := http.NewRequest("PUT", "http://"+b.bound["window_api"]+"/v1/staff", strings.NewReader(`{"id":"0417"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	b.waitStatus("王丽", func(s windowapi.Window) bool { return s.State == "idle" && s.Staff.Name == "王丽" })
	configured := func(n int) {
		t.Helper()
		b.wait("a new assignment", func(boxState) bool {
			all := 0
			for _, r := range b.records() {
				if r.Event != nil && r.Event.Name == rating.EventConfigured {
					all++
				}
			}
			return all == n
		})
	}
	roster("2", wang)
	configured(2)
	if s, err := b.status(); err != nil || s.Staff.ID != "0417" {
		t.Errorf("who is still on the list was signed out: %+v, %v", s, err)
	}
	roster("3", li)
	b.waitStatus("nobody", func(s windowapi.Window) bool { return s.State == "closed" && s.Staff == rating.Staff{} })
}
