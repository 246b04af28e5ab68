package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/link"
	"haochaping/internal/central/ratepage"
	"haochaping/internal/central/rectify"
	"haochaping/internal/cli"
	"haochaping/internal/rating"
)

// openOrders opens the room of the work on bad evaluations.
func (c *command) openOrders(ctx context.Context, x *rooms, log *slog.Logger) (*rectify.Orders, error) {
	days, err := x.cfg.workingDays()
	if err != nil {
		return nil, fmt.Errorf("deadline.calendars: %w", err)
	}
	return rectify.Open(ctx, rectify.Config{Journal: x.journal, Books: x.books, Directory: x.directory, Holder: x.holder, Now: c.env.now,
		Logger: log, Texts: x.cfg.Orders.Ask != "" && x.cfg.Deadline.SMS.sends(),
		Terms: rectify.Terms{Calendar: days, Contact: x.cfg.Orders.ContactDays, Office: x.cfg.Orders.OfficeDays}})
}

// complain opens an order on what a citizen complains of by phone, at the unit of the window.
func (x *rooms) complain(ctx context.Context, c ratepage.Complaint) (int64, error) {
	a, err := x.directory.Atlas(ctx)
	if err != nil {
		return 0, err
	}
	v := rectify.Complained{Way: rectify.Online, Retaliation: c.Retaliation, At: c.At.UnixMilli(), Area: c.Window.Area, Matter: c.Matter,
		Place: clipped(strings.TrimSpace(c.Window.Hall+" "+c.Window.Name), rectify.MostLine), Words: c.Words, Contact: c.Contact}
	if place, ok := a.Place(c.Device, c.Window.ID, c.Window.Generation, c.At); ok {
		v.Unit, v.Area = place.Unit().ID, place.Area().ID
	}
	order, _, err := x.orders.Complain(ctx, rectify.By{Account: rectify.Citizen}, c.Name, v)
	if c.Retaliation { // nothing shows how a clue stands
		return 0, err
	}
	return order.ID, err
}

