package live

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// memory is the books and the fleet in memory.
type memory struct {
	mu       sync.Mutex
	entries  []books.Entry
	findings []books.Finding
	states   []fleet.State // by their names
	asked    int           // how often for them
	err      error
	changed  chan struct{}
	ended    chan struct{}
}

func (m *memory) Latest(_ context.Context, n int) ([]books.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries[:min(n, len(m.entries))], m.err
}

func (m *memory) Findings(_ context.Context, f books.Filter) (some []books.Finding, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range m.findings {
		if len(some) < f.Limit && (!f.Open || x.Resolved.IsZero()) {
			some = append(some, x)
		}
	}
	return some, m.err
}

func (m *memory) FindingCounts(context.Context) (open, resolved int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range m.findings {
		if x.Resolved.IsZero() {
			open++
		} else {
			resolved++
		}
	}
	return open, resolved, m.err
}

func (m *memory) Known(_ context.Context, id rating.DeviceID) (fleet.Device, error) {
	for _, s := range m.states {
		if s.ID == id {
			return fleet.Device{ID: id, Window: s.Window}, nil
		}
	}
	return fleet.Device{}, fleet.ErrNoDevice
}

func (m *memory) States(_ context.Context, after rating.DeviceID, n int) (some []fleet.State, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	for _, s := range m.states {
		if len(some) < n && s.ID > after {
			some = append(some, s)
		}
	}
	return some, m.err
}

func (m *memory) Subscribe() (<-chan struct{}, func()) {
	return m.changed, func() { close(m.ended) }
}

func (m *memory) add(e books.Entry) {
	m.mu.Lock()
	m.entries = append([]books.Entry{e}, m.entries...)
	m.mu.Unlock()
	m.changed <- struct{}{}
}

func newMemory() *memory {
	return &memory{changed: make(chan struct{}, 1), ended: make(chan struct{})}
}

func entry(cursor int64) books.Entry {
	at := time.Date(2026, 3, 2, 1, 2, 3, 0, time.UTC)
	return books.Entry{Cursor: cursor, Device: "lz-0417", Epoch: 0xaa, Seq: uint64(cursor), Visit: 7,
		Window:  rating.Window{ID: "A07", Name: "综合窗口 7", Hall: "城关区政务服务中心", Generation: 1},
		Subject: rating.StaffSubject, Level: 2, Channel: rating.Keypad, At: at, Quality: rating.TimeSet, Earliest: at, Latest: at,
		ReceivedAt: at.Add(time.Second),
		Reasons:    []string{"214"}, Status: "counted"}
}

// newPage returns a site with the pages, before there is an account.
func newPage(t *testing.T, m *memory) *web.Site {
	t.Helper()
	return webtest.New(t).Site(section(m))
}

func section(m *memory) web.Section {
	return Section(Config{Books: m, Fleet: m, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Reason: func(code string) string { return "原因" + code }})
}

func get(s *web.Site, path, host string) *httptest.ResponseRecorder {
	r := webtest.Request("GET", path, "", nil)
	r.Host = host
	return webtest.Do(s, r)
}

func TestPage(t *testing.T) {
	m := newMemory()
	p := newPage(t, m)
	webtest.Want(t, get(p, "/live", "127.0.0.1:8081"), 200, "还没有收到评价")
	unsynced := entry(2)
	unsynced.Quality, unsynced.Status, unsynced.Channel = rating.TimeEstimated, "later", rating.Phone
	unsynced.Earliest, unsynced.Latest = unsynced.At.Add(-2*time.Hour), unsynced.At.Add(time.Hour)
	unsynced.ReceivedAt = unsynced.At.Add(2 * time.Hour)
	unsynced.Opener = rating.OpenedByWalkUp
	unsynced.Text = `<script>alert("x")</script>`
	unsynced.Window.Name = `"><img src=x>`
	m.entries = []books.Entry{unsynced, entry(1)}
	m.states = []fleet.State{{ID: "lz-0417", Enrolled: true, Window: entry(1).Window, Presence: &wire.Presence{V: 1, Online: true}}}
	w := get(p, "/live", "localhost")
	webtest.Want(t, w, 200, "09:02:03", "2026-03-02", "城关区政务服务中心", "综合窗口 7", "工作人员服务", "不满意", "按键", "计入", "#1", "原因214",
		"窗口常开，未关联办件", "约 09:02:03", "最早 07:02", "收到 03-02 11:02:03", "手机扫码", "已有在先", "在线", "账目完整",
		"!alert", "!<img", "!异常")
	if csp := w.Header().Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") ||
		!strings.HasSuffix(csp, "frame-ancestors http://127.0.0.1:8400") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
	m.findings = []books.Finding{
		{Device: "lz-0417", Epoch: 0xaa, From: 3, To: 5, Kind: "gap", Detail: "missing", Found: time.Unix(0, 0)},
		{Device: "lz-0418", Kind: "fork", Resolved: time.Unix(1, 0)}}
	webtest.Want(t, get(p, "/live", "[::1]:8081"), 200, "异常 <b>1</b>", "缺号", "3–5", "!账目完整", "!lz-0418")
}

