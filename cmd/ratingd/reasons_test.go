package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/internal/windowapi"
)

// TestReasons asks why a citizen has answered so, at a box and a centre that run: the books hold the reason beside the evaluation,
// and neither the window's PC nor whoever scrapes the metrics sees that there is one.
func TestReasons(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newGPIOBox(t, w, "reasons", 1)
	w.enrol(b, 0)
	config, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	// Long enough for what a busy machine looks at meanwhile.
	writeFile(t, b.config, strings.Replace(string(config), `reasons.time = "3s"`, `reasons.time = "8s"`, 1))
	b.start()
	b.settle() // the centre's acknowledgement says what it knows

	id := b.openVisit()
	b.press(2)
	b.sawThanks(id, 2, nil)
	var asked boxState
	b.wait("the reasons", func(s boxState) bool {
		asked = s
		return s.State == "explaining" && len(s.Reasons) == rating.KeyReasons
	})
	if !slices.Contains(asked.Reasons, "服务态度生硬") || asked.Visit != "" {
		t.Errorf("the box asks for %+v", asked)
	}
	before := b.seenByOthers()
	time.Sleep(reading)
	// The keys are read from the left, where this box has its worst level.
	b.press(4)
	b.wait("the thanks for it", func(s boxState) bool { return s.State == "explaining" && len(s.Reasons) == 0 })
	if after := b.seenByOthers(); after != before {
		t.Errorf("a reason shows:\n%s\nbefore it:\n%s", after, before)
	}
	b.wait("the end", func(s boxState) bool { return s.State == "idle" })

	// The next visit does not wait, and the power fails while reasons are asked for.
	second := b.openVisit()
	b.press(5)
	b.sawThanks(second, 5, nil)
	b.wait("the reasons", func(s boxState) bool { return s.State == "explaining" })
	third := b.openVisit()
	b.wait("the next question", func(s boxState) bool { return s.State == "asking" && s.Visit == third })
	b.press(4)
	b.sawThanks(third, 4, nil)
	b.wait("the reasons", func(s boxState) bool { return s.State == "explaining" })
	_ = b.process.Process.Signal(syscall.SIGKILL)
	_ = b.process.Wait()
	w.stopCentre() // what the centre knows is remembered
	b.start()
	fourth := b.openVisit()
	b.press(3)
	b.sawThanks(fourth, 3, nil)
	b.wait("the reasons without a centre", func(s boxState) bool { return s.State == "explaining" })
	time.Sleep(reading)
	b.press(5) // skips
	b.wait("the thanks", func(s boxState) bool { return s.State == "explaining" && len(s.Reasons) == 0 })
	b.stop()

	var outcomes []rating.Outcome
	for _, r := range b.records() {
		if r.Outcome != nil {
			outcomes = append(outcomes, r.Outcome.Outcome)
		}
	}
	if want := []rating.Outcome{rating.Rated, rating.Rated, rating.Rated, rating.Rated}; !slices.Equal(outcomes, want) {
		t.Errorf("the visits ended as %v, want %v", outcomes, want)
	}
	books, err := inspect.Open(context.Background(), filepath.Join(w.dir, "centre"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = books.Close() }()
	entries, err := books.Entries(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if want := e.Visit.String() == id; (len(e.Reasons) == 1 && e.Reasons[0] == "214" && e.Catalogue == 1) != want {
			t.Errorf("visit %s has the reasons %v of catalogue %d; want 214 of 1 in the first: %t", e.Visit, e.Reasons, e.Catalogue, want)
		}
	}
	if findings, err := books.Findings(context.Background()); err != nil || len(findings) > 0 {
		t.Errorf("findings %+v, %v", findings, err)
	}
}

// seenByOthers returns what the PC and the metrics say of the window, but for what other programs and the time change.
func (b *box) seenByOthers() string {
	b.t.Helper()
	b.settle()
	resp, err := http.Get("http://" + b.bound["window_api"] + "/v1/status")
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var s windowapi.Window
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil || s.State != "idle" {
		b.t.Errorf("the PC sees %+v, %v; want an idle window", s, err)
	}
	return b.metrics()
}

// TestReasonsNeedACatalogue holds that a file which cannot be used is a failure of its part, and that one which can is read.
func TestReasonsNeedACatalogue(t *testing.T) {
	file := filepath.Join(t.TempDir(), "reasons.json")
	for text, want := range map[string]uint32{"": 0, `{"version": 2, "reasons": []}`: 0, catalogue2(t): 2} {
		writeFile(t, file, text)
		ctx, cancel := context.WithCancel(t.Context())
		var read rating.Catalogue
		err := catalogueFile{file, func(c rating.Catalogue) { read = c }}.run(ctx, func(error) { cancel() })
		cancel()
		if read.Version != want || (err == nil) != (want > 0) {
			t.Errorf("with %.20q version %d is read, %v; want %d", text, read.Version, err, want)
		}
	}
}

// catalogue2 is another catalogue's file.
func catalogue2(t *testing.T) string {
	c, err := rating.BuiltInCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	c.Version = 2
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestTheCentreSaysWhatItKnows follows a centre that is upgraded and then replaced by an older one.
func TestTheCentreSaysWhatItKnows(t *testing.T) {
	n := &notebook{all: make(map[string][]byte)}
	loop := terminal.NewLoop(terminal.LoopConfig{})
	clk := clock{boot: 1, mono: func() time.Duration { return 0 }, wall: time.Now, synced: func() bool { return true }}
	k := &kinds{notes: n, centre: boxconfig.PublicKey("one"), loop: loop, clock: clk, log: slog.New(slog.DiscardHandler)}
	for i, said := range [][]rating.Kind{nil, rating.Kinds(), rating.Kinds(), append(rating.Kinds(), "of a later version"), nil} {
		k.said(said)
		kept, err := keptKinds(n, k.centre)
		if err != nil || !slices.Equal(kept, said) {
			t.Errorf("%d: %v is kept, %v; want %v", i, kept, err, said)
		}
	}
	k.said(rating.Kinds())
	if kept, err := keptKinds(n, boxconfig.PublicKey("another")); err != nil || kept != nil {
		t.Errorf("of another centre %v is kept, %v", kept, err)
	}
	if n.writes != 4 {
		t.Errorf("the card was written %d times, want 4: once for each change", n.writes)
	}
}
