package fleet_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	pages "haochaping/internal/central/web/fleet"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// world is a site with the demonstration's city and boxes at most of its windows.
type world struct {
	*webtest.World
	directory *directory.Directory
	fleet     *fleet.Fleet
	site      *web.Site

	mu    sync.Mutex
	sent  []wire.Command // guarded by mu
	fails error          // guarded by mu; of the next command
}

// box is a box of the world.
type box struct {
	id     rating.DeviceID
	window string // empty: one that was entered by hand
}

func boxes() []box {
	return []box{{"jia-b01", "SL-H2-B01"}, {"jia-b02", "SL-H2-B02"}, {"jia-b03", "SL-H2-B03"}, {"shi-a07", "SL-H1-A07"},
		{"shi-a08", "SL-H1-A08"}, {"shi-a09", "SL-H1-A09"},
		{"shi-a10", "SL-H1-A10"}, {"shi-a11", "SL-H1-A11"}, {"yi-c01", "SL-H3-C01"}, {"byhand-1", ""}}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, boxes()...)
}

// newWorldOf is newWorld with some boxes only.
func newWorldOf(t *testing.T, all ...box) *world {
	t.Helper()
	w := &world{World: webtest.New(t)}
	var err error
	if w.directory, err = directory.Open(t.Context(), w.Journal); err != nil {
		t.Fatal(err)
	}
	directorytest.Enter(t, w.directory, "../../../../cmd/ratingctl/organisation.csv")
	if w.fleet, err = fleet.Open(t.Context(), w.Journal); err != nil {
		t.Fatal(err)
	}
	w.enrol(t, all...)
	w.site = w.Site(pages.Section(pages.Config{Fleet: w.fleet, Directory: w.directory, Send: w.send, Random: rand.Text}))
	return w
}

func (w *world) send(_ context.Context, c wire.Command) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fails != nil {
		return w.fails
	}
	w.sent = append(w.sent, c)
	return nil
}

// enrol enrols boxes.
func (w *world) enrol(t *testing.T, all ...box) {
	t.Helper()
	posts, err := w.directory.Posts(t.Context(), directory.DayOf(w.Now()))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		key, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		d := fleet.Device{ID: b.id, Key: key, EnrolledAt: w.Now(), Window: rating.Window{ID: "9", Name: "手工登记窗口", Hall: "某大厅", Generation: 1}}
		if b.window != "" {
			at, people, err := posts.Texts(b.window)
			if err != nil {
				t.Fatal(err)
			}
			d = d.Serve(at, people)
		}
		if err := w.fleet.Put(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	last := all[len(all)-1]
	for _, b := range all {
		if b.window != "" {
			last = b
		}
	}
	w.stands(t, last.id, last.window)
}

// stands waits until a box stands at a window: the copy of the organisation is believed for a second.
func (w *world) stands(t *testing.T, id rating.DeviceID, window string) {
	t.Helper()
	for patience := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		a, err := w.directory.Atlas(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := a.Place(id, window, 1, w.Now()); ok {
			return
		}
		if time.Now().After(patience) {
			t.Fatalf("%s stands nowhere", id)
		}
	}
}

// well is the health of a box without troubles.
func well() wire.Health {
	days, hot := 200, 47
	return wire.Health{V: 1, KeysOK: true, StoreOK: true, Synced: true, FreeBytes: 9 << 30, UptimeSec: 86400 * 12, State: "idle",
		CertDays: &days, TemperatureC: &hot}
}

// says lets a box say how it is.
func (w *world) says(t *testing.T, id rating.DeviceID, online bool, change func(*wire.Health)) {
	t.Helper()
	h := well()
	if change != nil {
		change(&h)
	}
	n := fleet.Note{Device: id, Presence: &wire.Presence{V: 1, Online: online, Version: "1.2.0", Boot: 3}, PresenceAt: w.Now(), Health: &h,
		HealthAt: w.Now(), AckedAt: w.Now()}
	if err := w.fleet.Note(t.Context(), []fleet.Note{n}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) get(path, session string) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("GET", path, session, nil))
}

