package figures_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/integrity"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/report"
	"haochaping/internal/central/subscribe"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/evaluations"
	"haochaping/internal/central/web/figures"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

const (
	city   = "629900000000"
	police = "116299003MB003333Y"
	centre = "116299002MB002222J"
	head   = "116299001MB0011116"
)

// world is the demonstration's city, whose windows were rated in January and February. One of them moves from one county to the other.
type world struct {
	*webtest.World
	t         testing.TB
	directory *directory.Directory
	books     *books.Books
	reports   *report.Reports
	site      *web.Site
	paced     map[string]integrity.Pace // what boxes have kept, by window
	given     []given
}

// given is a visit as the test knows it, without asking the product where it lies.
type given struct {
	window, staff string
	day           directory.Day
	level         rating.Level // 0: nobody has answered
}

// moved is when the window SL-H2-B02 came to the third hall.
func moved() directory.Day { return directory.Date(2026, 1, 20) }

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{World: webtest.New(t), t: t}
	var err error
	if w.directory, err = directory.Open(t.Context(), w.Journal); err != nil {
		t.Fatal(err)
	}
	directorytest.Enter(t, w.directory, "../../../../cmd/ratingctl/organisation.csv")
	w.change("类别,编号,名称,生效日期,所属单位,大厅\n窗口,SL-H2-B02,便民服务3号窗口," + moved().String() + ",,SL-H3\n")
	at := "sqlite:" + filepath.Join(t.TempDir(), "books.db")
	w.books, _ = bookstest.Follow(t, w.Journal, at)
	d, err := db.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	log := slog.New(slog.DiscardHandler)
	notices, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	days, err := rating.NewCalendar(notices...)
	if err != nil {
		t.Fatal(err)
	}
	orders, err := rectify.Open(t.Context(), rectify.Config{Journal: w.Journal, Books: w.books, Directory: w.directory, Holder: "here",
		Now: w.Now, Logger: log,
		Terms: rectify.Terms{Calendar: days, Contact: 1, Office: 5}})
	if err != nil {
		t.Fatal(err)
	}
	w.reports, err = report.Open(t.Context(), report.Config{DB: d, Journal: w.Journal, Books: w.books, Orders: orders, Directory: w.directory,
		Holder: "here", Now: w.Now, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	subscriptions, err := subscribe.Open(t.Context(), w.Journal.DB())
	if err != nil {
		t.Fatal(err)
	}
	post, err := subscribe.NewPost(subscribe.PostConfig{Server: "smtps://mail.example.gov.cn", From: "hcp@example.gov.cn",
		Domains: []string{"example.gov.cn"}})
	if err != nil {
		t.Fatal(err)
	}
	w.site = w.Site(figures.Section(figures.Config{Reports: w.reports, Directory: w.directory, Cause: causes(t), Paces: w.paces,
		Subscriptions: subscriptions, Ways: figures.Ways{Mail: post.Address, Webhook: true}}),
		evaluations.Section(evaluations.Config{Books: w.books, Journal: w.Journal, Directory: w.directory}))
	return w
}

// paces tells of the windows that fit what the test says.
func (w *world) paces(ctx context.Context, days directory.Period, fits func(report.Where) bool,
	group func(report.Where) string) (map[string]integrity.Pace, bool, error) {
	a, err := w.directory.Atlas(ctx)
	out := make(map[string]integrity.Pace)
	for id, p := range w.paced {
		at, _ := a.Window(id, days.To-1)
		where := report.Where{Area: at.Area().ID, Hall: at.Hall.ID, Window: id, Units: []string{at.Unit().ID}}
		if fits(where) {
			out[group(where)] = p
		}
	}
	return out, true, err
}

func (w *world) change(text string) {
	w.t.Helper()
	lines, err := directory.Read([]byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.directory.Preview(w.t.Context(), lines, nil)
	if err == nil {
		err = w.directory.Apply(w.t.Context(), "operator test", "test", journal.Act{}, p)
	}
	if err != nil {
		w.t.Fatal(err, p.Tell())
	}
}

// fill has windows rated: so many visits in January, and five in February each. Each fourth visit is not rated, and a case of the first
// silence rates.
func (w *world) fill() {
	w.t.Helper()
	visits := []struct {
		window string
		n      int
	}{{"SL-H1-A07", 40}, {"SL-H1-A08", 32}, {"SL-H1-A09", 4}, {"SL-H2-B01", 36}, {"SL-H2-B02", 30}, {"SL-H3-C01", 6}, {"hand-made", 3}}
	for i, x := range visits {
		b := newBox(i)
		if x.window != "hand-made" {
			w.serve(b.id, x.window)
		}
		for n := range x.n + 5 {
			day := directory.Date(2026, 1, 5) + directory.Day(n*26/x.n)
			if n >= x.n {
				day = directory.Date(2026, 2, 2) + directory.Day(n-x.n)
			}
			g := given{window: x.window, staff: fmt.Sprintf("SL-%04d", i%4+1), day: day}
			if n%4 > 0 {
				g.level = []rating.Level{5, 5, 4, 5, 3, 2, 1}[n%7]
			}
			b.visit(w.t, n, g)
			w.given = append(w.given, g)
		}
		b.send(w.t, w.Journal)
	}
	done := directory.Date(2026, 1, 6).Start().Add(9 * time.Hour).UnixMilli()
	f := rating.CaseFact{Area: city, ProjectNo: "SILENT", TaskCode: "T1", TaskName: "居民身份证换领", Unit: police, AsOf: done, CompletedAt: done}
	if _, err := w.Journal.Tell(w.t.Context(), "business", "silent", []journal.Fact{{Fact: f}}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Journal.Pass(w.t.Context(), "deadline", "silent",
		[]journal.Passed{{Case: f.Key(), Deadline: done + 7*86_400_000}}); err != nil {
		w.t.Fatal(err)
	}
	w.follow()
}

// praised has a window rated by eighty people in January, and badly by nobody.
func (w *world) praised() {
	w.t.Helper()
	b := newBox(30)
	w.serve(b.id, "SL-H1-A10")
	for n := range 80 {
		b.visit(w.t, n, given{window: "SL-H1-A10", staff: "SL-0008", day: directory.Date(2026, 1, 5) + directory.Day(n/4), level: 5})
	}
	b.send(w.t, w.Journal)
	w.follow()
}

// serve notes that a box serves a window of the organisation.
func (w *world) serve(id rating.DeviceID, window string) {
	w.t.Helper()
	_, err := w.Journal.Do(w.t.Context(), "operator test", "", journal.Act{Do: "fleet.test"},
		func(ctx context.Context, tx *db.Tx, pos int64) error {
			return directory.Served(ctx, tx, id, rating.Window{ID: window, Generation: 1}, pos)
		})
	if err != nil {
		w.t.Fatal(err)
	}
}

// follow has books and figures follow to the journal's end.
func (w *world) follow() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	at, err := w.Journal.Head(ctx)
	if err == nil {
		err = w.books.Wait(ctx, at)
	}
	if err == nil {
		err = w.reports.Once(ctx)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// box is a box's log.
type box struct {
	id   rating.DeviceID
	key  ed25519.PrivateKey
	head rating.Hash
	raw  [][]byte
	n    int
}

const epoch = rating.Epoch(7)

func newBox(n int) *box {
	id := rating.DeviceID(fmt.Sprintf("sl-%02d", n))
	seed := sha256.Sum256([]byte(id))
	return &box{id: id, key: ed25519.NewKeyFromSeed(seed[:]), head: rating.Genesis(id, epoch), n: n}
}

// visit records a visit that asks about the person.
func (b *box) visit(t testing.TB, n int, g given) {
	t.Helper()
	id := rating.VisitID(1000*(b.n+1) + n)
	area := map[string]string{"SL-H1": city, "SL-H2": "629901000000", "SL-H3": "629902100000"}[g.window[:5]]
	at := stamp(g.day.Start().Add(9*time.Hour + time.Duration(n)*time.Minute))
	bodies := []rating.Body{rating.VisitBody(at, rating.Visit{ID: id, Opener: rating.OpenedByPC, Grouping: rating.Single, WaitSec: 60,
		Subjects: []rating.Subject{rating.StaffSubject},
		Window:   rating.Window{ID: g.window, Name: "窗口 " + g.window, Hall: "大厅", Area: area, Generation: 1},
		Staff:    rating.Staff{ID: g.staff, Name: "赵示例"}})}
	if g.level != 0 {
		bodies = append(bodies, rating.EvaluationBody(at.Add(4*time.Second),
			rating.Evaluation{Visit: id, Subject: rating.StaffSubject, Level: g.level, Channel: rating.Keypad}))
	}
	b.add(t, bodies...)
}

// stamp returns a moment of a box that was started with the year before.
func stamp(at time.Time) rating.Stamp {
	return rating.Stamp{Boot: 1, Mono: at.Sub(directory.Date(2025, 1, 1).Start()).Milliseconds(), Wall: at.UnixMilli(), Synced: true}
}

func (b *box) add(t testing.TB, bodies ...rating.Body) {
	t.Helper()
	for _, body := range bodies {
		raw, err := rating.Record{V: rating.RecordVersion, Device: b.id, Epoch: epoch, Seq: uint64(len(b.raw) + 1), Prev: b.head,
			Body: body}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		b.raw, b.head = append(b.raw, raw), rating.HashOf(raw)
	}
}

func (b *box) send(t testing.TB, j *journal.Journal) {
	t.Helper()
	m := wire.Batch{Device: b.id, Epoch: epoch, First: 1, Records: b.raw}
	m.Sign(b.key)
	if _, err := j.Append(t.Context(), journal.Entry{Kind: journal.Batch, Source: string(b.id), Received: time.Now().UnixMilli(),
		Key:       b.key.Public().(ed25519.PublicKey),
		Signature: m.Signature, Epoch: epoch, First: 1, Parts: b.raw}, nil); err != nil {
		t.Fatal(err)
	}
}

// sees says who sees figures of which visits, as docs/roles.md has it in words.
func sees(g account.Grant, x given) bool {
	area, hall, units := "", "", []string{}
	switch {
	case x.window == "hand-made":
	case x.window[:5] == "SL-H1":
		area, hall, units = city, "SL-H1", []string{police, head}
		if x.window == "SL-H1-A09" {
			units = []string{"116299004MB004444B", head}
		}
	case x.window[:5] == "SL-H3", x.window == "SL-H2-B02" && x.day >= moved():
		area, hall, units = "629902100000", "SL-H3", []string{"116299007MB007777G", centre, head}
	default:
		area, hall, units = "629901000000", "SL-H2", []string{"116299006MB0066664", centre, head}
	}
	switch g.Role {
	case account.Province, account.City, account.County, account.Auditor:
		if area == "" {
			return len(strings.TrimRight(g.Scope, "0")) <= 2
		}
		return strings.HasPrefix(area, strings.TrimRight(g.Scope, "0"))
	case account.Unit:
		return slices.Contains(units, g.Scope)
	case account.Hall:
		return hall == g.Scope
	}
	return false
}

// silent says who sees the figures of the case that silence has rated.
func silent(g account.Grant) bool {
	return g.Role == account.Unit && (g.Scope == police || g.Scope == head) ||
		sees(account.Grant{Role: g.Role, Scope: g.Scope}, given{window: "SL-H1-A07"}) && g.Role != account.Unit && g.Role != account.Hall
}

func (w *world) get(path, session string) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("GET", path, session, nil))
}

// causes returns the words of the built-in catalogue.
func causes(t testing.TB) func(string) (string, rating.Aspect) {
	t.Helper()
	c, err := rating.BuiltInCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	return func(cause string) (string, rating.Aspect) {
		code, _, _ := strings.Cut(cause, "/")
		r, _ := c.Find(code)
		return r.Text, r.Aspect
	}
}
