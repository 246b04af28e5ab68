package people

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
)

// programs returns what programs read of accounts and the audit. They change no account: a token that leaks could open others.
func (p *pages) programs() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/api/v1/accounts", Action: account.SeeAccounts, Do: p.listForPrograms},
		{Method: "GET", Path: "/api/v1/accounts/{account}", Action: account.SeeAccounts, Object: p.area, Do: p.tell},
		{Method: "GET", Path: "/api/v1/audit", Action: account.SeeAudit, Do: p.auditForPrograms},
	}
}

// told is an account as programs read it.
type told struct {
	ID        string  `json:"id"`
	Login     string  `json:"login"`
	Name      string  `json:"name"`
	Area      string  `json:"area"` // of the office that looks after it
	Disabled  bool    `json:"disabled"`
	Second    bool    `json:"second"`  // a second factor is enrolled
	Missing   bool    `json:"missing"` // its roles need one that is not enrolled
	CreatedAt string  `json:"created_at"`
	Grants    []grant `json:"grants"`
}

// grant is an appointment as programs read it.
type grant struct {
	ID    string       `json:"id"`
	Role  account.Role `json:"role"`
	Scope string       `json:"scope"`
	Area  string       `json:"area"`
	From  string       `json:"from"`
	To    string       `json:"to"` // empty: not yet known
}

// moment returns a time of the database as programs read it, empty for none.
func moment(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).In(web.Zone()).Format(time.RFC3339)
}

func toldOf(e entry) told {
	t := told{e.ID, e.Login, e.Name, e.Area, e.Disabled, e.Second, e.Missing, moment(e.CreatedAt), []grant{}}
	for _, g := range e.Grants {
		t.Grants = append(t.Grants, grant{g.ID, g.Role, g.Scope, g.Area, moment(g.From), moment(g.To)})
	}
	return t
}

// listForPrograms answers with the accounts that the person may see, by their sign-in names.
func (p *pages) listForPrograms(c *web.Call) error {
	if err := c.Query("q", "cursor", "limit"); err != nil {
		return err
	}
	most, err := c.Limit()
	if err != nil {
		return err
	}
	all, err := p.all(c)
	if err != nil {
		return err
	}
	q := c.R.URL.Query()
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.Login, b.Login) }) // a database may order them by a language
	var some []told
	for _, e := range all {
		if e.Login <= q.Get("cursor") || !e.fits(q.Get("q")) {
			continue
		}
		if len(some) == most {
			return web.List(c, some, some[most-1].Login)
		}
		some = append(some, toldOf(e))
	}
	return web.List(c, some, "")
}

// tell answers with one account.
func (p *pages) tell(c *web.Call) error {
	x, err := p.Accounts.Account(c.R.Context(), c.R.PathValue("account"))
	if err != nil {
		return err
	}
	e, err := p.entry(c, x)
	if err != nil {
		return err
	}
	tag, err := web.TagOf(toldOf(e))
	if err != nil {
		return err
	}
	c.W.Header().Set("ETag", tag)
	return c.JSON(toldOf(e))
}

// acted is a row of the audit as programs read it.
type acted struct {
	Pos    int64           `json:"pos"` // row of the journal
	At     string          `json:"at"`
	Who    string          `json:"who"`
	Do     string          `json:"do"`
	Means  string          `json:"means"` // in Chinese
	Object string          `json:"object"`
	Reason string          `json:"reason"`
	By     string          `json:"by"` // the session or token
	Area   string          `json:"area"`
	Data   json.RawMessage `json:"data,omitempty"` // as the journal has it
}

// auditForPrograms answers with the acts that the person may see, the last first.
func (p *pages) auditForPrograms(c *web.Call) error {
	if err := c.Query("q", "from", "to", "do", "cursor", "limit"); err != nil {
		return err
	}
	most, err := c.Limit()
	if err != nil {
		return err
	}
	s := searchOf(c)
	if cursor := c.R.URL.Query().Get("cursor"); cursor != "" {
		if s.before, err = strconv.ParseInt(cursor, 10, 64); err != nil || s.before < 1 {
			return &web.Refusal{Words: "cursor 应为上一页的 next。The cursor is the next of the page before."}
		}
	}
	size := 0
	var some []acted
	next, err := p.acts(c, s, account.SeeAudit, func(a act) bool {
		some = append(some, acted{a.Pos, moment(a.At), a.Who, a.Do, a.Did, a.Object, a.Reason, a.By, a.Area, json.RawMessage(a.Data)})
		size += len(a.Data)
		return len(some) < most && size < auditData
	})
	if err != nil {
		return err
	}
	if next == 0 {
		return web.List(c, some, "")
	}
	return web.List(c, some, strconv.FormatInt(next, 10))
}

// fits reports whether a search finds an account.
func (e entry) fits(words string) bool {
	words = strings.ToLower(strings.TrimSpace(words))
	return words == "" || strings.Contains(strings.ToLower(e.Login+" "+e.Name+" "+e.Area), words)
}
