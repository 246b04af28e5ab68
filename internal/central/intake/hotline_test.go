package intake

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/deadline"
)

// TestOneIDTwice: a call may rate several cases, the same again changes nothing, and what has the ID of another one is not called saved.
func TestOneIDTwice(t *testing.T) {
	x := newExchange(t, 1)
	x.kind = true
	o := newOffice(t, x.server.URL)
	o.complete("P1", "13800000001")
	o.complete("P2", "")
	o.complete("P3", "")
	o.set(o.now().AddDate(0, 0, 1).Add(time.Hour))
	o.once()
	now := o.now().Format(time.RFC3339)
	at := func(m map[string]string, field string) map[string]string {
		m[field] = o.now().Add(-3 * time.Minute).Format(time.RFC3339)
		return m
	}
	key := func(id, key, project, letter string) map[string]string {
		m := map[string]string{"id": id, "key": key, "pressed_at": now, "area": "620100", "project_no": project}
		if project == "" {
			m = map[string]string{"id": id, "key": key, "pressed_at": now, "number": "13800000001", "letter": letter}
		}
		return m
	}
	for _, c := range []struct {
		path, name string
		body       map[string]string
		status     int
		says       string
	}{
		{"/voice", "a case", key("c1", "4", "P2", ""), 200, "saved"},
		{"/voice", "another case in the same call", key("c1", "2", "P3", ""), 200, "saved"},
		{"/voice", "handed on again", key("c1", "4", "P2", ""), 200, "saved"},
		{"/voice", "handed on again with another time", at(key("c1", "4", "P2", ""), "pressed_at"), 200, "saved"},
		{"/voice", "another key about the same case", key("c1", "1", "P2", ""), 409, "id_used"},
		{"/voice", "two letters", key("c2", "1", "", "AB"), 422, "invalid"},
		{"/voice", "a letter of no keyboard", key("c2", "1", "", "\x00"), 422, "invalid"},
		{"/voice", "very many letters", key("c2", "1", "", strings.Repeat("A", 100_000)), 422, "invalid"},
		{"/sms", "an unclear message", o.sms("m0", "13800000001", "好的", o.now()), 200, "asked"},
		{"/sms", "a clear one with its ID", o.sms("m0", "13800000001", "5", o.now()), 200, "unclear"},
		{"/sms", "a clear one", o.sms("m1", "13800000001", "5 快", o.now()), 200, "saved"},
		{"/sms", "handed on again", o.sms("m1", "13800000001", "5 快", o.now()), 200, "saved"},
		{"/sms", "handed on again with another time", at(o.sms("m1", "13800000001", "5 快", o.now()), "received_at"), 200, "saved"},
		{"/sms", "an unclear one with its ID", o.sms("m1", "13800000001", "好的", o.now()), 200, "unclear"},
		{"/sms", "another level with its ID", o.sms("m1", "13800000001", "1 快", o.now()), 409, "id_used"},
		{"/sms", "another text with its ID", o.sms("m1", "13800000001", "5 慢", o.now()), 409, "id_used"},
	} {
		if status, said := o.post(c.path, c.body); status != c.status || !strings.Contains(fmt.Sprint(said), c.says) {
			t.Errorf("%s: %d %v, want %d %s", c.name, status, said, c.status, c.says)
		}
	}
	if got := fmt.Sprint(o.levels()); got != "map[P1:[5 非常满意] P2:[2 不满意] P3:[4 满意]]" {
		t.Errorf("levels %s", got)
	}
}

