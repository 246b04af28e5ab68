package enrol

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/provision"
)

func TestATicketCountsUp(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	w.expect([3]string{"SN-1", "SL-H2-B03", password})
	x, p := w.ticket("SL-H2-B01", 5, time.Hour)
	all := newBoxes(t, 4)
	w.letIn(all[0], p, "SL-H2-B02") // B01 has a box
	w.letIn(all[1], p, "SL-H2-B04") // at B03 one is expected
	w.shown(all[2], p, Full)
	if n := w.used(x.ID); n != 2 {
		t.Errorf("%d uses are counted, want 2", n)
	}
	w.letIn(all[3], Pass{Serial: "SN-1", Password: password}, "SL-H2-B03")
	if got, want := w.acts()[0], "enrol.accept "+string(all[0].device); got != want {
		t.Errorf("the journal has %q, want %q", got, want)
	}
}

// TestATicketIsUsedAsOftenAsItSays lets more boxes than it has uses come in one moment.
func TestATicketIsUsedAsOftenAsItSays(t *testing.T) { aTicketInOneMoment(t, inTheCity(t, sqlite(t))) }

func aTicketInOneMoment(t *testing.T, w *world) {
	x, p := w.ticket("", 2, time.Hour)
	all := newBoxes(t, 6)
	if in := w.atOnce(all, p); in != 2 || w.used(x.ID) != 2 {
		t.Errorf("%d boxes were let in, %d uses counted, want 2", in, w.used(x.ID))
	}
	there, err := w.fleet.At(t.Context(), []string{"SL-H2-B01", "SL-H2-B02", "SL-H2-B03", "SL-H2-B04"})
	if err != nil || len(there) != 3 || there[1].Window.ID == there[2].Window.ID {
		t.Errorf("at the windows stand %+v, %v", there, err)
	}
	for _, b := range all {
		if _, err := w.fleet.Device(t.Context(), b.device); err != nil {
			w.shown(b, p, Used)
		}
	}
	if n := w.used(x.ID); n != 2 {
		t.Errorf("%d uses are counted after the refused came again", n)
	}
}

// TestATicketThatLetsNobodyIn is taken back, ended, changed, signed by another key, of another kind, or was used by this box before.
func TestATicketThatLetsNobodyIn(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	b := newBox(t, "bcdf23456789")
	x, p := w.ticket("", 3, time.Hour)
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := string(p.Ticket)
	shared, err := provision.Sign([]byte(text[:strings.Index(text, "# signed")]), w.key)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"of another hall":        []byte(strings.Replace(text, "hall SL-H2", "hall SL-H1", 1)),
		"with more uses":         []byte(strings.Replace(text, "uses 3", "uses 90", 1)),
		"of another centre":      provision.Ticket{ID: x.ID, Hall: x.Hall, Until: x.Ends, Uses: 3}.File("", other),
		"signed for all boxes":   shared,
		"half of one":            p.Ticket[:len(p.Ticket)/2],
		"no ticket at all":       []byte("ticket"),
		"with a longer life":     []byte(strings.Replace(text, "until 2026", "until 2036", 1)),
		"larger than one may be": []byte(strings.Repeat("#\n", provision.MaxTicket/2) + text),
	} {
		want := Wrong
		if len(file) > provision.MaxTicket {
			want = ""
		}
		if status, word, _, _ := w.show(b, Pass{Ticket: file}); status != http.StatusAccepted || word != want {
			t.Errorf("%s: %d %q", name, status, word)
		}
	}
	w.shown(b, Pass{Ticket: provision.Ticket{ID: "nobody", Hall: "SL-H2", Until: x.Ends, Uses: 3}.File("", w.key)}, Unknown)
	if n := w.used(x.ID); n != 0 {
		t.Errorf("%d uses are counted of what let nobody in", n)
	}
	w.letIn(b, p, "SL-H2-B02")
	err = w.room.db.Write(t.Context(), func(tx *db.Tx) error {
		if _, err := Revoke(t.Context(), tx, b.device, w.now()); err != nil {
			return err
		}
		return RevokeTicket(t.Context(), tx, x.ID, w.now())
	})
	if err != nil {
		t.Fatal(err)
	}
	w.shown(b, p, "") // it was let in once
	w.shown(newBox(t, "ghjk23456789"), p, Revoked)
	_, p = w.ticket("", 3, time.Hour)
	w.pass(time.Hour + time.Second)
	w.shown(newBox(t, "ghjk23456789"), p, Ended)
	for _, bad := range []struct {
		uses int
		life time.Duration
	}{{0, time.Hour}, {provision.MaxTicketUses + 1, time.Hour}, {1, 0}, {1, provision.MaxTicketLife + time.Second}} {
		if _, err := w.room.NewTicket("SL-H2", "", bad.uses, bad.life, "li"); err == nil {
			t.Errorf("a ticket for %d boxes and %s is made", bad.uses, bad.life)
		}
	}
}
