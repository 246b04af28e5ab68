package deadline

import (
	"errors"
	"strings"
	"testing"
	"time"

	"haochaping/internal/rating"
)

// TestANote goes by day, once, to who wants messages; what the gateway does not take waits for no reply.
func TestANote(t *testing.T) {
	b := newBureau(t)
	d := b.open(t)
	note := Note{Name: "7-1.1", Number: "13800000001", Text: "{letter}满意", About: "7-1.1", Area: area}
	at := func(hour, minute int) {
		y, m, day := b.now.In(rating.Shanghai()).Date()
		b.now = time.Date(y, m, day, hour, minute, 0, 0, rating.Shanghai())
	}
	for _, x := range []struct{ hour, minute int }{{0, 0}, {8, 29}, {20, 0}, {23, 59}} {
		at(x.hour, x.minute)
		if _, err := d.Write(t.Context(), note); !errors.Is(err, ErrNight) || d.Awake() {
			t.Errorf("at %d:%d: %v", x.hour, x.minute, err)
		}
	}
	at(8, 30)
	if got, err := d.Write(t.Context(), note); err != nil || got != Sent || b.phones.sent[0].Text != "A满意" {
		t.Errorf("%s, %v, %v", got, err, b.phones.sent)
	}
	reply := Reply{Source: "s", Name: "1", Number: note.Number, At: b.now.UnixMilli() + 1, Unclear: true, Judges: true}
	if got, err := d.Bind(t.Context(), reply); err != nil || got.Request.About != note.About || got.Request.Case.Area != area {
		t.Errorf("a reply is bound to %+v, %v", got, err)
	}
	at(19, 59)
	b.phones.err = errors.New("away")
	note.Number, note.Name = "13800000002", "7-1.2"
	if got, err := d.Write(t.Context(), note); err != nil || got != Refused || strings.Contains(b.log.String(), note.Number) {
		t.Errorf("%s, %v, %s", got, err, &b.log)
	}
	reply = Reply{Source: "s", Name: "2", Number: note.Number, At: b.now.UnixMilli() + 1, Judges: true}
	if got, err := d.Bind(t.Context(), reply); err != nil || got.Request.ID != "" || len(got.Waiting) > 0 {
		t.Errorf("a reply to what was not sent is bound to %+v, %v", got, err)
	}
	b.phones.err = nil
	if err := d.Stop(t.Context(), "test", "1", note.Number); err != nil {
		t.Fatal(err)
	}
	sent := len(b.phones.sent)
	if got, err := d.Write(t.Context(), note); err != nil || got != Stopped || len(b.phones.sent) != sent {
		t.Errorf("to who has stopped: %s, %v", got, err)
	}
	d.cfg.Gateway = nil
	if d.Awake() {
		t.Error("without a gateway notes are sent")
	}
}
