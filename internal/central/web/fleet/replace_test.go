package fleet_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// keyed gives a box a key that the test knows, and lets it report how far its log goes.
func (w *world) keyed(t *testing.T, id rating.DeviceID, last uint64) (wire.LogHead, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d, err := w.fleet.Device(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	d.Key = public
	if err := w.fleet.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	head := wire.LogHead{Epoch: 7, Last: last, Head: rating.HashOf([]byte("the last record"))}
	head.Sign(id, private)
	w.says(t, id, false, func(h *wire.Health) { h.Log = &head })
	return head, private
}

func TestABrokenBoxIsReplaced(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"}, box{"shi-a07", "SL-H1-A07"})
	room := w.lets(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	head, _ := w.keyed(t, "jia-b01", 41)
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "替换坏了的评价器", "/fleet/enrol?hall=SL-H2&amp;replace=SL-H2-B01")
	p, q := asks(t, room, "bcdf23456789")
	webtest.Want(t, w.get("/fleet/enrol?hall=SL-H2&replace=SL-H2-B01&code="+p.Code, hall), 200, `<option value="SL-H2-B01 jia-b01" selected>`,
		"替换窗口 <b>SL-H2-B01</b>")
	accept := func(window string) int {
		t.Helper()
		return w.post("/fleet/halls/SL-H2/enrol", hall, url.Values{"code": {p.Code}, "window": {window}}).Code
	}
	for _, window := range []string{"SL-H2-B01", "SL-H2-B01 nobody", "SL-H2-B01 shi-a07", "SL-H2-B02 jia-b01", "SL-H1-A07 shi-a07"} {
		if status := accept(window); status != 409 {
			t.Errorf("%s: %d", window, status)
		}
	}
	if d, err := w.fleet.Device(t.Context(), "jia-b01"); err != nil || d.Retired != nil || !d.Follows {
		t.Fatalf("a refusal has replaced %+v, %v", d, err)
	}
	if status := accept("SL-H2-B01 jia-b01"); status != 303 {
		t.Fatalf("replaced: %d", status)
	}
	// The old one serves on until the new one asks, and the page says so.
	if d, err := w.fleet.Device(t.Context(), "jia-b01"); err != nil || d.Retired != nil || !d.Follows {
		t.Errorf("it is retired before the new one has come: %+v, %v", d, err)
	}
	webtest.Want(t, w.get("/fleet/enrol?hall=SL-H2&done=bcdf23456789", hall), 200, "已接受 1 台", "综合受理1号窗口", "等待连接")
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "等待 <code>bcdf23456789</code> 接替", "撤回，保留这台")
	withdraw := func() int { return w.post("/fleet/boxes/jia-b01/withdraw", hall, nil).Code }
	if one, two := withdraw(), withdraw(); one != 303 || two != 409 {
		t.Errorf("taken back: %d, twice: %d", one, two)
	}
	if _, x, err := room.Ask(t.Context(), q, enrol.Origin{Address: "192.0.2.7"}); !errors.Is(err, enrol.ErrWaiting) {
		t.Fatalf("taken back, it gets %v", err)
	} else if p = x; accept("SL-H2-B01 jia-b01") != 303 {
		t.Fatal("it is not accepted again")
	}
	if c, _, err := room.Ask(t.Context(), q, enrol.Origin{Address: "192.0.2.7"}); err != nil || c == nil {
		t.Fatalf("it gets no certificate: %v", err)
	}
	status := withdraw()
	for end := time.Now().Add(time.Minute); status == 404 && time.Now().Before(end); status = withdraw() {
		time.Sleep(50 * time.Millisecond) // where boxes stand is believed for a second
	}
	if status != 409 {
		t.Errorf("taken back after it has come: %d", status)
	}
	there, err := w.fleet.At(t.Context(), []string{"SL-H2-B01"})
	if err != nil || len(there) != 1 || there[0].ID != p.Device {
		t.Errorf("at the window stand %+v, %v", there, err)
	}
	d, err := w.fleet.Device(t.Context(), "jia-b01")
	if want := (journal.Until{Epoch: 7, Last: 41, Head: head.Head}); err != nil || d.Retired == nil || *d.Retired != want || d.Follows ||
		d.Window.Generation != 2 {
		t.Errorf("the old box is %+v, %v", d, err)
	}
	w.stands(t, p.Device, "SL-H2-B01")
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "已被替换", "!换窗口…")
	if status := accept("SL-H2-B01 jia-b01"); status != 409 {
		t.Errorf("replaced twice: %d", status)
	}
	var acts []string
	entries, err := w.Journal.Read(t.Context(), 0, 1000)
	for _, e := range entries {
		if a, err := e.Act(); e.Kind == journal.Acted && err == nil && (strings.HasPrefix(a.Do, "enrol.a") || strings.HasPrefix(a.Do, "fleet.")) {
			acts = append(acts, a.Do+" "+a.Object)
		}
	}
	if got := strings.Join(acts, ", "); err != nil || got != "enrol.accept bcdf23456789, enrol.accept bcdf23456789, "+
		"fleet.replace jia-b01" {
		t.Errorf("the journal has the acts %s, %v", got, err)
	}
}

