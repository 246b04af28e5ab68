package deadline

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// phones is a gateway that counts what it was asked to send.
type phones struct {
	mu   sync.Mutex
	sent []Message // guarded by mu
	err  error
}

func (p *phones) Send(_ context.Context, m Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, m)
	return p.err
}

// bureau is a journal, books that follow it, and deadlines at a time of the test's choice.
type bureau struct {
	journal *journal.Journal
	books   *books.Books
	phones  *phones
	now     time.Time
	log     bytes.Buffer
}

func newBureau(t testing.TB) *bureau {
	t.Helper()
	b := &bureau{phones: new(phones), now: time.Now().Add(-time.Minute)}
	dir := t.TempDir()
	b.journal, _, _ = journaltest.Open(t, "sqlite:"+filepath.Join(dir, "journal.db"))
	b.books, _ = bookstest.Follow(t, b.journal, "sqlite:"+filepath.Join(dir, "books.db"))
	if _, err := b.open(t).since(t.Context()); err != nil { // defaults are on before the first case
		t.Fatal(err)
	}
	return b
}

func calendar(t testing.TB) rating.Calendar {
	t.Helper()
	notices, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	for year := 2027; year < 2060; year++ { // the test runs by the machine's clock
		if !slices.ContainsFunc(notices, func(n rating.Notice) bool { return n.Year == year }) {
			notices = append(notices, rating.Notice{Year: year, Source: "a test's"})
		}
	}
	c, err := rating.NewCalendar(notices...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// open returns the deadlines as an instance opens them.
func (b *bureau) open(t testing.TB) *Deadlines {
	t.Helper()
	d, err := Open(t.Context(), Config{Journal: b.journal, Books: b.books, Calendar: calendar(t), Defaults: true, Gateway: b.phones,
		Text:   "您办理的{matter}已办结",
		Secret: []byte("secret"), Holder: "here", Now: func() time.Time { return b.now }, Logger: slog.New(slog.NewTextHandler(&b.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// once does what is due at a time, twice, as an instance that was restarted at once does.
func (b *bureau) once(t testing.TB, at time.Time) {
	t.Helper()
	b.now = at
	for range 2 {
		if err := b.open(t).Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.follow(t)
}

func (b *bureau) follow(t testing.TB) {
	t.Helper()
	head, err := b.journal.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := b.books.Wait(ctx, head); err != nil {
		t.Fatal(err)
	}
}

const area = "620100000000"

func key(project string) rating.CaseKey { return rating.CaseKey{Area: area, Project: project} }

// complete tells that a case was completed. The centre learns it now, since its clock is the machine's.
func (b *bureau) complete(t testing.TB, project, contact string) time.Time {
	t.Helper()
	at := time.Now()
	f := rating.CaseFact{Area: area, ProjectNo: project, TaskName: "身份证补领", AsOf: at.UnixMilli(), CompletedAt: at.UnixMilli()}
	if _, err := b.journal.Tell(t.Context(), "test", project, []journal.Fact{{Fact: f, Contact: contact}}); err != nil {
		t.Fatal(err)
	}
	b.follow(t)
	return at
}

func (b *bureau) state(t testing.TB, project string) books.CaseState {
	t.Helper()
	c, _, err := b.books.Case(t.Context(), key(project))
	if err != nil {
		t.Fatal(err)
	}
	return c.State()
}

func (b *bureau) answer(t testing.TB, project string, at time.Time) {
	t.Helper()
	a := journal.Answer{Case: key(project), Level: 5, Channel: rating.Portal, At: at.UnixMilli()}
	if _, err := b.journal.Answer(t.Context(), "portal", rand.Text(), []journal.Answer{a}, nil); err != nil {
		t.Fatal(err)
	}
	b.follow(t)
}

// at returns a clock time some days after a moment, in Asia/Shanghai.
func at(day time.Time, days, hour, minute int) time.Time {
	d := day.In(rating.Shanghai())
	return time.Date(d.Year(), d.Month(), d.Day()+days, hour, minute, 0, 0, rating.Shanghai())
}

// TestOneReminder holds: 评价人24小时内未作出评价的,好差评系统发送短信提醒评价人进行评价 (article 14).
func TestOneReminder(t *testing.T) {
	b := newBureau(t)
	done := b.complete(t, "silent", "13800000001")
	for _, project := range []string{"rated", "stopped", "unreachable"} {
		b.complete(t, project, map[string]string{"rated": "13800000002", "stopped": "+86138-00000003"}[project])
	}
	b.answer(t, "rated", done)
	if err := b.open(t).Stop(t.Context(), "test", "1", "13800000003"); err != nil {
		t.Fatal(err)
	}
	b.once(t, done.Add(24*time.Hour-time.Second))
	b.once(t, at(done, 2, 8, 29))
	b.once(t, at(done, 2, 20, 0))
	if len(b.phones.sent) != 0 {
		t.Fatalf("too early, or at night: %d", len(b.phones.sent))
	}
	b.phones.err = errors.New("busy")
	b.once(t, at(done, 3, 8, 30))
	b.phones.err = nil
	b.once(t, at(done, 3, 9, 0))
	if len(b.phones.sent) != 1 || b.phones.sent[0].Number != "13800000001" || b.phones.sent[0].Text != "您办理的身份证补领已办结" {
		t.Fatalf("sent %+v", b.phones.sent)
	}
	if log := b.log.String(); strings.Contains(log, "1380000") || !strings.Contains(log, "busy") {
		t.Errorf("the log says %s", log)
	}
}

// TestTheDefault holds: 5个工作日内未作出评价的,评价结果默认为基本满意 (article 14).
func TestTheDefault(t *testing.T) {
	b := newBureau(t)
	done := b.complete(t, "silent", "")
	b.complete(t, "rated", "")
	b.complete(t, "rated-late", "")
	b.answer(t, "rated", done)
	end := calendar(t).Default(done)
	b.once(t, end.At.Add(-time.Second))
	if got := b.state(t, "silent"); got != books.CaseCompleted {
		t.Errorf("a second before the deadline it is %s", got)
	}
	b.once(t, end.At.Add(72*time.Hour)) // days were missed
	for project, want := range map[string]books.CaseState{"silent": books.CaseDefault, "rated": books.CaseRated,
		"rated-late": books.CaseDefault} {
		if got := b.state(t, project); got != want {
			t.Errorf("%s is %s, want %s", project, got, want)
		}
	}
	b.answer(t, "rated-late", end.At.Add(-time.Hour)) // it is received now, which is before the deadline
	if got := b.state(t, "rated-late"); got != books.CaseRated {
		t.Errorf("an answer in time arrived after the default: %s", got)
	}
	head, err := b.journal.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.once(t, end.At.Add(96*time.Hour))
	if again, err := b.journal.Head(t.Context()); err != nil || again != head {
		t.Errorf("nothing was due, and %d rows were entered, %v", again-head, err)
	}
	for pos := int64(1); pos <= head; pos++ { // nothing says a level that nobody gave
		e, err := b.journal.Entry(t.Context(), pos)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == journal.Deadlines && bytes.Contains(e.Parts[0], []byte("level")) {
			t.Errorf("row %d says a level: %s", pos, e.Parts[0])
		}
	}
}

// TestTwoInstances works at once in two; each reminder is sent once.
func TestTwoInstances(t *testing.T) {
	b := newBureau(t)
	var done time.Time
	for i := range 20 {
		done = b.complete(t, fmt.Sprint(i), "13800000001")
	}
	b.now = at(done, 2, 10, 0)
	var work sync.WaitGroup
	for i := range 2 {
		d := b.open(t)
		d.cfg.Holder = fmt.Sprint(i)
		work.Go(func() {
			for range 3 {
				if err := d.Once(t.Context()); err != nil && !errors.Is(err, journal.ErrElsewhere) {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	ids := make(map[string]bool)
	for _, m := range b.phones.sent {
		ids[m.ID] = true
	}
	if len(b.phones.sent) != 20 || len(ids) != 20 {
		t.Errorf("%d reminders of %d cases", len(b.phones.sent), len(ids))
	}
}

// TestGateways sends by HTTP and into a file.
func TestGateways(t *testing.T) {
	var got map[string]string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") != "k" || json.NewDecoder(r.Body).Decode(&got) != nil {
			w.WriteHeader(400)
			return
		}
		_, _ = w.Write([]byte(`{"code":` + got["code"] + `,"to":"` + got["to"] + `"}`))
	}))
	defer server.Close()
	send := func(code string) error {
		g, err := NewHTTP(server.URL, map[string]string{"X-Key": "k"}, `{"id":{{json .ID}},"to":{{json .Number}},"say":{{json .Text}},"code":"`+
			code+`"}`, `"code":0\b`)
		if err != nil {
			t.Fatal(err)
		}
		return g.Send(t.Context(), Message{"1", "13800000001", "“好”\"\n"})
	}
	if err := send("0"); err != nil || got["to"] != "13800000001" || got["say"] != "“好”\"\n" {
		t.Errorf("%v, %v", got, err)
	}
	if err := send("7"); err == nil || strings.Contains(err.Error(), "1380000") {
		t.Errorf("a refusal is %v", err)
	}
	if _, err := NewHTTP(server.URL, nil, "{{.Surname}}", ""); err == nil {
		t.Error("a template that can never work was taken")
	}
	f := &File{Path: filepath.Join(t.TempDir(), "messages")}
	for range 2 {
		if err := f.Send(t.Context(), Message{"1", "2", "3"}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(f.Path); err != nil || strings.Count(string(b), "\n") != 2 {
		t.Errorf("%s, %v", b, err)
	}
}

// TestAwaited says for which boxes a default waits.
func TestAwaited(t *testing.T) {
	deadline := time.Date(2026, 3, 10, 0, 0, 0, 0, rating.Shanghai())
	c := books.Case{Key: key("P"), Deadline: deadline.UnixMilli(), CaseFile: rating.CaseFile{CaseFact: rating.CaseFact{CompletedAt: 1}}}
	box := func(id rating.DeviceID, area string, heard time.Duration, pending uint64) fleet.State {
		return fleet.State{ID: id, Enrolled: true, Window: rating.Window{Area: area}, Health: &wire.Health{Pending: pending},
			HealthAt: deadline.Add(heard)}
	}
	boxes := []fleet.State{box("silent", area, -time.Second, 0), box("clear", area, time.Second, 0), box("full", area, time.Second, 3),
		box("elsewhere", "620200000000", -1, 0),
		{ID: "never", Enrolled: true, Window: rating.Window{Area: area}}, {ID: "stranger"}}
	got := fmt.Sprint(Awaited(c, boxes, deadline.Add(time.Hour)))
	if got != "[full never silent]" {
		t.Errorf("waits for %s", got)
	}
	online := c
	online.Handling = rating.Online
	rated := c
	rated.Counts = 1
	for name, got := range map[string][]rating.DeviceID{"online": Awaited(online, boxes, deadline.Add(time.Hour)),
		"rated":         Awaited(rated, boxes, deadline.Add(time.Hour)),
		"after 30 days": Awaited(c, boxes, deadline.Add(AwaitedFor+1))} {
		if len(got) > 0 {
			t.Errorf("%s: waits for %v", name, got)
		}
	}
}

// BenchmarkMillion looks for what is due among a million open cases when nothing is, and when all are: their deadlines are noted, and the
// books have decided about each. HCP_CASES says how many instead.
func BenchmarkMillion(b *testing.B) {
	cases := 1_000_000
	if n, err := strconv.Atoi(os.Getenv("HCP_CASES")); err == nil {
		cases = n
	}
	o := newBureau(b)
	done := time.Now()
	for n := 0; n < cases; n += journal.MaxParts {
		facts := make([]journal.Fact, journal.MaxParts)
		for i := range facts {
			facts[i].Fact = rating.CaseFact{Area: area, ProjectNo: fmt.Sprint(n + i), TaskCode: "t", AsOf: done.UnixMilli(),
				CompletedAt: done.UnixMilli()}
		}
		if _, err := o.journal.Tell(b.Context(), "test", fmt.Sprint(n), facts); err != nil {
			b.Fatal(err)
		}
	}
	head, err := o.journal.Head(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if err := o.books.Wait(b.Context(), head); err != nil {
		b.Fatal(err)
	}
	d := o.open(b)
	d.cfg.Gateway = nil
	end := calendar(b).Default(done).At
	started := time.Now()
	o.now = end.Add(-48 * time.Hour)
	if err := d.Once(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(started).Seconds()*1000, "ms/look")
	started = time.Now()
	cpu := processorTime(b)
	o.now = end.Add(48 * time.Hour)
	if err := d.Once(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(started).Seconds(), "s/noted")
	if head, err = o.journal.Head(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := o.books.Wait(b.Context(), head); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(started).Seconds(), "s/decided")
	b.ReportMetric((processorTime(b) - cpu).Seconds(), "cpu-s/decided")
	f, err := o.books.CaseFigures(b.Context())
	if err != nil || f.Default != int64(cases) {
		b.Errorf("%+v, %v", f, err)
	}
}

// processorTime returns what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