func (w *world) post(path, session string, form url.Values) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("POST", path, session, form))
}

// troubled lets the boxes of the second hall be as the first ones of a bad morning.
func (w *world) troubled(t *testing.T) {
	t.Helper()
	w.says(t, "jia-b01", true, func(h *wire.Health) { h.Troubles = []string{"keys.stuck", "clock.unsynced"} })
	w.says(t, "jia-b02", false, nil)
	w.says(t, "shi-a07", true, nil)
	w.says(t, "shi-a08", true, func(h *wire.Health) { h.Pending, h.OldestSec = 12, 5000 })
	w.says(t, "shi-a09", false, func(h *wire.Health) { h.Pending, h.OldestSec = 40, 7200 })
	w.says(t, "shi-a10", true, func(h *wire.Health) { h.Troubles = []string{"screen.lost", "keys.lost", "sound.failed"} })
	w.says(t, "yi-c01", true, nil)
}

// Whoever looks after a hall sees at once which of its boxes is sick and what to do there.
func TestHall(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	// One hall: there is no list of halls before it.
	webtest.Want(t, w.get("/fleet", hall), 200, "甲区政务服务大厅", "有按键卡住", "松开、擦净卡住的按键", "评价器离线", "检查电源", "未连接过", "没有评价器", "有问题的 2", "!市民中心")
	only := w.get("/fleet/halls/SL-H2?state=sick", hall)
	webtest.Want(t, only, 200, "有按键卡住", "评价器离线", "!SL-H2-B03", "!SL-H2-B04")
	if body := only.Body.String(); strings.Index(body, "SL-H2-B02") > strings.Index(body, "SL-H2-B01") {
		t.Error("the box that is offline does not come first")
	}
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "综合受理1号窗口", "怎么办", "给设备运维", "keys.stuck", "版本", "1.2.0", "剩余 200 天", "12 天",
		"47 ℃", "自检", "重启程序")
	city := w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000")))
	webtest.Want(t, w.get("/fleet", city), 200, "甲区政务服务大厅", "市民中心政务服务大厅", "北川镇便民服务中心", "离线 1", "有故障 1")
	webtest.Want(t, w.get("/fleet?state=sick", city), 200, "屏幕无法显示", "评价器离线", "!户政7号窗口")
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", city), 200, "还没有发过命令", "!确认重启") // an office sees, and leaves boxes alone
	webtest.Want(t, w.get("/fleet/boxes/byhand-1", city), 404)
	province := w.SignIn(w.Add(webtest.Grant(account.Province, "620000000000", "620000000000")))
	webtest.Want(t, w.get("/fleet/boxes/byhand-1", province), 200, "手工登记窗口", "已登记，从未连接")
}

