package evaluations_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/evaluations"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// world is the demonstration's city with evaluations of some weeks. One window moves from one county to the other meanwhile.
type world struct {
	*webtest.World
	t         testing.TB
	directory *directory.Directory
	books     *books.Books
	site      *web.Site
	given     []given
}

// given is an evaluation as the test knows it, without asking the product where it lies.
type given struct {
	id      int64
	window  string // empty where the organisation knows none
	area    string // of the case, of one without a box
	day     directory.Day
	project string
	level   rating.Level
	text    string
}

// windows returns the city's windows.
func windows() []string {
	return []string{"SL-H1-A07", "SL-H1-A08", "SL-H1-A09", "SL-H1-A10", "SL-H1-A11", "SL-H1-A12", "SL-H2-B01", "SL-H2-B02", "SL-H2-B03",
		"SL-H2-B04", "SL-H3-C01", "SL-H3-C02"}
}

// areaOf returns the area of a window's hall as its box has it.
func areaOf(window string) string {
	return map[string]string{"SL-H1": "629900000000", "SL-H2": "629901000000", "SL-H3": "629902100000"}[window[:5]]
}

// moved is when the window SL-H2-B02 came to the third hall.
func moved() directory.Day { return directory.Date(2026, 2, 20) }

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{World: webtest.New(t), t: t}
	var err error
	if w.directory, err = directory.Open(t.Context(), w.Journal); err != nil {
		t.Fatal(err)
	}
	directorytest.Enter(t, w.directory, "../../../../cmd/ratingctl/organisation.csv")
	w.change("类别,编号,名称,生效日期,所属单位,大厅\n窗口,SL-H2-B02,便民服务3号窗口," + moved().String() + ",,SL-H3\n")
	w.books, _ = bookstest.Follow(t, w.Journal, "sqlite:"+filepath.Join(t.TempDir(), "books.db"))
	w.site = w.Site(evaluations.Section(evaluations.Config{Books: w.books, Journal: w.Journal, Directory: w.directory}))
	return w
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

// box is a box's log.
type box struct {
	id   rating.DeviceID
	key  ed25519.PrivateKey
	head rating.Hash
	seq  uint64
	raw  [][]byte
}

const epoch = rating.Epoch(7)

func newBox(id rating.DeviceID) *box {
	seed := sha256.Sum256([]byte(id))
	return &box{id: id, key: ed25519.NewKeyFromSeed(seed[:]), head: rating.Genesis(id, epoch)}
}

func (b *box) add(t testing.TB, bodies ...rating.Body) (seq uint64) {
	t.Helper()
	for _, body := range bodies {
		b.seq++
		raw, err := rating.Record{V: rating.RecordVersion, Device: b.id, Epoch: epoch, Seq: b.seq, Prev: b.head, Body: body}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		b.raw, b.head = append(b.raw, raw), rating.HashOf(raw)
	}
	return b.seq
}

