package fleet

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
)

// programs returns what programs do about boxes. They let no box in and make none forget what it has.
func (p *pages) programs() []web.Route {
	see := account.SeeBoxes
	return []web.Route{
		{Method: "GET", Path: "/api/v1/boxes", Action: see, Do: p.listForPrograms},
		{Method: "GET", Path: "/api/v1/boxes/{device}", Action: see, Object: p.boxObject, Do: p.tell},
		{Method: "POST", Path: "/api/v1/boxes/{device}/commands", Action: account.CommandBoxes, Object: p.boxObject, Do: p.commandForPrograms},
		{Method: "GET", Path: "/api/v1/boxes/{device}/bundles/{command}", Action: account.CommandBoxes, Object: p.boxObject, Do: p.bundle},
		{Method: "GET", Path: "/api/v1/alerts", Action: see, Do: p.alertsForPrograms},
		{Method: "POST", Path: "/api/v1/alerts/{alert}/acknowledge", Action: account.CommandBoxes, Object: p.alertObject,
			Do: p.acknowledgeForPrograms},
	}
}

// told is a box as programs read it. What its window is doing is not among it.
type told struct {
	Device    rating.DeviceID `json:"device"`
	Area      string          `json:"area,omitempty"` // of the hall
	Hall      string          `json:"hall,omitempty"`
	Window    string          `json:"window,omitempty"`
	Name      string          `json:"name"` // of the window
	State     fleet.Standing  `json:"state"`
	HeardAt   time.Time       `json:"heard_at,omitzero"`
	AckedAt   time.Time       `json:"acked_at,omitzero"`
	Version   string          `json:"version,omitempty"`
	Pending   *uint64         `json:"pending,omitempty"`    // records that wait; nothing: it has not said so
	OldestSec *int64          `json:"oldest_sec,omitempty"` // age of the oldest of them, -1: no clock tells
	Troubles  []toldTrouble   `json:"troubles"`
}

type toldTrouble struct {
	Code  condition.Code  `json:"code"`
	Level condition.Level `json:"level"`
	What  string          `json:"what"` // in Chinese
	Do    string          `json:"do"`   // in Chinese
}

func toldOf(a *directory.Atlas, s fleet.State, now time.Time) told {
	t := told{Device: s.ID, Name: s.Window.Name, State: s.Standing(now), HeardAt: zoned(s.Heard()), AckedAt: zoned(s.AckedAt),
		Troubles: []toldTrouble{}}
	if at, ok := a.Place(s.ID, s.Window.ID, s.Window.Generation, now); ok {
		t.Area, t.Hall, t.Window, t.Name = at.Area().ID, at.Hall.ID, at.Window.ID, at.Window.Name
	}
	if s.Presence != nil {
		t.Version = s.Presence.Version
	}
	if h := s.Health; h != nil {
		t.Pending = &h.Pending
		if h.Pending > 0 {
			t.OldestSec = &h.OldestSec
		}
	}
	for _, k := range s.Troubles(now) {
		t.Troubles = append(t.Troubles, toldTrouble{k.Code, k.Level, k.What.ZH, k.Do.ZH})
	}
	return t
}

// zoned returns a time as programs read it, zero for none.
func zoned(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(web.Zone())
}

// scanned bounds the boxes that one part of a list looks at.
const scanned = 2000

// listForPrograms answers with the boxes that the person sees. Whoever sees what stands nowhere gets them by name, everybody else by
// window, so that no cursor names what they may not see.
func (p *pages) listForPrograms(c *web.Call) error {
	if err := c.Query("hall", "state", "cursor", "limit"); err != nil {
		return err
	}
	most, err := c.Limit()
	if err != nil {
		return err
	}
	q := c.R.URL.Query()
	state := fleet.Standing(q.Get("state"))
	if state != "" && state != "sick" && !slices.Contains(fleet.Standings(), state) {
		return &web.Refusal{Words: "state 应为 sick、offline、ill、waiting、never 或 well。There is no such state."}
	}
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	now := c.Now()
	var items []told
	fits := func(s fleet.State) bool {
		is := s.Standing(now)
		return s.Enrolled && c.May(account.SeeBoxes, scope.At(a, s.ID, s.Window, now)) &&
			(state == "" || is == state || state == "sick" && is.Sick())
	}
	next, err := p.walk(c, a, q.Get("hall"), q.Get("cursor"), func(s fleet.State) bool {
		if fits(s) {
			items = append(items, toldOf(a, s, now))
		}
		return len(items) < most
	})
	if err != nil {
		return err
	}
	return web.List(c, items, next)
}

