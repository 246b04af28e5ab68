package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
)

// Call is one request, and who makes it.
type Call struct {
	W      http.ResponseWriter
	R      *http.Request
	Person account.Person // the zero one where nobody is signed in
	// Everybody says that there is no account yet, so that what is shown is shown to everybody on this machine.
	Everybody bool

	site   *Site
	route  Route
	secret string // of the session, empty for a token
	token  string // empty for a session
	leave  func() // ends what counts as a request of the token, nil for a session
}

// May reports whether the person may do something. It is account.May, but for the time in which there is no account.
func (c *Call) May(a account.Action, o account.Object) bool {
	return c.Everybody || account.May(c.Person, a, o)
}

// Ever reports whether the person may do something to any object at all.
func (c *Call) Ever(a account.Action) bool { return c.Everybody || account.Ever(c.Person, a) }

// Grants returns the grants by which the person may do something.
func (c *Call) Grants(a account.Action) []account.Grant { return account.Grants(c.Person, a) }

// Still reports whether the person may go on, for answers that have no end. It is no use of the session.
func (c *Call) Still(ctx context.Context) bool {
	if c.Everybody {
		any, err := c.site.anyAccount(ctx)
		return err == nil && !any
	}
	var p account.Person
	var err error
	switch {
	case c.token != "":
		p, err = c.site.cfg.Accounts.ByToken(ctx, c.token)
	case c.secret != "":
		p, _, err = c.site.cfg.Accounts.Session(ctx, c.secret, true)
	default:
		return false
	}
	if err != nil {
		return false
	}
	c.Person = p
	return account.Ever(p, c.route.Action)
}

// Secret returns what the session's cookie holds.
func (c *Call) Secret() string { return c.secret }

// Browser returns from where the request comes.
func (c *Call) Browser() account.Browser {
	b := account.Browser{Address: c.site.client(c.R).address(), Agent: c.R.UserAgent()}
	if k, err := c.R.Cookie(c.site.cookieName(c.R, browserCookie)); err == nil {
		b.Known = k.Value
	}
	return b
}

// Secure reports whether the request came over HTTPS, or from this machine.
func (c *Call) Secure() bool { return c.site.client(c.R).secure() }

// Local reports whether the request came from this machine.
func (c *Call) Local() bool { return c.site.client(c.R).local }

// Now returns the time.
func (c *Call) Now() time.Time { return c.site.cfg.Now() }

// Clock returns a time of the database as people in China read it.
func Clock(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).In(Zone()).Format("2006-01-02 15:04")
}

// Zone is the time zone of all pages. China has one and no summer time, so no zone database is needed.
func Zone() *time.Location { return time.FixedZone("Asia/Shanghai", 8*60*60) }

// See sends the browser to another page of this site.
func (c *Call) See(path string) error {
	http.Redirect(c.W, c.R, path, http.StatusSeeOther)
	return nil
}

// Show answers with a page: "section/template".
func (c *Call) Show(page string, data any) error { return c.ShowStatus(http.StatusOK, page, data) }

// ShowStatus answers with a page under another status.
func (c *Call) ShowStatus(status int, page string, data any) error {
	text, err := c.site.page(c, page, data)
	if err != nil {
		return err
	}
	c.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.W.WriteHeader(status)
	_, _ = c.W.Write(text) // a failing write means that the reader is gone
	return nil
}

// JSON answers with a value.
func (c *Call) JSON(v any) error { return c.JSONStatus(http.StatusOK, v) }

// JSONStatus answers with a value under another status.
func (c *Call) JSONStatus(status int, v any) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Errorf("answer %s: %w", c.R.Pattern, err)
	}
	c.W.Header().Set("Content-Type", "application/json")
	c.W.WriteHeader(status)
	_, _ = c.W.Write(append(text, '\n'))
	return nil
}

// By is who does something, for an act.
func (c *Call) By(reason string) account.By {
	return account.By{Account: c.Person.Account, Session: c.Person.By, Reason: reason}
}

// Act enters into the journal what the person does, and in the same transaction what also writes.
func (c *Call) Act(a journal.Act, also func(context.Context, *db.Tx, int64) error) error {
	// What changes something was asked already; an export is a GET, to which another site can lead a browser.
	if site := c.R.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return &Refusal{Status: http.StatusForbidden, Words: "请从本站页面操作。This request was caused by another site's page."}
	}
	a.By = c.Person.By
	_, err := c.site.cfg.Journal.Do(c.R.Context(), c.Person.Account, "", a, also)
	return err
}

// deedTime is how long what somebody has begun may go on after they have left.
const deedTime = 30 * time.Second

// Undisturbed has what is done in several transactions go on though the person leaves amid it: none is to be done without its act. It ends
// with what it returns.
func (c *Call) Undisturbed() (end func()) {
	asked := c.R
	ctx, cancel := context.WithTimeout(context.WithoutCancel(asked.Context()), deedTime)
	c.R = asked.WithContext(ctx)
	return func() {
		cancel()
		c.R = asked
	}
}

// Bounds of a reason, in characters.
const (
	leastReason = 4
	mostReason  = 500
)

// Look enters that the person looks at what needs a reason. Without one it is a Refusal, outside of what they may see ErrNotFound.
func (c *Call) Look(a account.Action, o account.Object, object, reason string) error {
	if !account.May(c.Person, a, o) {
		return ErrNotFound
	}
	return c.look(a, o.Area, object, reason)
}

// LookThrough enters that the person looks for something in all of what they may see that needs a reason.
func (c *Call) LookThrough(a account.Action, object, reason string) error {
	domains := c.Domains(a)
	if len(domains) == 0 {
		return ErrNotFound
	}
	for _, d := range domains { // the audit of each of them shows it
		if err := c.look(a, d, object, reason); err != nil {
			return err
		}
	}
	return nil
}

// Domains returns the areas in which the person may do something, each once and none within another.
func (c *Call) Domains(a account.Action) (all []string) {
	for _, g := range account.Grants(c.Person, a) {
		if slices.ContainsFunc(all, func(d string) bool { return account.Within(d, g.Area) }) {
			continue
		}
		all = append(slices.DeleteFunc(all, func(d string) bool { return account.Within(g.Area, d) }), g.Area)
	}
	return all
}

// Taken enters that the person takes something with them of all that they may take, an act in each area.
func (c *Call) Taken(a account.Action, do, object string) error {
	domains := c.Domains(a)
	if len(domains) == 0 {
		return ErrNotFound
	}
	for _, d := range domains {
		if err := c.Act(journal.Act{Do: do, Object: object, Domain: d}, nil); err != nil {
			return err
		}
	}
	return nil
}

func (c *Call) look(a account.Action, domain, object, reason string) error {
	reason = strings.TrimSpace(reason)
	if n := utf8.RuneCountInString(reason); n < leastReason || n > mostReason {
		return &Refusal{Status: http.StatusUnprocessableEntity,
			Words: fmt.Sprintf("请写明查看理由（%d 至 %d 字）。Say why you look.", leastReason, mostReason)}
	}
	return c.Act(journal.Act{Do: "look " + string(a), Object: object, Reason: reason, Domain: domain, Few: a == account.SeeClues}, nil)
}

// Base returns the origin by which the browser asked.
func (c *Call) Base() string {
	if c.site.client(c.R).https {
		return "https://" + c.R.Host
	}
	return "http://" + c.R.Host
}