// TestWhatAReplacedBoxStillOwes stands on its page and the home page until it has come, or somebody has said why it will not; what comes
// later is taken all the same.
func TestWhatAReplacedBoxStillOwes(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"}, box{"jia-b02", "SL-H2-B02"})
	w.lets(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	other := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", "629900000000")))
	_, key := w.keyed(t, "jia-b01", 41)
	const at = "/fleet/boxes/jia-b01"
	webtest.Want(t, w.get(at, hall), 200, "!没有送到的记录", "!都已送到")
	if r := w.post(at+"/lost", hall, url.Values{"reason": {"坏了"}}); r.Code != 409 {
		t.Errorf("of a box that serves is given up: %d", r.Code)
	}
	if r := w.post(at+"/remove", hall, nil); r.Code != 303 || r.Header().Get("Location") != "/fleet/halls/SL-H2" {
		t.Fatalf("removed: %d, to %s", r.Code, r.Header().Get("Location"))
	}
	for end := time.Now().Add(time.Minute); w.get(at, hall).Code != 200 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond) // where boxes stand is believed for a second
	}
	comes := func(first, last uint64) {
		t.Helper()
		e := journal.Entry{Kind: journal.Batch, Source: "jia-b01", Received: w.Now().UnixMilli(), Key: key.Public().(ed25519.PublicKey),
			Signature: make([]byte, 64), Epoch: 7, First: first}
		for seq := first; seq <= last; seq++ {
			e.Parts = append(e.Parts, fmt.Appendf(nil, `{"seq":%d}`, seq))
		}
		if _, err := w.Journal.Append(t.Context(), e, nil); err != nil {
			t.Fatal(err)
		}
	}
	comes(1, 20)
	comes(31, 36)
	webtest.Want(t, w.get(at, hall), 200, "<b>15 条</b>没有送到", "第 21 至 41 条", "登记为丢失…")
	webtest.Want(t, w.get("/", hall), 200, "已撤下的评价器 jia-b01 还有 15 条记录没有送到")
	webtest.Want(t, w.get("/", other), 200, "!没有送到")
	for who, want := range map[string]int{other: 404, hall: 422} {
		if r := w.post(at+"/lost", who, url.Values{"reason": {" "}}); r.Code != want {
			t.Errorf("without a reason: %d, want %d", r.Code, want)
		}
	}
	if r := w.post(at+"/lost", hall, url.Values{"reason": {"存储卡损坏"}}); r.Code != 303 {
		t.Fatalf("given up: %d", r.Code)
	}
	webtest.Want(t, w.post(at+"/lost", hall, url.Values{"reason": {"再说"}}), 409)
	comes(21, 25)
	webtest.Want(t, w.get(at, hall), 200, "<b>10 条</b>没有送到", "已登记为丢失 15 条", "存储卡损坏", "!确认登记")
	webtest.Want(t, w.get("/", hall), 200, "!没有送到")
	comes(26, 41)
	webtest.Want(t, w.get(at, hall), 200, "41 条记录都已送到", "!没有送到的记录")
	entries, err := w.Journal.Read(t.Context(), 0, 1000)
	var said []string
	for _, e := range entries {
		if a, err := e.Act(); e.Kind == journal.Acted && err == nil && a.Do == "fleet.lost" {
			said = append(said, a.Object+" "+a.Reason+" "+string(a.Data))
		}
	}
	if got := strings.Join(said, ", "); err != nil || !strings.HasPrefix(got, "jia-b01 存储卡损坏 ") || !strings.HasSuffix(got,
		`"first":21,"last":41,"missing":15}`) {
		t.Errorf("the journal says %q, %v", got, err)
	}
}

