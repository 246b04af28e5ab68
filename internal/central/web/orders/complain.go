package orders

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
)

// complaintOf returns what the page says of a complaint, without what it shows for a reason.
func (p *pages) complaintOf(c *web.Call, f found, o account.Object) *complaintShown {
	said := f.order.About.Complaint
	v := &complaintShown{Complaint: *said, Way: said.Way.Chinese(), Against: nameOf(f.atlas, said.Against, directory.DayOf(c.Now()))}
	v.Words.May, v.Person.May = !f.clue && c.May(account.SeeText, o), !f.clue && f.Body.Named && c.May(account.SeeIdentity, o)
	return v
}

// words shows what a citizen has said of a complaint, and what they wrote when they were asked what they think of the work, for a reason
// that is entered first.
func (p *pages) words(c *web.Call) error {
	return p.look(c, account.SeeText, func(f found, v *single) error {
		if v.Judged.May {
			s, err := p.Orders.Judged(c.R.Context(), f.Order, f.Part)
			if err := text(&v.Judged, s, err); err != nil {
				return err
			}
		}
		if v.Complaint == nil {
			return nil
		}
		s, err := p.Orders.Said(c.R.Context(), f.order)
		return text(&v.Complaint.Words, s, err)
	})
}

// person shows how a citizen is reached who has complained, for a reason that is entered first.
func (p *pages) person(c *web.Call) error {
	return p.look(c, account.SeeIdentity, func(f found, v *single) error {
		s, err := p.Orders.Person(c.R.Context(), f.order)
		return text(&v.Complaint.Person, s, err)
	})
}

// look enters that somebody looks at something of a complaint, and shows it.
func (p *pages) look(c *web.Call, do account.Action, show func(found, *single) error) error {
	f, err := p.part(c)
	if err != nil {
		return err
	}
	v, err := p.single(c, f, rectify.ThatClues)
	if err != nil {
		return err
	}
	if v.Complaint == nil && (do != account.SeeText || !v.Judged.May) {
		return web.ErrNotFound
	}
	var refusal *web.Refusal
	err = c.Look(do, object(f.atlas, f.Body, directory.DayOf(c.Now())), fmt.Sprintf("order %d-%d", f.Order, f.Part),
		c.R.PostFormValue("reason"))
	if errors.As(err, &refusal) {
		v.Problem = refusal.Words
		return c.ShowStatus(http.StatusUnprocessableEntity, "orders/one", v)
	}
	if err == nil {
		err = show(f, &v)
	}
	if err != nil {
		return err
	}
	return c.Show("orders/one", v)
}

// entering is what the page shows on which a complaint is entered.
type entering struct {
	header
	rectify.Complained
	Day     string
	Ways    []rectify.Way
	Units   []directory.Record
	Once    string // tells a form that is sent twice
	Most    int
	MostOne int
	Problem string
	Done    string // good news
	Path    string // of the order, empty for a clue
}

// mostUnits bounds the units that the form offers; others are written by their code.
const mostUnits = 500

func (p *pages) entering(c *web.Call, v entering) (entering, error) {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return v, err
	}
	today := directory.DayOf(c.Now())
	for u := range a.Each(directory.Unit, today) {
		if len(v.Units) < mostUnits && c.May(account.Complain, account.Object{Area: u.Area}) {
			v.Units = append(v.Units, u)
		}
	}
	v.Ways, v.Most, v.MostOne = rectify.Ways(), rectify.MostWords, rectify.MostLine
	if v.Once == "" {
		v.Once = p.Random()
	}
	if v.Day == "" {
		v.Day = today.String()
	}
	if g := c.Grants(account.Complain); v.Area == "" && len(g) > 0 {
		v.Area = g[0].Area
	}
	v.header, err = p.header(c, a, "/complaints")
	return v, err
}

func (p *pages) complaint(c *web.Call) error {
	v, err := p.entering(c, entering{})
	if err != nil {
		return err
	}
	return c.Show("orders/complain", v)
}

// complain takes what somebody has entered.
func (p *pages) complain(c *web.Call) error {
	f := c.R.PostFormValue
	v := entering{Day: f("day"), Once: f("once"), Complained: rectify.Complained{Way: rectify.Way(f("way")), Number: f("number"),
		Retaliation: f("retaliation") == "1",
		Unit:        f("unit"), Area: f("area"), Matter: f("matter"), Place: f("place"), Words: f("words"), Contact: f("contact")}}
	x, fresh, err := p.complainAs(c, v)
	var refusal *rectify.Refusal
	status := http.StatusOK
	switch {
	case errors.As(err, &refusal):
		v.Problem, status = refusal.Chinese, http.StatusUnprocessableEntity
	case err != nil:
		return err
	default:
		v = entering{Done: fmt.Sprintf("已登记，开立工单 %d。", x.ID), Path: fmt.Sprintf("/orders/of/%d-1", x.ID)}
		if !fresh {
			v.Done = fmt.Sprintf("这件投诉已经登记过，是工单 %d，没有重复开立。", x.ID)
		}
		if x.Parts[0].Body.Secret {
			v.Done, v.Path = fmt.Sprintf("已作为线索登记（编号 %d），由线索专员办理，其他人都看不到。", x.ID), ""
			if !fresh {
				v.Done = fmt.Sprintf("这个编号的线索（%d）早已登记，这一份没有另存；如果不是同一件，请换一个编号再登记。", x.ID)
			}
		}
	}
	if v, err = p.entering(c, v); err != nil {
		return err
	}
	return c.ShowStatus(status, "orders/complain", v)
}

// complainAs opens the order on a complaint that lies within what the person enters.
func (p *pages) complainAs(c *web.Call, v entering) (x rectify.Order, fresh bool, err error) {
	if v.Day != "" {
		day, err := time.ParseInLocation("2006-01-02", v.Day, web.Zone())
		if err != nil {
			return x, false, &rectify.Refusal{Chinese: "投诉日期请写成 2027-01-31 的样子。", English: "Write the day as 2027-01-31."}
		}
		if v.At = day.UnixMilli(); day.Format("2006-01-02") == c.Now().In(web.Zone()).Format("2006-01-02") {
			v.At = c.Now().UnixMilli()
		}
	}
	return p.enter(c, v.Once, v.Complained)
}

// enter opens an order on a complaint if the person enters those of its area. The name tells a repetition where it has no number.
func (p *pages) enter(c *web.Call, once string, v rectify.Complained) (x rectify.Order, fresh bool, err error) {
	if err := p.Orders.Locate(c.R.Context(), &v); err != nil {
		return x, false, err
	}
	if !c.May(account.Complain, account.Object{Area: v.Area}) {
		return x, false, &rectify.Refusal{Chinese: "被投诉单位或区划不在您的范围内，请转交其管理机构登记。", English: "It lies outside of what you enter complaints for."}
	}
	name := once
	if n := strings.TrimSpace(v.Number); n != "" {
		name = string(v.Way) + " " + n
	}
	if name == "" || len(name) > 1000 {
		return x, false, &rectify.Refusal{Chinese: "请填写编号，或重新打开登记页面。", English: "Give it a number."}
	}
	return p.Orders.Complain(c.R.Context(), by(c), name, v)
}
