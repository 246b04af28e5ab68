package webtest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/proof/descriptions"
)

// Program asks a site's API by a token, and remembers the answers.
type Program struct {
	Answers []descriptions.Answer
	Token   string

	t    testing.TB
	site http.Handler
}

// Program returns a program of somebody with a grant, whose token does some actions, bounded to an area if that is not empty.
func (w *World) Program(site http.Handler, g account.Grant, area string, actions ...account.Action) *Program {
	w.t.Helper()
	return w.ProgramOf(site, w.Add(g), area, actions...)
}

// ProgramOf returns a program of somebody, as Program does.
func (w *World) ProgramOf(site http.Handler, x account.Account, area string, actions ...account.Action) *Program {
	w.t.Helper()
	p, _, err := w.Accounts.Session(context.Background(), w.SignIn(x), true)
	if err != nil {
		w.t.Fatal(err)
	}
	token, _, err := w.Accounts.AddToken(context.Background(), p, "program", actions, area, w.Now().Add(time.Hour).UnixMilli())
	if err != nil {
		w.t.Fatal(err)
	}
	return &Program{Token: token, t: w.t, site: site}
}

// Get asks for an address, which has a path of the description.
func (p *Program) Get(path, address string) *httptest.ResponseRecorder {
	return p.ask(path, Request(http.MethodGet, address, "", nil))
}

// Post sends a body as JSON.
func (p *Program) Post(path, address, body string) *httptest.ResponseRecorder {
	r := Request(http.MethodPost, address, "", nil)
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	return p.ask(path, r)
}

func (p *Program) ask(path string, r *http.Request) *httptest.ResponseRecorder {
	r.Header.Set("Authorization", "Bearer "+p.Token)
	w := Do(p.site, r)
	p.Answers = append(p.Answers, descriptions.Answer{Method: r.Method, Path: path, Status: w.Code, Kind: w.Header().Get("Content-Type"),
		Body: w.Body.Bytes()})
	return w
}

// All returns all items of a list, read by parts of a few, each as a value of T.
func All[T any](t testing.TB, p *Program, path, query string) (all []T) {
	t.Helper()
	cursor := ""
	for range 1000 {
		w := p.Get(path, path+"?limit=3"+query+"&cursor="+url.QueryEscape(cursor))
		var part struct {
			Items []T
			Next  string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &part); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %v %s", path, w.Code, err, w.Body)
		}
		all = append(all, part.Items...)
		if cursor = part.Next; cursor == "" {
			return all
		}
	}
	t.Fatalf("%s has no end", path)
	return nil
}