// TestAReportThatNobodyHasSigned vouches for nothing.
func TestAReportThatNobodyHasSigned(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"}, box{"jia-b02", "SL-H2-B02"})
	room := w.lets(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	head, _ := w.keyed(t, "jia-b01", 41)
	head.Last++
	w.says(t, "jia-b01", false, func(h *wire.Health) { h.Log = &head })
	p, q := asks(t, room, "bcdf23456789")
	if r := w.post("/fleet/halls/SL-H2/enrol", hall, url.Values{"code": {p.Code}, "window": {"SL-H2-B01 jia-b01"}}); r.Code != 303 {
		t.Fatalf("replaced: %d", r.Code)
	}
	if _, _, err := room.Ask(t.Context(), q, enrol.Origin{Address: "192.0.2.7"}); err != nil {
		t.Fatal(err)
	}
	if d, err := w.fleet.Device(t.Context(), "jia-b01"); err != nil || d.Retired == nil || *d.Retired != (journal.Until{}) {
		t.Errorf("it vouches for %+v, %v", d.Retired, err)
	}
	for end := time.Now().Add(time.Minute); w.get("/fleet/boxes/jia-b01", hall).Code != 200 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond) // where boxes stand is believed for a second
	}
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "从没有签名报告过")
}

func TestABoxIsMoved(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"}, box{"jia-b02", "SL-H2-B02"})
	w.lets(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	page := w.get("/fleet/boxes/jia-b01", hall)
	webtest.Want(t, page, 200, "换窗口…", `<option value="SL-H2-B03">`, `!<option value="SL-H2-B02">`)
	move := func(window string) int {
		t.Helper()
		return w.post("/fleet/boxes/jia-b01/move", hall, url.Values{"window": {window}}).Code
	}
	for _, window := range []string{"", "SL-H2-B02", "SL-H1-A07", "nowhere"} {
		if status := move(window); status != 409 {
			t.Errorf("%q: %d", window, status)
		}
	}
	if status := move("SL-H2-B03"); status != 303 {
		t.Fatalf("moved: %d", status)
	}
	d, err := w.fleet.Device(t.Context(), "jia-b01")
	if err != nil || d.Window.ID != "SL-H2-B03" || d.Window.Generation != 2 || !d.Follows {
		t.Errorf("it serves %+v, %v", d.Window, err)
	}
	if all, err := w.fleet.At(t.Context(), []string{"SL-H2-B01"}); err != nil || len(all) != 0 {
		t.Errorf("at the old window stand %+v, %v", all, err)
	}
	// The centre believes its copy of the organisation for a second.
	for end := time.Now().Add(time.Minute); w.get("/fleet/boxes/jia-b01", hall).Code != 200 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	erase := func(giveUp string) int {
		t.Helper()
		return w.post("/fleet/boxes/jia-b01/erase", hall, url.Values{"give_up": {giveUp}}).Code
	}
	if status := erase(""); status != 409 {
		t.Errorf("a box that is offline is told to forget all: %d", status)
	}
	w.says(t, "jia-b01", true, nil)
	if one, two, three := erase("jia-b02"), erase("jia-b01"), erase(""); one != 422 || two != 303 || three != 409 {
		t.Errorf("erased by another's name: %d, by its own: %d, again: %d", one, two, three)
	}
	if sent := w.sentTo("jia-b01"); len(sent) != 1 || sent[0].Name != wire.CommandErase || sent[0].Args["give_up"] != "jia-b01" {
		t.Errorf("the box is told %+v", sent)
	}
	if r := w.post("/fleet/boxes/jia-b01/remove", hall, nil); r.Code != 303 {
		t.Errorf("removed: %d", r.Code)
	}
	if all, err := w.fleet.At(t.Context(), []string{"SL-H2-B03"}); err != nil || len(all) != 0 {
		t.Errorf("at the window stand %+v, %v", all, err)
	}
	if r := w.post("/fleet/boxes/jia-b01/move", w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", "629901000000"))),
		url.Values{"window": {"SL-H1-A08"}}); r.Code != 404 {
		t.Errorf("another hall's administrator: %d", r.Code)
	}
}
