package fleet

import (
	"context"
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
)

// rolloutView is what a rollout's page shows.
type rolloutView struct {
	rolloutRow
	Facts  []fact
	Halted *haltedView
	Stages []stageView
	Deeds  []deedButton
	Open   bool
}

// haltedView says why a rollout stands.
type haltedView struct {
	Device string // empty: somebody has stopped it, or the first window has no box
	Name   string
	What   string
	Do     string
	Said   string // by the box, empty: nothing
}

// stageView is one stage with its windows.
type stageView struct {
	Words, State, Means string // State: to come, here or past
	Rows                []rolloutBoxRow
	Rest                int // rows that are not shown
}

// rolloutBoxRow is a window of a stage.
type rolloutBoxRow struct {
	Device, Window, Name, Hall, Words, Class, More string
	rank                                           int
}

type deedButton struct {
	Do, Words, Help string
	Danger          bool
}

// shownOfStage bounds the windows of a stage on the page: those with which something is wrong come first.
const shownOfStage = 300

// rollout shows a rollout window by window.
func (p *pages) rollout(c *web.Call) error {
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	r, boxes, how, err := p.rolloutNow(c)
	if err != nil {
		return err
	}
	v := rolloutView{rolloutRow: p.rolloutRow(c, a, r), Facts: rolloutFacts(r, c.Now()), Open: r.State.Open()}
	if r.State == fleet.Halted {
		v.Halted = halted(r, boxes, how)
	}
	day := directory.DayOf(c.Now())
	for stage := fleet.OneWindow; stage <= r.Last; stage++ {
		s := newStage(r, stage)
		n := make(map[string]int)
		for _, b := range boxes {
			if b.Stage != stage {
				continue
			}
			hall := b.Hall
			if h, ok := a.At(directory.Hall, b.Hall, day); ok {
				hall = h.Name
			}
			row := boxRow(r, b, how[b.Device], c.Now())
			row.Hall = hall
			n[row.Words]++
			s.Rows = append(s.Rows, row)
		}
		slices.SortStableFunc(s.Rows, func(x, y rolloutBoxRow) int { return x.rank - y.rank })
		if s.Means = summary(s.Rows, n); len(s.Rows) > shownOfStage {
			s.Rest, s.Rows = len(s.Rows)-shownOfStage, s.Rows[:shownOfStage]
		}
		v.Stages = append(v.Stages, s)
	}
	if c.May(account.ConfigureBoxes, rolloutAt(r)) {
		v.Deeds = deedButtons(r)
	}
	return c.Show("fleet/rollout", v)
}

// rolloutNow returns the rollout of the address with its boxes as they are.
func (p *pages) rolloutNow(c *web.Call) (r fleet.Rollout, boxes []fleet.RolloutBox, how map[rating.DeviceID]fleet.State, err error) {
	ctx := c.R.Context()
	if r, err = p.Fleet.Rollout(ctx, c.R.PathValue("rollout")); err != nil {
		return r, nil, nil, err
	}
	if boxes, err = p.Fleet.RolloutBoxes(ctx, r); err != nil {
		return r, nil, nil, err
	}
	how, err = p.Fleet.InRollout(ctx, boxes)
	return r, boxes, how, err
}

// halted says for which box a rollout stands, and what to do.
func halted(r fleet.Rollout, boxes []fleet.RolloutBox, how map[rating.DeviceID]fleet.State) *haltedView {
	v := &haltedView{Device: string(r.Sick), What: "有人停住了它", Do: "查明后选择继续、退回或放弃。"}
	if r.Why == fleet.CodeNoFirst {
		v.What, v.Do = "第一个窗口的评价器已经离开，没有评价器能证明这项更改可行", "请退回或放弃，再另选一个窗口开始。"
	}
	for _, b := range boxes {
		if b.Device != r.Sick {
			continue
		}
		k := rolloutTrouble(r.Why)
		v.Name, v.What, v.Do = b.Name, k.What.ZH, plain(k)
		if k.Do.ZH != "" && r.Why == fleet.CodeUntaken {
			v.Do = k.Do.ZH
		}
		if r.Change.Programs != "" {
			v.Do, v.Said = programsAdvice(r.Why), programsReason(b, how[b.Device])
		}
	}
	return v
}

// rolloutTrouble returns a code in words.
func rolloutTrouble(code string) condition.Kind {
	switch code {
	case fleet.CodeRefused:
		return condition.Kind{Code: fleet.CodeRefused, Level: condition.Ill,
			What: condition.Text{ZH: "评价器没有安装新程序", EN: "the box has not installed the programs"}}
	case fleet.CodeReturned:
		return condition.Kind{Code: fleet.CodeReturned, Level: condition.Ill,
			What: condition.Text{ZH: "评价器装新程序后不正常，已自行退回原版本", EN: "the box was not well with the programs, and has the version before again"}}
	case fleet.CodeUntaken:
		return condition.Kind{Code: fleet.CodeUntaken, Level: condition.Ill,
			What: condition.Text{ZH: "评价器在线，但没有采用新的设置", EN: "the box is online and has not taken the settings"},
			Do:   condition.Text{ZH: "请设备运维查看这台评价器的日志（journalctl -u ratingd）。", EN: "look at the box's log"}}
	case "centre.offline":
		return condition.Kind{Code: condition.Code(code), Level: condition.Ill, What: condition.Text{ZH: "评价器离线", EN: "the box is offline"}}
	case "centre.refused":
		return condition.Kind{Code: condition.Code(code), Level: condition.Ill, What: condition.Text{ZH: "评价器的签名与登记的不符",
			EN: "the box's signature is not that of the enrolled key"}}
	}
	k, _ := condition.Find(condition.Code(code))
	return k
}

// steerRollout does what a button says.
func (p *pages) steerRollout(c *web.Call) error {
	if err := p.steer(c, fleet.Deed(c.R.FormValue("do"))); err != nil {
		return err
	}
	return c.See("/fleet/rollouts/" + c.R.PathValue("rollout"))
}

// steer does something with the rollout of the address.
func (p *pages) steer(c *web.Call, do fleet.Deed) error {
	id := c.R.PathValue("rollout")
	if !slices.Contains(fleet.AllDeeds(), do) {
		return &web.Refusal{Words: "没有这个操作。There is no such deed: halt, resume, undo or abandon."}
	}
	o, err := p.rolloutObject(c)
	if err != nil {
		return err
	}
	return rolloutRefusal(c.Act(journal.Act{Do: "fleet.rollout." + string(do), Object: id, Domain: o.Area},
		func(ctx context.Context, tx *db.Tx, _ int64) error { return fleet.Steer(ctx, tx, id, do, c.Now()) }))
}

func rolloutFacts(r fleet.Rollout, now time.Time) []fact {
	all := []fact{{"每一步观察", span(r.Hold)}, {"开始", at(r.Begun)}}
	if !r.Well.IsZero() && r.State == fleet.Running {
		all = append(all, fact{"已正常", span(now.Sub(r.Well))})
	}
	if !r.Ended.IsZero() {
		all = append(all, fact{"结束", at(r.Ended)})
	}
	return all
}
