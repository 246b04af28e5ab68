package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// errNotThere says that a box does not serve the window at which it should be replaced or from which it should be moved.
var errNotThere = errors.New("the box does not serve this window any more")

// replacement is what the journal keeps of a box that was replaced.
type replacement struct {
	By     rating.DeviceID `json:"by,omitempty"` // empty: no box came in its place
	Window string          `json:"window"`
	Until  journal.Until   `json:"until"` // how far its records are accepted
}

// retire takes a box off its window for another one: its certificates open nothing any more, and of what it still holds is accepted what
// its last signed report vouches for.
func (p *pages) retire(c *web.Call, a *directory.Atlas, id rating.DeviceID, window string, by rating.DeviceID) error {
	ctx := c.R.Context()
	d, err := p.Fleet.Device(ctx, id)
	if errors.Is(err, fleet.ErrNoDevice) || err == nil && !c.May(account.EditBoxes, standsAt(a, d, c.Now())) {
		return conflict("没有可替换的评价器 " + string(id) + "。There is no such box to be replaced.")
	}
	if err != nil {
		return err
	}
	s, err := p.Fleet.State(ctx, id)
	if err != nil {
		return err
	}
	x := replacement{By: by, Window: window}
	if s.Health != nil && s.Health.Log != nil && s.Health.Log.Holds(id, d.Key) {
		x.Until = journal.Until{Epoch: s.Health.Log.Epoch, Last: s.Health.Log.Last, Head: s.Health.Log.Head}
	}
	d.Follows, d.Retired = false, &x.Until
	d.Window.Generation++
	err = p.Fleet.PutIf(ctx, d, func(ctx context.Context, tx *db.Tx) error {
		there, err := fleet.Serves(ctx, tx, id, window)
		if err == nil && !there {
			err = errNotThere
		}
		if err == nil && p.Enrol != nil {
			_, err = enrol.Revoke(ctx, tx, id, c.Now())
		}
		return err
	})
	if errors.Is(err, errNotThere) || errors.Is(err, fleet.ErrGeneration) {
		return conflict("评价器 " + string(id) + " 刚刚离开了这个窗口，请刷新后再看。The box has left the window meanwhile.")
	}
	if err != nil {
		return err
	}
	data, err := json.Marshal(x)
	if err != nil {
		return err
	}
	return c.Act(journal.Act{Do: "fleet.replace", Object: string(id), Data: data, Domain: standsAt(a, d, c.Now()).Area}, nil)
}

// move lets a box serve another window.
func (p *pages) move(c *web.Call) error {
	ctx, id, window := c.R.Context(), rating.DeviceID(c.R.PathValue("device")), c.R.FormValue("window")
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	day := directory.DayOf(c.Now())
	place, ok := a.Window(window, day)
	if !ok || !c.May(account.EditBoxes, hallAt(a, place.Hall, day)) {
		return conflict("请选择一个窗口。Choose a window.")
	}
	d, err := p.Fleet.Device(ctx, id)
	if err != nil {
		return err
	}
	if d.Retired != nil {
		return conflict("这台评价器已被替换；要再用它，请在它上面显示配对码后重新接受。The box was replaced; accept it again by its code.")
	}
	posts, err := p.Directory.Posts(ctx, day)
	if err != nil {
		return err
	}
	w, people, err := posts.Texts(window)
	if err != nil {
		return err
	}
	from := d.Window.ID
	d.Window.Generation++
	d = d.Serve(w, people)
	if err := p.Fleet.PutIf(ctx, d, func(ctx context.Context, tx *db.Tx) error { return fleet.Free(ctx, tx, d) }); err != nil {
		return accepting(err)
	}
	data, err := json.Marshal(map[string]string{"from": from, "to": window})
	if err != nil {
		return err
	}
	if err := c.Act(journal.Act{Do: "fleet.move", Object: string(id), Data: data, Domain: place.Hall.Area}, nil); err != nil {
		return err
	}
	return c.See("/fleet/boxes/" + string(id))
}

// movable fills in where a box may be moved to within its hall.
func (p *pages) movable(c *web.Call, a *directory.Atlas, v *boxView) error {
	if !v.Placed || v.State.Retired {
		return nil
	}
	free, _, err := p.windowsOf(c, a, v.Place.Hall.ID, cmp.Or(v.State.Window.ID, v.Place.Window.ID))
	for _, w := range free {
		v.Free = append(v.Free, windowChoice{ID: w.ID, Name: w.Name})
	}
	return err
}

// erase has a box forget all, for one that goes to another hall or out of service.
func (p *pages) erase(c *web.Call) error {
	id, giveUp := rating.DeviceID(c.R.PathValue("device")), strings.TrimSpace(c.R.FormValue("give_up"))
	if giveUp != "" && giveUp != string(id) {
		return &web.Refusal{Status: http.StatusUnprocessableEntity,
			Words: "要放弃未上传的记录，请写这台评价器的名称 " + string(id) + "。To give up records, write the box's name."}
	}
	x := fleet.NewCommand(p.Random(), id, wire.CommandErase, c.Person.Account, c.Now())
	if giveUp != "" {
		x.Args = map[string]string{"give_up": giveUp}
	}
	data, err := json.Marshal(x.Args)
	if err != nil {
		return err
	}
	return p.give(c, x, journal.Act{Do: "fleet." + x.Name, Object: string(id), Data: data})
}

// remove takes a box off its window without another in its place.
func (p *pages) remove(c *web.Call) error {
	id := rating.DeviceID(c.R.PathValue("device"))
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	d, err := p.Fleet.Device(c.R.Context(), id)
	if err != nil {
		return err
	}
	if err := p.retire(c, a, id, d.Window.ID, ""); err != nil {
		return err
	}
	return c.See("/fleet/boxes/" + string(id))
}
