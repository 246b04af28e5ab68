package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/journal"
	"haochaping/internal/guomi"
	"haochaping/internal/proof/province"
	"haochaping/internal/rating"
)

// upwardLines are a configuration of what goes to a superior system.
func upwardLines(url, theirs string) string {
	return "\nupward.table = \"gansu\"\nupward.url = \"" + url + "\"\nupward.app = \"gov-62\"\nupward.their_key = \"" + theirs + "\"\n"
}

func TestUpwardConfiguration(t *testing.T) {
	k, err := guomi.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	theirs := k.Public().String()
	for lines, want := range map[string]string{
		upwardLines("https://hcp.example.gov.cn/api", theirs):                                               "",
		upwardLines("http://127.0.0.1:8443/api", theirs):                                                    "",
		upwardLines("http://hcp.example.gov.cn/api", theirs):                                                "plain text",
		upwardLines("https://u:p@hcp.example.gov.cn", theirs):                                               "without user",
		upwardLines("https://hcp.example.gov.cn", "04ab"):                                                   "130 hex digits",
		"\nupward.url = \"https://a.example\"\nupward.app = \"x\"\nupward.their_key = \"" + theirs + "\"\n": "write the table",
		"\nupward.since = \"1.1.2027\"\n":                                                                   "no day",
		"\nupward.cert_file = \"a.pem\"\n":                                                                  "go together",
		strings.Replace(upwardLines("https://hcp.example.gov.cn", theirs), "gov-62", "", 1):                 "application mark",
	} {
		if _, err := parseConfig(lines); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nsays %v, want %q", lines, err, want)
		}
	}
}

// TestUpwardKeyAndTables: the key is drawn once and printed; a table is printed as it is; -check-config reads both.
func TestUpwardKeyAndTables(t *testing.T) {
	dir := t.TempDir()
	c := &centre{t: t, config: writeConfig(t, dir)}
	first, err := c.command("upward", "key", "-config", c.config)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.command("upward", "key", "-config", c.config)
	if err != nil || again != first {
		t.Errorf("the key is %q, and then %q, %v", first, again, err)
	}
	if _, err := guomi.ParsePublic(first); err != nil {
		t.Error(err)
	}
	table, err := c.command("upward", "table", "gansu")
	if err != nil || !strings.Contains(table, `"assumed": true`) {
		t.Errorf("the table is %q, %v", table, err)
	}
	if _, err := c.command("upward", "table", "nowhere"); err == nil {
		t.Error("a table that is not there is printed")
	}
	own := filepath.Join(dir, "own.json")
	if err := os.WriteFile(own, []byte(strings.Replace(table, `"keypad": "5", `, "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(c.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.config, append(text, []byte("\n[upward]\ntable = \""+own+"\"\n")...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.command("-check-config", "-config", c.config); err == nil || !strings.Contains(err.Error(), `no code for "keypad"`) {
		t.Errorf("of a table that lacks a code it says %v", err)
	}
}

// TestUpwardReachesTheProvince has a centre, as its configuration joins it, tell a province of a case and its answer, by keys that each has
// told the other.
func TestUpwardReachesTheProvince(t *testing.T) {
	path := writeConfig(t, t.TempDir())
	c := command{env: environment{io.Discard, io.Discard, time.Now, rand.Reader, manager}, path: path}
	ours, err := (&centre{t: t}).command("upward", "key", "-config", path)
	if err != nil {
		t.Fatal(err)
	}
	p := new(province.Province)
	if p.Sender, err = guomi.ParsePublic(ours); err == nil {
		p.Key, err = guomi.NewKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append([]byte(upwardLines(server.URL, p.Key.Public().String())), text...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	x, err := c.openConfigured(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	now := time.Now().UnixMilli()
	key := rating.CaseKey{Area: "620100000000", Project: "620100-1"}
	if _, err := x.journal.Tell(t.Context(), "business", "1", []journal.Fact{{Fact: rating.CaseFact{Area: key.Area, ProjectNo: key.Project,
		TaskCode: "11620100MB0123456X400011700200001", AsOf: now, CompletedAt: now - 60_000}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.journal.Answer(t.Context(), "hotline", "1", []journal.Answer{{Case: key, Level: rating.Satisfied, Channel: rating.Voice,
		At: now}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := x.caughtUp(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	push, err := c.upwardPush(x, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- x.keepUpward(ctx) }()
	go func() { ended <- push(ctx) }()
	within(t, time.Minute, "what the province holds", func() bool { return len(p.Holds()) == 2 })
	cancel()
	if err := errors.Join(<-ended, <-ended); err != nil {
		t.Error(err)
	}
	got := p.Holds()["620100000000:620100-1:1:e"]
	if got["satisfaction"] != "4" || got["taskCode"] != "11620100MB0123456X4000117002000" || len(got["taskHandleItem"]) != 33 ||
		len(p.Wrong()) > 0 {
		t.Errorf("the province holds %v, and was sent %q", got, p.Wrong())
	}
}