// TestNothingOutside draws people of all roles and scopes, and boxes: each sees and asks exactly what May allows, and of the others no page
// has a trace.
func TestNothingOutside(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	w.alarm(t)
	areas := []string{"620000000000", "629900000000", "629901000000", "629902000000", "629902100000", "620100000000", "610000000000"}
	of := map[account.Role][]string{account.Province: {"620000000000", "610000000000"}, account.City: {"629900000000", "620100000000"},
		account.County: {"629901000000", "629902000000", "620102000000"}}
	sessions := make(map[account.Grant]string)
	session := func(g account.Grant) string {
		if sessions[g] == "" {
			sessions[g] = w.SignIn(w.Add(g))
		}
		return sessions[g]
	}
	atlas, err := w.directory.Atlas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		g := account.Grant{Role: rapid.SampledFrom(account.Roles()).Draw(t, "role")}
		some := areas
		if only, ok := of[g.Role]; ok {
			some = only
		}
		g.Area = rapid.SampledFrom(some).Draw(t, "area")
		switch g.Scope = g.Area; g.Role.Scope() {
		case account.InHall:
			g.Scope = rapid.SampledFrom([]string{"SL-H1", "SL-H2", "SL-H3", "SL-H9"}).Draw(t, "hall")
		case account.InUnit:
			g.Scope = rapid.SampledFrom([]string{"116299002MB002222J", "116299006MB0066664"}).Draw(t, "unit")
		case account.OfStaff:
			g.Scope = "SL-0001"
		}
		b := rapid.SampledFrom(boxes()).Draw(t, "box")
		at := scope.At(atlas, b.id, rating.Window{ID: b.window, Generation: 1}, w.Now())
		person := account.Person{Account: "a", Grants: []account.Grant{g}, At: w.Now().UnixMilli(), Second: true}
		sees, asks := account.May(person, account.SeeBoxes, at), account.May(person, account.CommandBoxes, at)
		who := session(g)
		page := w.get("/fleet/boxes/"+string(b.id), who)
		if (page.Code == 200) != sees || !sees && (page.Code != 404 || page.Body.String() != w.get("/fleet/boxes/none", who).Body.String()) {
			t.Fatalf("%s of %s asks for %s: %d, may %v", g.Role, g.Scope, b.id, page.Code, sees)
		}
		if hall := at.Hall; hall != "" {
			if code := w.get("/fleet/halls/"+hall, who).Code; (code == 200) != sees {
				t.Fatalf("%s of %s asks for the hall %s: %d, may %v", g.Role, g.Scope, hall, code, sees)
			}
		}
		before := len(w.sentTo(b.id))
		code := w.post("/fleet/boxes/"+string(b.id)+"/commands", who, url.Values{"name": {wire.CommandSelfTest}}).Code
		if after := len(w.sentTo(b.id)); !asks && (code != 404 || after != before) || asks && code != 303 && code != 409 {
			t.Fatalf("%s of %s asks %s for something: %d, may %v", g.Role, g.Scope, b.id, code, asks)
		}
		for _, path := range []string{"/fleet", "/fleet?state=sick", "/", "/api/v1/boxes", "/api/v1/boxes?limit=1", "/api/v1/alerts"} {
			text := w.get(path, who).Body.String()
			if !sees && (strings.Contains(text, string(b.id)) || b.window != "" && strings.Contains(text, b.window)) {
				t.Fatalf("%s of %s sees %s on %s", g.Role, g.Scope, b.id, path)
			}
		}
	})
}

// sentTo returns the commands that a box got.
func (w *world) sentTo(id rating.DeviceID) []wire.Command {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.sent), func(c wire.Command) bool { return c.Device != id })
}

// A command is an act, goes to the box once with an end, and its answer shows on the page; another box's answer does not.
func TestCommands(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	ask := func(box, name string) *httptest.ResponseRecorder {
		return w.post("/fleet/boxes/"+box+"/commands", hall, url.Values{"name": {name}})
	}
	webtest.Want(t, ask("jia-b01", "format_disk"), 422, "没有这个命令")
	webtest.Want(t, ask("jia-b02", wire.CommandPause), 409, "没有发出")
	webtest.Want(t, ask("jia-b01", wire.CommandSelfTest), 303)
	webtest.Want(t, ask("jia-b01", wire.CommandSelfTest), 409, "还在等")
	sent := w.sentTo("jia-b01")
	if len(sent) != 1 || sent[0].Name != wire.CommandSelfTest || sent[0].Expires != w.Now().Add(fleet.CommandLife).UnixMilli() {
		t.Fatalf("sent %+v", sent)
	}
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "等待回答", "data-waiting")
	reply := wire.Reply{V: 1, ID: sent[0].ID, OK: true,
		Parts: []wire.Part{{Name: "store"}, {Name: "keys", Code: "keys.stuck", What: "有按键卡住：<5>"},
			{Name: "screen", What: "a\x00b\\u0000c"}}}
	answer := func(id rating.DeviceID) {
		t.Helper()
		if err := w.fleet.Note(t.Context(), []fleet.Note{{Device: id, Replies: []wire.Reply{reply}, RepliedAt: w.Now()}}); err != nil {
			t.Fatal(err)
		}
	}
	answer("jia-b02")
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "等待回答")
	answer("jia-b01")
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "已执行", "有按键卡住：&lt;5&gt;", `b\u0000c`, "!data-waiting")
	if err := w.Journal.DB().Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE device_command SET parts = '[{' WHERE id = $1", sent[0].ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "已执行", `!b\u0000c`)
	webtest.Want(t, ask("jia-b01", wire.CommandRestart), 303)
	w.Pass(fleet.CommandLife)
	w.says(t, "jia-b01", true, nil)
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "没有回答，命令已作废")
	w.fails = errors.New("no connection to the broker")
	webtest.Want(t, ask("jia-b01", wire.CommandPause), 303)
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "没有发出", "no connection to the broker")
	acts := 0
	entries, err := w.Journal.Read(t.Context(), 0, 1000)
	for _, e := range entries {
		if a, err := e.Act(); e.Kind == journal.Acted && err == nil && strings.HasPrefix(a.Do, "fleet.") && a.Object == "jia-b01" {
			acts++
		}
	}
	if err != nil || acts != 3 {
		t.Errorf("the journal has %d acts of 3 commands, %v", acts, err)
	}
}