// A box that is online and whose records wait is no good news: the page says how many, since when, and what the box says is wrong.
func TestTheBoxesTroublesAreShown(t *testing.T) {
	m := newMemory()
	p := newPage(t, m)
	acked := time.Date(2026, 3, 2, 1, 2, 0, 0, time.UTC)
	m.states = []fleet.State{{ID: "lz-0417", Enrolled: true, Window: entry(1).Window, Presence: &wire.Presence{V: 1, Online: true},
		AckedAt:  acked,
		HealthAt: acked, Health: &wire.Health{V: 1, Pending: 417, OldestSec: 7200, Troubles: []string{"link.write", "clock.unsynced", "no.such"},
			Stuck: &wire.Stuck{Seq: 4, Bytes: 30290, Limit: 20000}}}}
	webtest.Want(t, get(p, "/live", "localhost"), 200, `<span class="late">待上传 417 条，最早 2 小时前，上次确认 03-02 09:02</span>`,
		"第 4 条有 30290 字节，上限 20000",
		"不允许本机写入", `<span class="soft" title="评价不受影响`, "no.such")
	webtest.Want(t, get(p, "/api/latest", "localhost"), 200, `"pending": 417`, `"acked_at": "2026-03-02`, `"link.write"`)
	m.states[0].Health = &wire.Health{V: 1, Pending: 2, OldestSec: 3}
	webtest.Want(t, get(p, "/live", "localhost"), 200, `<span class="soft">待上传 2 条，最早 3 秒前`, "!late")
}

func TestForeignHostNamesAreRefused(t *testing.T) {
	p := newPage(t, newMemory())
	webtest.Want(t, get(p, "/live", "evil.example.net:8081"), http.StatusMisdirectedRequest)
	webtest.Want(t, get(p, "/api/latest", "127.0.0.1.evil.example.net"), http.StatusMisdirectedRequest)
	webtest.Want(t, get(p, "/live", "admin.example.com"), 200)
}

func TestLatestAndHealth(t *testing.T) {
	m := newMemory()
	p := newPage(t, m)
	webtest.Want(t, get(p, "/api/latest", "localhost"), 200, `"entries": []`, `"findings": []`, `"devices": []`)
	m.entries = []books.Entry{entry(1)}
	var got struct{ Entries []books.Entry }
	w := get(p, "/api/latest", "localhost")
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Entries) != 1 || got.Entries[0].Level != 2 || got.Entries[0].Status != "counted" {
		t.Errorf("entries = %+v", got.Entries)
	}
	webtest.Want(t, get(p, "/healthz", "localhost"), 200, "ok")
	m.err = errors.New("disk gone")
	for _, path := range []string{"/live", "/api/latest", "/healthz"} {
		webtest.Want(t, get(p, path, "localhost"), 503, "!disk gone")
	}
}

func TestAssets(t *testing.T) {
	p := newPage(t, newMemory())
	webtest.Want(t, get(p, "/assets/live/live.js", "localhost"), 200, "EventSource")
	webtest.Want(t, get(p, "/assets/live/live.css", "localhost"), 200, "pill")
	webtest.Want(t, get(p, "/assets/live/live.html", "localhost"), 404)
}

// event reads one server-sent event.
func event(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("read an event after %q: %v", b.String(), err)
		}
		if line == "\n" {
			return b.String()
		}
		b.WriteString(line)
	}
}

func TestLive(t *testing.T) {
	m := newMemory()
	first := entry(1)
	first.Text = "data: forged"
	m.entries = []books.Entry{first}
	// The timeouts of a server are meant for pages that end; they must not end this one.
	const timeout = 100 * time.Millisecond
	server := httptest.NewUnstartedServer(newPage(t, m))
	server.Config.ReadTimeout, server.Config.WriteTimeout = timeout, timeout
	server.Start()
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/live/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("Content-Type = %q", got)
	}
	in := bufio.NewReader(resp.Body)
	if got := event(t, in); !strings.Contains(got, `data-cursor="1"`) {
		t.Errorf("first event = %q, want what there is", got)
	}
	select {
	case <-m.ended:
		t.Fatal("the server's timeout ended the live connection")
	case <-time.After(3 * timeout):
	}
	m.add(entry(2))
	if got := event(t, in); !strings.Contains(got, `data-cursor="2"`) || !strings.Contains(got, `data-cursor="1"`) {
		t.Errorf("second event = %q, want both entries", got)
	}
	cancel()
	select {
	case <-m.ended:
	case <-time.After(10 * time.Second):
		t.Error("the subscription was not ended when the browser went away")
	}
}

