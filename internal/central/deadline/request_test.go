package deadline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// TestBind: a reply is bound to the request that was sent, and if several wait, to the one that it names (article 13).
func TestBind(t *testing.T) {
	const hour = 3_600_000
	a := Request{ID: "a", Letter: "A", Sent: 10 * hour}
	b := Request{ID: "b", Letter: "B", Sent: 20 * hour}
	done := func(q Request) Request { q.Answered = q.Sent + 1; return q }
	again := Request{ID: "a2", Letter: "A", Sent: 30 * hour}
	for name, c := range map[string]struct {
		all  []Request
		r    Reply
		want int
	}{
		"nothing was sent":                         {nil, Reply{At: 21 * hour}, -1},
		"one waits":                                {[]Request{a}, Reply{At: 21 * hour}, 0},
		"one waits, and it is named":               {[]Request{a}, Reply{At: 21 * hour, Letter: "A"}, 0},
		"one waits, and another is named":          {[]Request{a}, Reply{At: 21 * hour, Letter: "B"}, -1},
		"two wait":                                 {[]Request{a, b}, Reply{At: 21 * hour}, -1},
		"two wait, and one is named":               {[]Request{a, b}, Reply{At: 21 * hour, Letter: "B"}, 1},
		"two wait, and the gateway knows":          {[]Request{a, b}, Reply{At: 21 * hour, To: "a"}, 0},
		"the gateway knows of none of ours":        {[]Request{a}, Reply{At: 21 * hour, To: "x"}, -1},
		"it was given before the second was sent":  {[]Request{a, b}, Reply{At: 19 * hour}, 0},
		"it was given before anything was sent":    {[]Request{a, b}, Reply{At: 9 * hour}, -1},
		"one of two was answered":                  {[]Request{done(a), b}, Reply{At: 21 * hour}, 1},
		"the only one was answered":                {[]Request{done(a)}, Reply{At: 21 * hour}, 0},
		"both were answered":                       {[]Request{done(a), done(b)}, Reply{At: 21 * hour}, -1},
		"a letter that is used again":              {[]Request{done(a), b, again}, Reply{At: 31 * hour, Letter: "A"}, 2},
		"that letter, before it was used again":    {[]Request{done(a), b, again}, Reply{At: 29 * hour, Letter: "A"}, 0},
		"the gateway's clock is five minutes slow": {[]Request{a}, Reply{At: 10*hour - 5*60_000}, 0},
	} {
		if got := bind(c.all, c.r); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestRequestsOfReminders: reminders to one number have letters of their own, a reply that comes again is bound as before, and what is old
// is forgotten.
func TestRequestsOfReminders(t *testing.T) {
	b := newBureau(t)
	var done time.Time
	for i := range 3 {
		done = b.complete(t, fmt.Sprint(i), map[int]string{0: "13800000001", 1: "+8613800000001", 2: "13800000002"}[i])
	}
	d := b.open(t)
	d.cfg.Text = "{matter} {letter}"
	b.now = at(done, 2, 10, 0)
	if err := d.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	letters := make(map[string]string)
	for _, m := range b.phones.sent {
		letters[plain(m.Number)] += m.Text[strings.LastIndex(m.Text, " ")+1:]
	}
	if letters["13800000001"] != "AB" && letters["13800000001"] != "BA" || letters["13800000002"] != "A" {
		t.Fatalf("letters %v", letters)
	}
	reply := Reply{Source: "s", Name: "1", Number: "13800000001", At: b.now.UnixMilli() + 1, Letter: "B"}
	first, err := d.Bind(t.Context(), reply)
	if err != nil || first.Request.Letter != "B" {
		t.Fatalf("%+v, %v", first, err)
	}
	unclear, err := d.Bind(t.Context(), Reply{Source: "s", Name: "2", Number: "13800000002", At: reply.At, Unclear: true})
	if err != nil || unclear.Request.ID != "" || len(unclear.Waiting) != 1 || !unclear.Ask {
		t.Errorf("an unclear one: %+v, %v", unclear, err)
	}
	for name, r := range map[string]Reply{"again": reply, "unclear again": {Source: "s", Name: "2", Number: "13800000002", At: reply.At}} {
		got, err := d.Bind(t.Context(), r)
		if err != nil || got.Ask || name == "again" && got.Request.Case != first.Request.Case || name != "again" && got.Request.ID != "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if other, err := d.Bind(t.Context(), Reply{Source: "s", Name: "3", Number: "13800000002", At: reply.At, Unclear: true}); err != nil ||
		other.Ask {
		t.Errorf("a number is asked twice: %+v, %v", other, err)
	}
	b.now = b.now.Add(requestLife + time.Minute)
	if err := d.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Bind(t.Context(), Reply{Source: "s", Name: "4", Number: "13800000002", At: b.now.UnixMilli()}); err != nil ||
		got.Request.ID != "" {
		t.Errorf("of an old request: %+v, %v", got, err)
	}
}

// TestAQuestion goes to nobody who has stopped, and a gateway that is away is no reason to ask again.
func TestAQuestion(t *testing.T) {
	b := newBureau(t)
	d := b.open(t)
	b.now = at(b.now, 0, 10, 0)
	r := Reply{Source: "s", Name: "1", Number: "13800000001"}
	b.phones.err = errors.New("away")
	if err := d.Question(t.Context(), r, "?"); err != nil || len(b.phones.sent) != 1 || strings.Contains(b.log.String(), "13800000001") {
		t.Errorf("%v, %v, %s", err, b.phones.sent, &b.log)
	}
	if err := d.Stop(t.Context(), "test", "1", r.Number); err != nil {
		t.Fatal(err)
	}
	if err := d.Question(t.Context(), r, "?"); err != nil || len(b.phones.sent) != 1 {
		t.Errorf("after stop: %v, %v", err, b.phones.sent)
	}
	if requestID(rating.CaseKey{Area: area, Project: "1"}) == requestID(rating.CaseKey{Area: area, Project: "2"}) {
		t.Error("two cases have one id")
	}
}

// TestAQuestionOfTheNight is asked in the morning, once, if an answer is still waited for; nobody reads the number meanwhile.
func TestAQuestionOfTheNight(t *testing.T) {
	b := newBureau(t)
	d := b.open(t)
	b.now = at(b.now, 1, 19, 0)
	numbers := []string{"13800000001", "13800000002", "13800000003"}
	for _, number := range numbers {
		note := Note{Name: "about " + number, Number: number, Text: "{letter}满意", About: "about " + number, Area: area}
		if got, err := d.Write(t.Context(), note); err != nil || got != Sent {
			t.Fatal(got, err)
		}
	}
	b.phones.sent = nil
	b.now = at(b.now, 0, 22, 0)
	for _, number := range numbers {
		for range 2 { // the gateway hands it on again
			if err := d.Question(t.Context(), Reply{Source: "s", Name: number, Number: number}, "什么意思？"); err != nil {
				t.Fatal(err)
			}
		}
	}
	kept, err := db.Query(t.Context(), d.db, func(s db.Scanner) (b []byte, err error) { return b, s.Scan(&b) },
		"SELECT number FROM message_question")
	if err != nil || len(kept) != len(numbers) ||
		slices.ContainsFunc(kept, func(b []byte) bool { return bytes.Contains(b, []byte("1380000")) }) {
		t.Errorf("kept is %q, %v", kept, err)
	}
	if err := d.Over(t.Context(), "about "+numbers[1]); err != nil {
		t.Fatal(err)
	}
	if err := d.Stop(t.Context(), "test", "1", numbers[2]); err != nil {
		t.Fatal(err)
	}
	for _, hour := range []int{22, 31, 33, 34} { // 07:00, 09:00 and 10:00 of the next day
		b.now = at(b.now, 0, hour%24, 0)
		if hour == 31 {
			b.now = at(b.now, 1, 7, 0)
		}
		if err := d.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(b.phones.sent); n != 0 && hour < 33 || hour >= 33 && n != 1 {
			t.Errorf("at %d:00 were sent %v", hour%24, b.phones.sent)
		}
	}
	if len(b.phones.sent) == 1 && (b.phones.sent[0].Number != numbers[0] || b.phones.sent[0].Text != "什么意思？") {
		t.Errorf("sent was %v", b.phones.sent)
	}
}

// TestWhatBecameOfAMessage: a gateway that breaks off says nothing of a message; where it can be asked it says, and nothing is guessed.
func TestWhatBecameOfAMessage(t *testing.T) {
	for name, c := range map[string]struct {
		sends http.HandlerFunc // nil: nobody listens
		says  string
		want  Outcome
	}{
		"it breaks off, and has it":       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "DELIVERED", Sent},
		"it breaks off, and has it not":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "NONE", Refused},
		"it breaks off, and says nothing": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "?", Unclear},
		"a server behind it fails":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, "?", Unclear},
		"it refuses":                      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(422) }, "DELIVERED", Refused},
		"it is not there":                 {nil, "", Refused},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBureau(t)
			b.now = at(b.now, 1, 10, 0)
			d := b.open(t)
			asked := ""
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					c.sends(w, r)
					return
				}
				asked = r.URL.Query().Get("id")
				_, _ = w.Write([]byte(c.says))
			}))
			defer server.Close()
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			g, err := NewHTTP(server.URL, nil, "{{.ID}}", "")
			if err == nil {
				err = g.Asks(server.URL+"/?id={id}", "DELIVERED", "NONE")
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.sends == nil {
				server.Close()
			}
			d.cfg.Gateway = g
			note := Note{Name: "7-1.1", Number: "13800000001", Text: "{letter}", About: "7-1.1", Area: area}
			if got, err := d.Write(t.Context(), note); err != nil || got != c.want {
				t.Errorf("%s, %v", got, err)
			}
			if asked != "" && asked != noteID(note.Name) {
				t.Errorf("asked was about %s", asked)
			}
		})
	}
	const status = "https://example.com/{id}"
	for _, bad := range [][3]string{{"https://example.com", "a", "b"}, {status, "", ""}, {status, "(", ""}} {
		if err := new(HTTP).Asks(bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	file := &File{Path: filepath.Join(t.TempDir(), "sms.jsonl")}
	if _, known, err := file.Took(t.Context(), "a"); known || err != nil {
		t.Errorf("a file that is not there: %t, %v", known, err)
	}
	if err := file.Send(t.Context(), Message{"a", "1", "x"}); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"a": true, "b": false} {
		if taken, known, err := file.Took(t.Context(), id); taken != want || known != want || err != nil {
			t.Errorf("%s: %t, %t, %v", id, taken, known, err)
		}
	}
}

// What a full disk or a cut of the power has left of a line does not take the next message with it.
func TestAMessageAfterHalfALineIsWhole(t *testing.T) {
	file := &File{Path: filepath.Join(t.TempDir(), "sms.jsonl")}
	if err := os.WriteFile(file.Path, []byte(`{"id":"1","numb`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"2", "3"} {
		if err := file.Send(t.Context(), Message{id, "13800000001", "请评价"}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file.Path)
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for line := range strings.Lines(string(b)) {
		var m struct{ ID string }
		if json.Unmarshal([]byte(line), &m) == nil {
			read = append(read, m.ID)
		}
	}
	if diff := cmp.Diff([]string{"2", "3"}, read); diff != "" {
		t.Errorf("who takes the messages reads others:\n%s", diff)
	}
	for _, id := range []string{"2", "3"} {
		if taken, known, err := file.Took(t.Context(), id); err != nil || !known || !taken {
			t.Errorf("message %s: %t, %t, %v", id, taken, known, err)
		}
	}
}
