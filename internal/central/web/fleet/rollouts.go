package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// staged returns the routes of changes that go out in stages.
func (p *pages) staged() []web.Route {
	see, do := account.SeeBoxes, account.ConfigureBoxes
	return []web.Route{
		{Method: "GET", Path: "/fleet/rollouts", Action: see, Do: p.rollouts},
		{Method: "GET", Path: "/fleet/rollouts/new", Action: do, Do: p.newRollout},
		{Method: "POST", Path: "/fleet/rollouts", Action: do, Do: p.beginRollout},
		{Method: "GET", Path: "/fleet/rollouts/{rollout}", Action: see, Object: p.rolloutObject, Do: p.rollout},
		{Method: "POST", Path: "/fleet/rollouts/{rollout}/steer", Action: do, Object: p.rolloutObject, Do: p.steerRollout},
		{Method: "GET", Path: "/api/v1/rollouts", Action: see, Do: p.rolloutsForPrograms},
		{Method: "POST", Path: "/api/v1/rollouts", Action: do, Do: p.beginForPrograms},
		{Method: "GET", Path: "/api/v1/rollouts/{rollout}", Action: see, Object: p.rolloutObject, Do: p.tellRollout},
		{Method: "POST", Path: "/api/v1/rollouts/{rollout}/steer", Action: do, Object: p.rolloutObject, Do: p.steerForPrograms},
	}
}

func rolloutAt(r fleet.Rollout) account.Object { return account.Object{Area: r.Area, Hall: r.Hall} }

// rolloutObject finds the scope of the rollout that an address names.
func (p *pages) rolloutObject(c *web.Call) (account.Object, error) {
	r, err := p.Fleet.Rollout(c.R.Context(), c.R.PathValue("rollout"))
	if errors.Is(err, fleet.ErrNoRollout) {
		return account.Object{}, web.ErrNotFound
	}
	return rolloutAt(r), err
}

// someRollouts returns up to n rollouts that the person may see and that began before one, the latest first, and after which to go on.
func (p *pages) someRollouts(c *web.Call, before string, n int) (some []fleet.Rollout, next string, err error) {
	const step = 100
	for looked := 0; looked < scanned; looked += step {
		all, err := p.Fleet.Rollouts(c.R.Context(), before, step)
		if err != nil {
			return nil, "", err
		}
		for _, r := range all {
			if before = r.ID; c.May(account.SeeBoxes, rolloutAt(r)) {
				some = append(some, r)
			}
			if len(some) == n {
				return some, before, nil
			}
		}
		if len(all) < step {
			return some, "", nil
		}
	}
	return some, before, nil
}

// rolloutRow is a rollout of a list.
type rolloutRow struct {
	ID, Where, What, State, Begun string
	Words                         string // of its state
	May                           bool   // its page may be seen
}

func (p *pages) rolloutRow(c *web.Call, a *directory.Atlas, r fleet.Rollout) rolloutRow {
	return rolloutRow{r.ID, whereWords(a, r, c.Now()), changeOf(r.Change), string(r.State), at(r.Begun), rolloutWords(r),
		c.May(account.SeeBoxes, rolloutAt(r))}
}

// rollouts shows the rollouts that the person sees, the latest first.
func (p *pages) rollouts(c *web.Call) error {
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	const shown = 50
	all, next, err := p.someRollouts(c, c.R.URL.Query().Get("before"), shown)
	if err != nil {
		return err
	}
	var v struct {
		Rows  []rolloutRow
		Begin bool
		More  string
	}
	for _, r := range all {
		v.Rows = append(v.Rows, p.rolloutRow(c, a, r))
	}
	v.Begin = c.Ever(account.ConfigureBoxes)
	if len(all) == shown {
		v.More = next
	}
	return c.Show("fleet/rollouts", v)
}

// scopeChoice is where a rollout may go: "hall SL-H2" or "area 629900000000".
type scopeChoice struct {
	Value, Name string
	Chosen      bool
}

// rolloutForm is the page on which a rollout is begun.
type rolloutForm struct {
	Areas, Halls []scopeChoice
	Scope, Where string
	Firsts       []windowChoice
	Boxes        int
	Away, Old    int
	Programs     bool     // the boxes' programs are to be changed, and not their settings
	Versions     []string // that boxes of the scope have
}

// mostScopes bounds a list of halls or areas to choose from.
const mostScopes = 500

