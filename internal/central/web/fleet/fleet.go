package fleet

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

//go:embed *.html *.css *.js
var files embed.FS

// Config holds what the pages need.
type Config struct {
	Fleet     *fleet.Fleet
	Directory *directory.Directory
	Enrol     *enrol.Room
	// Send hands a command to the broker.
	Send func(context.Context, wire.Command) error
	// Days are the working days, by which halls are open.
	Days rating.Calendar
	// Waits reports why windows may not wait so many seconds for a key, 0 for each box's own; nil: they may as long as they like.
	Waits func(seconds int) error
	// Random returns a text that nobody can guess.
	Random func() string
}

// pages are the pages.
type pages struct{ Config }

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg}
	see, do, edit := account.SeeBoxes, account.CommandBoxes, account.EditBoxes
	routes := slices.Concat(p.programs(), p.passes(), p.staged())
	return web.Section{Name: "fleet", Files: files, Needs: p.needs, Routes: append(routes, []web.Route{
		{Method: "GET", Path: "/fleet", Action: see, Nav: "评价器", Do: p.overview},
		{Method: "GET", Path: "/fleet/halls/{hall}", Action: see, Object: p.hallObject, Do: p.hall},
		{Method: "POST", Path: "/fleet/halls/{hall}/hours", Action: do, Object: p.hallObject, Do: p.setHours},
		{Method: "GET", Path: "/fleet/boxes/{device}", Action: see, Object: p.boxObject, Do: p.box},
		{Method: "POST", Path: "/fleet/boxes/{device}/commands", Action: do, Object: p.boxObject, Do: p.command},
		{Method: "POST", Path: "/fleet/boxes/{device}/check", Action: do, Object: p.boxObject, Do: p.check},
		{Method: "GET", Path: "/fleet/boxes/{device}/bundles/{command}", Action: do, Object: p.boxObject, Do: p.bundle},
		{Method: "POST", Path: "/fleet/boxes/{device}/update", Action: do, Object: p.boxObject, Do: p.updateBox},
		{Method: "POST", Path: "/fleet/boxes/{device}/keys", Action: do, Object: p.boxObject, Do: p.keepKeys},
		{Method: "GET", Path: "/fleet/enrol", Action: edit, Do: p.enrolling},
		{Method: "POST", Path: "/fleet/enrol/reset", Action: edit, Do: p.reset},
		{Method: "POST", Path: "/fleet/halls/{hall}/enrol", Action: edit, Object: p.hallObject, Do: p.accept},
		{Method: "POST", Path: "/fleet/boxes/{device}/withdraw", Action: edit, Object: p.boxObject, Do: p.withdraw},
		{Method: "POST", Path: "/fleet/boxes/{device}/erase", Action: edit, Object: p.boxObject, Do: p.erase},
		{Method: "POST", Path: "/fleet/boxes/{device}/remove", Action: edit, Object: p.boxObject, Do: p.remove},
		{Method: "POST", Path: "/fleet/boxes/{device}/move", Action: edit, Object: p.boxObject, Do: p.move},
		{Method: "POST", Path: "/fleet/boxes/{device}/lost", Action: edit, Object: p.boxObject, Do: p.lost},
		{Method: "POST", Path: "/fleet/boxes/{device}/revoke", Action: edit, Object: p.boxObject, Do: p.revoke},
		{Method: "POST", Path: "/fleet/alerts/{alert}/acknowledge", Action: do, Object: p.alertObject, Do: p.acknowledge},
	}...)}
}

func (p *pages) atlas(c *web.Call) (*directory.Atlas, error) { return p.Directory.Atlas(c.R.Context()) }

// hallAt returns where a hall is.
func hallAt(a *directory.Atlas, hall directory.Record, d directory.Day) account.Object {
	o := account.Object{Area: hall.Area, Hall: hall.ID}
	for _, u := range a.Units(hall.Unit, d) {
		o.Units = append(o.Units, u.ID)
	}
	return o
}

// hallObject finds the hall that an address names.
func (p *pages) hallObject(c *web.Call) (account.Object, error) {
	a, err := p.atlas(c)
	if err != nil {
		return account.Object{}, err
	}
	day := directory.DayOf(c.Now())
	hall, ok := a.At(directory.Hall, c.R.PathValue("hall"), day)
	if !ok {
		return account.Object{}, web.ErrNotFound
	}
	return hallAt(a, hall, day), nil
}