// clipped returns so many characters of a text at most.
func clipped(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// orderHook returns what posts what is done about orders until its context ends.
func (c *command) orderHook(x *rooms, log *slog.Logger) (func(context.Context) error, error) {
	if x.cfg.Orders.URL == "" {
		return idle, nil
	}
	secret, err := hookSecret("orders", x.cfg.Orders.SecretFile)
	if err != nil {
		return nil, err
	}
	return rectify.Hook{Orders: x.orders, URL: x.cfg.Orders.URL, Secret: secret, Logger: log}.Run, nil
}

// tellCitizens returns what writes to citizens about orders until its context ends.
func (c *command) tellCitizens(x *rooms, log *slog.Logger) (func(context.Context) error, error) {
	if !x.cfg.Deadline.SMS.sends() {
		return idle, nil
	}
	t, err := c.orderTexts(x, log)
	return t.Run, err
}

// orderTexts returns what writes to citizens about orders.
func (c *command) orderTexts(x *rooms, log *slog.Logger) (rectify.Texts, error) {
	links, err := c.links(x)
	address := func(about string) (string, error) {
		token, err := links.Keeper.WriteTold(link.Told{About: about, Expires: c.env.now().Add(link.Life).Unix() / 60})
		return links.Base + link.ToldPath + token, err
	}
	t := x.cfg.Orders
	return rectify.Texts{Orders: x.orders, Messages: x.deadlines, Link: address, Ask: t.Ask, Extended: t.Extended, Missed: t.Missed,
		Refused: t.Refused, Logger: log}, err
}

// receipt names a row of the journal to the page behind a receipt.
func receipt(row int64) string { return rectify.Receipt(row) }

// told is the orders as the page behind a message shows them.
type told struct{ orders *rectify.Orders }

// Told implements ratepage.Orders.
func (t told) Told(ctx context.Context, about string) (ratepage.Told, bool, error) {
	a, err := t.orders.Asked(ctx, about)
	if errors.Is(err, rectify.ErrNoOrder) {
		return ratepage.Told{}, false, nil
	}
	if err != nil {
		return ratepage.Told{}, false, err
	}
	parts, err := t.orders.Followed(ctx, about)
	v := ratepage.Told{Asks: a.Asks, Unit: a.Unit, Words: a.Words, Until: a.Until}
	for _, p := range parts {
		f := ratepage.Followed{Part: p.Part, Unit: p.Unit, State: p.State.Chinese(), Decided: p.Decided, Appeals: p.Appeals}
		if !p.Due.IsZero() {
			f.By = p.Due.In(rating.Shanghai()).Format("1月2日")
		}
		v.Parts = append(v.Parts, f)
	}
	return v, err == nil, err
}

// Appeal implements ratepage.Orders.
func (t told) Appeal(ctx context.Context, about, part, words string) (bool, error) {
	return t.orders.AppealOf(ctx, about, part, words)
}

// Judge implements ratepage.Orders.
func (t told) Judge(ctx context.Context, about string, satisfied bool, words string) (bool, error) {
	return t.orders.Judge(ctx, about, satisfied, words)
}

// orders lists orders, or makes them anew.
func (c *command) orders(ctx context.Context, args []string) error {
	return c.oneOf(ctx, "centrald orders", args, []word{{"list", c.listOrders}, {"rebuild", c.rebuildOrders}})
}

// listedOrder is a part of an order as "centrald orders list -json" prints it.
type listedOrder struct {
	Order    int64           `json:"order"`
	Part     int64           `json:"part"`
	State    rectify.State   `json:"state"`
	Due      time.Time       `json:"due"`       // the first moment that is too late
	Left     int             `json:"days_left"` // working days; below zero: it is overdue
	Urgency  rectify.Urgency `json:"urgency"`
	Unit     string          `json:"unit,omitempty"`
	UnitName string          `json:"unit_name,omitempty"`
	Area     string          `json:"area,omitempty"`
	Level    rating.Level    `json:"level"`
	Matter   string          `json:"matter,omitempty"`
	Place    string          `json:"place,omitempty"`
	RatedAt  time.Time       `json:"rated_at"`
}

func (c *command) listOrders(ctx context.Context, args []string) error {
	flags := c.flags("centrald orders list")
	unit := flags.String("unit", "", cli.Words("只列一个单位的，写统一社会信用`代码`", "list those of one unit, by its credit `code`"))
	most := flags.Int("limit", 1000, cli.Words("最多列出的`条数`", "list at most this `many`"))
	asJSON := flags.Bool("json", false, cli.Words("输出 JSON 数组", "print a JSON array"))
	return c.onWritten(ctx, flags, args, func(x *rooms) error {
		f := rectify.Filter{Limit: *most}
		if *unit != "" {
			f.Units = []string{*unit}
		}
		all, err := x.orders.Due(ctx, f)
		if err != nil {
			return err
		}
		listed, err := c.listed(ctx, x, all)
		if err != nil {
			return err
		}
		if *asJSON {
			out := json.NewEncoder(c.env.stdout)
			out.SetIndent("", " ")
			return out.Encode(listed)
		}
		return c.printOrders(listed)
	})
}

// listed returns parts with the names of their units and the time that is left.
func (c *command) listed(ctx context.Context, x *rooms, all []rectify.Listed) ([]listedOrder, error) {
	names, err := x.unitNames(ctx, c.env.now())
	if err != nil {
		return nil, err
	}
	out := []listedOrder{}
	for _, l := range all {
		due, now := time.UnixMilli(l.Due), c.env.now()
		left, late := x.orders.Terms().Left(due, now)
		if late {
			left = -left
		}
		out = append(out, listedOrder{Order: l.Order, Part: l.Part, State: l.Body.State, Due: due, Left: left,
			Urgency: x.orders.Terms().Urgency(due, now),
			Unit:    l.Body.Unit, UnitName: names(l.Body.Unit), Area: l.Body.Area, Level: l.About.Level, Matter: l.About.Matter,
			Place:   l.About.Place,
			RatedAt: time.UnixMilli(l.About.RatedAt)})
	}
	return out, nil
}

func (c *command) printOrders(listed []listedOrder) error {
	if len(listed) == 0 {
		return c.say("没有待办", "nothing is open")
	}
	w := tabwriter.NewWriter(c.env.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, c.lang.Head("工单\t状态\t期限\t剩余\t评价\t单位\t事项", "ORDER\tSTATE\tDUE\tLEFT\tLEVEL\tUNIT\tABOUT"))
	for _, l := range listed {
		left := fmt.Sprintf(c.lang.Say("%[1]d 天", "%[1]d days"), l.Left)
		if l.Urgency == rectify.Overdue || l.Urgency == rectify.Escalated {
			left = fmt.Sprintf(c.lang.Say("超期 %[1]d 天", "overdue %[1]d"), -l.Left)
		}
		unit := l.UnitName
		if unit == "" {
			unit = strings.TrimSpace(l.Unit + " " + l.Area)
		}
		// The last moment that is in time reads better than the first that is not.
		due := l.Due.Add(-time.Second).In(rating.Shanghai()).Format("2006-01-02 15:04")
		_, _ = fmt.Fprintf(w, "%d/%d\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Order, l.Part, l.State.Chinese(), due, left, l.Level.Chinese(), unit,
			strings.TrimSpace(l.Place+" "+l.Matter))
	}
	return w.Flush()
}

func (c *command) rebuildOrders(ctx context.Context, args []string) error {
	flags := c.flags("centrald orders rebuild")
	reason := flags.String("reason", "", cli.Words("`原因`，记入日志", "`why`, for the journal"))
	return c.onWritten(ctx, flags, args, func(x *rooms) error {
		if *reason == "" {
			return cli.Usage("请写原因：centrald orders rebuild -reason …", "say why: centrald orders rebuild -reason …")
		}
		p := c.progress("重做工单", "making the orders anew")
		defer p.End()
		if err := x.orders.Rebuild(ctx, rectify.By{Account: c.operator()}, *reason, p.tell); err != nil {
			return err
		}
		return c.say("工单已由日志重做", "the orders were made anew from the journal")
	})
}

// unitNames returns what units are called today.
func (x *rooms) unitNames(ctx context.Context, now time.Time) (func(string) string, error) {
	a, err := x.directory.Atlas(ctx)
	if err != nil {
		return nil, err
	}
	return func(code string) string {
		r, _ := a.At(directory.Unit, code, directory.DayOf(now))
		return r.Name
	}, nil
}
