package figures

import (
	"cmp"
	"slices"

	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// told is what programs read.
type told struct {
	From     string        `json:"from"`
	To       string        `json:"to"`
	Before   toldDays      `json:"before"`
	By       string        `json:"by"`
	Counting bool          `json:"counting"` // the aggregates are being made anew: the figures are not whole
	Total    figures       `json:"total"`
	Staff    figures       `json:"staff"`
	Matter   figures       `json:"matter"`
	Previous figures       `json:"previous"`
	Channels []toldChannel `json:"channels"`
	Repeated []string      `json:"repeated"` // persons or units that are rated badly again and again
	Items    []toldPart    `json:"items"`
	Next     string        `json:"next"`
}

type toldDays struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// figures are figures by their codes. Withheld ones, and shares of nothing, are left out.
type figures map[string]figure

type figure struct {
	N       int64    `json:"n"`
	Of      *int64   `json:"of,omitempty"`
	Percent *float64 `json:"percent,omitempty"`
}

type toldChannel struct {
	Channel rating.Channel `json:"channel"`
	Figures figures        `json:"figures"`
}

type toldPart struct {
	ID       string   `json:"id"` // nothing: not known
	Name     string   `json:"name"`
	Withheld bool     `json:"withheld"`
	Rank     int      `json:"rank,omitempty"`
	Signs    []string `json:"signs,omitempty"` // what people should look at, of windows
	Figures  figures  `json:"figures"`
	Previous figures  `json:"previous"`
	Press    *press   `json:"press,omitempty"` // of windows and halls
}

// press is how fast keys were pressed after the question.
type press struct {
	Median float64 `json:"median_seconds"`
	Fast   float64 `json:"fast_percent"` // within two seconds
}

// tellFigures returns figures of some sums, without those about orders where there are none.
func tellFigures(in report.Input, hidden, works bool) figures {
	out := make(figures)
	for _, f := range report.Figures() {
		v, ok := value(f, in, hidden)
		if !ok || !v.Known() || f.Works && !works {
			continue
		}
		x := figure{N: v.N}
		if v.Share {
			percent := v.Percent()
			x.Of, x.Percent = &v.All, &percent
		}
		out[f.Code] = x
	}
	return out
}

// tell answers a program. The parts are in the order of their IDs.
func (p *pages) tell(c *web.Call) error {
	if err := c.Query(append(parameters(), "cursor", "limit")...); err != nil {
		return err
	}
	most, err := c.Limit()
	if err != nil {
		return err
	}
	a, err := p.asked(c)
	if err != nil {
		return err
	}
	free, x := !a.q.viewer.guarded, a.Whole
	v := told{From: a.q.Days.From.String(), To: (a.q.Days.To - 1).String(),
		Before: toldDays{a.Before.From.String(), (a.Before.To - 1).String()}, By: a.q.By.Code, Counting: a.Counting,
		Total: tellFigures(input(x.Sums, x.Of("")), x.Hidden, free), Previous: tellFigures(input(x.Before, x.Before.Of("")), x.Was, free),
		Staff:    tellFigures(report.Input{Amount: x.Of(rating.StaffSubject)}, !free, false),
		Matter:   tellFigures(report.Input{Amount: x.Of(rating.MatterSubject)}, !free, false),
		Channels: []toldChannel{}, Repeated: []string{}, Items: []toldPart{}}
	for _, ch := range report.Channels() {
		if n := x.By("", ch); free && n.Answered()+n.Silent > 0 {
			v.Channels = append(v.Channels, toldChannel{ch, tellFigures(report.Input{Amount: n}, false, false)})
		}
	}
	after := c.R.URL.Query().Get("cursor")
	slices.SortFunc(a.Parts, func(x, y part) int { return cmp.Compare(x.ID, y.ID) })
	for _, x := range a.Parts {
		if a.repeats(x) {
			v.Repeated = append(v.Repeated, x.ID)
		}
	}
	for _, x := range a.Parts {
		if x.ID <= after {
			continue
		}
		if len(v.Items) == most {
			v.Next = v.Items[most-1].ID
			break
		}
		var signs []string
		for _, s := range x.Signs {
			signs = append(signs, s.Code)
		}
		v.Items = append(v.Items, toldPart{x.ID, x.Name, x.Hidden, x.Place, signs, tellFigures(input(x.Sums, x.Of("")), x.Hidden, free),
			tellFigures(input(x.Before, x.Before.Of("")), x.Was, free), nil})
		if x.Pace != nil {
			v.Items[len(v.Items)-1].Press = &press{x.Pace.Median().Seconds(), x.Pace.FastShare().Percent()}
		}
	}
	for i := range v.Items {
		if v.Items[i].ID == unknown {
			v.Items[i].ID = ""
		}
	}
	return c.JSON(v)
}
