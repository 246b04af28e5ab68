package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/cases"
	"haochaping/internal/proof/testkit"
)

// door is a business system that speaks to a centrald of a process of its own.
type door struct {
	t    *testing.T
	addr string
}

func (d door) ask(method, path, key, body string) (int, map[string]any) {
	d.t.Helper()
	r, err := http.NewRequest(method, "http://"+d.addr+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer business")
	r.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	said := make(map[string]any)
	if err := json.Unmarshal(b, &said); err != nil {
		d.t.Fatalf("%s: %v", b, err)
	}
	return resp.StatusCode, said
}

// state returns what has become of a case, empty while the books do not know it.
func (d door) state(project string) string {
	_, said := d.ask("GET", "/v1/cases/620100/"+project, "x", "")
	state, _ := said["state"].(string)
	return state
}

// TestACaseAtTheCentre tells a centre of a case, kills it, tells it again, answers by a channel, backs up, restores elsewhere, rebuilds,
// and verifies.
func TestACaseAtTheCentre(t *testing.T) {
	s := newStation(t, programs.Path(t, "centrald"), "")
	d := door{t, testkit.Address(t)}
	tokens, messages := filepath.Join(s.dir, "tokens"), filepath.Join(s.dir, "messages")
	if err := os.WriteFile(tokens, fmt.Appendf(nil, "portal %x doors=%s\n", sha256.Sum256([]byte("business")),
		strings.Join(cases.Doors(), ",")), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.Replace(config, []byte("[rate]\n"), []byte("[rate]\nbase = \"https://rate.example.com\"\n"), 1)
	config = fmt.Appendf(config, "[cases]\nlisten = %q\ntokens_file = %q\nvoice_keys = { \"1\" = 5 }\n[deadline]\ndefaults = true\n"+
		"[deadline.sms]\nfile = %q\n", d.addr, tokens, messages)
	if err := os.WriteFile(s.config, config, 0o600); err != nil {
		t.Fatal(err)
	}
	p := s.start(s.config, "addresses.json")
	now := time.Now().Format(time.RFC3339)
	told := fmt.Sprintf(`{"cases":[{"area":"620100","project_no":"P-1","contact":"13800000001","completed_at":%q,"as_of":%q},`+
		`{"area":"620100","project_no":"P-2","as_of":%q}]}`, now, now, now)
	if status, said := d.ask("POST", "/v1/cases", "1", told); status != 200 || said["accepted"] != 2.0 {
		t.Fatal(status, said)
	}
	p.kill()
	p = s.start(s.config, "addresses.json")
	if status, said := d.ask("POST", "/v1/cases", "1", told); status != 200 || said["replayed"] != true {
		t.Errorf("again after the power was cut: %d %v", status, said)
	}
	answers := fmt.Sprintf(`{"answers":[{"area":"620100","project_no":"P-1","level":2,"channel":"portal","given_at":%q,"text":"排队太久"}]}`, now)
	if status, said := d.ask("POST", "/v1/answers", "a1", answers); status != 200 || said["accepted"] != 1.0 {
		t.Fatal(status, said)
	}
	if status, said := d.ask("POST", "/v1/answers", "a1", answers); status != 200 || said["replayed"] != true {
		t.Errorf("an answer that came twice: %d %v", status, said)
	}
	d.rateByLink(p.at.Rate, "P-3", now)
	key := fmt.Sprintf(`{"id":"call-1","key":"1","pressed_at":%q,"area":"620100","project_no":"P-4"}`, now)
	if status, said := d.ask("POST", "/v1/voice/keys", "", key); status != 200 {
		t.Errorf("a key of a telephone: %d %v", status, said)
	}
	reply := fmt.Sprintf(`{"id":"mo-1","number":"13800000009","text":"5","received_at":%q}`, now)
	if status, said := d.ask("POST", "/v1/sms/replies", "", reply); status != 200 || said["outcome"] != "unclear" {
		t.Errorf("a reply to nothing: %d %v", status, said)
	}
	if status, said := d.ask("POST", "/v1/messages/stop", "s1", `{"number":"13800000009"}`); status != 200 {
		t.Errorf("stop: %d %v", status, said)
	}
	within(t, time.Minute, "what counts", func() bool { return d.state("P-1") == "rated" && d.state("P-2") == "open" })
	p.stop()
	s.command(t, "verify")
	s.command(t, "rebuild")
	backup := filepath.Join(s.dir, "backup")
	s.command(t, "backup", backup)
	for _, name := range []string{journalFile, booksFile} {
		for _, end := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(filepath.Join(s.state, name+end)); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	s.command(t, "restore", backup)
	s.start(s.config, "addresses.json")
	within(t, time.Minute, "what counts after it was restored", func() bool { return d.state("P-1") == "rated" && d.state("P-2") == "open" })
}

// command runs a command of centrald to its end.
func (s *station) command(t *testing.T, args ...string) {
	t.Helper()
	var said bytes.Buffer
	c := exec.Command(s.program, append([]string{"-config", s.config}, args...)...)
	c.Stdout, c.Stderr = &said, &said
	if err := c.Run(); err != nil {
		t.Fatalf("centrald %s: %v\n%s", args, err, &said)
	}
}

// rateByLink has a portal ask for a link for a case, and a phone rate by it.
func (d door) rateByLink(rate, project, now string) {
	d.t.Helper()
	told := fmt.Sprintf(`{"cases":[{"area":"620100","project_no":%q,"handling":"online","completed_at":%q,"as_of":%q}]}`, project, now, now)
	if status, said := d.ask("POST", "/v1/cases", "link-"+project, told); status != 200 {
		d.t.Fatal(status, said)
	}
	status, said := d.ask("POST", "/v1/links", "", fmt.Sprintf(`{"area":"620100","project_no":%q,"channel":"portal"}`, project))
	address, _ := said["url"].(string)
	path, ok := strings.CutPrefix(address, "https://rate.example.com")
	if status != 200 || !ok {
		d.t.Fatal(status, said)
	}
	page := "http://" + rate + path
	got, err := http.Get(page)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	form, err := io.ReadAll(got.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(form), `name="submission" value="`)
	submission, _, ok := strings.Cut(rest, `"`)
	if !ok || bytes.Contains(form, []byte("staff.level")) {
		d.t.Fatalf("the page is\n%s", form)
	}
	resp, err := http.PostForm(page, url.Values{"submission": {submission}, "matter.level": {"1"}})
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), "已经保存") {
		d.t.Fatalf("%v %s\n%s", err, resp.Status, body)
	}
	within(d.t, time.Minute, "the link's answer counts", func() bool { return d.state(project) == "rated" })
}
