package fleet_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/fleet"
	pages "haochaping/internal/central/web/fleet"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
)

// lets makes the world's centre let boxes in by codes.
func (w *world) lets(t *testing.T) *enrol.Room {
	t.Helper()
	a, err := enrol.OpenAuthority(t.TempDir(), w.Now)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	room, err := enrol.Open(t.Context(), enrol.Config{Journal: w.Journal, Authority: a, Fleet: w.fleet, Directory: w.directory, Key: key,
		Passwords: account.NewHasher(2, account.Cost{Memory: 8, Passes: 1}, rand.Reader), Random: rand.Reader, Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.site = w.Site(pages.Section(pages.Config{Fleet: w.fleet, Directory: w.directory, Enrol: room, Send: w.send, Random: rand.Text}))
	return room
}

// asks lets a new box ask, and returns what it shows.
func asks(t *testing.T, room *enrol.Room, device rating.DeviceID) (enrol.Pending, identity.Request) {
	t.Helper()
	key, err := identity.Keep(filepath.Join(t.TempDir(), "tls.key"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return asksAs(t, room, device, key, identity.Record(private))
}

// asksAs is asks with keys.
func asksAs(t *testing.T, room *enrol.Room, device rating.DeviceID, key, record identity.Key) (enrol.Pending, identity.Request) {
	t.Helper()
	der, err := identity.NewRequest(device, key, record)
	if err != nil {
		t.Fatal(err)
	}
	q, err := identity.ParseRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	_, p, err := room.Ask(t.Context(), q, enrol.Origin{Address: "192.0.2.7"})
	if !errors.Is(err, enrol.ErrWaiting) {
		t.Fatal(err)
	}
	return p, q
}

func TestBoxesAreAcceptedTogether(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room := w.lets(t)
	who := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	one, q := asks(t, room, "bcdf23456789")
	two, _ := asks(t, room, "ghjk23456789")
	page := webtest.Do(w.site, webtest.Request("GET", "/fleet/enrol?code="+strings.ToLower(one.Code)+",+"+two.Code+"+XXXXXXXX", who, nil))
	webtest.Want(t, page, 200, one.Digits, two.Digits, "bcdf23456789", "全部接受（2 台）", "没有评价器正在显示 <code>XXXXXXXX</code>")
	if text := page.Body.String(); strings.Index(text, one.Digits) > strings.Index(text, "屏幕上的配对码") {
		t.Error("whoever scanned a code on a phone is asked for it again above the box that was found")
	}
	accept := func(hall string, pairs ...string) int {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Add("code", pairs[i])
			form.Add("window", pairs[i+1])
		}
		return webtest.Do(w.site, webtest.Request("POST", "/fleet/halls/"+hall+"/enrol", who, form)).Code
	}
	free := []string{"SL-H2-B02", "SL-H2-B04", "SL-H2-B03"}
	for name, status := range map[string]int{
		"the same window twice":      accept("SL-H2", one.Code, free[0], two.Code, free[0]),
		"no window":                  accept("SL-H2", one.Code, ""),
		"a window that has a box":    accept("SL-H2", one.Code, "SL-H2-B01"),
		"a window of another hall":   accept("SL-H2", one.Code, "SL-H1-A12"),
		"no code that anybody shows": accept("SL-H2", "XXXXXXXX", free[0]),
		"a hall of somebody else":    accept("SL-H1", one.Code, "SL-H1-A12"),
		"nothing":                    accept("SL-H2"),
		"a code without its window": webtest.Do(w.site,
			webtest.Request("POST", "/fleet/halls/SL-H2/enrol", who, url.Values{"code": {one.Code}})).Code,
		"somebody who is not allowed": webtest.Do(w.site,
			webtest.Request("POST", "/fleet/halls/SL-H2/enrol", w.SignIn(w.Add(webtest.Grant(account.Auditor, "629901000000", "629901000000"))),
				url.Values{"code": {one.Code}, "window": {free[0]}})).Code,
	} {
		if status < 400 || status >= 500 {
			t.Errorf("%s: %d", name, status)
		}
	}
	if _, err := w.fleet.Device(t.Context(), one.Device); err == nil {
		t.Fatal("a refused box is enrolled")
	}
	if status := accept("SL-H2", one.Code, free[0], two.Code, free[1]); status != 303 {
		t.Fatalf("accepted: %d", status)
	}
	d, err := w.fleet.Device(t.Context(), one.Device)
	if err != nil || d.Window.ID != free[0] || d.Window.Generation != 1 || !d.Follows || !bytes.Equal(d.Key, one.Record) {
		t.Errorf("it is enrolled as %+v, %v", d, err)
	}
	if c, _, err := room.Ask(t.Context(), q, enrol.Origin{Address: "192.0.2.7"}); err != nil || c == nil {
		t.Errorf("it gets no certificate: %v", err)
	}
	if status := accept("SL-H2", one.Code, free[0]); status != 409 {
		t.Errorf("accepted twice: %d", status)
	}
	three, _ := asks(t, room, "mnpq23456789")
	next := webtest.Do(w.site, webtest.Request("GET", "/fleet/enrol?code="+three.Code, who, nil))
	want := `<option value="` + free[2] + `" selected>`
	webtest.Want(t, next, 200, want) // the window counts up, and the hall is known
	w.stands(t, one.Device, free[0])
	webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/fleet/boxes/"+string(one.Device), who, nil)), 200, "证书", "吊销")
	if r := webtest.Do(w.site, webtest.Request("POST", "/fleet/boxes/"+string(one.Device)+"/revoke", who,
		url.Values{"reason": {" "}})); r.Code != 422 {
		t.Errorf("revoked without a reason: %d", r.Code)
	}
	if r := webtest.Do(w.site, webtest.Request("POST", "/fleet/boxes/"+string(one.Device)+"/revoke", who,
		url.Values{"reason": {"被盗"}})); r.Code != 303 {
		t.Errorf("revoked: %d", r.Code)
	}
	if all, err := room.Revoked(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("revoked are %v, %v", all, err)
	}
}

// TestTheBoxOfAnotherIsNotTaken accepts a card that is a copy.
func TestTheBoxOfAnotherIsNotTaken(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room := w.lets(t)
	who := w.SignIn(w.Add(webtest.Grant(account.Technician, "629900000000", "629900000000")))
	one, _ := asks(t, room, "bcdf23456789")
	d, err := w.fleet.Device(t.Context(), "jia-b01")
	if err != nil {
		t.Fatal(err)
	}
	d.Key = one.Record // as if its card had been copied, and the copy had got another name
	if err := w.fleet.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	r := webtest.Do(w.site, webtest.Request("POST", "/fleet/halls/SL-H2/enrol", who, url.Values{"code": {one.Code}, "window": {"SL-H2-B02"}}))
	webtest.Want(t, r, 409, "jia-b01")
}

// TestABoxOfAnotherHallIsNotTaken shows the code of a box that serves elsewhere to the administrator of another hall.
func TestABoxOfAnotherHallIsNotTaken(t *testing.T) {
	w := newWorldOf(t, box{"bcdf23456789", "SL-H1-A07"})
	room := w.lets(t)
	d, err := w.fleet.Device(t.Context(), "bcdf23456789")
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.Keep(filepath.Join(t.TempDir(), "tls.key"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d.Key = public
	if err := w.fleet.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	p, _ := asksAs(t, room, d.ID, key, identity.Record(private))
	form := url.Values{"code": {p.Code}, "window": {"SL-H2-B02"}}
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	webtest.Want(t, webtest.Do(w.site, webtest.Request("POST", "/fleet/halls/SL-H2/enrol", hall, form)), 409, "管理范围以外")
	wide := w.SignIn(w.Add(webtest.Grant(account.Technician, "629900000000", "629900000000")))
	if r := webtest.Do(w.site, webtest.Request("POST", "/fleet/halls/SL-H2/enrol", wide, form)); r.Code != 303 {
		t.Errorf("a technician of both halls: %d", r.Code)
	}
	if d, err = w.fleet.Device(t.Context(), d.ID); err != nil || d.Window.ID != "SL-H2-B02" || d.Window.Generation != 2 {
		t.Errorf("the box serves %s with generation %d, %v", d.Window.ID, d.Window.Generation, err)
	}
}

// TestABoxEnteredByHandIsNotTaken shows the code of a box that was entered by hand, for a window that the organisation does not have or for
// one of a hall.
func TestABoxEnteredByHandIsNotTaken(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room := w.lets(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	wide := w.SignIn(w.Add(webtest.Grant(account.Technician, "620000000000", "620000000000")))
	for i, x := range []struct {
		id     rating.DeviceID
		window rating.Window
		hall   int
	}{
		{"bcdf23456789", rating.Window{ID: "9", Name: "手工登记窗口", Generation: 1}, 409},
		{"ghjk23456789", rating.Window{ID: "SL-H1-A07", Name: "户政7号窗口", Generation: 1}, 409},
		{"mnpq23456789", rating.Window{ID: "SL-H2-B03", Name: "综合受理3号窗口", Generation: 1}, 303}, // their own
	} {
		key, err := identity.Keep(filepath.Join(t.TempDir(), "tls.key"), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.fleet.Put(t.Context(), fleet.Device{ID: x.id, Key: public, EnrolledAt: w.Now(), Window: x.window}); err != nil {
			t.Fatal(err)
		}
		p, _ := asksAs(t, room, x.id, key, identity.Record(private))
		form := url.Values{"code": {p.Code}, "window": {[]string{"SL-H2-B02", "SL-H2-B03", "SL-H2-B04"}[i]}}
		if r := webtest.Do(w.site, webtest.Request("POST", "/fleet/halls/SL-H2/enrol", hall, form)); r.Code != x.hall {
			t.Errorf("%s at %q: the administrator of SL-H2 is answered %d, want %d", x.id, x.window.ID, r.Code, x.hall)
		}
		if x.hall == 303 {
			continue
		}
		if r := webtest.Do(w.site, webtest.Request("POST", "/fleet/halls/SL-H2/enrol", wide, form)); r.Code != 303 {
			t.Errorf("%s at %q: a technician of all is answered %d", x.id, x.window.ID, r.Code)
		}
	}
}

func TestWithoutADoorThePageSaysSo(t *testing.T) {
	w := newWorld(t)
	who := w.SignIn(w.Add(webtest.Grant(account.Technician, "629900000000", "629900000000")))
	webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/fleet/enrol?code=BCDFGHJK", who, nil)), 200, "没有启用配对登记")
	if r := webtest.Do(w.site, webtest.Request("POST", "/fleet/halls/SL-H2/enrol", who,
		url.Values{"code": {"BCDFGHJK"}, "window": {"SL-H2-B04"}})); r.Code != 404 {
		t.Errorf("accepted: %d", r.Code)
	}
}

// atOnce accepts boxes in the same moment, each for a window, and returns how each was answered.
func (w *world) atOnce(who string, pairs [][2]string) []int {
	answers := make([]int, len(pairs))
	var all sync.WaitGroup
	for i, x := range pairs {
		all.Go(func() {
			form := url.Values{"code": {x[0]}, "window": {x[1]}}
			answers[i] = webtest.Do(w.site, webtest.Request("POST", "/fleet/halls/SL-H2/enrol", who, form)).Code
		})
	}
	all.Wait()
	slices.Sort(answers)
	return answers
}

// TestTwoAdministratorsInOneMoment gives one window to two boxes, and one box two windows.
func TestTwoAdministratorsInOneMoment(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room := w.lets(t)
	who := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	one, _ := asks(t, room, "bcdf23456789")
	two, _ := asks(t, room, "ghjk23456789")
	three, _ := asks(t, room, "mnpq23456789")
	if got := w.atOnce(who, [][2]string{{one.Code, "SL-H2-B02"}, {two.Code, "SL-H2-B02"}, {three.Code, "SL-H2-B02"}}); !slices.Equal(got,
		[]int{303, 409, 409}) {
		t.Errorf("three boxes for one window: %v", got)
	}
	if there, err := w.fleet.At(t.Context(), []string{"SL-H2-B02"}); err != nil || len(there) != 1 {
		t.Errorf("the window has %d boxes, %v", len(there), err)
	}
	left := two
	if _, err := room.Find(t.Context(), two.Code); errors.Is(err, enrol.ErrNoCode) {
		left = one
	}
	if got := w.atOnce(who, [][2]string{{left.Code, "SL-H2-B03"}, {left.Code, "SL-H2-B04"}}); !slices.Equal(got, []int{303, 409}) {
		t.Errorf("one box for two windows: %v", got)
	}
	if _, err := w.fleet.Device(t.Context(), left.Device); err != nil {
		t.Error(err)
	}
}

// TestACardThatHasMoved is said on the page before somebody accepts it.
func TestACardThatHasMoved(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room := w.lets(t)
	who := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	key, err := identity.Keep(filepath.Join(t.TempDir(), "tls.key"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, q := asksAs(t, room, "bcdf23456789", key, identity.Record(private))
	if r := webtest.Do(w.site, webtest.Request("POST", "/fleet/halls/SL-H2/enrol", who,
		url.Values{"code": {p.Code}, "window": {"SL-H2-B02"}})); r.Code != 303 {
		t.Fatalf("accepted: %d", r.Code)
	}
	if _, _, err := room.Ask(t.Context(), q, enrol.Origin{Address: "192.0.2.7"}); err != nil {
		t.Fatal(err)
	}
	w.stands(t, p.Device, "SL-H2-B02")
	_, p, err = room.Ask(t.Context(), q, enrol.Origin{Address: "192.0.2.7", Board: "two", Moved: true})
	if !errors.Is(err, enrol.ErrWaiting) {
		t.Fatal(err)
	}
	page := webtest.Do(w.site, webtest.Request("GET", "/fleet/enrol?code="+p.Code, who, nil))
	webtest.Want(t, page, 200, "另一块主板", "已登记过", `<option value="SL-H2-B02" selected>`)
	if r := webtest.Do(w.site, webtest.Request("POST", "/fleet/halls/SL-H2/enrol", who,
		url.Values{"code": {p.Code}, "window": {"SL-H2-B02"}})); r.Code != 303 {
		t.Errorf("accepted again: %d %s", r.Code, r.Body)
	}
	if all, err := room.Revoked(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("what the old board has opens still: %v, %v", all, err)
	}
}
