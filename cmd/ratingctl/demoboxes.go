package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/recordkey"
	"haochaping/internal/windowapi"
)

// demoBox is one box of the demonstration.
type demoBox struct {
	slot         string // its name on the page, which stays when the box draws another
	window, name string // empty for one that waits to be let in
	token        string // of the window's PC, which the page plays

	mu        sync.Mutex
	addresses map[string]string // guarded by mu; of its last start
}

// demoBoxes returns the boxes that are shown. The last one is new, and shows its code.
func demoBoxes() []*demoBox {
	return []*demoBox{
		{slot: "demo-a12", window: "SL-H1-A12", name: "A12 · 综合受理12号窗口"},
		{slot: "demo-a11", window: "SL-H1-A11", name: "A11 · 综合受理11号窗口"},
		{slot: "demo-new", name: "新机 · 开箱待登记 New"},
	}
}

// newWindow is the window that waits for a box.
const newWindow = "类别,编号,名称,生效日期,大厅\n窗口,SL-H1-A13,综合受理13号窗口,2020-01-01,SL-H1\n"

// at returns where a door of the box is, by its last start.
func (b *demoBox) at(name string) func() string {
	return func() string {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.addresses[name]
	}
}

func (b *demoBox) bound(addresses map[string]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addresses = addresses
}

// slotOf returns the place on the page of a box that a topic names.
func (s *stagehand) slotOf(device string) string {
	for _, b := range s.boxes {
		if b.at("device")() == device {
			return b.slot
		}
	}
	return device
}

// organise enters the organisation where no past was played, and the window that waits for a box.
func (s *stagehand) organise(ctx context.Context, city string) error {
	more := s.file("window.csv", newWindow)
	if more.err != nil {
		return more.err
	}
	files := []string{more.path}
	if s.empty {
		files = []string{city, more.path}
	}
	for _, path := range files {
		if _, err := s.centrald(ctx, "directory", "import", "-config", s.config, "-apply", "-reason", "demo", path); err != nil {
			return err
		}
	}
	return nil
}

// startBoxes enrols the boxes at the centre, all but the new one, and starts them.
func (s *stagehand) startBoxes(ctx context.Context) error {
	manager, err := newManager(s.dir)
	if err != nil {
		return err
	}
	s.manager = manager
	for _, b := range s.boxes {
		if b.window == "" {
			s.say("备好一台新评价器，等待登记", "preparing a new box, which waits to be let in")
			err = s.unpackBox(ctx, b)
		} else {
			s.say("登记评价器 "+b.slot, "enrolling box "+b.slot)
			err = s.enrolBox(ctx, b)
		}
		if err != nil {
			return err
		}
	}
	select { // a box that comes before the centre has seen it enrolled is a stranger on the first page
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(enrolledWithin):
	}
	for _, b := range s.boxes {
		s.say("启动评价器 "+b.slot, "starting box "+b.slot)
		if err := s.runBox(ctx, b); err != nil {
			return err
		}
		go s.parts.follow(ctx, b)
	}
	return nil
}

// enrolledWithin is how long the centre may take to see what a command has enrolled.
const enrolledWithin = 1200 * time.Millisecond

// common is what all boxes of the demonstration have in their configuration. Each key is called by its level, so that one number says the
// same on keyboard, key and screen. The time is the host's.
func (s *stagehand) common(slot string) string {
	return fmt.Sprintf("state = %q\nlog_level = \"error\"\naddresses_file = %q\nclock_set = true\n"+
		"keys.source = \"simulated\"\n"+
		"keys.map = [{key=\"5\",level=5},{key=\"4\",level=4},{key=\"3\",level=3},{key=\"2\",level=2},{key=\"1\",level=1}]\n"+
		"visit.wait = \"3m\"\nscreen.panel = \"none\"\nscreen.browser = \"127.0.0.1:0\"\nlink.base = \"http://%s\"\n"+
		"uplink.resend = \"2s\"\nwindow_api.listen = \"127.0.0.1:0\"\noperations.socket = \"\"\n",
		filepath.Join(s.dir, slot), filepath.Join(s.dir, slot+".json"), s.centre["rate"])
}

// enrolBox writes a box's configuration and enrols it at the centre by hand.
func (s *stagehand) enrolBox(ctx context.Context, b *demoBox) error {
	config := s.file(b.slot+".toml", s.common(b.slot)+fmt.Sprintf("device = %q\nuplink.broker = \"mqtt://%s\"\nuplink.centre_key = %q\n"+
		"enrol.file = \"\"\n", b.slot, s.network.addr(), s.centre["public_key"]))
	if config.err != nil {
		return config.err
	}
	state := filepath.Join(s.dir, b.slot)
	key, err := boxconfig.Config{State: state, RecordAlgorithm: recordkey.Ed25519}.Identity()
	if err != nil {
		return err
	}
	b.token, _, err = windowapi.AddToken(filepath.Join(state, windowapi.TokensFile), "demo page", rand.Reader, time.Now())
	if err != nil {
		return err
	}
	_, err = s.centrald(ctx, "device", "add", "-config", s.config, "-id", b.slot, "-key", keyText(key), "-window-id", b.window)
	return err
}

// unpackBox writes what a new box finds at its first start: the file that all boxes share, and no name.
func (s *stagehand) unpackBox(ctx context.Context, b *demoBox) error {
	shared := filepath.Join(s.dir, "haochaping.toml")
	_, err := s.centrald(ctx, "image-config", "-config", s.config, "-url", "https://"+s.centre["enrol"], "-broker", "mqtt://"+s.network.addr(),
		"-out", shared)
	if err != nil {
		return err
	}
	config := s.file(b.slot+".toml", s.common(b.slot)+fmt.Sprintf("window_api.loopback_without_token = true\nenrol.file = %q\n"+
		"enrol.board = \"\"\nenrol.ticket = \"\"\n", shared))
	return errors.Join(config.err, os.MkdirAll(filepath.Join(s.dir, b.slot), 0o700))
}
