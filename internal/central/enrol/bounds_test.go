package enrol

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"
)

// Serial numbers are not found out by trying: a hall whose list was forgotten asks for ever, and who asks for more different ones must wait
// longer and longer, and stands in the journal once.
func TestSerialNumbersAreNotEnumerated(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	p, from := Pending{Device: "bcdf23456789"}, Origin{Address: "192.0.2.9"}
	try := func(serial string) Word {
		t.Helper()
		from.Pass = Pass{Serial: serial, Password: password}
		word, err := w.room.admit(t.Context(), p, from)
		if err != nil {
			t.Fatal(err)
		}
		return word
	}
	for range 3 {
		for i := range freeProbes {
			if word := try(fmt.Sprint("SN-", i)); word != Unknown {
				t.Fatalf("a box whose list was forgotten: %q", word)
			}
		}
	}
	for i := range freeOfAddress + 1 {
		if word := try(fmt.Sprint("other-", i)); word != Unknown {
			t.Fatalf("after %d others: %q", i, word)
		}
	}
	if word := try("one more"); word != TooSoon {
		t.Errorf("after too many: %q", word)
	}
	if acts := w.acts(); !slices.Contains(acts, "enrol.probe 192.0.2.9") || len(acts) != 1 {
		t.Errorf("the journal has %v", acts)
	}
}

// What lets boxes in by itself ends with the role of whoever made it.
func TestAPassEndsWithTheRoleOfItsMaker(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	may, asked := false, ""
	w.room.cfg.May = func(_ context.Context, account, area, hall string) (bool, error) {
		asked = account + " " + area + " " + hall
		return may, nil
	}
	w.expect([3]string{"SN-1", "SL-H2-B03", password})
	x, ticket := w.ticket("", 3, time.Hour)
	b := newBox(t, "bcdf23456789")
	w.shown(b, ticket, Revoked)
	if asked != "li 629901000000 SL-H2" || w.used(x.ID) != 0 {
		t.Errorf("it was asked whether %s may, and %d uses are counted", asked, w.used(x.ID))
	}
	w.shown(b, Pass{Serial: "SN-1", Password: password}, Revoked)
	may = true
	w.letIn(b, Pass{Serial: "SN-1", Password: password}, "SL-H2-B03")
	w.letIn(newBox(t, "ghjk23456789"), ticket, "SL-H2-B02")
}

// A password and a ticket that have let a box in which did not come for its window within a day let it in again, or another one.
func TestWhatLapsedLetsInAgain(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	w.expect([3]string{"SN-1", "SL-H2-B03", password}, [3]string{"SN-2", "SL-H2-B04", password + "x"})
	one, two := Pass{Serial: "SN-1", Password: password}, Pass{Serial: "SN-2", Password: password + "x"}
	x, ticket := w.ticket("SL-H2-B01", 3, time.Hour)
	accepted := func(b box, pass Pass) {
		t.Helper()
		_, _, code, _ := w.show(b, Pass{})
		p, err := w.room.Find(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		if word, err := w.room.admit(t.Context(), p, Origin{Address: "192.0.2.9", Pass: pass}); err != nil || word != "" {
			t.Fatalf("it is not accepted: %q, %v", word, err)
		}
	}
	all := newBoxes(t, 5)
	accepted(all[0], one)
	accepted(all[1], two)
	accepted(all[2], ticket)
	w.shown(all[3], two, Used)
	w.pass(acceptedLife + time.Minute)
	w.letIn(all[0], one, "SL-H2-B03")
	w.letIn(all[4], two, "SL-H2-B04")
	if n := w.used(x.ID); n != 0 {
		t.Errorf("of a ticket whose box has not come %d uses are counted", n)
	}
	w.shown(all[1], two, Used) // another box has it now
}
