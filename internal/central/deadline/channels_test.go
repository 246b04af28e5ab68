package deadline

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// TestASilentChannel holds: 保障本单位…渠道畅通 (article 7). A channel by which a unit was rated once is a finding when it has been silent for too
// many working days, whoever looks and after any restart, and none when it is heard of again.
func TestASilentChannel(t *testing.T) {
	b := newBureau(t)
	open := func() *Deadlines {
		d := b.open(t)
		d.cfg.SilentDays, d.cfg.Unit = 3, func(_ context.Context, h books.Heard) (string, error) { return h.Unit, nil }
		return d
	}
	now := time.Now()
	n := 0
	rate := func(unit string, c rating.Channel, at time.Time) {
		t.Helper()
		n++
		f := rating.CaseFact{Area: area, ProjectNo: fmt.Sprint(n), Unit: unit, AsOf: now.UnixMilli(), CompletedAt: at.UnixMilli()}
		if _, err := b.journal.Tell(t.Context(), "test", fmt.Sprint(n), []journal.Fact{{Fact: f}}); err != nil {
			t.Fatal(err)
		}
		a := journal.Answer{Case: f.Key(), Level: 1, Channel: c, At: at.UnixMilli()}
		if _, err := b.journal.Answer(t.Context(), "test", rand.Text(), []journal.Answer{a}, nil); err != nil {
			t.Fatal(err)
		}
		b.follow(t)
	}
	silent := func(at time.Time) (all string) {
		t.Helper()
		b.now = at
		if err := open().Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		found, err := open().Silences(t.Context()) // as another instance, or after a restart
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range found {
			all += fmt.Sprintf("%s %s;", s.Unit, s.Channel)
			if end, late := calendar(t).Silent(s.Last, at, 3); !late || !s.Since.Equal(end) {
				t.Errorf("%+v is no finding at %s", s, at)
			}
		}
		return all
	}
	before, cal := now.Add(-24*time.Hour), calendar(t)
	for cal.After(before, 3).At.Equal(cal.After(now, 3).At) { // at a weekend, or in a holiday, no working day lies between
		before = before.Add(-24 * time.Hour)
	}
	rate("police", rating.Portal, before)
	rate("police", rating.SMS, before)
	rate("tax", rating.Portal, before)
	rate("", rating.Voice, before) // nobody knows whose
	end, _ := calendar(t).Silent(before, now, 3)
	if got := silent(end.Add(-time.Second)); got != "" {
		t.Errorf("a second before: %s", got)
	}
	if got := silent(end); got != "police portal;police sms;tax portal;" {
		t.Errorf("three working days later: %s", got)
	}
	rate("police", rating.SMS, now)
	rate("tax", rating.Portal, before.Add(-time.Hour)) // was longer on its way, and is no sign that it works now
	if got := silent(end); got != "police portal;tax portal;" {
		t.Errorf("after one was heard of: %s", got)
	}
	if got := silent(before.Add(unused)); got != "police sms;" {
		t.Errorf("a year later: %s", got)
	}
	if got := silent(now.Add(unused)); got != "" {
		t.Errorf("a year after the last: %s", got)
	}
	if all, err := b.open(t).Silences(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("where silent_days is 0: %v, %v", all, err)
	}
}
