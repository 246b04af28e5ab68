package evaluations_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/evaluations"
	"haochaping/internal/central/web/webtest"
)

// crowd is books with so many evaluations, found part by part.
type crowd struct {
	evaluations.Books
	like books.Entry
	n    int
}

func (c crowd) Beyond(_ context.Context, _ books.Search, n int) (bool, error) { return c.n > n, nil }

func (c crowd) Search(_ context.Context, _ books.Search, after books.Cursor, limit int) (p books.Page, err error) {
	done := int(after.ID)
	for range min(limit, c.n-done) {
		done++
		p.Entries = append(p.Entries, c.like)
	}
	if done < c.n {
		p.Next = books.Cursor{Moment: 1, ID: int64(done)}
	}
	return p, nil
}

// What the list offers to take away is what it was asked for.
func TestExportsAreOfTheList(t *testing.T) {
	w := newWorld(t)
	city := w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000")))
	page := w.get("/evaluations?from=2026-02-25&hall=SL-H1", city)
	for _, path := range []string{"export.xlsx", "export.csv", "export.jsonl", "texts"} {
		webtest.Want(t, page, http.StatusOK, `href="/evaluations/`+path+`?from=2026-02-25&amp;hall=SL-H1"`)
	}
	webtest.Want(t, w.get("/evaluations/texts?from=2026-02-25&hall=SL-H1", city), http.StatusOK,
		`href="/evaluations?from=2026-02-25&amp;hall=SL-H1"`)
}

// An export as lines is sent while it is read, and holds all that there is; what is too much is said before anything is sent or entered.
func TestALongExport(t *testing.T) {
	w := newWorld(t)
	city := w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000")))
	w.fill()
	some, err := w.books.Search(t.Context(), books.Search{}, books.Cursor{}, 1)
	if err != nil || len(some.Entries) != 1 {
		t.Fatalf("%+v, %v", some, err)
	}
	serve := func(n int) {
		w.site = w.Site(evaluations.Section(evaluations.Config{Books: crowd{w.books, some.Entries[0], n}, Journal: w.Journal,
			Directory: w.directory}))
	}
	serve(60_001)
	for path, lines := range map[string]int{"/evaluations/export.jsonl": 60_001, "/evaluations/export.csv": 60_002} {
		r := w.get(path, city)
		if got := strings.Count(r.Body.String(), "\n"); r.Code != http.StatusOK || got != lines {
			t.Errorf("%s: %d with %d lines, want %d", path, r.Code, got, lines)
		}
	}
	before := len(w.acts())
	webtest.Want(t, w.get("/evaluations/export.xlsx", city), http.StatusUnprocessableEntity, "超过 50000 份")
	serve(1_000_001)
	webtest.Want(t, w.get("/evaluations/export.csv", city), http.StatusUnprocessableEntity, "超过 1000000 份")
	if after := len(w.acts()); after != before {
		t.Errorf("%d acts were entered for nothing", after-before)
	}
}