func (p *pages) newRollout(c *web.Call) error {
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	v := rolloutForm{Scope: c.R.URL.Query().Get("scope"), Programs: c.R.URL.Query().Get("what") == "programs"}
	day := directory.DayOf(c.Now())
	for _, k := range []directory.Kind{directory.Area, directory.Hall} {
		var some []scopeChoice
		for x := range a.Each(k, day) {
			o, value := account.Object{Area: x.ID}, "area "+x.ID
			if k == directory.Hall {
				o, value = hallAt(a, x, day), "hall "+x.ID
			}
			if c.May(account.ConfigureBoxes, o) {
				some = append(some, scopeChoice{value, x.Name, value == v.Scope})
			}
		}
		slices.SortFunc(some, func(x, y scopeChoice) int { return cmp.Compare(x.Value, y.Value) })
		some = some[:min(len(some), mostScopes)]
		if k == directory.Area {
			v.Areas = some
			continue
		}
		v.Halls = some
	}
	if v.Scope == "" && len(v.Areas) == 0 && len(v.Halls) == 1 {
		v.Scope, v.Halls[0].Chosen = v.Halls[0].Value, true
	}
	if v.Scope != "" {
		if err := p.fillForm(c, a, &v); err != nil {
			return err
		}
	}
	return c.Show("fleet/newrollout", v)
}

// fillForm says what would come to its turn in the chosen scope.
func (p *pages) fillForm(c *web.Call, a *directory.Atlas, v *rolloutForm) error {
	r, err := p.scope(c, a, v.Scope)
	if err != nil {
		return err
	}
	if v.Where = whereWords(a, r, c.Now()); v.Programs {
		r.Change.Programs = "0" // any
	}
	boxes, _, err := p.Fleet.Plan(c.R.Context(), a, r, "", c.Now())
	if err != nil {
		return err
	}
	how, err := p.Fleet.InRollout(c.R.Context(), boxes)
	if err != nil {
		return err
	}
	for _, b := range boxes {
		s := how[b.Device]
		switch is := s.Standing(c.Now()); {
		case b.State == fleet.BoxOld:
			v.Old++
			continue
		case is == fleet.Offline || is == fleet.Never:
			v.Away++
		case s.CanBeFirst(r.Change, c.Now()) && len(v.Firsts) < mostScopes:
			v.Firsts = append(v.Firsts, windowChoice{ID: b.Window, Name: b.Name})
		}
		v.Boxes++
		if v.Programs && s.Health != nil && s.Health.Programs != nil && !slices.Contains(v.Versions, s.Health.Programs.Installed) {
			v.Versions = append(v.Versions, s.Health.Programs.Installed)
		}
	}
	slices.Sort(v.Versions)
	return nil
}

// scope returns a rollout for a scope that the person may change.
func (p *pages) scope(c *web.Call, a *directory.Atlas, text string) (r fleet.Rollout, err error) {
	kind, id, _ := strings.Cut(text, " ")
	day := directory.DayOf(c.Now())
	switch kind {
	case "hall":
		if h, ok := a.At(directory.Hall, id, day); ok && c.May(account.ConfigureBoxes, hallAt(a, h, day)) {
			r.Hall, r.Area = h.ID, h.Area
			return r, nil
		}
	case "area":
		if x, ok := a.At(directory.Area, id, day); ok && c.May(account.ConfigureBoxes, account.Object{Area: x.ID}) {
			r.Area = x.ID
			return r, nil
		}
	}
	return r, web.ErrNotFound
}

