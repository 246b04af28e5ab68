package fleet_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web/webtest"
)

// TestWhatIsDoneToABoxIsRecordedThoughTheBrowserIsGone: who sends a form and breaks the connection off has what it does entered all the
// same, or has done nothing.
func TestWhatIsDoneToABoxIsRecordedThoughTheBrowserIsGone(t *testing.T) {
	acts := map[string]string{"move": "fleet.move", "remove": "fleet.replace"}
	for what, form := range map[string]url.Values{"move": {"window": {"SL-H2-B04"}}, "remove": {}} {
		w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
		w.lets(t)
		hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
		done := func() bool {
			d, err := w.fleet.Device(t.Context(), "jia-b01")
			if err != nil {
				t.Fatal(err)
			}
			return d.Window.ID != "SL-H2-B01" || d.Retired != nil
		}
		for end := time.Now().Add(time.Minute); !done() && time.Now().Before(end); {
			w.breakOff(t, func(ctx context.Context) {
				webtest.Do(w.site, webtest.Request("POST", "/fleet/boxes/jia-b01/"+what, hall, form).WithContext(ctx))
			})
		}
		if !done() {
			t.Fatalf("%s: nothing was done", what)
		}
		if got := w.actsOf(t, "jia-b01"); len(got) != 1 || got[0].Do != acts[what] {
			t.Errorf("%s: the journal has the acts %+v", what, got)
		}
	}
}

// TestAReplacementIsRecordedThoughTheNewBoxIsGone: a box that takes another one's place and breaks the connection off leaves the act of it.
func TestAReplacementIsRecordedThoughTheNewBoxIsGone(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room := w.lets(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	p, q := asks(t, room, "bcdf23456789")
	webtest.Want(t, w.post("/fleet/halls/SL-H2/enrol", hall, url.Values{"code": {p.Code}, "window": {"SL-H2-B01 jia-b01"}}), 303)
	retired := func() bool {
		d, err := w.fleet.Device(t.Context(), "jia-b01")
		if err != nil {
			t.Fatal(err)
		}
		return d.Retired != nil
	}
	for end := time.Now().Add(time.Minute); !retired() && time.Now().Before(end); {
		w.breakOff(t, func(ctx context.Context) { _, _, _ = room.Ask(ctx, q, enrol.Origin{Address: "192.0.2.7"}) })
	}
	if acts := w.actsOf(t, "jia-b01"); !retired() || len(acts) != 1 || acts[0].Do != "fleet.replace" {
		t.Errorf("it is replaced: %t, and the journal has the acts %+v", retired(), acts)
	}
}

// breakOff does something whose context ends while the journal is being written. It returns when nothing more comes of it.
func (w *world) breakOff(t *testing.T, do func(context.Context)) {
	t.Helper()
	ctx, gone := context.WithCancel(t.Context())
	answered := make(chan struct{})
	err := w.Journal.DB().Write(t.Context(), func(*db.Tx) error { // nobody else writes meanwhile
		go func() {
			defer close(answered)
			do(ctx)
		}()
		time.Sleep(50 * time.Millisecond) // in which it comes to the journal, or not
		gone()
		return nil
	})
	<-answered
	if err == nil {
		_, err = w.Journal.Do(t.Context(), "nobody", "", journal.Act{Do: "test"}, nil) // after whatever waits
	}
	if err != nil {
		t.Fatal(err)
	}
}

// actsOf returns what the journal says that somebody did to something.
func (w *world) actsOf(t *testing.T, object string) (all []journal.Act) {
	t.Helper()
	entries, err := w.Journal.Read(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if a, err := e.Act(); e.Kind == journal.Acted && err == nil && a.Object == object {
			all = append(all, a)
		}
	}
	return all
}
