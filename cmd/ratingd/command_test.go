package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/windowapi"
	"haochaping/sync/wire"
)

// page is somebody who is signed in to the centre's pages.
type page struct {
	t      *testing.T
	base   string
	client *http.Client
}

// signedIn adds the administrator of a hall and signs them in.
func (w *world) signedIn(hall, area string) page {
	w.t.Helper()
	p := page{w.t, "http://" + waitAddresses(w.t, filepath.Join(w.dir, "centre.json"))["admin"], &http.Client{}}
	var err error
	if p.client.Jar, err = cookiejar.New(nil); err != nil {
		w.t.Fatal(err)
	}
	w.centre("account", "add", "-login", "hall.admin", "-name", "大厅管理员", "-role", "hall", "-scope", hall, "-area", area)
	link := strings.Fields(w.centre("account", "link", "-sign-in", "hall.admin"))[0]
	u, err := url.Parse(link)
	if err != nil {
		w.t.Fatal(err)
	}
	p.post(u.Path, url.Values{"to": {"/fleet"}})
	return p
}

// centre runs a command of centrald beside the one that runs, and returns what it prints.
func (w *world) centre(words ...string) string {
	w.t.Helper()
	out, err := exec.Command(w.centrald, append([]string{words[0], "-config", w.config}, words[1:]...)...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("centrald %s: %v\n%s", words, err, out)
	}
	return string(out)
}

func (p page) post(path string, form url.Values) {
	p.t.Helper()
	r, err := p.client.PostForm(p.base+path, form)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if text, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusOK {
		p.t.Fatalf("POST %s: %d, %v\n%s", path, r.StatusCode, err, text)
	}
}

// until reads a page until it says something.
func (p page) until(path, says string) {
	p.t.Helper()
	text, code := "", 0
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		r, err := p.client.Get(p.base + path)
		if err != nil {
			p.t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if text, code = string(b), r.StatusCode; err == nil && strings.Contains(text, says) {
			return
		}
	}
	p.t.Fatalf("%s never says %q; it says, with %d,\n%s", path, says, code, text)
}

// TestCommandsFromThePage asks a real box through the centre's page: it looks at itself, pauses, goes on, and starts anew, each once and
// answered.
func TestCommandsFromThePage(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	w.centre("directory", "import", "-apply", "-reason", "test", "../ratingctl/organisation.csv")
	b := newGPIOBox(t, w, "page-box", 1)
	b.extra = []string{serviceManager(t)}
	w.centre("device", "add", "-id", b.name, "-key", b.publicKey(), "-window-id", "SL-H2-B01")
	b.start()
	p := w.signedIn("SL-H2", "629901000000")
	at := "/fleet/boxes/" + b.name
	p.until(at, "剩余 ") // its first report of how it is
	ask := func(name string) {
		t.Helper()
		p.post(at+"/commands", url.Values{"name": {name}})
	}
	ask(wire.CommandSelfTest)
	p.until(at, "各部件")
	p.carriedOut(at)
	ask(wire.CommandPause)
	b.wait("paused", func(s boxState) bool { return s.State == "paused" })
	p.carriedOut(at)
	ask(wire.CommandResume)
	b.wait("resumed", func(s boxState) bool { return s.State == "idle" })
	p.carriedOut(at)
	before := b.process
	ask(wire.CommandRestart)
	if err := before.Wait(); err != nil {
		t.Errorf("the daemon did not end in order: %v", err)
	}
	b.start()
	p.carriedOut(at)
	if text := p.text(at); strings.Count(text, "已执行") != 4 {
		t.Errorf("after four commands that were carried out the page says\n%s", text)
	}
	b.stop()
}

// serviceManager listens as a service manager does, and returns the variable of the environment by which daemons find it.
func serviceManager(t *testing.T) string {
	t.Helper()
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	go func() { // a daemon waits until it is heard
		for said := make([]byte, 4096); err == nil; {
			_, err = manager.Read(said)
		}
	}()
	return "NOTIFY_SOCKET=" + manager.LocalAddr().String()
}

// carriedOut waits until every command of a box's page is answered, which the centre writes some time after the box has answered.
func (p page) carriedOut(path string) {
	p.t.Helper()
	text := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if text = p.text(path); !strings.Contains(text, "等待回答") && !strings.Contains(text, "没有执行") {
			return
		}
	}
	p.t.Fatalf("%s never says that all was carried out; it says\n%s", path, text)
}

