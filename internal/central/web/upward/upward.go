package upward

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/upward"
	"haochaping/internal/central/web"
)

//go:embed *.html *.css
var files embed.FS

// Room is what the pages need of what goes upward.
type Room interface {
	Table() *upward.Table
	Counts(context.Context) ([]upward.Count, error)
	Way(context.Context) (upward.Way, error)
	Feed(ctx context.Context, after int64, n int) ([]upward.Record, error)
	Refused(ctx context.Context, before int64, n int) ([]upward.Record, error)
	Fields(upward.Record) map[string]string
	Again(ctx context.Context, changes []int64) (int64, error)
}

// Config holds what the pages need.
type Config struct {
	Room  Room // nil: nothing goes upward, and the pages say so
	Sends bool // to a superior system; else there is the feed alone
}

type pages struct{ Config }

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg}
	see, nav := account.SeeUpward, "上报"
	if cfg.Room == nil {
		nav = ""
	}
	return web.Section{Name: "upward", Files: files, Needs: p.needs, Routes: []web.Route{
		{Method: "GET", Path: "/upward", Action: see, Nav: nav, Do: p.page},
		{Method: "POST", Path: "/upward/again", Action: account.SendUpward, Do: p.again},
		{Method: "GET", Path: "/api/v1/upward", Action: see, Do: p.feed},
	}}
}

const (
	shown   = 50
	step    = 500
	scanned = 10000 // looked at for one page; the rest is behind its link
)

func object(x upward.Record) account.Object { return account.Object{Area: x.Area} }

// scan returns up to most records that somebody may see, as read yields them, and where the rest begins, 0: there is none.
func scan(c *web.Call, at int64, most int, read func(ctx context.Context, at int64, n int) ([]upward.Record, error)) (all []upward.Record,
	next int64, err error) {
	for looked := 0; looked < scanned; looked += step {
		some, err := read(c.R.Context(), at, step)
		if err != nil {
			return nil, 0, err
		}
		for _, x := range some {
			if !c.May(account.SeeUpward, object(x)) {
				continue
			}
			if len(all) == most {
				return all, all[most-1].Change, nil
			}
			all = append(all, x)
		}
		if len(some) < step {
			return all, 0, nil
		}
		at = some[len(some)-1].Change
	}
	return all, at, nil
}

// sums is how many records of a kind are how.
type sums struct {
	Kind                              upward.Kind
	Waits, Blocked, Accepted, Refused int64
}

func (p *pages) sums(c *web.Call) ([]sums, error) {
	counts, err := p.Room.Counts(c.R.Context())
	if err != nil {
		return nil, err
	}
	all := []sums{{Kind: upward.Service}, {Kind: upward.Evaluation}}
	for _, n := range counts {
		if !c.May(account.SeeUpward, account.Object{Area: n.Area}) {
			continue
		}
		s := &all[n.Kind-upward.Service]
		switch n.State {
		case upward.Waits:
			s.Waits += n.N
		case upward.Blocked:
			s.Blocked += n.N
		case upward.Accepted:
			s.Accepted += n.N
		case upward.Refused:
			s.Refused += n.N
		}
	}
	return all, nil
}

// row is a refused record in words.
type row struct {
	upward.Record
	At, Level string
	May       bool // have it sent again
}

type view struct {
	None  bool // nothing goes upward here
	Sends bool
	Table *upward.Table
	Way   upward.Way
	Since string
	Heard string
	Sums  []sums
	Rows  []row
	Again bool // one of the rows can be sent again
	More  string
	Past  bool
	Done  int64 // have just been sent again, -1: nothing was asked for
}

func (p *pages) page(c *web.Call) error {
	q := c.R.URL.Query()
	v := view{None: p.Room == nil, Sends: p.Sends, Past: q.Has("before"), Done: -1}
	if v.None {
		return c.Show("upward/page", v)
	}
	before, err := placeOf(q.Get("before"))
	if err != nil {
		return err
	}
	if q.Has("done") {
		if v.Done, err = placeOf(q.Get("done")); err != nil {
			return err
		}
	}
	v.Table = p.Room.Table()
	if v.Sums, err = p.sums(c); err != nil {
		return err
	}
	if v.Way, err = p.Room.Way(c.R.Context()); err != nil {
		return err
	}
	v.Since, v.Heard = at(v.Way.Since), at(v.Way.Heard)
	some, next, err := scan(c, before, shown, p.Room.Refused)
	if err != nil {
		return err
	}
	for _, x := range some {
		r := row{Record: x, At: web.Clock(x.Answered), May: c.May(account.SendUpward, object(x))}
		if a := x.Said.Answer; a != nil {
			r.Level = a.Level.Chinese()
		}
		v.Again = v.Again || r.May
		v.Rows = append(v.Rows, r)
	}
	if next != 0 {
		v.More = "/upward?before=" + strconv.FormatInt(next, 10)
	}
	return c.Show("upward/page", v)
}

func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return web.Clock(t.UnixMilli())
}