// boxObject finds where the box stands that an address names.
func (p *pages) boxObject(c *web.Call) (account.Object, error) {
	id, err := rating.ParseDeviceID(c.R.PathValue("device"))
	if err != nil {
		return account.Object{}, web.ErrNotFound
	}
	s, err := p.Fleet.State(c.R.Context(), id)
	if errors.Is(err, fleet.ErrNoDevice) {
		return account.Object{}, web.ErrNotFound
	}
	if err != nil {
		return account.Object{}, err
	}
	a, err := p.atlas(c)
	if err != nil {
		return account.Object{}, err
	}
	return scope.At(a, s.ID, s.Window, c.Now()), nil
}

// alertObject finds where an alert is.
func (p *pages) alertObject(c *web.Call) (account.Object, error) {
	x, err := p.Fleet.Alert(c.R.Context(), c.R.PathValue("alert"))
	if errors.Is(err, fleet.ErrNoAlert) {
		return account.Object{}, web.ErrNotFound
	}
	return alertAt(x), err
}

func alertAt(x fleet.Alert) account.Object { return account.Object{Area: x.Area, Hall: x.Hall} }

// alerts returns the open alerts about which the person may do something, of one hall or box if one is named. Nothing outside of their
// grants is read.
func (p *pages) alerts(c *web.Call, do account.Action, in fleet.AlertsIn) (some []fleet.Alert, err error) {
	for _, g := range c.Grants(do) {
		if g.Role.Scope() == account.InHall {
			in.Halls = append(in.Halls, g.Scope)
			continue
		}
		first, last := account.Codes(g.Scope)
		in.Areas = append(in.Areas, fleet.Codes{First: first, Last: last})
	}
	if c.May(do, account.Object{}) { // also boxes that stand nowhere
		in.Areas = append(in.Areas, fleet.Codes{})
	}
	if bound := c.Person.Bound; bound != "" { // here already, since what is left out afterwards leaves a part short
		first, last := account.Codes(bound)
		in.Within = append(in.Within, fleet.Codes{First: first, Last: last})
		if account.Within(bound, "") {
			in.Within = append(in.Within, fleet.Codes{})
		}
	}
	all, err := p.Fleet.Alerts(c.R.Context(), in)
	for _, x := range all {
		if c.May(do, alertAt(x)) {
			some = append(some, x)
		}
	}
	return some, err
}

// mostAlerts bounds the alerts of a page.
const mostAlerts = 200

// alone returns the alerts that nobody looks after yet.
func (p *pages) alone(c *web.Call) ([]web.Need, error) {
	if !c.Ever(account.CommandBoxes) {
		return nil, nil
	}
	all, err := p.alerts(c, account.CommandBoxes, fleet.AlertsIn{Alone: true, Limit: mostAlerts})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b fleet.Alert) int { return kindAt(a.Kind) - kindAt(b.Kind) })
	if len(all) == 1 {
		return []web.Need{{Words: "评价器告警：" + alertWords(all[0]), Path: alertPath(all[0]), Grave: true}}, nil
	}
	return []web.Need{{Words: fmt.Sprintf("评价器有 %d 条告警待确认：%s 等", len(all), alertWords(all[0])), Path: "/fleet", Grave: true}}, nil
}

func kindAt(k fleet.AlertKind) int { return slices.Index(fleet.AlertKinds(), k) }

// alertPath returns where something can be done about an alert.
func alertPath(x fleet.Alert) string {
	switch {
	case x.Device != "":
		return "/fleet/boxes/" + string(x.Device)
	case x.Hall != "":
		return "/fleet/halls/" + x.Hall
	}
	return "/fleet"
}

// back returns the page of this section from which a form was sent.
func back(c *web.Call, otherwise string) string {
	to := c.R.FormValue("back")
	if to == "/fleet" || strings.HasPrefix(to, "/fleet/") {
		return to
	}
	return otherwise
}

// conflict says that somebody was first.
func conflict(words string) error { return &web.Refusal{Status: http.StatusConflict, Words: words} }

// at returns a moment as people read it, empty for none.
func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return web.Clock(t.UnixMilli())
}