// begin enters a rollout that begins with a window.
func (p *pages) begin(c *web.Call, scope, first string, change fleet.Patch, hold time.Duration) (fleet.Rollout, error) {
	if change.Rules != nil {
		return fleet.Rollout{}, &web.Refusal{Status: http.StatusUnprocessableEntity,
			Words: "这项更改由中心自动下发。The centre itself brings rules to the boxes."}
	}
	if change.WaitSec != nil && p.Waits != nil {
		if err := p.Waits(*change.WaitSec); err != nil {
			return fleet.Rollout{}, &web.Refusal{Status: http.StatusUnprocessableEntity, Words: err.Error()}
		}
	}
	a, err := p.atlas(c)
	if err != nil {
		return fleet.Rollout{}, err
	}
	r, err := p.scope(c, a, scope)
	if err != nil {
		return r, err
	}
	boxes, last, err := p.Fleet.Plan(c.R.Context(), a, r, first, c.Now())
	if err != nil {
		return r, err
	}
	r.ID, r.Change, r.Hold, r.Account, r.Begun, r.Last = strings.ToLower(p.Random()), change, hold, c.Person.Account, c.Now(), last
	r.State, r.Stage = fleet.Running, fleet.OneWindow
	data, err := json.Marshal(struct {
		Area   string      `json:"area"`
		Hall   string      `json:"hall,omitempty"`
		First  string      `json:"first"`
		Change fleet.Patch `json:"change"`
		Hold   string      `json:"hold"`
		Boxes  int         `json:"boxes"`
	}{r.Area, r.Hall, first, change, hold.String(), len(boxes)})
	if err != nil {
		return r, err
	}
	act := journal.Act{Do: "fleet.rollout.begin", Object: r.ID, Data: data, Domain: r.Area}
	return r, rolloutRefusal(c.Act(act, func(ctx context.Context, tx *db.Tx, _ int64) error { return fleet.Begin(ctx, tx, r, boxes) }))
}

// rolloutRefusal says in words why a rollout cannot begin or be steered.
func rolloutRefusal(err error) error {
	var overlap *fleet.OverlapError
	refuse := func(words string) error { return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: words} }
	switch {
	case errors.As(err, &overlap):
		return conflict("这个范围内已有一项更改没有结束（" + overlap.ID + "）：先等它完成，或退回、放弃它。Another change in this scope is still open.")
	case errors.Is(err, fleet.ErrNoBox):
		return refuse("第一个窗口须有一台正常、并报告配置版本（更新程序时：程序包版本）的评价器。The first window needs a box that is well and says which configuration it has.")
	case errors.Is(err, fleet.ErrNotNow):
		return conflict("它的状态刚刚变了，请刷新后再看。It has moved meanwhile.")
	}
	return err
}

// beginRollout begins what the form says.
func (p *pages) beginRollout(c *web.Call) error {
	change, err := changeIn(c)
	if err != nil {
		return err
	}
	if c.R.PostForm.Has("version") {
		change = fleet.Patch{Programs: strings.TrimSpace(c.R.FormValue("version"))}
		if change.Check() != nil {
			return wrongVersion()
		}
	}
	if err := change.Check(); err != nil {
		return wrongChange()
	}
	minutes, err := strconv.Atoi(c.R.FormValue("hold"))
	if err != nil || minutes < int(fleet.LeastHold/time.Minute) || minutes > int(fleet.MostHold/time.Minute) {
		return wrongHold()
	}
	r, err := p.begin(c, c.R.FormValue("scope"), c.R.FormValue("first"), change, time.Duration(minutes)*time.Minute)
	if err != nil {
		return err
	}
	return c.See("/fleet/rollouts/" + r.ID)
}

func wrongChange() error {
	return &web.Refusal{Status: http.StatusUnprocessableEntity,
		Words: fmt.Sprintf("请至少改一项：等待 %d 至 %.0f 秒；主动评价间隔 1 至 600 秒，二维码 60 至 600 秒。Change something, within these bounds.",
			rating.LeastWait, rating.MaxWait.Seconds())}
}

func wrongHold() error {
	return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "每一步须观察 5 分钟至 7 天。Boxes must be well for 5 minutes to 7 days."}
}

// changeIn reads the change of the form.
func changeIn(c *web.Call) (x fleet.Patch, err error) {
	whole := func(field string) int {
		n, e := strconv.Atoi(strings.TrimSpace(c.R.FormValue(field)))
		if e != nil {
			err = wrongChange()
		}
		return n
	}
	switch c.R.FormValue("sign_in") {
	case "on":
		x.SignIn = new(true)
	case "off":
		x.SignIn = new(false)
	}
	switch c.R.FormValue("wait") {
	case "own":
		x.WaitSec = new(0)
	case "set":
		x.WaitSec = new(whole("wait_sec"))
		if *x.WaitSec == 0 {
			err = wrongChange()
		}
	}
	switch c.R.FormValue("walk_up") {
	case "off":
		x.WalkUp = &rating.WalkUp{}
	case "on":
		x.WalkUp = &rating.WalkUp{PauseSec: whole("pause_sec"), LinkSec: whole("link_sec")}
		if x.WalkUp.PauseSec == 0 {
			err = wrongChange()
		}
	}
	return x, err
}
