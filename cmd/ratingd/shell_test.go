package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestShell starts, follows and cancels visits from a shell, with a token that ratingctl makes and revokes.
func TestShell(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newGPIOBox(t, w, "shell", 1)
	w.enrol(b, 0)
	config, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, b.config, strings.Replace(string(config), "loopback_without_token = true", "loopback_without_token = false", 1))
	b.start()
	program := programs.Path(t, "ratingctl")
	ctl := func(token, stdin string, args ...string) (stdout, all string) {
		p := exec.Command(program, args...)
		p.Env = append(os.Environ(), "HCP_TOKEN="+token)
		p.Stdin = strings.NewReader(stdin)
		var out, both bytes.Buffer
		p.Stdout, p.Stderr = &out, &both
		err := p.Run()
		if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
			t.Fatal(err)
		}
		if err != nil {
			return "", both.String()
		}
		return strings.TrimSpace(out.String()), out.String() + both.String()
	}
	must := func(token, stdin string, args ...string) string {
		t.Helper()
		out, all := ctl(token, stdin, args...)
		if out == "" {
			t.Fatalf("ratingctl %v: %s", args, all)
		}
		return out
	}
	box := "http://" + b.bound["window_api"]

	if _, all := ctl("", "", "visit", "start", "-address", box); !strings.Contains(all, "token") {
		t.Errorf("without a token: %s", all)
	}
	made := must("", "", "token", "add", "-config", b.config, "-name", "A12 PC")
	token, _, _ := strings.Cut(made, "\n")
	listed := must("", "", "token", "list", "-config", b.config)
	if !strings.Contains(listed, "A12 PC") || strings.Contains(listed, token) {
		t.Errorf("token list: %s", listed)
	}
	first := must(token, "", "visit", "start", "-address", box, "-staff", "0417", "-case", "P1", "-task", "T1", "-task-name", "居住证办理",
		"-completed", "-idempotency-key", "k1")
	if again := must(token, "", "visit", "start", "-address", box, "-staff", "0417", "-case", "P1", "-task", "T1", "-task-name", "居住证办理",
		"-completed", "-idempotency-key", "k1"); again != first {
		t.Errorf("the same key gives %s, then %s", first, again)
	}
	second := must(token, `{"subjects":["staff"],"wait_sec":60}`, "visit", "start", "-address", box, "-body", "-")
	if got := must(token, "", "visit", "wait", first, "-address", box); got != "superseded" {
		t.Errorf("the first visit ended with %s", got)
	}
	b.wait("the question", func(s boxState) bool { return s.Visit == second && s.State == "asking" })
	time.Sleep(reading)
	b.press(3)
	if got := must(token, "", "visit", "wait", "-address", box, second); got != "rated" {
		t.Errorf("the second visit ended with %s", got)
	}
	third := must(token, "", "visit", "start", "-address", box, "-ask", "30s")
	if _, all := ctl(token, "", "visit", "cancel", "-address", box, third); all != "" {
		t.Errorf("cancel: %s", all)
	}
	if got := must(token, "", "visit", "wait", "-address", box, third); got != "cancelled" {
		t.Errorf("the third visit ended with %s", got)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"visit", "cancel", "-address", box, second}, "ended"},
		{[]string{"visit", "wait", "-address", box, "0000000000000001"}, "ratingctl"},
		{[]string{"visit", "start", "-address", box, "-completed"}, "without its number"},
		{[]string{"visit", "start", "-address", box, "-ask", "500ms"}, "no whole number"},
		{[]string{"visit", "start", "-address", box, "-body", "-", "-staff", "1"}, "contradict"},
		{[]string{"visit", "start", "-address", box, "-body", "-", "-completed"}, "contradict"},
		{[]string{"visit", "start", "-address", box, "-case", "P1", "-task", "T1", "-completed", "word"}, "not understood"},
		{[]string{"visit"}, "not understood"},
		{[]string{"visit", "start", "-address", "http://127.0.0.1:1"}, "doctor"},
		{[]string{"token", "revoke", "-config", b.config, "nobody"}, "token list"},
		{[]string{"token", "add", "-config", b.config}, "-name"},
	} {
		if out, all := ctl(token, "", c.args...); out != "" || !strings.Contains(all, c.want) {
			t.Errorf("ratingctl %v: %s", c.args, all)
		}
	}
	id := strings.Fields(strings.Split(listed, "\n")[2])[0]
	must("", "", "token", "revoke", "-config", b.config, id)
	if out, all := ctl(token, "", "visit", "start", "-address", box); out != "" || !strings.Contains(all, "token") {
		t.Errorf("with a revoked token: %s", all)
	}
	if out := must("", "", "token", "list", "-config", b.config); !strings.Contains(out, "no token yet") {
		t.Errorf("token list: %s", out)
	}
	b.settle()
	b.stop()
}
