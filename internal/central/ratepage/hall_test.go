package ratepage

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/link"
	"haochaping/internal/rating"
	"haochaping/qrcode"
)

// memory is a journal and its books in memory: the first answer to a question counts, a submission is stored once.
type memory struct {
	offline  bool // the box
	mu       sync.Mutex
	devices  map[rating.DeviceID]fleet.Device
	visit    books.VisitView
	stored   []rating.Evaluation
	rows     map[string]int64
	answers  [][]books.Answer // by row
	finished bool             // something at a terminal
	opener   string           // of that
	// What came by links for cases.
	cases      map[rating.CaseKey]books.Case
	channelled []journal.Answer
	entries    map[int64]journal.Entry // by row
	err        error
	behind     bool // the books do not follow
}

func (m *memory) Online(context.Context, rating.DeviceID) (bool, error) { return !m.offline, nil }

func (m *memory) Known(_ context.Context, id rating.DeviceID) (fleet.Device, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.devices[id]
	if !ok {
		return fleet.Device{}, fleet.ErrNoDevice
	}
	return d, nil
}

func (m *memory) Visit(context.Context, rating.DeviceID, rating.VisitID) (books.VisitView, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.visit
	v.Rated = map[rating.Question]rating.Channel{}
	for s, c := range m.visit.Rated {
		v.Rated[s] = c
	}
	return v, nil
}

func (m *memory) Rate(_ context.Context, s journal.Rating) (journal.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return journal.Receipt{}, m.err
	}
	if pos, ok := m.rows[s.Name]; ok {
		return journal.Receipt{Pos: pos}, nil
	}
	var out []books.Answer
	for _, e := range s.Answers {
		if err := e.Check(); err != nil {
			return journal.Receipt{}, err
		}
		standing := rating.Counted
		if _, rated := m.visit.Rated[e.Question()]; rated {
			standing = rating.Later
		}
		if standing == rating.Counted && !m.behind {
			m.visit.Rated[e.Question()] = rating.Phone
		}
		m.stored = append(m.stored, e)
		out = append(out, books.Answer{Question: e.Question(), Standing: standing})
	}
	m.answers = append(m.answers, out)
	m.rows[s.Name] = int64(len(m.answers))
	return journal.Receipt{Pos: int64(len(m.answers)), Entered: true}, nil
}

func (m *memory) Entry(_ context.Context, pos int64) (journal.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if pos < 1 || pos > int64(len(m.answers)) {
		return journal.Entry{}, journal.ErrNoEntry
	}
	if e, ok := m.entries[pos]; ok {
		return e, nil
	}
	return journal.Entry{Pos: pos, Kind: journal.Phone, Source: string(boxID)}, nil
}

func (m *memory) Wait(ctx context.Context, _ int64) error {
	m.mu.Lock()
	behind := m.behind
	m.mu.Unlock()
	if behind {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (m *memory) Answers(_ context.Context, pos int64) ([]books.Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.answers[pos-1], nil
}

// hall is one window with a box, and the centre's page.
type hall struct {
	books    *memory
	key      ed25519.PrivateKey
	now      time.Time
	notified []rating.Question
	logged   strings.Builder
	agent    string // the browser's
	purpose  string // of the request, as browsers say it that show a page later
	silent   bool   // the box answers nothing
	page     *Page
}

const (
	boxID   = rating.DeviceID("lz-0417")
	visitID = rating.VisitID(0x1234)
)

func newHall(t testing.TB) *hall {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{key: key, now: time.Date(2026, 3, 2, 10, 0, 30, 0, time.UTC)}
	window := rating.Window{ID: "A07", Name: "综合窗口 7", Hall: "城关区政务服务中心", Generation: 1}
	h.books = &memory{devices: map[rating.DeviceID]fleet.Device{boxID: {Key: pub, Window: window}},
		visit: books.VisitView{Rated: map[rating.Question]rating.Channel{}}, rows: map[string]int64{},
		cases: map[rating.CaseKey]books.Case{}, entries: map[int64]journal.Entry{}}
	reasons, err := rating.BuiltInCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	links, err := link.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	h.page, err = New(Config{Fleet: h.books, Journal: h.books, Books: h.books, Links: links, Terminals: h.books, Reasons: reasons,
		Random: rand.Reader,
		Logger: slog.New(slog.NewTextHandler(&h.logged, nil)),
		Now:    func() time.Time { return h.now },
		Notify: func(_ context.Context, _ rating.DeviceID, _ rating.VisitID, q rating.Question) error {
			h.notified = append(h.notified, q)
			return nil
		},
		Heard: func(context.Context, rating.DeviceID, rating.VisitID, []rating.Question) bool { return !h.silent }})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// arrived lets the visit's record be known to the centre.
func (h *hall) arrived() {
	h.books.visit.Visit = &rating.Visit{ID: visitID, Window: h.books.devices[boxID].Window,
		Staff: rating.Staff{ID: "6201", Name: "<b>测试员</b>", Department: "市场监管局"},
		Cases: []rating.Case{
			{ProjectNo: "620102-SECRET", TaskName: "个体工商户登记", Completed: true},
			{ProjectNo: "620102-SECRET2", TaskName: "食品经营许可", Completed: false}},
		Grouping: rating.Single, Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject}}
}

func (h *hall) claim() qrcode.Claim {
	return qrcode.Claim{Device: boxID, Visit: visitID, Issued: h.now, Synced: true, Staff: true, Matter: true}
}

func (h *hall) sign(t testing.TB, c qrcode.Claim) string {
	t.Helper()
	token, err := c.Sign(h.key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (h *hall) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.page.ServeHTTP(w, r)
	return w
}

func (h *hall) get(path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("User-Agent", h.agent)
	if h.purpose != "" {
		r.Header.Set("Sec-Purpose", h.purpose)
	}
	return h.do(r)
}

func (h *hall) post(path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return h.do(r)
}

var submissionField = regexp.MustCompile(`name="submission" value="([0-9a-f]{32})"`)

// fill opens the form and fills it in.
func (h *hall) fill(t testing.TB, path string, pairs ...string) url.Values {
	t.Helper()
	w := h.get(path)
	found := submissionField.FindStringSubmatch(w.Body.String())
	if w.Code != http.StatusOK || found == nil {
		t.Fatalf("GET form = %d without a submission:\n%s", w.Code, w.Body)
	}
	form := url.Values{"submission": {found[1]}}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form
}

// want checks an answer's status and what must and must not be in it (the latter with a leading "!").
func want(t testing.TB, w *httptest.ResponseRecorder, status int, texts ...string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status = %d, want %d\n%s", w.Code, status, w.Body)
	}
	for _, text := range texts {
		unwanted, not := strings.CutPrefix(text, "!")
		if not && strings.Contains(w.Body.String(), unwanted) {
			t.Errorf("the page contains %q", unwanted)
		}
		if !not && !strings.Contains(w.Body.String(), text) {
			t.Errorf("the page lacks %q", text)
		}
	}
}
