package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"haochaping/internal/boxcode"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
)

// reset has a box that waits under its code forget all: one that was put out, or stands where it should not, hears no command.
func (p *pages) reset(c *web.Call) error {
	if p.Enrol == nil || p.Enrol.Authority() == nil {
		return web.ErrNotFound
	}
	ctx, code, hall := c.R.Context(), boxcode.Clean(c.R.FormValue("reset")), c.R.FormValue("in")
	giveUp := strings.TrimSpace(c.R.FormValue("give_up_" + code))
	x, err := p.Enrol.Look(ctx, c.Person.Account, code)
	switch {
	case errors.Is(err, enrol.ErrNoCode):
		return conflict("没有评价器正在显示配对码 " + code + "，请看屏幕。No box shows this code now.")
	case errors.Is(err, enrol.ErrGuessed):
		return guessed()
	case err != nil:
		return err
	}
	if giveUp != "" && giveUp != string(x.Device) {
		return &web.Refusal{Status: http.StatusUnprocessableEntity,
			Words: "要放弃未上传的记录，请写这台评价器的名称 " + string(x.Device) + "。To give up records, write the box's name."}
	}
	where, err := p.resetObject(c, x, hall)
	if err != nil {
		return err
	}
	order, err := p.Enrol.Reset(x, p.Random(), giveUp)
	if errors.Is(err, enrol.ErrNoCode) {
		return conflict("配对码马上更换，请等几秒，用屏幕上的新码再试。The code is about to change; use the next one.")
	}
	if err != nil {
		return err
	}
	act := journal.Act{Do: "enrol.reset", Object: string(x.Device), Data: fmt.Appendf(nil, `{"give_up":%t}`, giveUp != ""), Domain: where.Area}
	err = c.Act(act, func(ctx context.Context, tx *db.Tx, _ int64) error { return enrol.KeepReset(ctx, tx, x, order) })
	if errors.Is(err, enrol.ErrNoCode) {
		return conflict("这台评价器刚刚已被接受。The box was accepted a moment ago.")
	}
	if err != nil {
		return err
	}
	return c.See("/fleet/enrol?" + url.Values{"hall": {hall}, "reset": {string(x.Device)}}.Encode())
}

// resetObject returns where a box stands that is to forget all: one that is enrolled at its window, else in the hall that was chosen. Who
// may not let it in may not reset it.
func (p *pages) resetObject(c *web.Call, x enrol.Pending, hall string) (where account.Object, err error) {
	a, err := p.atlas(c)
	if err != nil {
		return where, err
	}
	d, err := p.Fleet.Device(c.R.Context(), x.Device)
	switch {
	case err == nil:
		where = standsAt(a, d, c.Now())
	case errors.Is(err, fleet.ErrNoDevice):
		day := directory.DayOf(c.Now())
		h, ok := a.At(directory.Hall, hall, day)
		if !ok {
			return where, conflict("请先选择大厅。Choose a hall first.")
		}
		where = hallAt(a, h, day)
	default:
		return where, err
	}
	if !c.May(account.EditBoxes, where) {
		return where, conflict("这台评价器登记在您管理范围以外的窗口，请联系设备运维。The box serves a window that is not within your role.")
	}
	return where, nil
}
