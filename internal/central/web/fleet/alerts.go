package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
)

// alertRow is an alert in words.
type alertRow struct {
	ID, Words, Detail, Do string
	Hall                  string
	Path                  string // where something can be done about it, empty: here
	Opened, Acked, Back   string
	May                   bool // acknowledge it
}

// rows returns alerts in words. Named gives the halls their names, where alerts of several stand together.
func (p *pages) rows(c *web.Call, all []fleet.Alert, named map[string]string) (rows []alertRow) {
	for _, x := range all {
		r := alertRow{ID: x.ID, Words: alertWords(x), Detail: x.Detail, Opened: at(x.Since), Acked: at(x.Acked), Back: c.R.URL.Path,
			May: x.Acked.IsZero() && c.May(account.CommandBoxes, alertAt(x))}
		if x.Device == "" {
			r.Do = "多半是大厅的网络或供电：检查交换机和路由器，联系网络管理员。评价保存在各台评价器，不会丢失。"
		} else { // a box's own advice is with the box
			r.Hall = named[x.Hall]
		}
		if to := alertPath(x); to != r.Back {
			r.Path = to
		}
		rows = append(rows, r)
	}
	return rows
}

// acknowledge notes that the person looks after an alert.
func (p *pages) acknowledge(c *web.Call) error {
	x, err := p.acknowledged(c)
	if err != nil {
		return err
	}
	return c.See(back(c, alertPath(x)))
}

// acknowledged enters that the person looks after the alert of the address, and returns it as it was.
func (p *pages) acknowledged(c *web.Call) (fleet.Alert, error) {
	x, err := p.Fleet.Alert(c.R.Context(), c.R.PathValue("alert"))
	if errors.Is(err, fleet.ErrNoAlert) {
		return x, web.ErrNotFound
	}
	if err != nil {
		return x, err
	}
	err = c.Act(journal.Act{Do: "fleet.acknowledge", Object: string(x.Kind) + " " + x.Hall + " " + string(x.Device), Domain: x.Area},
		func(ctx context.Context, tx *db.Tx, _ int64) error {
			return fleet.Acknowledge(ctx, tx, x.ID, c.Person.Account, c.Now())
		})
	if errors.Is(err, fleet.ErrNoAlert) {
		return x, conflict("这条告警已经结束，或者已经有人确认。It is over, or somebody was first.")
	}
	return x, err
}

// hoursForm is a hall's opening hours as its form has them.
type hoursForm struct {
	Opens, Closes string
	Daily, Own    bool
}

func newHoursForm(all map[string]fleet.Hours, hall string) hoursForm {
	h, own := all[hall]
	if !own {
		h = fleet.UsualHours()
	}
	text := func(m int) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }
	return hoursForm{text(h.Opens), text(min(h.Closes, 24*60-1)), h.Daily, own}
}

// setHours writes when a hall is open.
func (p *pages) setHours(c *web.Call) error {
	o, err := p.hallObject(c)
	if err != nil {
		return err
	}
	opens, err1 := time.Parse("15:04", c.R.FormValue("opens"))
	closes, err2 := time.Parse("15:04", c.R.FormValue("closes"))
	if err1 != nil || err2 != nil || !opens.Before(closes) {
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "请写明开门和关门时间，如 09:00 和 17:00，开门在前。Write when the hall opens and " +
			"closes."}
	}
	h := fleet.Hours{Opens: opens.Hour()*60 + opens.Minute(), Closes: closes.Hour()*60 + closes.Minute(), Daily: c.R.FormValue("daily") != ""}
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	err = c.Act(journal.Act{Do: "fleet.hours", Object: o.Hall, Data: data, Domain: o.Area},
		func(ctx context.Context, tx *db.Tx, _ int64) error {
			return fleet.SetHours(ctx, tx, o.Hall, h)
		})
	if err != nil {
		return err
	}
	return c.See("/fleet/halls/" + o.Hall)
}
