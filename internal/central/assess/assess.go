package assess

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/report"
	"haochaping/internal/rating"
)

// Reports is what is needed of the figures.
type Reports interface {
	Sum(context.Context, report.Ask) (report.Table, error)
	Names(ctx context.Context, split report.Split, of []string) (map[string]string, error)
	Progress(context.Context) (report.Progress, error)
}

// Directory is what is needed of the organisation.
type Directory interface {
	Atlas(context.Context) (*directory.Atlas, error)
}

// Config names what the room needs. All fields are mandatory.
type Config struct {
	Reports   Reports
	Directory Directory
	Dossiers  *dossier.Dossiers
	// Cause returns the words of a reason, as aggregates name it.
	Cause func(cause string) string
	// Ranked is how many answers it takes to be ranked low, 0 for report.LeastRanked.
	Ranked int64
	Now    func() time.Time
	Logger *slog.Logger
}

// Room proposes. Its methods are not safe for concurrent use.
type Room struct {
	cfg   Config
	month directory.Day // of which all was proposed, by its first day
}

// New returns the room.
func New(c Config) *Room { return &Room{cfg: c} }

const (
	every   = time.Hour
	settles = 7 // days after which a month is looked at
	inARow  = 3 // months
)

// Run proposes until ctx ends. Several instances propose the same, which is one.
func (r *Room) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if _, err := r.Once(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Logger.Error("what is proposed has to wait; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
	return nil
}

// Once looks at the last month that is closed, unless it was looked at, and returns how many dossiers it has opened.
func (r *Room) Once(ctx context.Context) (opened int, err error) {
	y, m, _ := (directory.DayOf(r.cfg.Now()) - settles).Start().In(rating.Shanghai()).Date()
	months := make([]directory.Period, inARow)
	for i := range months {
		from := m - time.Month(inARow-i)
		months[i] = directory.Period{From: directory.Date(y, from, 1), To: directory.Date(y, from+1, 1)}
	}
	last := months[inARow-1]
	if r.month == last.From {
		return 0, nil
	}
	if p, err := r.cfg.Reports.Progress(ctx); err != nil || p.Counting {
		return 0, err
	}
	for _, propose := range []func(context.Context, []directory.Period) (int, error){r.mend, r.problems, r.causes} {
		n, err := propose(ctx, months)
		opened += n
		if err != nil {
			return opened, err
		}
	}
	r.month = last.From
	return opened, nil
}

// Found is what a dossier keeps as it was found.
type Found struct {
	Days   directory.Period `json:"days"`
	Rule   string           `json:"rule"`
	Source string           `json:"source"`
	Lines  []Line           `json:"lines"`
	Table  *Table           `json:"table,omitempty"` // of a yearly sheet
}

// rows adds up a period by peers, and in these by whom or what.
func (r *Room) rows(ctx context.Context, ask report.Ask, peers func(report.Where) string, amount func(report.Sums) report.Amount,
	id func(w report.Where, of string) string) (map[string]map[string]row, error) {
	where := make(map[string]report.Where)
	ask.Fits = func(w report.Where) bool { return peers(w) != "" }
	ask.Group = func(w report.Where, of string) string {
		one := id(w, of)
		if one == "" {
			return ""
		}
		key := peers(w) + "\n" + one
		if was, ok := where[key]; ok {
			w = both(was, w)
		}
		where[key] = w
		return key
	}
	t, err := r.cfg.Reports.Sum(ctx, ask)
	out := make(map[string]map[string]row)
	for _, x := range t.Rows {
		group, one, _ := strings.Cut(x.ID, "\n")
		if out[group] == nil {
			out[group] = make(map[string]row)
		}
		out[group][one] = row{ID: one, Where: where[x.ID], Amount: amount(x.Sums)}
	}
	return out, err
}

func ofPersons(s report.Sums) report.Amount { return s.Of(rating.StaffSubject) }
func ofAll(s report.Sums) report.Amount     { return s.Of("") }

// both returns where what lies at two places lies: in the least area that has both. What has halls in several counties of a city is that
// city's.
func both(a, b report.Where) report.Where {
	w := report.Where{Area: a.Area, Units: a.Units}
	for _, digits := range []int{12, 9, 6, 4, 2, 0} {
		if len(a.Area) != 12 || len(b.Area) != 12 {
			w.Area = ""
			break
		}
		if a.Area[:digits] == b.Area[:digits] {
			w.Area = a.Area[:digits] + strings.Repeat("0", 12-digits)
			break
		}
	}
	if a.Hall == b.Hall {
		w.Hall = a.Hall
	}
	for _, u := range b.Units {
		if !slices.Contains(w.Units, u) {
			w.Units = append(slices.Clip(w.Units), u)
		}
	}
	return w
}

// hall and city say who is compared with whom.
func hall(w report.Where) string { return w.Hall }

func city(w report.Where) string {
	if len(w.Area) < 4 {
		return ""
	}
	return w.Area[:4]
}

// mend proposes orders to mend: for persons among those of their hall, and for units among those of their city.
func (r *Room) mend(ctx context.Context, months []directory.Period) (opened int, err error) {
	for _, x := range []struct {
		split  report.Split
		peers  func(report.Where) string
		amount func(report.Sums) report.Amount
		id     func(report.Where, string) string
		who    string
	}{{report.ByStaff, hall, ofPersons, func(_ report.Where, of string) string { return of }, "staff"},
		{report.Whole, city, ofAll, func(w report.Where, _ string) string { return unitOf(w) }, "unit"}} {
		var periods []map[string]map[string]row
		for _, days := range months {
			rows, err := r.rows(ctx, report.Ask{Days: days, Split: x.split}, x.peers, x.amount, x.id)
			if err != nil {
				return opened, err
			}
			periods = append(periods, rows)
		}
		for peers := range periods[len(periods)-1] {
			var some [][]row
			for _, p := range periods {
				some = append(some, groups(map[string]map[string]row{peers: p[peers]})[0])
			}
			for _, one := range lowAgain(cmp.Or(r.cfg.Ranked, report.LeastRanked), some...) {
				n, err := r.order(ctx, x.who, peers, one, some, months)
				opened += n
				if err != nil {
					return opened, err
				}
			}
		}
	}
	return opened, nil
}

// unitOf returns whose business it is, empty if that is not known.
func unitOf(w report.Where) string {
	if len(w.Units) == 0 {
		return ""
	}
	return w.Units[0]
}

// order proposes an order to mend.
func (r *Room) order(ctx context.Context, who, peers string, x row, periods [][]row, months []directory.Period) (int, error) {
	f := Found{Days: directory.Period{From: months[0].From, To: months[len(months)-1].To}, Source: "办法第二十一条",
		Rule: "连续三个月主动评价好评率的 95% 区间整个低于同级其他的；每月评价不少于 30 份。"}
	for i, all := range periods {
		month := months[i].From.String()[:7]
		for _, y := range all {
			if y.ID == x.ID {
				f.Lines = append(f.Lines, rate(month, y.Amount), rate(month+" 同级其他", others(all, x.ID)))
			}
		}
	}
	name, err := r.called(ctx, directory.Unit, x.ID, f.Days.To-1)
	if who == "staff" {
		var names map[string]string
		names, err = r.cfg.Reports.Names(ctx, report.ByStaff, []string{x.ID})
		name = strings.TrimSpace("工号 " + x.ID + " " + names[x.ID])
	}
	if err != nil {
		return 0, err
	}
	d := dossier.Dossier{Kind: dossier.Mend, Name: fmt.Sprintf("%s %s %s %s", who, peers, x.ID, months[len(months)-1].From),
		Title: name + "：连续三个月靠后"}
	if who == "staff" {
		d.Staff = x.ID
	}
	return r.open(ctx, d, x.Where, f)
}

// problems proposes tasks for what piles up in the last month at a matter or a hall, among those of its city.
func (r *Room) problems(ctx context.Context, months []directory.Period) (opened int, err error) {
	days := months[len(months)-1]
	for _, x := range []struct {
		what  string
		split report.Split
		id    func(report.Where, string) string
	}{{"matter", report.ByMatter, func(_ report.Where, of string) string { return of }},
		{"hall", report.Whole, func(w report.Where, _ string) string { return w.Hall }},
		{"unit", report.Whole, func(w report.Where, _ string) string { return unitOf(w) }}} {
		rows, err := r.rows(ctx, report.Ask{Days: days, Split: x.split}, city, ofAll, x.id)
		if err != nil {
			return opened, err
		}
		for _, peers := range groups(rows) {
			for _, y := range piled(peers) {
				n, err := r.problem(ctx, x.what, y, peers, days)
				opened += n
				if err != nil {
					return opened, err
				}
			}
		}
	}
	return opened, nil
}

// problem proposes a task.
func (r *Room) problem(ctx context.Context, what string, x row, peers []row, days directory.Period) (int, error) {
	title, err := r.titled(ctx, what, x.ID, days)
	if err != nil {
		return 0, err
	}
	f := Found{Days: days, Source: "办法第二十二条", Rule: "一个月内差评不少于 10 份，且差评占比的 95% 区间整个高于同市其他的。",
		Lines: []Line{rate("本项", x.Amount), rate("同市其他", others(peers, x.ID))}}
	d := dossier.Dossier{Kind: dossier.Problem, Name: fmt.Sprintf("%s %s %s %s", what, city(x.Where), x.ID, days.From),
		Title: title + "：差评集中"}
	return r.open(ctx, d, tasked(what, x.Where), f)
}

// tasked returns where a task lies: an office gives it to whom it thinks right. A matter is the city's as a whole.
func tasked(what string, w report.Where) report.Where {
	if w.Units = nil; what == "matter" {
		w.Hall, w.Area = "", w.Area[:4]+"00000000"
	}
	return w
}

// titled returns what a matter, hall or unit is called.
func (r *Room) titled(ctx context.Context, what, id string, days directory.Period) (string, error) {
	switch what {
	case "hall":
		return r.called(ctx, directory.Hall, id, days.To-1)
	case "unit":
		return r.called(ctx, directory.Unit, id, days.To-1)
	}
	names, err := r.cfg.Reports.Names(ctx, report.ByMatter, []string{id})
	return strings.TrimSpace("事项 " + id + " " + names[id]), err
}

func (r *Room) called(ctx context.Context, k directory.Kind, id string, d directory.Day) (string, error) {
	a, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return "", err
	}
	if x, ok := a.At(k, id, d); ok {
		return x.Name, nil
	}
	return id, nil
}

// open opens a dossier that lies at a place.
func (r *Room) open(ctx context.Context, d dossier.Dossier, w report.Where, f Found) (int, error) {
	var err error
	if d.Found, err = json.Marshal(f); err != nil {
		return 0, err
	}
	d.Area, d.Hall, d.Units = w.Area, w.Hall, w.Units
	_, fresh, err := r.cfg.Dossiers.Add(ctx, dossier.By{Account: dossier.Source}, d)
	if err != nil || !fresh {
		return 0, err
	}
	return 1, nil
}
