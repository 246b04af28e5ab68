package deadline

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

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
