package fleet

import (
	"cmp"
	"slices"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
)

const (
	// shownHalls and shownBoxes bound a page; the rest is behind its link.
	shownHalls = 50
	shownBoxes = 200
)

// tile is a window with its box.
type tile struct {
	Window, Name string
	Hall         string // named where tiles are of several halls
	Device       rating.DeviceID
	Standing     fleet.Standing // empty: the window has no box
	What, Do     string         // of the gravest trouble, in the words of the hall
	More         int            // further troubles
}

// Words returns the state in a word.
func (t tile) Words() string { return standingWords(t.Standing) }

// count is how many boxes of a hall are in a state.
type count struct {
	Standing fleet.Standing
	N        int
}

// Words returns the state in a word.
func (n count) Words() string { return standingWords(n.Standing) }

// counts returns how many tiles are in each state, those without any left out.
func counts(tiles []tile) (all []count) {
	for _, s := range append(fleet.Standings(), "") {
		n := 0
		for _, t := range tiles {
			if t.Standing == s {
				n++
			}
		}
		if n > 0 {
			all = append(all, count{s, n})
		}
	}
	return all
}

// sick returns those to which somebody should go.
func sick(tiles []tile) (some []tile) {
	for _, t := range tiles {
		if t.Standing.Sick() {
			some = append(some, t)
		}
	}
	return some
}

// inGravity puts the gravest first, and keeps the order of windows else.
func inGravity(tiles []tile) {
	rank := func(t tile) int {
		if t.Standing == "" {
			return len(fleet.Standings())
		}
		return slices.Index(fleet.Standings(), t.Standing)
	}
	slices.SortStableFunc(tiles, func(a, b tile) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Window, b.Window)) })
}

// tiles returns the windows of halls, with the boxes that stand there.
func (p *pages) tiles(c *web.Call, a *directory.Atlas, halls map[string]directory.Record) (map[string][]tile, error) {
	day := directory.DayOf(c.Now())
	windows := make(map[string]directory.Record)
	var ids []string
	for w := range a.Each(directory.Window, day) {
		if _, ok := halls[w.Hall]; ok {
			windows[w.ID] = w
			ids = append(ids, w.ID)
		}
	}
	slices.Sort(ids)
	states, err := p.Fleet.At(c.R.Context(), ids)
	if err != nil {
		return nil, err
	}
	out, served := make(map[string][]tile), make(map[string]bool)
	for _, s := range states {
		w, ok := windows[s.Window.ID]
		if !ok || scope.At(a, s.ID, s.Window, c.Now()).Hall != w.Hall {
			continue
		}
		out[w.Hall] = append(out[w.Hall], newTile(w, halls[w.Hall].Name, s, c))
		served[w.ID] = true
	}
	for id, w := range windows {
		if served[id] {
			continue
		}
		out[w.Hall] = append(out[w.Hall], tile{Window: id, Name: w.Name, Hall: halls[w.Hall].Name})
	}
	for _, tiles := range out {
		inGravity(tiles)
	}
	return out, nil
}

func newTile(w directory.Record, hall string, s fleet.State, c *web.Call) tile {
	t := tile{Window: w.ID, Name: w.Name, Hall: hall, Device: s.ID, Standing: s.Standing(c.Now())}
	troubles := s.Troubles(c.Now())
	if t.Standing == fleet.Waiting && len(troubles) == 0 {
		t.What, t.Do = waits(s), "网络恢复后自动上传；超过一天仍未上传，请联系设备运维。"
	}
	for i, k := range troubles {
		if i == 0 {
			t.What, t.Do = k.What.ZH, plain(k)
			continue
		}
		if k.Level == condition.Ill {
			t.More++
		}
	}
	return t
}

// hallRow is a hall of the overview.
type hallRow struct {
	ID, Name string
	Counts   []count
}

// overviewed is what the overview shows.
type overviewed struct {
	Halls  []hallRow
	Sick   bool
	Tiles  []tile // the sick ones
	Alerts []alertRow
	More   string
	Cut    bool // there are more sick boxes
	Enrol  bool
}