// walk calls f with boxes after a place until it says no, and returns the place of the last, empty at the end.
func (p *pages) walk(c *web.Call, a *directory.Atlas, hall, after string, f func(fleet.State) bool) (next string, err error) {
	if hall == "" && c.May(account.SeeBoxes, account.Object{}) {
		return p.walkNames(c, rating.DeviceID(after), f)
	}
	window, device := after, ""
	if i := strings.LastIndexByte(after, ' '); i >= 0 {
		window, device = after[:i], after[i+1:]
	}
	windows := p.windows(c, a, hall)
	first, _ := slices.BinarySearch(windows, window)
	windows = windows[first:]
	const step = 200
	for looked := 0; len(windows) > 0; looked += step {
		if looked >= scanned {
			return windows[0] + " ", nil
		}
		some := windows[:min(step, len(windows))]
		windows = windows[len(some):]
		states, err := p.Fleet.At(c.R.Context(), some)
		if err != nil {
			return "", err
		}
		slices.SortFunc(states, func(x, y fleet.State) int {
			return cmp.Or(cmp.Compare(x.Window.ID, y.Window.ID), cmp.Compare(x.ID, y.ID))
		})
		for _, s := range states {
			if s.Window.ID == window && string(s.ID) <= device {
				continue
			}
			if !f(s) {
				return s.Window.ID + " " + string(s.ID), nil
			}
		}
	}
	return "", nil
}

// walkNames is walk through all boxes by their names.
func (p *pages) walkNames(c *web.Call, after rating.DeviceID, f func(fleet.State) bool) (string, error) {
	const step = 500
	for looked := 0; looked < scanned; looked += step {
		states, err := p.Fleet.States(c.R.Context(), after, step)
		if err != nil {
			return "", err
		}
		for _, s := range states {
			if after = s.ID; !f(s) {
				return string(after), nil
			}
		}
		if len(states) < step {
			return "", nil
		}
	}
	return string(after), nil
}

// toldBox is one box with its parts, its open alerts and what was asked of it lately.
type toldBox struct {
	told
	EnrolledFor uint32        `json:"generation"` // how many windows it has had
	UptimeSec   int64         `json:"uptime_sec,omitempty"`
	FreeBytes   uint64        `json:"free_bytes,omitempty"`
	CertDays    *int          `json:"cert_days,omitempty"`
	Temperature *int          `json:"temperature_c,omitempty"`
	OffsetMS    *int64        `json:"clock_offset_ms,omitempty"` // the box's clock less the centre's; nothing: it has not said so
	SelfTest    *toldTest     `json:"self_test,omitempty"`       // the last that it has answered
	Check       *toldCheck    `json:"check,omitempty"`           // what somebody who stood before it saw last
	Alerts      []toldAlert   `json:"alerts"`
	Commands    []toldCommand `json:"commands"`
	Bundles     []toldBundle  `json:"bundles"` // that it has sent to support
	Changes     []toldChange  `json:"changes"`
}

type toldTest struct {
	Answered time.Time        `json:"answered_at"`
	Troubles []condition.Code `json:"troubles"`
}

type toldCheck struct {
	At   time.Time              `json:"at"`
	Seen map[string]fleet.Sight `json:"seen"`
}

type toldBundle struct {
	ID   string    `json:"id"`
	Came time.Time `json:"came_at"`
	Size int       `json:"bytes"`
}

type toldCommand struct {
	Name     string    `json:"name"`
	Asked    time.Time `json:"asked_at"`
	Answered time.Time `json:"answered_at,omitzero"`
	Failed   string    `json:"failed,omitempty"`
}

// commandForPrograms gives a box a command. Its answer is read with the box.
func (p *pages) commandForPrograms(c *web.Call) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := c.Body(&in); err != nil {
		return err
	}
	if !slices.Contains(fleet.CommandsOfPrograms(), in.Name) {
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "程序只能发 " + strings.Join(fleet.CommandsOfPrograms(), "、") +
			"，其他命令请在页面上发。Programs give these alone; the page has the others."}
	}
	id := rating.DeviceID(c.R.PathValue("device"))
	x := fleet.NewCommand(p.Random(), id, in.Name, c.Person.Account, c.Now())
	if err := p.order(c, x, journal.Act{Do: "fleet." + in.Name, Object: string(id)}); err != nil {
		return err
	}
	return c.JSONStatus(http.StatusAccepted, toldCommand{Name: x.Name, Asked: zoned(x.Asked)})
}

type toldChange struct {
	At     time.Time        `json:"at"`
	What   fleet.ChangeKind `json:"what"`
	Detail string           `json:"detail,omitempty"`
}