// What stops the centre from taking records is on the page, whether the books can be read or not, and a monitor learns it.
func TestTrouble(t *testing.T) {
	m := newMemory()
	trouble := Trouble{}
	var late error
	p := webtest.New(t).Site(Section(Config{Books: m, Fleet: m, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Trouble: func() Trouble { return trouble },
		Late:    func() error { return late }}))
	webtest.Want(t, get(p, "/live", "localhost"), 200, "!暂时收不进记录")
	webtest.Want(t, get(p, "/healthz", "localhost"), 200, "ok")
	late = errors.New("the books are 7 rows behind")
	webtest.Want(t, get(p, "/healthz", "localhost"), 503, "the books are 7 rows behind")
	late = nil
	trouble = Trouble{Since: time.Date(2026, 3, 2, 1, 2, 3, 0, time.UTC), Books: true, Err: errors.New("database or disk is full")}
	webtest.Want(t, get(p, "/live", "localhost"), 200, "暂时收不进记录", "自 03-02 09:02:03", "账本写不进去", "database or disk is full")
	webtest.Want(t, get(p, "/healthz", "localhost"), 503, "nothing is taken since 2026-03-02T01:02:03Z")
	trouble.Books, trouble.Err = false, errors.New("connection refused")
	webtest.Want(t, get(p, "/live", "localhost"), 200, "与消息代理的连接中断")
	m.err = errors.New("gone")
	webtest.Want(t, get(p, "/live", "localhost"), 503, "暂时不可用")
}

// A copied card makes thousands of findings; the page names some and says how many there are.
func TestManyFindings(t *testing.T) {
	m := newMemory()
	m.states = []fleet.State{{ID: "lz-0417", Enrolled: true, Window: entry(1).Window, Presence: &wire.Presence{V: 1, Online: true}}}
	for i := range uint64(25) {
		m.findings = append(m.findings, books.Finding{Device: "lz-0417", Epoch: 0xaa, From: 3 * i, To: 3 * i, Kind: "fork", Detail: "d",
			Found: time.Now()})
	}
	webtest.Want(t, get(newPage(t, m), "/live", "localhost"), 200, "异常 <b>25</b>", "另有 20 处", "综合窗口 7", "请停用复制品")
}

// Each row, box and finding is shown to whom it concerns, a text to nobody, and a live connection ends with the session.
func TestEachSeesTheirOwn(t *testing.T) {
	m := newMemory()
	here, there := entry(1), entry(2)
	here.Text = "一段文字"
	there.Window.ID, there.Window.Name, there.Device = "B01", "别处的窗口", "lz-0418"
	m.entries = []books.Entry{there, here}
	m.states = []fleet.State{{ID: "lz-0417", Enrolled: true, Window: here.Window}, {ID: "lz-0418", Enrolled: true, Window: there.Window}}
	m.findings = []books.Finding{{Device: "lz-0418", Kind: "gap", Detail: "there", Found: time.Unix(0, 0)}}
	cfg := Config{Books: m, Fleet: m, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Place: func(_ context.Context, _ rating.DeviceID, w rating.Window, _ time.Time) account.Object {
			if w.ID == "B01" {
				return account.Object{Area: "620200000000"}
			}
			return account.Object{Area: "620102000000"}
		}}
	w := webtest.New(t)
	s := w.Site(Section(cfg))
	city := w.SignIn(w.Add(webtest.Grant(account.City, "620100000000", "620100000000")))
	for _, path := range []string{"/live", "/api/latest"} {
		webtest.Want(t, webtest.Do(s, webtest.Request("GET", path, city, nil)), 200, "综合窗口 7", "lz-0417", "!别处的窗口", "!lz-0418", "!一段文字", "!there")
	}
	province := w.SignIn(w.Add(webtest.Grant(account.Province, "620000000000", "620000000000")))
	webtest.Want(t, webtest.Do(s, webtest.Request("GET", "/live", province, nil)), 200, "综合窗口 7", "别处的窗口", "缺号", "!一段文字")
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "h1", "620102000000")))
	webtest.Want(t, webtest.Do(s, webtest.Request("GET", "/live", hall, nil)), 404, "没有这个页面")
	webtest.Want(t, webtest.Do(s, webtest.Request("GET", "/live", "", nil)), 303)

	server := httptest.NewServer(s)
	defer server.Close()
	r := webtest.Request("GET", server.URL+"/live/events", city, nil)
	r.RequestURI, r.Host = "", ""
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewReader(resp.Body)
	if got := event(t, in); !strings.Contains(got, `data-cursor="1"`) || strings.Contains(got, "别处的窗口") {
		t.Errorf("the live connection sends %q", got)
	}
	if err := w.Accounts.SignOut(t.Context(), city); err != nil {
		t.Fatal(err)
	}
	m.add(here)
	if more, err := in.ReadString('\n'); err == nil {
		t.Errorf("after signing out the live connection sends %q", more)
	}
}
