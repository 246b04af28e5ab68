package cases

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/central/books"
	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
)

// inFlight is how many requests are under way at once while systems tell as fast as they can.
const inFlight = 64

type oneToken struct{}

func (oneToken) Holder(token string) (Holder, bool) {
	switch token {
	case "city":
		return Holder{Name: "city", Area: "6201", Doors: []string{"cases", "figures"}}, true
	case "phone":
		return Holder{Name: "phone", Doors: []string{"stop"}}, true
	}
	return Holder{Name: "bsys"}, token == "secret"
}

// office is a journal, books that follow it, and the door.
type office struct {
	journal *journal.Journal
	books   *books.Books
	server  *httptest.Server
}

func newOffice(t testing.TB) *office {
	t.Helper()
	dir := t.TempDir()
	o := new(office)
	o.journal, _, _ = journaltest.Open(t, "sqlite:"+filepath.Join(dir, "journal.db"))
	o.books, _ = bookstest.Follow(t, o.journal, "sqlite:"+filepath.Join(dir, "books.db"))
	o.server = httptest.NewServer(Handler(Config{Door: Door{oneToken{}, slog.New(slog.DiscardHandler)}, Journal: o.journal, Books: o.books,
		Awaited: func(context.Context, books.Case) ([]rating.DeviceID, error) { return nil, nil }}))
	t.Cleanup(o.server.Close)
	o.server.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = inFlight // systems keep their connections
	return o
}