// tell answers with the box of the address.
func (p *pages) tell(c *web.Call) error {
	ctx := c.R.Context()
	s, err := p.Fleet.State(ctx, rating.DeviceID(c.R.PathValue("device")))
	if err != nil {
		return err
	}
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	v := toldBox{told: toldOf(a, s, c.Now()), EnrolledFor: s.Window.Generation, Alerts: []toldAlert{}, Commands: []toldCommand{},
		Bundles: []toldBundle{}, Changes: []toldChange{}}
	if h := s.Health; h != nil {
		v.UptimeSec, v.FreeBytes, v.CertDays, v.Temperature, v.OffsetMS = h.UptimeSec, h.FreeBytes, h.CertDays, h.TemperatureC, &h.OffsetMS
	}
	if err := p.tellChecks(ctx, &v); err != nil {
		return err
	}
	open, err := p.alerts(c, account.SeeBoxes, fleet.AlertsIn{Device: s.ID, Limit: mostAlerts})
	if err != nil {
		return err
	}
	for _, x := range open {
		v.Alerts = append(v.Alerts, alertOf(x))
	}
	commands, err := p.Fleet.Commands(ctx, s.ID, shownCommands)
	if err != nil {
		return err
	}
	for _, x := range commands {
		v.Commands = append(v.Commands, toldCommand{x.Name, zoned(x.Asked), zoned(x.Answered), x.Failed})
	}
	bundles, err := p.Fleet.Bundles(ctx, s.ID)
	if err != nil {
		return err
	}
	for _, x := range bundles {
		v.Bundles = append(v.Bundles, toldBundle{x.Command, zoned(x.Came), x.Size})
	}
	changes, err := p.Fleet.Changes(ctx, s.ID, shownChanges)
	if err != nil {
		return err
	}
	for _, x := range changes {
		v.Changes = append(v.Changes, toldChange{zoned(x.At), x.What, x.Detail})
	}
	return c.JSON(v)
}

// tellChecks fills in what a box has found of itself last, and what somebody has found of it.
func (p *pages) tellChecks(ctx context.Context, v *toldBox) error {
	test, ok, err := p.Fleet.LastSelfTest(ctx, v.Device)
	if err != nil {
		return err
	}
	if ok {
		v.SelfTest = &toldTest{zoned(test.Answered), []condition.Code{}}
		for _, part := range test.Parts {
			if part.Code != "" {
				v.SelfTest.Troubles = append(v.SelfTest.Troubles, condition.Code(part.Code))
			}
		}
	}
	c, err := p.Fleet.LastCheck(ctx, v.Device)
	if err == nil && !c.At.IsZero() {
		v.Check = &toldCheck{zoned(c.At), c.Seen}
	}
	return err
}

// toldAlert is an alert as programs read it.
type toldAlert struct {
	ID     string          `json:"id"`
	Kind   fleet.AlertKind `json:"kind"`
	Words  string          `json:"words"` // in Chinese
	Detail string          `json:"detail,omitempty"`
	Device rating.DeviceID `json:"device,omitempty"`
	Hall   string          `json:"hall,omitempty"`
	Area   string          `json:"area,omitempty"`
	Since  time.Time       `json:"since"`
	Opened time.Time       `json:"opened_at"`
	Acked  time.Time       `json:"acknowledged_at,omitzero"`
}

func alertOf(x fleet.Alert) toldAlert {
	return toldAlert{x.ID, x.Kind, alertWords(x), x.Detail, x.Device, x.Hall, x.Area, zoned(x.Since), zoned(x.Opened), zoned(x.Acked)}
}

// alertsForPrograms answers with the open alerts that the person sees, the latest first.
func (p *pages) alertsForPrograms(c *web.Call) error {
	if err := c.Query("cursor", "limit"); err != nil {
		return err
	}
	most, err := c.Limit()
	if err != nil {
		return err
	}
	in := fleet.AlertsIn{After: c.R.URL.Query().Get("cursor"), Limit: most + 1}
	some, err := p.alerts(c, account.SeeBoxes, in)
	if err != nil {
		return err
	}
	next := ""
	if len(some) > most {
		some = some[:most]
		next = some[most-1].ID
	}
	var items []toldAlert
	for _, x := range some {
		items = append(items, alertOf(x))
	}
	return web.List(c, items, next)
}

// acknowledgeForPrograms enters that somebody looks after the alert of the address.
func (p *pages) acknowledgeForPrograms(c *web.Call) error {
	if err := c.Body(&struct{}{}); err != nil {
		return err
	}
	x, err := p.acknowledged(c)
	if err != nil {
		return err
	}
	x.Acked = c.Now()
	return c.JSON(alertOf(x))
}
