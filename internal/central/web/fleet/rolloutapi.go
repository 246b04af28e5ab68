package fleet

import (
	"net/http"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// toldRollout is a rollout as programs read it.
type toldRollout struct {
	ID      string             `json:"id"`
	Area    string             `json:"area"`
	Hall    string             `json:"hall,omitempty"`
	Change  fleet.Patch        `json:"change"`
	Words   string             `json:"words"` // the change in Chinese
	State   fleet.RolloutState `json:"state"`
	Stage   int                `json:"stage"`
	Stages  int                `json:"stages"`
	HoldMin int                `json:"hold_min"`
	Begun   time.Time          `json:"begun_at"`
	Well    time.Time          `json:"well_since,omitzero"`
	Sick    rating.DeviceID    `json:"sick,omitempty"`
	Why     string             `json:"why,omitempty"`
	Ended   time.Time          `json:"ended_at,omitzero"`
	Deeds   []fleet.Deed       `json:"deeds"` // what can be done with it
}

func toldRolloutOf(r fleet.Rollout) toldRollout {
	t := toldRollout{r.ID, r.Area, r.Hall, r.Change, changeOf(r.Change), r.State, r.Stage, r.Last, int(r.Hold / time.Minute), zoned(r.Begun),
		zoned(r.Well), r.Sick, r.Why, zoned(r.Ended), r.Deeds()}
	if t.Deeds == nil {
		t.Deeds = []fleet.Deed{}
	}
	return t
}

// toldRolloutBox is a box of a rollout as programs read it.
type toldRolloutBox struct {
	Device  rating.DeviceID `json:"device"`
	Hall    string          `json:"hall"`
	Window  string          `json:"window"`
	Stage   int             `json:"stage"`
	State   fleet.BoxState  `json:"state"`
	Sent    time.Time       `json:"sent_at,omitzero"`
	Applied time.Time       `json:"applied_at,omitzero"`
	Why     string          `json:"why,omitempty"` // code of what is wrong with it that was not before
}

// rolloutsForPrograms answers with the rollouts that the person sees, the latest first.
func (p *pages) rolloutsForPrograms(c *web.Call) error {
	if err := c.Query("cursor", "limit"); err != nil {
		return err
	}
	most, err := c.Limit()
	if err != nil {
		return err
	}
	some, next, err := p.someRollouts(c, c.R.URL.Query().Get("cursor"), most)
	if err != nil {
		return err
	}
	var items []toldRollout
	for _, r := range some {
		items = append(items, toldRolloutOf(r))
	}
	return web.List(c, items, next)
}

// tellRollout answers with the rollout of the address and its boxes.
func (p *pages) tellRollout(c *web.Call) error {
	r, boxes, _, err := p.rolloutNow(c)
	if err != nil {
		return err
	}
	v := struct {
		toldRollout
		Boxes []toldRolloutBox `json:"boxes"`
	}{toldRolloutOf(r), []toldRolloutBox{}}
	for _, b := range boxes {
		v.Boxes = append(v.Boxes, toldRolloutBox{b.Device, b.Hall, b.Window, b.Stage, b.State, zoned(b.Sent), zoned(b.Applied), b.Why})
	}
	return c.JSON(v)
}

// beginForPrograms begins a rollout. That a program may is safe as a command would not be: it goes to one window first, and halts.
func (p *pages) beginForPrograms(c *web.Call) error {
	var in struct {
		Area    string      `json:"area"`
		Hall    string      `json:"hall"`
		First   string      `json:"first"`
		Change  fleet.Patch `json:"change"`
		HoldMin int         `json:"hold_min"`
	}
	if err := c.Body(&in); err != nil {
		return err
	}
	scope := "area " + in.Area
	switch {
	case in.Hall != "" && in.Area != "":
		return &web.Refusal{Words: "hall 和 area 只写一个。Name a hall or an area."}
	case in.Hall != "":
		scope = "hall " + in.Hall
	}
	switch err := in.Change.Check(); {
	case err != nil && in.Change.Programs != "":
		return wrongVersion()
	case err != nil:
		return wrongChange()
	}
	hold := time.Duration(in.HoldMin) * time.Minute
	if in.HoldMin > int(fleet.MostHold/time.Minute) || hold < fleet.LeastHold {
		return wrongHold()
	}
	r, err := p.begin(c, scope, in.First, in.Change, hold)
	if err != nil {
		return err
	}
	c.W.Header().Set("Location", "/api/v1/rollouts/"+r.ID)
	return c.JSONStatus(http.StatusCreated, toldRolloutOf(r))
}

// steerForPrograms does something with the rollout of the address, and answers with it.
func (p *pages) steerForPrograms(c *web.Call) error {
	var in struct {
		Do fleet.Deed `json:"do"`
	}
	if err := c.Body(&in); err != nil {
		return err
	}
	if err := p.steer(c, in.Do); err != nil {
		return err
	}
	r, err := p.Fleet.Rollout(c.R.Context(), c.R.PathValue("rollout"))
	if err != nil {
		return err
	}
	return c.JSON(toldRolloutOf(r))
}
