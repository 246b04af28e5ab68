package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// TestASilentChannelIsListed has a unit rated by a portal, lets two months pass, and asks for the findings (保障本单位…渠道畅通, article 7).
func TestASilentChannelIsListed(t *testing.T) {
	var ahead atomic.Int64
	var out, log bytes.Buffer
	c, x := openAhead(t, &ahead, &out, &log)
	env := c.env
	directorytest.Enter(t, x.directory, "../ratingctl/organisation.csv")
	const unit = "116299003MB003333Y"
	now := env.now().UnixMilli()
	f := rating.CaseFact{Area: "629900000000", ProjectNo: "P-1", Unit: unit, AsOf: now, CompletedAt: now}
	if _, err := x.journal.Tell(t.Context(), "business", "1", []journal.Fact{{Fact: f}}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.journal.Answer(t.Context(), "portal", "1", []journal.Answer{{Case: f.Key(), Level: 1, Channel: rating.Portal, At: now}},
		nil); err != nil {
		t.Fatal(err)
	}
	if err := x.caughtUp(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := x.deadlines.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"-config", c.path, "device", "add", "-id", "lz-0417", "-key", keyText(public), "-window-id",
		"SL-H1-A07"}, env); err != nil {
		t.Fatal(err, log.String())
	}
	out.Reset()
	at := books.Post{Device: "lz-0417", Window: "SL-H1-A07", Generation: 1}
	for _, h := range []struct {
		books.Heard
		want string
	}{{books.Heard{Post: at, Unit: "another", At: env.now()}, unit},
		{books.Heard{Post: books.Post{Device: "lz-0417", Window: "nowhere"}, At: env.now()}, ""}, {books.Heard{Unit: "another"}, "another"}} {
		if got, err := x.unitOf(t.Context(), h.Heard); err != nil || got != h.want {
			t.Errorf("%+v is of %q, %v, want %q", h.Heard, got, err, h.want)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	findings := func(words ...string) string {
		t.Helper()
		out.Reset()
		if err := run(t.Context(), append([]string{"-config", c.path, "findings"}, words...), env); err != nil {
			t.Fatalf("findings: %v\n%s", err, log.String())
		}
		return out.String()
	}
	if text := findings(); text != "没有未处理的异常 / nothing is open\n" {
		t.Errorf("at once: %s", text)
	}
	ahead.Store(int64(60 * 24 * time.Hour))
	if text := findings(); !strings.Contains(text, "silent_channel  portal (单位 "+unit+" / unit "+unit+")") ||
		strings.Contains(text, "more are open") {
		t.Errorf("two months later: %s", text)
	}
	var listed []listedFinding
	if err := json.Unmarshal([]byte(findings("-json")), &listed); err != nil || len(listed) != 1 || listed[0].Unit != unit ||
		!strings.Contains(listed[0].Detail.ZH, "政务网站") {
		t.Errorf("%+v, %v", listed, err)
	}
}
