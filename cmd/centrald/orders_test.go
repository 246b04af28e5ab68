package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/central/journal"
	"haochaping/internal/central/rectify"
	"haochaping/internal/rating"
)

// openAhead opens a new centre whose clock is so many nanoseconds ahead.
func openAhead(t *testing.T, ahead *atomic.Int64, out, log *bytes.Buffer) (command, *rooms) {
	t.Helper()
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	c := command{env: environment{out, log, now, rand.Reader, manager}, path: writeConfig(t, t.TempDir())}
	x, err := c.openConfigured(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c, x
}

// TestOrdersAreListed has a case rated 非常不满意, lets a minute pass, and asks for what is due, before and after the orders were made anew.
func TestOrdersAreListed(t *testing.T) {
	var ahead atomic.Int64
	var out, log bytes.Buffer
	c, x := openAhead(t, &ahead, &out, &log)
	env := c.env
	now := env.now().UnixMilli()
	if err := x.orders.Once(t.Context()); err != nil { // what came before opens none
		t.Fatal(err)
	}
	key := rating.CaseKey{Area: "620100000000", Project: "620100-1"}
	if _, err := x.journal.Tell(t.Context(), "business", "1", []journal.Fact{{Fact: rating.CaseFact{Area: key.Area, ProjectNo: key.Project, TaskCode: "T1",
		TaskName: "身份证补领", Unit: "116299003MB003333Y", AsOf: now, CompletedAt: now - 60_000}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.journal.Answer(t.Context(), "hotline", "1", []journal.Answer{{Case: key, Level: rating.VeryDissatisfied, Channel: rating.Voice, At: now}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := x.caughtUp(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	ahead.Store(int64(2 * time.Minute))
	if err := x.orders.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	ask := func(words ...string) string {
		t.Helper()
		out.Reset()
		if err := run(t.Context(), append([]string{"-config", c.path, "orders"}, words...), env); err != nil {
			t.Fatalf("orders %v: %v\n%s", words, err, log.String())
		}
		return out.String()
	}
	text := ask("list")
	for _, want := range []string{"待联系", "非常不满意", "身份证补领", "116299003MB003333Y", "23:59"} {
		if !strings.Contains(text, want) {
			t.Errorf("the list lacks %q:\n%s", want, text)
		}
	}
	ask("rebuild", "-reason", "a test's")
	var listed []listedOrder
	if err := json.Unmarshal([]byte(ask("list", "-json")), &listed); err != nil || len(listed) != 1 || listed[0].Left > 1 || listed[0].State != "waiting" {
		t.Errorf("got %+v, %v", listed, err)
	}
	if text := ask("list", "-unit", "other"); !strings.Contains(text, "nothing is open") {
		t.Errorf("another unit has %s", text)
	}
}

// clueOf enters a complaint of retaliation, which is a clue.
func clueOf(t *testing.T, x *rooms, area string) string {
	t.Helper()
	order, fresh, err := x.orders.Complain(t.Context(), rectify.By{Account: "operator test"}, area, rectify.Complained{Way: rectify.OnPaper, Retaliation: true, Area: area, Words: "被刁难"})
	if err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	return order.Parts[0].Name()
}

// fileOf attaches something to an order.
func fileOf(t *testing.T, x *rooms, name string) string {
	t.Helper()
	id, _, _ := strings.Cut(name, "-")
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	order, err := x.orders.Order(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	f, err := x.orders.Attach(t.Context(), rectify.By{Account: "operator test"}, order.Parts[0], []byte("%PDF-1.4\n%%EOF\n"))
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatInt(f.ID, 10)
}
