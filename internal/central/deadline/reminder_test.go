package deadline

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// TestAGatewayThatIsAway costs few reminders: the others are sent when it is back, and what was lost is said.
func TestAGatewayThatIsAway(t *testing.T) {
	b := newBureau(t)
	var done time.Time
	for i := range 12 {
		done = b.complete(t, fmt.Sprint(i), "13800000001")
	}
	d := b.open(t)
	look := func(minute int, err error) int {
		t.Helper()
		b.now, b.phones.err, b.phones.sent = at(done, 2, 10, minute), err, nil
		if err := d.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.follow(t)
		return len(b.phones.sent)
	}
	for minute, want := range []int{away, 1, 1} {
		if got := look(minute, errors.New("away")); got != want {
			t.Errorf("look %d asked for %d, want %d", minute, got, want)
		}
	}
	if log := b.log.String(); strings.Count(log, "they are not sent again") != 3 || !strings.Contains(log, `"how many"=3`) {
		t.Errorf("the log says %s", log)
	}
	if got := look(10, nil); got != 7 {
		t.Errorf("when it was back %d were sent, want 7", got)
	}
}

// TestStopped has numbers stopped in one writing and asked for in another, and two under one name.
func TestStopped(t *testing.T) {
	d := newBureau(t).open(t)
	forms := []string{"13800000003", "+86138-0000-0003", "8613800000003", "008613800000003", "+86-138-00000003", "0086-13800000003"}
	for _, stop := range forms {
		for _, contact := range forms {
			if plain(stop) != plain(contact) {
				t.Errorf("%s and %s are two numbers", stop, contact)
			}
		}
	}
	for _, other := range []string{"0931-8600000", "8613800", "+85213800000003", "13800000004", "8693118600000"} {
		if plain(other) == plain(forms[0]) || plain(other) == "" {
			t.Errorf("%s is %s", other, plain(other))
		}
	}
	if plain("8693118600000") != "8693118600000" {
		t.Error("a number that is no mobile one was shortened")
	}
	for range 2 {
		for _, number := range []string{"0086138-00000003", "13800000004"} {
			if err := d.Stop(t.Context(), "test", "1", number); err != nil {
				t.Fatal(err)
			}
		}
	}
	for number, want := range map[string]bool{"13800000003": true, "+8613800000003": true, "8613800000004": true, "13800000005": false} {
		if got, err := d.Stopped(t.Context(), number); err != nil || got != want {
			t.Errorf("%s stopped: %t, %v", number, got, err)
		}
	}
	if head, err := d.cfg.Journal.Head(t.Context()); err != nil || head != 2 {
		t.Errorf("two numbers were stopped twice, and %d rows were entered, %v", head, err)
	}
}

// TestAReminderLeadsToTheCase: the message has the matter's name and a link for this case, and without one nothing is noted as sent.
func TestAReminderLeadsToTheCase(t *testing.T) {
	b := newBureau(t)
	done := b.complete(t, "1", "13800000001")
	d := b.open(t)
	d.cfg.Text, d.cfg.Link = "{matter}: {link}", func(rating.CaseKey) (string, error) { return "", errors.New("no key") }
	b.now = at(done, 2, 10, 0)
	if err := d.Once(t.Context()); err == nil || len(b.phones.sent) > 0 {
		t.Errorf("without a link: %v, %v", err, b.phones.sent)
	}
	d.cfg.Link = func(k rating.CaseKey) (string, error) { return "https://rate.example.com/C/" + k.Project, nil }
	if err := d.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.phones.sent) != 1 || b.phones.sent[0].Text != "身份证补领: https://rate.example.com/C/1" {
		t.Errorf("sent %+v", b.phones.sent)
	}
}

// TestAContactThatIsToldLate: a case is reminded of when it is known how the applicant is reached, also after the 24 hours, once.
func TestAContactThatIsToldLate(t *testing.T) {
	b := newBureau(t)
	done := b.complete(t, "1", "")
	b.complete(t, "erased", "13800000002")
	e, err := b.journal.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.journal.Erase(t.Context(), e, 0, "somebody", "asked for"); err != nil {
		t.Fatal(err)
	}
	b.once(t, at(done, 2, 10, 0))
	b.once(t, at(done, 2, 10, 1))
	if len(b.phones.sent) != 0 {
		t.Fatalf("sent %+v", b.phones.sent)
	}
	head, err := b.journal.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, project := range []string{"1", "erased"} {
		f := rating.CaseFact{Area: area, ProjectNo: project, AsOf: time.Now().UnixMilli()}
		if _, err := b.journal.Tell(t.Context(), "test", "contact "+project, []journal.Fact{{Fact: f, Contact: "13800000001"}}); err != nil {
			t.Fatal(err)
		}
	}
	for minute := range 3 {
		b.once(t, at(done, 2, 11, minute))
	}
	if len(b.phones.sent) != 2 {
		t.Errorf("sent %+v", b.phones.sent)
	}
	if now, err := b.journal.Head(t.Context()); err != nil || now != head+4 {
		t.Errorf("%d rows were entered, want two contacts and two reminders, %v", now-head, err)
	}
}
