package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

const (
	// shownCommands and shownChanges bound a box's page.
	shownCommands = 10
	shownChanges  = 50
)

// boxView is what a box's page shows.
type boxView struct {
	State    fleet.State
	Standing fleet.Standing
	Place    directory.Place
	Placed   bool
	Facts    []fact
	Troubles []troubleRow
	Parts    []partRow
	Alerts   []alertRow
	Commands []commandRow
	Bundles  []bundleRow
	Sights   []sightRow // that somebody before the box can tell
	Waiting  bool       // an answer may still come
	Lesson   string     // the command by which the box has learnt keys that wait to be confirmed, empty for none
	Learnt   []learntRow
	Ordered  bool // their levels rise or fall from left to right
	// PlacesKnown says that the box knows where these keys stand.
	PlacesKnown bool
	Buttons     []button
	May         bool
	Reached     bool     // commands get there
	Bauds       []string // at which a serial keypad may be learnt
	Updates     bool     // its programs can be updated from here
	Changes     []changeRow
	Stays       []stayRow

	Certificates []certificateRow
	Windows      []certificateRow // for its window's PC, that have not ended
	MayRevoke    bool

	MayEdit   bool
	Lets      bool            // the centre lets boxes in by itself, and gives out certificates
	Free      []windowChoice  // to which it may be moved
	Owed      *owedView       // what of it is missing, nil of one that serves
	Successor rating.DeviceID // that takes its place when it asks next, empty for none
}

// Words returns the state in a word.
func (v boxView) Words() string {
	if v.State.Retired {
		return "已撤下"
	}
	return standingWords(v.Standing)
}

// fact is a figure with its name.
type fact struct{ Name, Value string }

// troubleRow is a trouble with what to do about it.
type troubleRow struct {
	Code, What, Means, Plain, Do string
	Ill                          bool
}

// partRow is one part of the box.
type partRow struct {
	Name, Value string
	State       string // well, ill, note, or unknown
}

type commandRow struct {
	Name, Asked, Who, Result string
	State                    string // open, done, failed
	Parts                    []partRow
	Heard                    []string // what came while keys were learnt
}

type button struct {
	Name, Words, Help string
	Confirm           bool
}

type changeRow struct {
	At, Words string
	Bad       bool
}

type stayRow struct{ Name, Days string }

func (p *pages) box(c *web.Call) error {
	ctx := c.R.Context()
	s, err := p.Fleet.State(ctx, rating.DeviceID(c.R.PathValue("device")))
	if errors.Is(err, fleet.ErrNoDevice) {
		return web.ErrNotFound
	}
	if err != nil {
		return err
	}
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	now := c.Now()
	v := boxView{State: s, Standing: s.Standing(now), Facts: facts(s, now), Parts: parts(s, now)}
	v.Place, v.Placed = a.Place(s.ID, s.Window.ID, s.Window.Generation, now)
	for _, k := range s.Troubles(now) {
		v.Troubles = append(v.Troubles, troubleRow{string(k.Code), k.What.ZH, k.Means.ZH, plain(k), k.Do.ZH, k.Level == condition.Ill})
	}
	where, err := p.boxObject(c)
	if err != nil {
		return err
	}
	v.May = c.May(account.CommandBoxes, where)
	v.Bauds = bauds()
	v.Buttons, v.Reached, v.Updates = buttons(), reached(v.Standing), s.Health != nil && s.Health.Programs != nil
	all, err := p.alerts(c, account.SeeBoxes, fleet.AlertsIn{Device: s.ID, Limit: mostAlerts})
	if err != nil {
		return err
	}
	v.Alerts = p.rows(c, all, nil)
	if err := p.asked(ctx, &v, now); err != nil {
		return err
	}
	changes, err := p.Fleet.Changes(ctx, s.ID, shownChanges)
	if err != nil {
		return err
	}
	for _, x := range changes {
		words, bad := changeWords(x)
		v.Changes = append(v.Changes, changeRow{at(x.At), words, bad})
	}
	v.Stays = stays(c, a, s.ID)
	var live bool
	if live, err = p.certificates(ctx, &v); err != nil {
		return err
	}
	v.MayEdit, v.Lets = c.May(account.EditBoxes, where), p.lets()
	v.MayRevoke = live && v.MayEdit
	if v.Owed, err = p.owed(c, s.ID, v.MayEdit); err != nil {
		return err
	}
	if p.Enrol != nil {
		if v.Successor, err = p.Enrol.Successor(ctx, s.ID); err != nil {
			return err
		}
	}
	if v.MayEdit {
		if err := p.movable(c, a, &v); err != nil {
			return err
		}
	}
	return c.Show("fleet/box", v)
}