func placeOf(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, &web.Refusal{Words: "cursor 应为上一页的值。The cursor is one of the page before."}
	}
	return n, nil
}

// mostAgain bounds how many records one form sends again.
const mostAgain = 200

// again has records sent again that somebody has chosen, and enters who wanted it. Those that they may not have sent are not there.
func (p *pages) again(c *web.Call) error {
	if p.Room == nil {
		return web.ErrNotFound
	}
	if err := c.R.ParseForm(); err != nil {
		return &web.Refusal{Words: "表单读不懂。The form cannot be read."}
	}
	chosen := c.R.PostForm["record"]
	if len(chosen) == 0 || len(chosen) > mostAgain {
		return &web.Refusal{Status: http.StatusUnprocessableEntity,
			Words: fmt.Sprintf("请勾选 1 至 %d 条记录。Choose 1 to %d records.", mostAgain, mostAgain)}
	}
	byArea := make(map[string][]string)
	var changes []int64
	for _, s := range chosen {
		n, err := placeOf(s)
		if err != nil {
			return err
		}
		some, err := p.Room.Feed(c.R.Context(), n-1, 1)
		if err != nil {
			return err
		}
		if len(some) != 1 || some[0].Change != n || !c.May(account.SendUpward, object(some[0])) {
			continue // it has changed meanwhile, and goes by itself
		}
		changes = append(changes, n)
		byArea[some[0].Area] = append(byArea[some[0].Area], some[0].ID())
	}
	for area, ids := range byArea {
		slices.Sort(ids)
		data, err := json.Marshal(ids)
		if err != nil {
			return err
		}
		if err := c.Act(journal.Act{Do: "upward.again", Object: fmt.Sprintf("%d 条", len(ids)), Data: data, Domain: area}, nil); err != nil {
			return err
		}
	}
	done, err := p.Room.Again(c.R.Context(), changes)
	if err != nil {
		return err
	}
	return c.See("/upward?done=" + strconv.FormatInt(done, 10))
}

// counted bounds what the home page counts.
const counted = 100

// needs says that something was refused, or that the superior system takes nothing.
func (p *pages) needs(c *web.Call) ([]web.Need, error) {
	if p.Room == nil || !c.Ever(account.SeeUpward) {
		return nil, nil
	}
	refused, next, err := scan(c, 0, counted, p.Room.Refused)
	if err != nil {
		return nil, err
	}
	var needs []web.Need
	switch n := len(refused); {
	case next != 0:
		needs = append(needs, web.Need{Words: fmt.Sprintf("%d 条以上上报被上级系统退回", n), Path: "/upward"})
	case n > 0:
		needs = append(needs, web.Need{Words: fmt.Sprintf("%d 条上报被上级系统退回", n), Path: "/upward"})
	}
	if way, err := p.Room.Way(c.R.Context()); err != nil {
		return nil, err
	} else if !way.Since.IsZero() && c.Now().Sub(way.Since) > time.Hour {
		needs = append(needs, web.Need{Words: "上级系统自 " + at(way.Since) + " 起没有接收上报", Path: "/upward", Grave: true})
	}
	return needs, nil
}

// told is a record as programs read it.
type told struct {
	Cursor    int64             `json:"cursor"` // place in the feed
	ID        string            `json:"id"`
	Kind      string            `json:"kind"`
	Version   int64             `json:"version"`
	Withdrawn bool              `json:"withdrawn"`
	State     string            `json:"state"`
	Code      string            `json:"code,omitempty"`  // that the superior system has said last
	Words     string            `json:"words,omitempty"` // with it
	Area      string            `json:"area,omitempty"`
	HasText   bool              `json:"has_text"` // the citizen has written something, which no token shows
	Fields    map[string]string `json:"fields"`
}

func stateOf(s upward.State) string {
	return map[upward.State]string{upward.Waits: "waits", upward.Accepted: "accepted", upward.Refused: "refused", upward.Idle: "idle",
		upward.Blocked: "waits_for_service"}[s]
}

// feed answers programs.
func (p *pages) feed(c *web.Call) error {
	if err := c.Query("cursor", "limit"); err != nil {
		return err
	}
	most, err := c.Limit()
	if err != nil {
		return err
	}
	after, err := placeOf(c.R.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	if p.Room == nil {
		return web.List[told](c, nil, "")
	}
	some, next, err := scan(c, after, most, p.Room.Feed)
	if err != nil {
		return err
	}
	var items []told
	for _, x := range some {
		t := told{Cursor: x.Change, ID: x.ID(), Kind: x.Kind().String(), Version: x.Version, Withdrawn: x.Gone, State: stateOf(x.State),
			Code: x.Code, Words: x.Words, Area: x.Area, Fields: p.Room.Fields(x)}
		t.HasText = x.Said.Answer != nil && x.Said.Answer.Text && !x.Gone
		items = append(items, t)
	}
	if next == 0 {
		return web.List(c, items, "")
	}
	return web.List(c, items, strconv.FormatInt(next, 10))
}