// overview shows the halls that the person may see; a person of one hall sees that hall.
func (p *pages) overview(c *web.Call) error {
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	day := directory.DayOf(c.Now())
	var halls []directory.Record
	for h := range a.Each(directory.Hall, day) {
		if c.May(account.SeeBoxes, hallAt(a, h, day)) {
			halls = append(halls, h)
		}
	}
	if len(halls) == 1 {
		return p.showHall(c, a, halls[0])
	}
	slices.SortFunc(halls, func(x, y directory.Record) int { return cmp.Compare(x.ID, y.ID) })
	names := make(map[string]string)
	for _, h := range halls {
		names[h.ID] = h.Name
	}
	v := overviewed{Sick: c.R.URL.Query().Get("state") == "sick", Enrol: c.Ever(account.EditBoxes)}
	after := c.R.URL.Query().Get("after")
	halls = slices.DeleteFunc(halls, func(h directory.Record) bool { return h.ID <= after })
	for len(halls) > 0 && !v.Cut && (v.Sick || len(v.Halls) == 0) {
		some := halls[:min(len(halls), shownHalls)]
		halls = halls[len(some):]
		if err := p.fill(c, a, some, &v); err != nil {
			return err
		}
		if !v.Sick && len(halls) > 0 {
			v.More = "/fleet?after=" + some[len(some)-1].ID
		}
	}
	inGravity(v.Tiles)
	all, err := p.alerts(c, account.SeeBoxes, fleet.AlertsIn{Limit: mostAlerts})
	if err != nil {
		return err
	}
	v.Alerts = p.rows(c, all, names)
	return c.Show("fleet/overview", v)
}

// fill fills in some halls.
func (p *pages) fill(c *web.Call, a *directory.Atlas, some []directory.Record, v *overviewed) error {
	byID := make(map[string]directory.Record)
	for _, h := range some {
		byID[h.ID] = h
	}
	tiles, err := p.tiles(c, a, byID)
	if err != nil {
		return err
	}
	for _, h := range some {
		v.Halls = append(v.Halls, hallRow{h.ID, h.Name, counts(tiles[h.ID])})
		v.Tiles = append(v.Tiles, sick(tiles[h.ID])...)
	}
	if !v.Sick {
		v.Tiles = nil
	}
	if len(v.Tiles) > shownBoxes {
		v.Tiles, v.Cut = v.Tiles[:shownBoxes], true
	}
	return nil
}

// hallView is what a hall's page shows.
type hallView struct {
	Hall   directory.Record
	Tiles  []tile
	Counts []count
	All    int
	Sick   int
	Only   bool // the sick ones alone are shown
	Alerts []alertRow
	Hours  hoursForm
	Edit   bool
	Many   bool // there is an overview above
	Enrol  bool
}

func (p *pages) hall(c *web.Call) error {
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	hall, ok := a.At(directory.Hall, c.R.PathValue("hall"), directory.DayOf(c.Now()))
	if !ok {
		return web.ErrNotFound
	}
	return p.showHall(c, a, hall)
}

func (p *pages) showHall(c *web.Call, a *directory.Atlas, hall directory.Record) error {
	tiles, err := p.tiles(c, a, map[string]directory.Record{hall.ID: hall})
	if err != nil {
		return err
	}
	v := hallView{Hall: hall, Tiles: tiles[hall.ID], Only: c.R.URL.Query().Get("state") == "sick", Many: c.R.URL.Path != "/fleet"}
	v.Counts, v.All, v.Sick = counts(v.Tiles), len(v.Tiles), len(sick(v.Tiles))
	if v.Only {
		v.Tiles = sick(v.Tiles)
	}
	for i := range v.Tiles {
		v.Tiles[i].Hall = ""
	}
	all, err := p.alerts(c, account.SeeBoxes, fleet.AlertsIn{Hall: hall.ID, Limit: mostAlerts})
	if err != nil {
		return err
	}
	v.Alerts = p.rows(c, all, nil)
	hours, err := p.Fleet.Hours(c.R.Context())
	if err != nil {
		return err
	}
	v.Hours = newHoursForm(hours, hall.ID)
	v.Edit = c.May(account.CommandBoxes, hallAt(a, hall, directory.DayOf(c.Now())))
	v.Enrol = c.May(account.EditBoxes, hallAt(a, hall, directory.DayOf(c.Now())))
	return c.Show("fleet/hall", v)
}
