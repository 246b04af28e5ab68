package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/cli"
)

// TestFleet asks a server that answers as openapi.yaml of the centre has it: what is asked for, and what is printed of it.
func TestFleet(t *testing.T) {
	const rollout = `{"id":"abc","area":"629901000000","hall":"SL-H2","change":{"wait_sec":45},"words":"等待按键 45 秒",
		"state":"halted","stage":2,"stages":2,"hold_min":30,"begun_at":"2027-03-02T09:00:00+08:00",
		"sick":"jia-b02","why":"keys.lost\u001b[2J","deeds":["resume","undo","abandon"],
		"boxes":[{"device":"jia-b02","hall":"SL-H2","window":"SL-H2-B02","stage":2,"state":"sent","why":"keys.lost"}]}`
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.RequestURI()+" "+string(body))
		answer := rollout
		switch {
		case r.Header.Get("Authorization") != "Bearer secret":
			w.WriteHeader(http.StatusUnauthorized)
			answer = `{"detail":"请先登录。Sign in first."}`
		case strings.HasSuffix(r.URL.Path, "/commands"):
			answer = `{"name":"self_test","asked_at":"2027-03-02T09:00:00+08:00"}`
		case r.URL.Path == "/api/v1/boxes/jia-b02":
			answer = `{"device":"jia-b02","state":"ill","troubles":[{"code":"keys.lost"}],"commands":[{"name":"self_test","failed":"busy"}],
				"clock_offset_ms":1234567,"self_test":{"answered_at":"2027-03-01T09:00:00+08:00","troubles":["sound.failed"]},
				"check":{"at":"2027-03-01T09:05:00+08:00","seen":{"lamps":"ill","code":"well"}},
				"bundles":[{"id":"f-2","came_at":"2027-03-02T09:01:00+08:00"}]}`
		case r.URL.Path == "/api/v1/boxes/jia-b02/bundles/f-2":
			answer = "\x1f\x8b packed"
		case r.URL.Path == "/api/v1/boxes/jia-b03":
			answer = `{"device":"jia-b03","troubles":[],"bundles":[]}`
		case r.URL.Path == "/api/v1/alerts":
			answer = `{"items":[{"id":"a-1","kind":"disk","device":"jia-b02","words":"存储空间不足\u001b[2J"}],"next":""}`
		case strings.HasPrefix(r.URL.Path, "/api/v1/boxes") && r.URL.Query().Get("cursor") == "":
			answer = `{"items":[{"device":"jia-b01","state":"well","window":"SL-H2-B01","troubles":[]}],"next":"jia-b01"}`
		case strings.HasPrefix(r.URL.Path, "/api/v1/boxes"):
			answer = `{"items":[{"device":"jia-b02","state":"ill","window":"SL-H2-B02","troubles":[{"code":"keys.lost"}]}],"next":""}`
		}
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	fleet := func(token string, args ...string) (string, error) {
		t.Helper()
		asked = nil
		var out bytes.Buffer
		getenv := func(name string) string {
			return map[string]string{"HCP_CENTRE": server.URL, "HCP_TOKEN": token}[name]
		}
		err := fleetCommand(t.Context(), args, getenv, &out, io.Discard)
		return out.String(), err
	}
	want := func(out string, err error, request string, texts ...string) {
		t.Helper()
		if err != nil || asked[0] != request {
			t.Errorf("asked %q, want %q; %v", asked, request, err)
		}
		for _, text := range texts {
			if !strings.Contains(out, text) {
				t.Errorf("what is printed lacks %q:\n%s", text, out)
			}
		}
	}
	out, err := fleet("secret", "boxes", "-hall", "SL-H2", "-state", "sick")
	want(out, err, "GET /api/v1/boxes?hall=SL-H2&state=sick&cursor= ", "jia-b01", "jia-b02", "keys.lost")
	out, err = fleet("secret", "box", "jia-b02")
	want(out, err, "GET /api/v1/boxes/jia-b02 ", "keys.lost", "self_test", "busy")
	for _, text := range []string{"1.234567e+06", "map["} {
		if strings.Contains(out, text) {
			t.Errorf("a box is printed with %q:\n%s", text, out)
		}
	}
	want(out, err, "GET /api/v1/boxes/jia-b02 ", "1234567", "sound.failed", "code:well lamps:ill")
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	out, err = fleet("secret", "bundle", "-out", file, "jia-b02")
	want(out, err, "GET /api/v1/boxes/jia-b02 ", file, "2027-03-02")
	if b, err := os.ReadFile(file); err != nil || string(b) != "\x1f\x8b packed" {
		t.Errorf("the file holds %q, %v", b, err)
	}
	if _, err := fleet("secret", "bundle", "-out", file, "jia-b02"); err == nil {
		t.Error("a file that is there was written over")
	}
	if _, err := fleet("secret", "bundle", "jia-b03"); err == nil || !strings.Contains(cli.HintOf(err).EN, "send_bundle") {
		t.Errorf("of a box that has sent nothing: %v", err)
	}
	out, err = fleet("secret", "alerts")
	want(out, err, "GET /api/v1/alerts?&cursor= ", "a-1", "存储空间不足?[2J")
	out, err = fleet("secret", "acknowledge", "a-1")
	want(out, err, "POST /api/v1/alerts/a-1/acknowledge {}", "it is noted")
	out, err = fleet("secret", "ask", "jia-b02", "self_test")
	want(out, err, `POST /api/v1/boxes/jia-b02/commands {"name":"self_test"}`, "ratingctl fleet box jia-b02")
	out, err = fleet("secret", "begin", "-hall", "SL-H2", "-first", "SL-H2-B01", "-wait", "45s", "-walk-up", "off", "-sign-in", "on")
	want(out, err, `POST /api/v1/rollouts {"change":{"sign_in":true,"wait_sec":45,"walk_up":{"link_sec":0,"pause_sec":0}},`+
		`"first":"SL-H2-B01","hall":"SL-H2","hold_min":30}`, "abc")
	out, err = fleet("secret", "begin", "-area", "629900000000", "-first", "SL-H2-B01", "-programs", "1.3.0", "-hold", "24h")
	want(out, err, `POST /api/v1/rollouts {"area":"629900000000","change":{"programs":"1.3.0"},"first":"SL-H2-B01","hold_min":1440}`)
	out, err = fleet("secret", "show", "abc")
	want(out, err, "GET /api/v1/rollouts/abc ", "halted 2/2 jia-b02 keys.lost?[2J", "resume|undo|abandon", "SL-H2-B02")
	out, err = fleet("secret", "undo", "abc", "-json")
	want(out, err, `POST /api/v1/rollouts/abc/steer {"do":"undo"}`, `"state":"halted"`)
	if _, err := fleet("wrong", "list"); err == nil || !strings.Contains(err.Error(), "请先登录") {
		t.Errorf("with a wrong token: %v", err)
	}
	for _, wrong := range [][]string{{}, {"show"}, {"begin", "-wait", "1.5s"}, {"begin", "-sign-in", "perhaps"},
		{"list", "-centre", "http://centre.example.com"}, {"explode", "abc"}} {
		if _, err := fleet("secret", wrong...); err == nil || len(asked) > 0 {
			t.Errorf("%q: %v, and asked %q", wrong, err, asked)
		}
	}
	if _, err := fleet("", "list"); err == nil {
		t.Error("without a token it asks")
	}
}
