package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
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

// acceptInPlaceOf lets a box take another one's place as soon as it asks again: until then the old one serves the window.
func (p *pages) acceptInPlaceOf(c *web.Call, a *directory.Atlas, x enrol.Pending, old rating.DeviceID, place directory.Place) error {
	if old == x.Device {
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "不能用一台评价器替换它自己。A box does not replace itself."}
	}
	d, err := p.Fleet.Device(c.R.Context(), old)
	if errors.Is(err, fleet.ErrNoDevice) || err == nil && !c.May(account.EditBoxes, standsAt(a, d, c.Now())) {
		return conflict("没有可替换的评价器 " + string(old) + "。There is no such box to be replaced.")
	}
	if err != nil {
		return err
	}
	data, err := json.Marshal(enrol.Acceptance{Window: place.Window.ID, Digits: x.Digits, Address: x.Address, Board: x.Board, Moved: x.Moved,
		Replaces: old})
	if err != nil {
		return err
	}
	act := journal.Act{Do: "enrol.accept", Object: string(x.Device), Data: data, Domain: place.Hall.Area}
	err = c.Act(act, func(ctx context.Context, tx *db.Tx, _ int64) error {
		there, err := fleet.Serves(ctx, tx, old, place.Window.ID)
		if err == nil && !there {
			err = enrol.ErrNotThere
		}
		if err == nil {
			err = fleet.Free(ctx, tx, fleet.Device{ID: x.Device, Key: x.Record}) // its key: the window is not free yet
		}
		if err != nil {
			return err
		}
		return enrol.AcceptInPlaceOf(ctx, tx, x, old, place.Hall.ID, place.Window.ID, c.Person.Account, c.Now())
	})
	if errors.Is(err, enrol.ErrNotThere) {
		return left(old)
	}
	return accepting(err)
}

func left(id rating.DeviceID) error {
	return conflict("评价器 " + string(id) + " 刚刚离开了这个窗口，请刷新后再看。The box has left the window meanwhile.")
}

// withdraw takes back that a box is to be replaced, as long as the other one has not come.
func (p *pages) withdraw(c *web.Call) error {
	id := rating.DeviceID(c.R.PathValue("device"))
	if p.Enrol == nil {
		return web.ErrNotFound
	}
	where, err := p.boxObject(c)
	if err != nil {
		return err
	}
	act := journal.Act{Do: "enrol.withdraw", Object: string(id), Domain: where.Area}
	err = c.Act(act, func(ctx context.Context, tx *db.Tx, _ int64) error {
		yes, err := enrol.Withdraw(ctx, tx, id)
		if err == nil && !yes {
			err = conflict("新评价器已经接替，或没有等待接替的评价器。Nothing waits to take its place any more.")
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.See("/fleet/boxes/" + string(id))
}

// move lets a box serve another window.
func (p *pages) move(c *web.Call) error {
	end := c.Undisturbed()
	defer end()
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
	// Where the box stands is believed for a second, and its page is of that place.
	return c.See("/fleet/halls/" + url.PathEscape(place.Hall.ID))
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
	end := c.Undisturbed()
	defer end()
	ctx, id := c.R.Context(), rating.DeviceID(c.R.PathValue("device"))
	if p.Enrol == nil {
		return web.ErrNotFound
	}
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	d, err := p.Fleet.Device(ctx, id)
	if errors.Is(err, fleet.ErrNoDevice) || err == nil && !c.May(account.EditBoxes, standsAt(a, d, c.Now())) {
		return web.ErrNotFound
	}
	if err != nil {
		return err
	}
	x, err := p.Enrol.Retire(ctx, id, d.Window.ID, "", func(context.Context, *db.Tx) error { return nil })
	if errors.Is(err, enrol.ErrNotThere) {
		return left(id)
	}
	if err != nil {
		return err
	}
	data, err := json.Marshal(x)
	if err != nil {
		return err
	}
	where := standsAt(a, d, c.Now())
	if err := c.Act(journal.Act{Do: "fleet.replace", Object: string(id), Data: data, Domain: where.Area}, nil); err != nil {
		return err
	}
	if where.Hall == "" {
		return c.See("/fleet")
	}
	return c.See("/fleet/halls/" + url.PathEscape(where.Hall))
}
