package fleet

import (
	"fmt"
	"slices"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
)

// counted bounds the boxes that the home page looks at one by one. Where there are more, it counts their alerts.
const counted = 500

// needs returns the alerts that nobody looks after yet, and which boxes need somebody, to those who see them.
func (p *pages) needs(c *web.Call) ([]web.Need, error) {
	all, err := p.alone(c)
	if err != nil || !c.Ever(account.SeeBoxes) {
		return all, err
	}
	stand, err := p.standing(c)
	if err != nil {
		return nil, err
	}
	owing, err := p.owing(c)
	if err != nil {
		return nil, err
	}
	all = append(append(all, stand...), owing...)
	states, whole, err := p.few(c)
	if err != nil {
		return nil, err
	}
	if !whole {
		some, err := p.alerts(c, account.SeeBoxes, fleet.AlertsIn{Limit: mostAlerts})
		if err != nil || len(some) == 0 {
			return all, err
		}
		words := fmt.Sprintf("评价器有 %d 条告警未结束", len(some))
		if len(some) == mostAlerts {
			words = fmt.Sprintf("评价器有 %d 条以上告警未结束", len(some))
		}
		return append(all, web.Need{Words: words, Path: "/fleet"}), nil
	}
	n := make(map[fleet.Standing]int)
	for _, s := range states {
		n[s.Standing(c.Now())]++
	}
	if n[fleet.Offline]+n[fleet.Ill] == 0 {
		return all, nil
	}
	words := fmt.Sprintf("%d 台评价器离线", n[fleet.Offline])
	switch {
	case n[fleet.Offline] == 0:
		words = fmt.Sprintf("%d 台评价器有故障", n[fleet.Ill])
	case n[fleet.Ill] > 0:
		words += fmt.Sprintf("，%d 台有故障", n[fleet.Ill])
	}
	return append(all, web.Need{Words: words, Path: "/fleet?state=sick"}), nil
}

// standing returns the rollouts that stand since a box has turned sick, to those who may do something about it.
func (p *pages) standing(c *web.Call) (all []web.Need, err error) {
	if !c.Ever(account.ConfigureBoxes) {
		return nil, nil
	}
	open, err := p.Fleet.OpenRollouts(c.R.Context())
	if err != nil {
		return nil, err
	}
	for _, r := range open {
		if r.State == fleet.Halted && r.Why != "" && c.May(account.ConfigureBoxes, rolloutAt(r)) {
			all = append(all, web.Need{Words: "分步更改已停住：" + changeOf(r.Change), Path: "/fleet/rollouts/" + r.ID, Grave: true})
		}
	}
	return all, nil
}

// few returns the boxes that the person sees, and whether those are all: they are not read where there are many.
func (p *pages) few(c *web.Call) (some []fleet.State, whole bool, err error) {
	a, err := p.atlas(c)
	if err != nil {
		return nil, false, err
	}
	var states []fleet.State
	if c.May(account.SeeBoxes, account.Object{}) { // also those that stand nowhere
		if states, err = p.Fleet.States(c.R.Context(), "", counted+1); err != nil || len(states) > counted {
			return nil, false, err
		}
	} else {
		windows := p.windows(c, a, "")
		if len(windows) > counted {
			return nil, false, nil
		}
		if states, err = p.Fleet.At(c.R.Context(), windows); err != nil {
			return nil, false, err
		}
	}
	for _, s := range states {
		if s.Enrolled && !s.Retired && c.May(account.SeeBoxes, scope.At(a, s.ID, s.Window, c.Now())) {
			some = append(some, s)
		}
	}
	return some, true, nil
}

// windows returns the windows of today whose boxes the person sees, of one hall if one is named, in order.
func (p *pages) windows(c *web.Call, a *directory.Atlas, hall string) []string {
	day := directory.DayOf(c.Now())
	may := make(map[string]bool) // by hall
	var ids []string
	for w := range a.Each(directory.Window, day) {
		if hall != "" && w.Hall != hall {
			continue
		}
		yes, asked := may[w.Hall]
		if !asked {
			if h, ok := a.At(directory.Hall, w.Hall, day); ok {
				yes = c.May(account.SeeBoxes, hallAt(a, h, day))
			}
			may[w.Hall] = yes
		}
		if yes {
			ids = append(ids, w.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
