package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/windowapi"
)

// plugReader links a pseudo-terminal to path, as udev does when a card reader is plugged in.
func plugReader(t *testing.T, path string) *os.File {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close(); _ = tty.Close() })
	_ = os.Remove(path) // it is not there at first
	if err := os.Symlink(tty.Name(), path); err != nil {
		t.Fatal(err)
	}
	return master
}

// TestACardThatIsHeldSignsInOnce holds a card to the reader, which sends it again and again, shows it others that it cannot
// read, and unplugs it under the card.
func TestACardThatIsHeldSignsInOnce(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newGPIOBox(t, w, "held", 1)
	port := filepath.Join(t.TempDir(), "reader")
	master := plugReader(t, port)
	b.keys += fmt.Sprintf("cards.port = %q\n", port)
	roster := filepath.Join(t.TempDir(), "roster.toml")
	writeFile(t, roster, "[[member]]\nid = \"0417\"\nname = \"王丽\"\ncard = \"0012345678\"\n")
	w.enrol(b, 0, "-sign-in", "-roster", roster)
	b.launch()
	b.waitStatus("a window without staff", func(s windowapi.Window) bool { return s.State == "closed" })
	hold := func(s string, times int) {
		t.Helper()
		for range times {
			if _, err := master.WriteString(s); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond)
		}
	}
	b.waitLog("a reader that is read", func() { hold("no card at all\r\n", 2) }, rating.EventUnknownCard)
	hold("0012345678\r\n", 9)
	b.waitStatus("the owner of the card", func(s windowapi.Window) bool { return s.State == "idle" && s.Staff.ID == "0417" })
	_ = master.Close()
	b.untilPart("cards", func(p opsapi.Part) bool { return !p.OK })
	time.Sleep(3 * time.Second)
	master = plugReader(t, port)
	b.untilPart("cards", func(p opsapi.Part) bool { return p.OK })
	hold("0012345678\r\n", 3) // and the card lies there still
	time.Sleep(2500 * time.Millisecond)
	hold("0012345678\r\n", 1)
	b.waitStatus("a window that was left", func(s windowapi.Window) bool { return s.State == "closed" })
	b.stop()
	var audit []string
	for _, r := range b.records() {
		if raw, err := json.Marshal(r); err != nil || bytes.Contains(raw, []byte("0012345678")) || bytes.Contains(raw, []byte("no card at all")) {
			t.Errorf("the log tells what a card says: %s, %v", raw, err)
		}
		if r.Event != nil && r.Event.Detail["part"] == "cards" {
			audit = append(audit, r.Event.Name)
		}
		if r.Event != nil && (r.Event.Name == rating.EventUnknownCard || strings.HasPrefix(r.Event.Name, "signed")) {
			audit = append(audit, fmt.Sprint(r.Event.Name, " ", r.Event.Detail["read"]))
		}
	}
	if got := strings.Join(audit, "; "); got != "fault; unknown_card no; recovered; signed_in ; signed_out " {
		t.Errorf("the log says %q", got)
	}
}