// send enters what the box has written, and returns the row.
func (b *box) send(t testing.TB, j *journal.Journal) int64 {
	t.Helper()
	m := wire.Batch{Device: b.id, Epoch: epoch, First: b.seq - uint64(len(b.raw)) + 1, Records: b.raw}
	m.Sign(b.key)
	r, err := j.Append(t.Context(), journal.Entry{Kind: journal.Batch, Source: string(b.id), Received: time.Now().UnixMilli(),
		Key: b.key.Public().(ed25519.PublicKey), Signature: m.Signature,
		Epoch: epoch, First: m.First, Parts: b.raw}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.raw = nil
	return r.Pos
}

// serve notes that a box serves a window of the organisation.
func (w *world) serve(b *box, window rating.Window) {
	w.t.Helper()
	_, err := w.Journal.Do(w.t.Context(), "operator test", "", journal.Act{Do: "fleet.test"},
		func(ctx context.Context, tx *db.Tx, pos int64) error {
			return directory.Served(ctx, tx, b.id, window, pos)
		})
	if err != nil {
		w.t.Fatal(err)
	}
}

// visit is a visit at a box with an answer about its matter.
func visit(n int, window rating.Window, at rating.Stamp, level rating.Level) (rating.VisitID, string, []rating.Body) {
	id := rating.VisitID(1000 + n)
	project := fmt.Sprintf("P%06d", n)
	v := rating.Visit{ID: id, Opener: rating.OpenedByPC, Grouping: rating.Single, WaitSec: 60,
		Subjects: []rating.Subject{rating.MatterSubject}, Window: window,
		Staff: rating.Staff{ID: fmt.Sprintf("SL-%04d", n%4+1), Name: "赵示例"},
		Cases: []rating.Case{{ProjectNo: project, TaskCode: fmt.Sprintf("T%d", n%3), TaskName: []string{"居民身份证换领", "社会保障卡申领", "企业设立登记"}[n%3],
			Completed: true}}}
	return id, project, []rating.Body{rating.VisitBody(at, v),
		rating.EvaluationBody(at.Add(4*time.Second), rating.Evaluation{Visit: id, Subject: rating.MatterSubject, Level: level,
			Channel: rating.Keypad})}
}

// fill lets each window be rated on some days, by key and by phone, one window that the organisation does not know, and cases without a
// box.
func (w *world) fill() {
	n := 0
	for i, window := range append(windows(), "hand-made") {
		b := newBox(rating.DeviceID(fmt.Sprintf("sl-%02d", i)))
		place := rating.Window{ID: window, Name: "窗口 " + window, Hall: "大厅", Area: areaOf(window), Generation: 1}
		if window != "hand-made" {
			w.serve(b, place)
		}
		for day := directory.Date(2026, 2, 10); day <= directory.Date(2026, 3, 2); day += 10 {
			n++
			level := rating.Level(n%5 + 1)
			start := day.Start().Add(8 * time.Hour)
			id, project, bodies := visit(n, place, rating.Stamp{Boot: 1, Mono: int64(day-directory.Date(2026, 1, 1)) * 86_400_000,
				Wall: start.UnixMilli(), Synced: true}, level)
			b.add(w.t, bodies...)
			known := given{window: window, day: day, project: project, level: level}
			if window == "hand-made" {
				known.window = ""
			}
			one := known
			one.id = b.send(w.t, w.Journal)<<9 | 1
			w.given = append(w.given, one)
			if n%3 == 0 {
				one := known
				one.level, one.text = 2, fmt.Sprintf("等得太久了 %s", project)
				r, err := w.Journal.Rate(w.t.Context(), journal.Rating{Device: b.id, Name: project, Received: start.Add(time.Minute).UnixMilli(),
					Answers: []rating.Evaluation{
						{Visit: id, Subject: rating.MatterSubject, Level: 2, Channel: rating.Phone, Text: one.text}}})
				if err != nil {
					w.t.Fatal(err)
				}
				one.id = r.Pos << 9
				w.given = append(w.given, one)
			}
		}
	}
	for i, area := range []string{"629900000000", "629901001000", "629902100000", "620100000000"} {
		project := fmt.Sprintf("Q%06d", i)
		r, err := w.Journal.Answer(w.t.Context(), "hotline", project,
			[]journal.Answer{{Case: rating.CaseKey{Area: area, Project: project}, Level: 1, Channel: rating.Voice,
				At: directory.Date(2026, 3, 1).Start().UnixMilli()}}, []string{"热线转来 " + project})
		if err != nil {
			w.t.Fatal(err)
		}
		w.given = append(w.given, given{id: r.Pos << 9, area: area, day: directory.Date(2026, 3, 1), project: project, level: 1,
			text: "热线转来 " + project})
	}
	f := rating.CaseFact{Area: "629901000000", ProjectNo: "P000020", TaskCode: "T1",
		CompletedAt: directory.Date(2026, 2, 10).Start().UnixMilli(), AsOf: directory.Date(2026, 2, 11).Start().UnixMilli()}
	if _, err := w.Journal.Tell(w.t.Context(), "test", "fact", []journal.Fact{{Fact: f, Contact: "13900000031"}}); err != nil {
		w.t.Fatal(err)
	}
	w.follow()
}

// follow waits until the books hold what the journal has.
func (w *world) follow() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	head, err := w.Journal.Head(ctx)
	if err == nil {
		err = w.books.Wait(ctx, head)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) get(path, session string) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("GET", path, session, nil))
}

func (w *world) post(path, session string, form url.Values) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("POST", path, session, form))
}