// ask sends a request and returns its status and answer.
func (o *office) ask(t testing.TB, method, path, key, body string) (int, string) {
	r, err := http.NewRequest(method, o.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer secret")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	resp, err := o.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// follow waits until the books have everything.
func (o *office) follow(t testing.TB) {
	t.Helper()
	size, err := o.journal.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := o.books.Wait(ctx, size); err != nil {
		t.Fatal(err)
	}
}

const (
	filed = `{"area":"620100","project_no":"P-1","task_code":"t1","handling":"online","contact":"13812345678",` +
		`"as_of":"2026-03-02T10:00:00+08:00"}`
	done  = `{"area":"620100000000","project_no":"P-1","completed_at":"2026-03-02T09:00:00+08:00","as_of":"2026-03-02T10:00:00+08:00"}`
	other = `{"area":"620100","project_no":"P-1","completed_at":"2026-03-02T11:00:00+08:00","as_of":"2026-03-02T12:00:00+08:00"}`
	put   = `{"area":"620100","project_no":"P-1","completed_at":"2026-03-02T11:00:00+08:00","as_of":"2026-03-02T12:00:00+08:00",` +
		`"corrects":true}`
)

func body(facts ...string) string { return `{"cases":[` + strings.Join(facts, ",") + `]}` }

// TestACaseIsToldAndCorrected tells a case in parts, again, otherwise, and as a correction.
func TestACaseIsToldAndCorrected(t *testing.T) {
	o := newOffice(t)
	for i, step := range []struct {
		key, body string
		status    int
		says      string
	}{
		{"1", body(done), 200, `"accepted":1`},
		{"2", body(filed), 200, `"accepted":1`},
		{"2", body(filed), 200, `"replayed":true`},
		{"2", body(done), 409, "idempotency_key"},
		{"2", body(strings.Replace(filed, "13812345678", "13812345679", 1)), 409, "idempotency_key"},
		{"2", body(filed, strings.Replace(filed, "P-1", "P-3", 1)), 409, "idempotency_key"},
		{"2", body(filed, filed), 409, "idempotency_key"},
		{"3", body(other), 422, `contradiction`},
		{"4", body(other, done), 200, `"accepted":1,"refused":[{"index":0`},
		{"5", body(put), 200, `"accepted":1`},
		{"6", body(done), 200, `"accepted":1`}, // older than the correction, and nothing more
		{"7", body(`{"area":"620100","project_no":"P-2","as_of":"2099-01-01T00:00:00Z"}`), 422, "future"},
		{"8", body(`{"area":"62","project_no":"P-2","as_of":"2026-01-01T00:00:00Z"}`), 422, "12 digits"},
		{"9", body(`{"area":"620100","project_no":"P-2","contact":"call me","as_of":"2026-01-01T00:00:00Z"}`), 422, "contact"},
		{"10", body(`{"area":"620100","project_no":"P-2","surname":"x","as_of":"2026-01-01T00:00:00Z"}`), 400, "surname"},
		{"", body(done), 400, "idempotency_key"},
		{"11", body(), 400, "1 to 500"},
		{"12", `{"cases":[{]}`, 400, "JSON"},
	} {
		status, says := o.ask(t, "POST", "/v1/cases", step.key, step.body)
		if status != step.status || !strings.Contains(says, step.says) {
			t.Errorf("step %d: %d %s, want %d %s", i, status, says, step.status, step.says)
		}
		o.follow(t)
	}
	status, says := o.ask(t, "GET", "/v1/cases/620100/P-1", "", "")
	for _, want := range []string{`"completed_at":"2026-03-02T11:00:00+08:00"`, `"completed_surety":"reported"`, `"rateable":["matter"]`,
		`"state":"completed"`, `"reachable":true`} {
		if status != 200 || !strings.Contains(says, want) {
			t.Errorf("%d %s lacks %s", status, says, want)
		}
	}
	if status, _ := o.ask(t, "GET", "/v1/cases/620100/P-9", "", ""); status != 404 {
		t.Errorf("an unknown case: %d", status)
	}
	if _, says := o.ask(t, "GET", "/v1/figures", "", ""); !strings.Contains(says,
		`{"cases":1,"completed":1,"rated":0,"default":0,"unrated":1}`) {
		t.Errorf("figures %s", says)
	}
}

// TestADeadlineIsSaidBeforehand: with the year whose notice it waits for, and not where silence means nothing.
func TestADeadlineIsSaidBeforehand(t *testing.T) {
	var f rating.CaseFact
	f.CompletedAt = time.Date(2026, 12, 28, 10, 0, 0, 0, rating.Shanghai()).UnixMilli()
	c := books.Case{Key: rating.CaseKey{Area: "620100000000", Project: "P"}, CaseFile: rating.CaseFile{CaseFact: f}}
	notices, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		what     string
		notices  []rating.Notice
		counts   int64
		deadline string
		missing  int
	}{
		{"the notice of 2027 is missing", slices.DeleteFunc(slices.Clone(notices), func(n rating.Notice) bool { return n.Year == 2027 }), 0,
			"2027-01-05T00:00:00+08:00", 2027},
		{"it is there", append(slices.DeleteFunc(slices.Clone(notices), func(n rating.Notice) bool { return n.Year == 2027 }),
			rating.Notice{Year: 2027, Source: "a test's", Off: []string{"2027-01-01"}}), 0, "2027-01-06T00:00:00+08:00", 0},
		{"rated", notices, 7, "", 0},
	} {
		days, err := rating.NewCalendar(x.notices...)
		if err != nil {
			t.Fatal(err)
		}
		c.Counts = x.counts
		if v := ViewOf(c, &days, nil); v.Deadline != x.deadline || v.MissingNotice != x.missing {
			t.Errorf("%s: %s, missing %d; want %s, %d", x.what, v.Deadline, v.MissingNotice, x.deadline, x.missing)
		}
	}
	c.Counts = 0
	if v := ViewOf(c, nil, nil); v.Deadline != "" {
		t.Errorf("silence means nothing, and the deadline is %s", v.Deadline)
	}
}

// TestAContactIsEncryptedAndErasable looks for the number in the row, reads it, and erases it.
func TestAContactIsEncryptedAndErasable(t *testing.T) {
	o := newOffice(t)
	if status, says := o.ask(t, "POST", "/v1/cases", "1", body(filed)); status != 200 {
		t.Fatal(status, says)
	}
	o.follow(t)
	c, ok, err := o.books.Case(t.Context(), rating.CaseKey{Area: "620100000000", Project: "P-1"})
	if err != nil || !ok || c.Contact == 0 {
		t.Fatal(c, ok, err)
	}
	pos, part := books.Entry{Cursor: c.Contact}.Pos()
	e, err := o.journal.Entry(t.Context(), pos)
	if err != nil || strings.Contains(string(e.Parts[part]), "13812345678") {
		t.Fatalf("%s, %v", e.Parts[part], err)
	}
	if number, err := o.journal.Text(t.Context(), pos, part); err != nil || number != "13812345678" {
		t.Errorf("%q, %v", number, err)
	}
	if err := o.journal.Erase(t.Context(), pos, part, "a person", "asked for"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.journal.Text(t.Context(), pos, part); !errors.Is(err, journal.ErrErased) {
		t.Errorf("after it was erased: %v", err)
	}
}

// TestATokenHasItsArea: what lies outside of a token's area is unknown to it, and other doors are closed.
func TestATokenHasItsArea(t *testing.T) {
	o := newOffice(t)
	elsewhere := strings.Replace(filed, "620100", "620200", 1)
	if status, says := o.ask(t, "POST", "/v1/cases", "1", body(filed, elsewhere)); status != 200 {
		t.Fatal(status, says)
	}
	o.follow(t)
	for i, step := range []struct {
		token, method, path, body string
		status                    int
	}{
		{"city", "GET", "/v1/cases/620100/P-1", "", 200},
		{"city", "GET", "/v1/cases/620200/P-1", "", 404},
		{"city", "GET", "/v1/figures", "", 404},
		{"city", "POST", "/v1/cases", body(elsewhere), 422},
		{"city", "POST", "/v1/cases", body(filed), 200},
		{"phone", "GET", "/v1/cases/620100/P-1", "", 403},
		{"phone", "POST", "/v1/cases", body(filed), 403},
	} {
		r := httptest.NewRequest(step.method, step.path, strings.NewReader(step.body))
		r.Header.Set("Authorization", "Bearer "+step.token)
		r.Header.Set("Idempotency-Key", fmt.Sprint(i))
		w := httptest.NewRecorder()
		o.server.Config.Handler.ServeHTTP(w, r)
		if w.Code != step.status {
			t.Errorf("step %d: %d %s, want %d", i, w.Code, w.Body, step.status)
		}
	}
}

func TestNobodyWithoutAToken(t *testing.T) {
	o := newOffice(t)
	for _, path := range []string{"/v1/cases/620100/P-1", "/v1/figures"} {
		resp, err := http.Get(o.server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 401 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

// TestFactsInAnyOrder sends facts of some cases in any order, some twice, and compares with what was true.
func TestFactsInAnyOrder(t *testing.T) {
	o, run := newOffice(t), 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		start := time.Date(2026, 3, 2, 9, 0, 0, 0, rating.Shanghai())
		var steps []string
		want := make(map[string]string)
		for i := range rapid.IntRange(1, 3).Draw(t, "cases") {
			no := fmt.Sprintf("r%d-%d", run, i)
			at := start
			fact := func(rest string, hours int) string {
				return fmt.Sprintf(`{"area":"620100","project_no":"%s","as_of":"%s"%s}`, no,
					start.Add(time.Duration(hours)*time.Hour).Format(time.RFC3339), rest)
			}
			steps = append(steps, fact(`,"task_code":"t"`, 0), fact(`,"completed_at":"`+at.Format(time.RFC3339)+`"`, 1))
			for n := range rapid.IntRange(0, 3).Draw(t, "corrections") {
				at = start.Add(time.Duration(n+1) * time.Minute)
				steps = append(steps, fact(`,"corrects":true,"completed_at":"`+at.Format(time.RFC3339)+`"`, n+2))
			}
			want[no] = at.Format(time.RFC3339)
		}
		for n, i := range rapid.Permutation(indices(len(steps))).Draw(t, "order") {
			for range rapid.IntRange(1, 2).Draw(t, "times") {
				// Told before the correction that it is older than, a fact is taken; told in the same breath it must not be refused.
				if status, says := o.askRapid(t, fmt.Sprint(run, "-", n), body(steps[i])); status != 200 {
					t.Fatalf("%s: %d %s", steps[i], status, says)
				}
			}
		}
		o.followRapid(t)
		for no, at := range want {
			c, _, err := o.books.Case(context.Background(), rating.CaseKey{Area: "620100000000", Project: no})
			if err != nil || text(c.CompletedAt) != at || c.TaskCode != "t" {
				t.Fatalf("%s: %+v, %v, want %s", no, c, err, at)
			}
		}
	})
}

func indices(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

func (o *office) askRapid(t *rapid.T, key, body string) (int, string) {
	r := httptest.NewRequest("POST", "/v1/cases", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer secret")
	r.Header.Set("Idempotency-Key", key)
	w := httptest.NewRecorder()
	o.server.Config.Handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func (o *office) followRapid(t *rapid.T) {
	size, err := o.journal.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := o.books.Wait(ctx, size); err != nil {
		t.Fatal(err)
	}
}

// TestWhatAProvinceSends: what contradicts, or cannot be, is refused by itself and with its reason, and nothing is overwritten or invented.
func TestWhatAProvinceSends(t *testing.T) {
	o := newOffice(t)
	fact := func(project string, more ...string) string {
		f := `{"area":"620100","project_no":"` + project + `","as_of":"2026-03-02T10:00:00+08:00"`
		for i := 0; i < len(more); i += 2 {
			f += `,"` + more[i] + `":"` + more[i+1] + `"`
		}
		return f + "}"
	}
	for i, step := range []struct {
		what, body string
		status     int
		says       string
	}{
		{"a batch", body(fact("B1", "batch", "b", "task_code", "t1"), fact("B2", "batch", "b", "task_code", "t1")), 200, `"accepted":2`},
		{"filed twice", body(fact("B1", "batch", "b", "task_code", "t1"), fact("B2", "batch", "b", "task_code", "t1")), 200, `"accepted":2`},
		{"under another name", body(fact("B1", "batch", "c", "task_code", "t1")), 422, "batch is"},
		{"another task in it", body(fact("B3", "batch", "b", "task_code", "t2")), 422, "task_code of the batch"},
		{"two tasks in one request", body(fact("C1", "batch", "d", "task_code", "t1"), fact("C2", "batch", "d", "task_code", "t2")), 200,
			`"accepted":1,"refused":[{"index":1`},
		{"a batch of no task", body(fact("D1", "batch", "e")), 422, "task_code"},
		{"the same name in another city is another batch",
			strings.ReplaceAll(body(fact("B1", "batch", "b", "task_code", "t9")), "620100", "620200"), 200, `"accepted":1`},
		{"a theme over units", body(fact("T1", "theme", "x", "unit", "U1"), fact("T2", "theme", "x", "unit", "U2")), 200, `"accepted":2`},
		{"another theme", body(fact("T1", "theme", "y")), 422, "theme is"},
		{"completed first", body(fact("A1", "completed_at", "2026-03-02T09:00:00+08:00")), 200, `"accepted":1`},
		{"and accepted after it", body(fact("A1", "accepted_at", "2026-03-02T09:30:00+08:00")), 422, "accepted"},
		{"and accepted before it", body(fact("A1", "accepted_at", "2026-03-01T09:30:00+08:00")), 200, `"accepted":1`},
		{"a clock at its beginning", body(fact("K1", "completed_at", "1970-01-01T08:00:00+08:00")), 422, "before 2000"},
		{"a clock long ago", body(fact("K2", "completed_at", "1999-12-31T00:00:00+08:00")), 422, "before 2000"},
		{"a clock ahead", body(fact("K3", "completed_at", "2099-01-01T00:00:00+08:00")), 422, "future"},
		{"a time without a zone", body(fact("K4", "completed_at", "2026-03-02 09:00:00")), 400, "completed_at"},
		{"an area of nine digits", strings.ReplaceAll(body(fact("K5")), "620100", "620100000"), 422, "12 digits"},
	} {
		if status, says := o.ask(t, "POST", "/v1/cases", fmt.Sprint(i), step.body); status != step.status || !strings.Contains(says, step.says) {
			t.Errorf("%s: %d %s, want %d %s", step.what, status, says, step.status, step.says)
		}
		o.follow(t)
	}
	f, err := o.books.CaseFigures(t.Context())
	if err != nil || f.Cases != 7 || f.Completed != 1 { // two of the batch, C1, the other city's B1, two of the theme, A1
		t.Errorf("figures %+v, %v", f, err)
	}
}

// TestTheDescriptionIsServed asks for it without a token.
func TestTheDescriptionIsServed(t *testing.T) {
	o := newOffice(t)
	if status, says := o.ask(t, "GET", "/v1/openapi.yaml", "", ""); status != 200 || !strings.HasPrefix(says, "openapi: 3.1.0") {
		t.Error(status, says)
	}
}