// asked fills in what the box was asked lately, and what came of it.
func (p *pages) asked(ctx context.Context, v *boxView, now time.Time) error {
	id := v.State.ID
	checks, err := p.checks(ctx, id)
	if err != nil {
		return err
	}
	v.Facts, v.Sights = append(v.Facts, checks...), sights()
	commands, err := p.Fleet.Commands(ctx, id, shownCommands)
	if err != nil {
		return err
	}
	for _, x := range commands {
		v.Commands = append(v.Commands, newCommandRow(x, now))
		v.Waiting = v.Waiting || x.Open(now)
	}
	if v.Bundles, err = p.bundles(ctx, id); err != nil {
		return err
	}
	if x, ok := lessonOf(commands, now); ok {
		v.Lesson, v.Learnt, v.Ordered, v.PlacesKnown = x.ID, learntRows(x), inOrder(x), placed(x)
	}
	return nil
}

// stays returns the windows at which a box has stood, as far as the person may see them, the latest first.
func stays(c *web.Call, a *directory.Atlas, id rating.DeviceID) (rows []stayRow) {
	var all []directory.Stay
	for _, s := range a.Stays() {
		if s.Device == id {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(x, y directory.Stay) int { return int(y.Generation) - int(x.Generation) })
	seen := make(map[string]bool)
	for _, s := range all {
		o := account.Object{Area: s.Place.Area().ID, Hall: s.Place.Hall.ID}
		name := s.Place.Hall.Name + " " + s.Place.Window.Name
		if seen[name] || !c.May(account.SeeBoxes, o) {
			continue
		}
		seen[name] = true
		rows = append(rows, stayRow{name, fmt.Sprintf("第 %d 次登记", s.Generation)})
	}
	return rows
}

// reached reports whether a box in a state hears of commands.
func reached(s fleet.Standing) bool { return s != fleet.Offline && s != fleet.Never }

// command sends a command to a box.
func (p *pages) command(c *web.Call) error {
	id, name := rating.DeviceID(c.R.PathValue("device")), c.R.FormValue("name")
	if !fleet.IsCommand(name) {
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "没有这个命令。There is no such command."}
	}
	x := fleet.NewCommand(p.Random(), id, name, c.Person.Account, c.Now())
	if name == wire.CommandLearnKeys {
		var err error
		if x.Args, err = lessonArgs(c); err != nil {
			return err
		}
	}
	return p.give(c, x, journal.Act{Do: "fleet." + name, Object: string(id)})
}

// give is order, after which the box's page is shown.
func (p *pages) give(c *web.Call, x fleet.Command, act journal.Act) error {
	if err := p.order(c, x, act); err != nil {
		return err
	}
	return c.See("/fleet/boxes/" + string(x.Device) + "#commands")
}

// order enters a command with the act by which it is given, and hands it to the broker.
func (p *pages) order(c *web.Call, x fleet.Command, act journal.Act) error {
	ctx, id := c.R.Context(), x.Device
	s, err := p.Fleet.State(ctx, id)
	if err != nil {
		return err
	}
	if !reached(s.Standing(c.Now())) {
		return conflict("评价器现在不在线，命令没有发出。请先按页面上的办法恢复连接。The box is offline; nothing was sent.")
	}
	where, err := p.boxObject(c)
	if err != nil {
		return err
	}
	act.Domain = where.Area
	err = c.Act(act, func(ctx context.Context, tx *db.Tx, _ int64) error {
		return fleet.Ask(ctx, tx, x)
	})
	if errors.Is(err, fleet.ErrAsked) {
		return conflict("同样的命令刚刚发出，还在等评价器回答。The same was asked a moment ago.")
	}
	if err != nil {
		return err
	}
	if err := p.Send(ctx, x.Wire()); err != nil {
		noted, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return p.Fleet.Unsent(noted, x.ID, fmt.Errorf("没有发出 / not sent: %w", err))
	}
	return nil
}

// newCommandRow returns a command in words.
func newCommandRow(x fleet.Command, now time.Time) commandRow {
	r := commandRow{Name: commandWords(x.Name), Asked: at(x.Asked), State: "done", Result: "已执行"}
	switch {
	case x.Failed != "":
		r.State, r.Result = "failed", "没有执行："+x.Failed
	case x.Open(now):
		r.State, r.Result = "open", "已发出，等待回答"
	case x.Answered.IsZero():
		r.State, r.Result = "failed", "没有回答，命令已作废"
	}
	r.Heard = heard(x)
	for _, part := range x.Parts {
		if ofLesson(part) {
			continue
		}
		k, _ := condition.Find(condition.Code(part.Code))
		row := partRow{Name: partWords(part.Name), Value: part.What, State: "well"}
		if part.Code != "" {
			row.State = string(k.Level)
		}
		r.Parts = append(r.Parts, row)
	}
	return r
}