// TestAPulledIDTwice: a line that has the ID of another one stops no line behind it.
func TestAPulledIDTwice(t *testing.T) {
	x := newExchange(t, 1)
	x.kind = true
	o := newOffice(t, x.server.URL)
	o.complete("P1", "13800000001")
	o.complete("P2", "13800000002")
	o.set(o.now().AddDate(0, 0, 1).Add(time.Hour))
	o.once()
	var lines []byte
	for _, m := range []map[string]string{o.sms("1", "13800000001", "5", o.now()), o.sms("1", "13800000001", "好的", o.now()),
		o.sms("1", "13800000001", "2", o.now()), o.sms("2", "13800000002", "4", o.now())} {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(append(lines, b...), '\n')
	}
	path := filepath.Join(t.TempDir(), "replies")
	if err := os.WriteFile(path, lines, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &Pull{Path: path, Hotline: o.hotline, Every: time.Second, Logger: slog.New(slog.DiscardHandler)}
	if err := p.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(o.levels()); got != "map[P1:[5 非常满意] P2:[4 满意]]" {
		t.Errorf("levels %s", got)
	}
}

// TestAReplyOfAnotherArea: what a token hands on answers, and tells of, cases of its area alone, and the others wait as before.
func TestAReplyOfAnotherArea(t *testing.T) {
	x := newExchange(t, 1)
	x.kind = true
	o := newOffice(t, x.server.URL)
	o.completeIn("620200000000", "F1", "13800000001")
	o.completeIn("620200000000", "F2", "13800000002")
	o.complete("P2", "13800000002")
	o.completeIn("620200000000", "F3", "13800000003")
	o.complete("P3", "13800000003")
	o.complete("P4", "13800000003")
	o.set(o.now().AddDate(0, 0, 1).Add(time.Hour))
	o.once()
	letters := make(map[string]string)
	for _, m := range x.take() {
		matter, letter, _ := strings.Cut(m["text"], " ")
		letters[matter] = letter
	}
	press := func(id, number, letter string) map[string]string {
		return map[string]string{"id": id, "key": "1", "number": number, "letter": letter, "pressed_at": o.now().Format(time.RFC3339)}
	}
	for _, c := range []struct {
		path, name string
		body       map[string]string
		status     int
		says       string
	}{
		{"/sms", "of another area alone", o.sms("1", "13800000001", "5", o.now()), 200, "unclear"},
		{"/sms", "of another area, by its letter", o.sms("2", "13800000002", letters["MF2"]+"5", o.now()), 200, "asked"},
		{"/sms", "of both, plain", o.sms("3", "13800000002", "5", o.now()), 200, "saved"},
		{"/voice", "of another area alone", press("4", "13800000001", ""), 409, "waiting:<nil>"},
		{"/voice", "of another area, by its letter", press("5", "13800000003", letters["MF3"]), 409, "MP3"},
		{"/voice", "of several", press("6", "13800000003", ""), 409, "MP4"},
		{"/voice", "by its letter", press("7", "13800000003", letters["MP3"]), 200, "saved"},
	} {
		status, said := o.post(c.path, c.body)
		if text := fmt.Sprint(said); status != c.status || !strings.Contains(text, c.says) || strings.Contains(text, "MF") {
			t.Errorf("%s: %d %v, want %d %s", c.name, status, said, c.status, c.says)
		}
	}
	for _, m := range x.take() {
		if strings.Contains(m["text"], "MF") {
			t.Errorf("asked %v", m)
		}
	}
	if got := fmt.Sprint(o.levels()); got != "map[P2:[5 非常满意] P3:[5 非常满意]]" {
		t.Errorf("levels %s", got)
	}
}

// TestWhatTheyThinkOfTheWork: a reply to what asks for no rating is bound to that alone, by words and never by a digit; the letter tells
// it from what asks for a rating, and no key of a telephone answers it.
func TestWhatTheyThinkOfTheWork(t *testing.T) {
	x := newExchange(t, 1)
	x.kind = true
	o := newOffice(t, x.server.URL)
	o.set(o.now().Add(time.Hour))
	write := func(name, number string) string {
		t.Helper()
		outcome, err := o.deadlines.Write(t.Context(), deadline.Note{Name: name, Number: number, Text: "{letter}", About: name,
			Area: "620100000000"})
		if err != nil || outcome != deadline.Sent {
			t.Fatalf("%s: %s, %v", name, outcome, err)
		}
		return x.take()[0]["text"]
	}
	write("7-1.1", "13800000001")
	o.complete("P2", "13800000002")
	o.set(o.now().AddDate(0, 0, 1).Add(time.Hour))
	o.once()
	_, reminder, _ := strings.Cut(x.take()[0]["text"], " ")
	letter := write("7-1.2", "13800000002")
	if letter == reminder {
		t.Fatalf("two questions of one number have the letter %s", letter)
	}
	key := map[string]string{"id": "c1", "key": "1", "number": "13800000001", "pressed_at": o.now().Format(time.RFC3339)}
	for _, c := range []struct {
		path, name string
		body       map[string]string
		status     int
		says       string
		judged     string
	}{
		{"/sms", "a digit", o.sms("1", "13800000001", "5", o.now()), 200, "asked", ""},
		{"/sms", "a digit and words", o.sms("2", "13800000001", "1 不满意", o.now()), 200, "unclear", ""},
		{"/voice", "a key", key, 409, "waiting:<nil>", ""},
		{"/sms", "in words", o.sms("3", "13800000001", "不满意，还是要排队", o.now()), 200, "saved", "7-1.1 false 还是要排队"},
		{"/sms", "handed on again", o.sms("3", "13800000001", "不满意，还是要排队", o.now()), 200, "saved", "7-1.1 false 还是要排队"},
		{"/sms", "where a rating waits too", o.sms("4", "13800000002", "满意", o.now()), 200, "asked", ""},
		{"/sms", "by its letter", o.sms("5", "13800000002", letter+"满意", o.now()), 200, "saved", "7-1.2 true "},
		{"/sms", "the rating, by words", o.sms("6", "13800000002", "非常满意", o.now()), 200, "saved", ""},
	} {
		o.judged = nil
		status, said := o.post(c.path, c.body)
		if status != c.status || !strings.Contains(fmt.Sprint(said), c.says) || strings.Join(o.judged, ";") != c.judged {
			t.Errorf("%s: %d %v, judged %q; want %d %s, %q", c.name, status, said, o.judged, c.status, c.says, c.judged)
		}
	}
	for _, m := range x.take() {
		if strings.Contains(m["text"], "数字：") && m["to"] == "13800000001" {
			t.Errorf("the number is asked for a level: %s", m["text"])
		}
	}
	if got := fmt.Sprint(o.levels()); got != "map[P2:[5 非常满意]]" {
		t.Errorf("levels %s", got)
	}
	write("8-1.3", "13800000003")
	o.over = true
	if _, said := o.post("/sms", o.sms("7", "13800000003", "满意", o.now())); !strings.Contains(fmt.Sprint(said), "late") {
		t.Errorf("what was answered otherwise: %v", said)
	}
	write("8-1.4", "13800000004")
	if err := o.deadlines.Over(t.Context(), "8-1.4"); err != nil {
		t.Fatal(err)
	}
	o.complete("P4", "13800000004")
	o.set(o.now().AddDate(0, 0, 1).Add(time.Hour))
	o.once()
	if _, said := o.post("/sms", o.sms("8", "13800000004", "满意", o.now())); !strings.Contains(fmt.Sprint(said), "saved") ||
		!strings.Contains(fmt.Sprint(o.levels()), "P4:[4 满意]") {
		t.Errorf("a question that is over is in the way of a rating: %v, %v", said, o.levels())
	}
}
