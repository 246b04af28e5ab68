package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
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
	if _, err := x.journal.Tell(t.Context(), "business", "1",
		[]journal.Fact{{Fact: rating.CaseFact{Area: key.Area, ProjectNo: key.Project, TaskCode: "T1",
			TaskName: "身份证补领", Unit: "116299003MB003333Y", AsOf: now, CompletedAt: now - 60_000}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.journal.Answer(t.Context(), "hotline", "1",
		[]journal.Answer{{Case: key, Level: rating.VeryDissatisfied, Channel: rating.Voice, At: now}}, nil); err != nil {
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
	if err := json.Unmarshal([]byte(ask("list", "-json")), &listed); err != nil || len(listed) != 1 || listed[0].Left > 1 ||
		listed[0].State != "waiting" {
		t.Errorf("got %+v, %v", listed, err)
	}
	if text := ask("list", "-unit", "other"); !strings.Contains(text, "nothing is open") {
		t.Errorf("another unit has %s", text)
	}
}

// TestACitizenIsAskedByMessage configures a gateway, has the office ask, and follows the link of the message to the citizen's own
// judgement.
func TestACitizenIsAskedByMessage(t *testing.T) {
	dir := t.TempDir()
	path, sent := writeConfig(t, dir), filepath.Join(dir, "sent")
	more := fmt.Sprintf("[deadline]\nsms.file = %q\n[orders]\nfollow_up_text = \"{letter} {link}\"\n", sent)
	text, err := os.ReadFile(path)
	if err == nil {
		text = bytes.Replace(text, []byte("[rate]\n"), []byte("[rate]\nbase = \"https://rate.example.com\"\n"), 1)
		err = os.WriteFile(path, append(text, more...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	day := time.Now().In(rating.Shanghai()).AddDate(0, 0, 1)
	ahead := time.Until(time.Date(day.Year(), day.Month(), day.Day(), 10, 0, 0, 0, rating.Shanghai()))
	now := func() time.Time { return time.Now().Add(ahead) }
	c := command{env: environment{io.Discard, io.Discard, now, rand.Reader, manager}, path: path}
	x, err := c.openConfigured(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	texts, err := c.orderTexts(x, slog.New(slog.DiscardHandler))
	if err == nil {
		err = texts.Once(t.Context())
	}
	if err != nil || !x.orders.Writes() {
		t.Fatalf("a centre with a gateway writes: %t, %v", x.orders.Writes(), err)
	}
	by := rectify.By{Account: "operator test"}
	order, _, err := x.orders.Complain(t.Context(), by, "one", rectify.Complained{Way: rectify.ByHotline, Area: "620100000000", Words: "排队两小时",
		Contact: "13900000031"})
	if err != nil {
		t.Fatal(err)
	}
	k := order.Parts[0]
	for _, do := range []rectify.Deed{rectify.Contact, rectify.Plan, rectify.Reply, rectify.Pass, rectify.Ask} {
		if k, err = x.orders.Do(t.Context(), by, k, rectify.Event{Do: do, Method: rectify.ByPhone, Result: rectify.Talked}, "增开窗口"); err != nil {
			t.Fatalf("%s: %v", do, err)
		}
	}
	if err := texts.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	var m struct{ Number, Text string }
	line, err := os.ReadFile(sent)
	if err == nil {
		err = json.Unmarshal(line, &m)
	}
	token, ok := strings.CutPrefix(m.Text, "A https://rate.example.com/F/")
	if err != nil || !ok || m.Number != "13900000031" {
		t.Fatalf("sent was %s, %v", line, err)
	}
	links, err := c.links(x)
	if err != nil {
		t.Fatal(err)
	}
	claim, err := links.Keeper.ReadTold(token)
	if err != nil || claim.Expired(now()) {
		t.Fatalf("the link is %+v, %v", claim, err)
	}
	page := told{x.orders}
	if v, found, err := page.Told(t.Context(), claim.About); err != nil || !found || !v.Asks || v.Words != "增开窗口" {
		t.Errorf("the page shows %+v, %t, %v", v, found, err)
	}
	if _, found, err := page.Told(t.Context(), "999-1.1"); err != nil || found {
		t.Errorf("of nothing the page shows something: %v", err)
	}
	if taken, err := page.Judge(t.Context(), claim.About, true, ""); err != nil || !taken {
		t.Fatalf("judged: %t, %v", taken, err)
	}
	if order, err = x.orders.Order(t.Context(), order.ID); err != nil || order.Parts[0].Body.State != rectify.Closed {
		t.Errorf("it ends as %+v, %v", order.Parts, err)
	}
}

// clueOf enters a complaint of retaliation, which is a clue.
func clueOf(t *testing.T, x *rooms, area string) string {
	t.Helper()
	order, fresh, err := x.orders.Complain(t.Context(), rectify.By{Account: "operator test"}, area,
		rectify.Complained{Way: rectify.OnPaper, Retaliation: true, Area: area, Words: "被刁难"})
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
