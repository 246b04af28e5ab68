package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/rating"
)

// owedView says on the page of a box that was taken off its window what of it is missing.
type owedView struct {
	Unknown     bool   // it has never said how many records it holds
	Last        uint64 // record that it has vouched for
	Lack        journal.Lack
	Closed, Why string // when and why somebody said that the rest is lost
	Missing     uint64 // then
	May         bool
}

// owed returns what is missing of a box, nil of one that serves.
func (p *pages) owed(c *web.Call, id rating.DeviceID, may bool) (*owedView, error) {
	o, err := p.Fleet.Owes(c.R.Context(), id)
	if errors.Is(err, fleet.ErrNotOwed) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &owedView{Unknown: o.Until == (journal.Until{}), Last: o.Until.Last, Lack: o.Lack, Closed: at(o.Closed), Why: o.Why,
		Missing: o.Missing, May: may && o.Open()}, nil
}

// lost notes why the missing records of a box that was replaced will not come. How many they are the centre says, not the person.
func (p *pages) lost(c *web.Call) error {
	ctx, id, why := c.R.Context(), rating.DeviceID(c.R.PathValue("device")), strings.TrimSpace(c.R.FormValue("reason"))
	if why == "" || len(why) > 600 {
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "请写明为什么找不回来，如“存储卡损坏，已送检”。Say why they will not come."}
	}
	o, err := p.Fleet.Owes(ctx, id)
	if err == nil && !o.Open() {
		err = fleet.ErrNotOwed
	}
	if errors.Is(err, fleet.ErrNotOwed) {
		return conflict("没有待处理的缺失记录，请刷新后再看。Nothing is missing that was not given up.")
	}
	if err != nil {
		return err
	}
	where, err := p.boxObject(c)
	if err != nil {
		return err
	}
	o.Closed, o.Missing, o.Account, o.Why = c.Now(), o.Lack.Count, c.Person.Account, why
	data, err := json.Marshal(struct {
		Epoch   rating.Epoch `json:"epoch"`
		First   uint64       `json:"first"`
		Last    uint64       `json:"last"`
		Missing uint64       `json:"missing"`
	}{o.Until.Epoch, o.Lack.First, o.Lack.Last, o.Missing})
	if err != nil {
		return err
	}
	err = c.Act(journal.Act{Do: "fleet.lost", Object: string(id), Data: data, Reason: why, Domain: where.Area},
		func(ctx context.Context, tx *db.Tx, _ int64) error { return fleet.GiveUp(ctx, tx, o) })
	if errors.Is(err, fleet.ErrNotOwed) {
		return conflict("别人刚刚处理了。Somebody else was first.")
	}
	if err != nil {
		return err
	}
	return c.See("/fleet/boxes/" + string(id))
}

// owing returns the boxes that were replaced and of which records are missing, to those who may say what became of them.
func (p *pages) owing(c *web.Call) (all []web.Need, err error) {
	if !c.Ever(account.EditBoxes) {
		return nil, nil
	}
	some, err := p.Fleet.AllOwed(c.R.Context())
	if err != nil || len(some) == 0 {
		return nil, err
	}
	a, err := p.atlas(c)
	if err != nil {
		return nil, err
	}
	const shown = 5
	rest := 0
	for _, o := range some {
		s, err := p.Fleet.State(c.R.Context(), o.Device)
		if err != nil {
			return nil, err
		}
		if !c.May(account.EditBoxes, scope.At(a, s.ID, s.Window, c.Now())) {
			continue
		}
		if len(all) == shown {
			rest++
			continue
		}
		all = append(all, web.Need{Words: fmt.Sprintf("已撤下的评价器 %s 还有 %d 条记录没有送到", o.Device, o.Lack.Count),
			Path: "/fleet/boxes/" + string(o.Device), Grave: true})
	}
	if rest > 0 {
		all[shown-1].Words += fmt.Sprintf("；另有 %d 台", rest)
	}
	return all, nil
}