// alarm lets what the boxes say now last until it is an alert.
func (w *world) alarm(t *testing.T) {
	t.Helper()
	days, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	calendar, err := rating.NewCalendar(days...)
	if err != nil {
		t.Fatal(err)
	}
	watch := fleet.NewWatch(fleet.WatchConfig{Fleet: w.fleet, Organisation: w.directory,
		Leases: journal.Leases{Journal: w.Journal, Holder: "test"}, Days: calendar,
		Hears: func() bool { return true }, Now: w.Now, Random: rand.Reader})
	for range 7 {
		w.troubled(t)
		if err := watch.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.Pass(time.Minute)
	}
}

// Alerts stand on the home page and on those of the hall until somebody looks after them, who is named in the journal.
func TestAlerts(t *testing.T) {
	w := newWorld(t)
	w.alarm(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	webtest.Want(t, w.get("/", hall), 200, "评价器有 2 条告警待确认")
	page := w.get("/fleet", hall)
	webtest.Want(t, page, 200, "综合受理1号窗口 按键卡住", "综合受理2号窗口 开放时间内失去联系", "我来处理", "!窗口不能按键评价")
	id := strings.Split(strings.Split(page.Body.String(), "/fleet/alerts/")[1], "/")[0]
	other := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", "629900000000")))
	webtest.Want(t, w.post("/fleet/alerts/"+id+"/acknowledge", other, url.Values{}), 404)
	webtest.Want(t, w.post("/fleet/alerts/"+id+"/acknowledge", hall, url.Values{"back": {"/fleet"}}), 303)
	webtest.Want(t, w.post("/fleet/alerts/"+id+"/acknowledge", hall, url.Values{"back": {"/fleet"}}), 409)
	webtest.Want(t, w.get("/fleet", hall), 200, "已有人处理")
	webtest.Want(t, w.get("/", hall), 200, "评价器告警：")
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "上线")
	both := w.SignIn(w.Add(webtest.Grant(account.Technician, "629900000000", "629900000000")))
	webtest.Want(t, w.get("/fleet", both), 200, "<bdi>甲区政务服务大厅</bdi>，自", "<bdi>市民中心政务服务大厅</bdi>，自")
}

// A hall says when it is open.
func TestHours(t *testing.T) {
	w := newWorld(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	webtest.Want(t, w.get("/fleet", hall), 200, "09:00 至 17:00，工作日（未设置")
	for _, bad := range []url.Values{{"opens": {"17:00"}, "closes": {"09:00"}}, {"opens": {"25:00"}, "closes": {"26:00"}}, {}} {
		webtest.Want(t, w.post("/fleet/halls/SL-H2/hours", hall, bad), 422, "开门")
	}
	webtest.Want(t, w.post("/fleet/halls/SL-H2/hours", hall, url.Values{"opens": {"08:30"}, "closes": {"18:00"}, "daily": {"1"}}), 303)
	webtest.Want(t, w.get("/fleet", hall), 200, "08:30 至 18:00，每天", "!未设置")
	webtest.Want(t, w.post("/fleet/halls/SL-H1/hours", hall, url.Values{"opens": {"08:30"}, "closes": {"18:00"}}), 404)
}