func (p page) text(path string) string {
	p.t.Helper()
	r, err := p.client.Get(p.base + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// keptNotes are notes in memory, which may fail.
type keptNotes struct {
	all   map[string][]byte
	fails error
}

func (k *keptNotes) Note(key string) []byte { return k.all[key] }

func (k *keptNotes) SetNote(key string, value []byte) error {
	if k.fails == nil {
		k.all[key] = value
	}
	return k.fails
}

// A command that comes again after a restart is answered and not carried out again; what is unknown is refused, and so is a restart
// without a manager.
func TestCommandsOnceOverRestarts(t *testing.T) {
	notes := &keptNotes{all: make(map[string][]byte)}
	restarts := 0
	o := orders{notes: notes, parts: func() opsapi.Health { return opsapi.Health{} }, restart: func() { restarts++ },
		log: slog.New(slog.DiscardHandler)}
	give := func(id, name string) error {
		_, err := o.carryOut(wire.Command{ID: id, Name: name})
		return err
	}
	for range 3 {
		if err := give("f-1", wire.CommandRestart); err != nil || restarts != 1 {
			t.Fatalf("%d restarts, %v", restarts, err)
		}
	}
	for i := range 3 * keptCommands {
		if err := give(fmt.Sprint("f-", i+2), wire.CommandRestart); err != nil || restarts != i+2 {
			t.Fatalf("%d restarts of %d, %v", restarts, i+2, err)
		}
	}
	if n := len(notes.all[commandsNote]); n > 1024 {
		t.Errorf("the note has %d bytes", n)
	}
	notes.all[commandsNote] = []byte("{")
	if err := give("f-a", wire.CommandRestart); err != nil || restarts != 3*keptCommands+2 {
		t.Errorf("with a damaged note there are %d restarts, %v", restarts, err)
	}
	notes.fails = errors.New("the disk is full")
	if err := give("f-b", wire.CommandRestart); err != nil || restarts != 3*keptCommands+3 {
		t.Errorf("with a full disk there are %d restarts, %v", restarts, err)
	}
	o.restart = nil
	for id, name := range map[string]string{"f-c": wire.CommandRestart, "f-d": "format", "f-e": ""} {
		if err := give(id, name); err == nil {
			t.Errorf("%q was carried out", name)
		}
	}
	notes.fails = nil
	for range 2 { // also where it comes again after a restart
		if err := o.once(wire.Command{ID: "f-f", Name: wire.CommandPause},
			func(context.Context) error { return errors.New("not enrolled") }); err == nil {
			t.Error("what was refused is answered as done")
		}
	}
}

// An answer to a self-test fits into its bounds, whatever the parts say.
func TestSelfTestIsBounded(t *testing.T) {
	var h opsapi.Health
	for i := range 100 {
		h.Parts = append(h.Parts, opsapi.Part{Name: fmt.Sprint("part", i), Code: "store.write",
			What: condition.Text{ZH: strings.Repeat("坏<", 400)}})
	}
	b, err := wire.EncodeState(wire.Reply{V: wire.Version, ID: "f-1", OK: true, Parts: tested(h)})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := wire.DecodeReply(b); err != nil || len(r.Parts) != wire.MaxParts {
		t.Errorf("%d bytes with %d parts: %v", len(b), len(r.Parts), err)
	}
}

// TestTokensByCommand lets a PC in by a token of which the box has the hash alone, once, and ends that.
func TestTokensByCommand(t *testing.T) {
	path := filepath.Join(t.TempDir(), windowapi.TokensFile)
	o := orders{notes: &keptNotes{all: make(map[string][]byte)}, tokens: path, wall: time.Now, log: slog.New(slog.DiscardHandler)}
	give := func(id, name string, args map[string]string) error {
		_, err := o.carryOut(wire.Command{ID: id, Name: name, Args: args})
		return err
	}
	const secret = "hcp_ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ"
	sum := sha256.Sum256([]byte(secret))
	add := map[string]string{"id": "0a0b0c0d", "name": "A12 窗口电脑", "hash": hex.EncodeToString(sum[:])}
	for range 2 {
		if err := give("f-1", wire.CommandAddToken, add); err != nil {
			t.Fatal(err)
		}
	}
	known := windowapi.NewTokens(path, slog.New(slog.DiscardHandler))
	if got, ok := known.Check(secret); !ok || got.Name != "A12 窗口电脑" {
		t.Errorf("the token opens %+v, %v", got, ok)
	}
	if all, err := windowapi.ReadTokens(path); err != nil || len(all) != 1 {
		t.Errorf("%d tokens, %v", len(all), err)
	}
	for name, args := range map[string]map[string]string{"none": nil, "no hash": {"id": "0a0b0c0d", "name": "x"},
		"no ID": {"name": "x", "hash": add["hash"]}, "no name": {"id": "0a0b0c0d", "hash": add["hash"]}} {
		if err := give("f-"+name, wire.CommandAddToken, args); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	if err := give("f-2", wire.CommandDropToken, map[string]string{"id": "0a0b0c0d"}); err != nil {
		t.Error(err)
	}
	if _, ok := known.Check(secret); ok {
		t.Error("the token opens the box after it was dropped")
	}
}
