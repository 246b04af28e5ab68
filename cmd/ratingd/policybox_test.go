package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/rating"
)

// issues has the centre issue a policy that a test makes of its draft.
func (w *world) issues(change func(map[string]any)) {
	w.t.Helper()
	run := func(words ...string) []byte {
		cmd := exec.Command(w.centrald, append([]string{"policy"}, words...)...)
		out, err := cmd.Output()
		if err != nil {
			w.t.Fatalf("centrald policy %v: %v\n%s", words, err, out)
		}
		return out
	}
	var d map[string]any
	if err := json.Unmarshal(run("draft", "-config", w.config), &d); err != nil {
		w.t.Fatal(err)
	}
	d["valid_from"] = time.Now().In(rating.Shanghai()).Format(time.DateOnly)
	change(d)
	b, err := json.Marshal(d)
	if err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join(w.dir, "policy.json")
	writeFile(w.t, file, string(b))
	run("issue", "-config", w.config, "-apply", file)
}

// TestAPolicyReachesABox: what a policy sets for boxes comes through a real broker to one that runs, and holds there without the centre.
func TestAPolicyReachesABox(t *testing.T) {
	t.Parallel()
	w := startCentre(t, startMosquitto)
	b := newGPIOBox(t, w, "policy-box", 1)
	w.enrol(b, 0)
	b.start()
	b.settle()
	const welcome, question = "您好，请坐", "您对这次服务满意吗？"
	w.issues(func(d map[string]any) {
		d["settings"] = []any{
			map[string]any{"name": "boxes.wait_seconds", "value": "40", "lower_may_set": true, "min": 30, "max": 90},
			map[string]any{"name": "boxes.thanks_seconds", "value": "2"}, map[string]any{"name": "boxes.reasons", "value": "on"},
			map[string]any{"name": "boxes.reason_seconds", "value": "9"},
			map[string]any{"name": "boxes.welcome", "value": welcome + " | Hello"}, map[string]any{"name": "boxes.question", "value": question},
		}
		all := d["catalogue"].(map[string]any)
		all["version"] = 7
		for _, r := range all["reasons"].([]any) {
			if r := r.(map[string]any); r["level"] == 2.0 && r["key"] == 1.0 {
				r["text"] = "久等"
				delete(r, "words")
			}
		}
	})
	within := func(what string, done func(boxState) bool) { // the rollouts are looked at each minute
		t.Helper()
		for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if s, err := b.look(); err == nil && done(s) {
				return
			}
		}
		t.Fatalf("no %s", what)
	}
	has := func(s boxState) bool {
		return s.Texts == rating.ScreenTexts{Welcome: rating.Words{ZH: welcome, EN: "Hello"}, Question: rating.Words{ZH: question}}
	}
	within("words of the policy", has)
	b.wait("idle", func(s boxState) bool { return s.State == "idle" })
	b.asksByThePolicy()

	// It holds without the centre, also after a power cut.
	b.settle()
	w.stopCentre()
	_ = b.process.Process.Signal(syscall.SIGKILL)
	_ = b.process.Wait()
	b.start()
	b.wait("the words after a restart", has)
	b.stop()
	var waits []int
	for _, r := range b.records() {
		if r.Visit != nil {
			waits = append(waits, r.Visit.WaitSec)
		}
		if r.Reason != nil && r.Reason.Catalogue != 7 {
			t.Errorf("the reason is of catalogue %d, want 7", r.Reason.Catalogue)
		}
	}
	if !slices.Equal(waits, []int{40, 30}) {
		t.Errorf("visits waited %v seconds, want 40 and, of one whose PC wants 10, 30", waits)
	}
}

// asksByThePolicy rates two visits by what the policy sets.
func (b *box) asksByThePolicy() {
	b.t.Helper()
	id := b.openVisit()
	b.press(2)
	b.sawThanks(id, 2, nil)
	b.wait("the reasons of the policy", func(s boxState) bool {
		return s.State == "explaining" && len(s.Reasons) == rating.KeyReasons && slices.Contains(s.Reasons, "久等")
	})
	b.press(1 + slices.Index(b.reasonsShown(), "久等"))
	b.wait("the end", func(s boxState) bool { return s.State == "idle" })
	b.open(`{"cases":[{"project_no":"620100-9","task_code":"11620100MB01","task_name":"身份证换领","completed":true}],"wait_sec":10}`)
	b.wait("a question", func(s boxState) bool { return s.State == "asking" })
}

// reasonsShown returns what the keys stand for.
func (b *box) reasonsShown() []string {
	s, err := b.look()
	if err != nil {
		b.t.Fatal(err)
	}
	return s.Reasons
}
