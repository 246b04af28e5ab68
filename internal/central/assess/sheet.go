package assess

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/report"
	"haochaping/internal/rating"
)

// Errors of yearly sheets.
var (
	ErrNotOver = errors.New("这一年还没有结束满三十天，数字还会变化 · the year has not been over for thirty days; its figures still change")
	ErrNoUnit  = errors.New("机构信息中没有这个单位 · the organisation has no such unit")
)

const (
	overFor  = 30 // days after which a year's sheets can be drafted
	leastOf  = 3  // others whose sum is shown beside somebody's own
	janToDec = 12
)

// Sheets drafts yearly sheets of a unit and of each person who served at its windows (article 20), as dossiers that wait: the office sends
// them, and the unit signs or objects. A sheet is what was counted then and nothing else; what follows from it people decide.
type Sheets struct {
	Reports   Reports
	Directory Directory
	Dossiers  *dossier.Dossiers
	Now       func() time.Time
	// Least is of how many answers a person may see the levels. Neither a year nor the months of it that were too small tell fewer.
	Least int64
}

// Table is numbers of a sheet.
type Table struct {
	Heads []string   `json:"heads"`
	Rows  [][]string `json:"rows"`
}

// Draft opens the sheets of a unit's year that are not there yet, and returns how many. ErrNotOver and ErrNoUnit say what is wrong.
func (s Sheets) Draft(ctx context.Context, by dossier.By, unit string, year int) (opened int, err error) {
	days := yearOf(year)
	if directory.DayOf(s.Now()) < days.To+overFor {
		return 0, ErrNotOver
	}
	a, err := s.Directory.Atlas(ctx)
	if err != nil {
		return 0, err
	}
	u, ok := a.At(directory.Unit, unit, days.To-1)
	if !ok {
		return 0, ErrNoUnit
	}
	d := dossier.Dossier{Kind: dossier.Sheet, Area: u.Area}
	for _, x := range a.Units(unit, days.To-1) {
		d.Units = append(d.Units, x.ID)
	}
	whole, err := s.unit(ctx, u, year)
	if err != nil {
		return 0, err
	}
	sheets := []sheet{whole}
	people, err := s.people(ctx, u, year)
	for _, x := range append(sheets, people...) {
		if err != nil {
			return opened, err
		}
		d.Name, d.Staff = fmt.Sprintf("%s %s %d", unit, x.staff, year), x.staff
		d.Title = fmt.Sprintf("%s %d 年度评价表", x.who, year)
		if d.Found, err = json.Marshal(x.found(days)); err != nil {
			return opened, err
		}
		var fresh bool
		if _, fresh, err = s.Dossiers.Add(ctx, by, d); fresh {
			opened++
		}
	}
	return opened, err
}

func yearOf(y int) directory.Period {
	return directory.Period{From: directory.Date(y, time.January, 1), To: directory.Date(y+1, time.January, 1)}
}

// sheet is what is said of a unit or person.
type sheet struct {
	who, staff  string // staff is empty: it is of the unit
	now, before report.Input
	peers       string // whose sum stands beside it, empty: nobody's
	of          report.Input
	few         bool // levels are withheld
	fewBefore   bool // of the year before nothing is told
}

func (x sheet) found(days directory.Period) Found {
	f := Found{Days: days, Source: "办法第二十条", Rule: "年度评价结果，供绩效评价和年度考核参考；不自动作出任何处理。",
		Table: &Table{Heads: []string{"指标", "本年", "上年"}}}
	if x.few {
		f.Lines = append(f.Lines, Line{"说明", "评价较少，或有评价较少的月份：不列等级和比率，看不出是谁的评价（第四条）。"})
	}
	if x.peers != "" {
		f.Table.Heads = append(f.Table.Heads, x.peers)
	}
	for _, fig := range report.Figures() {
		if x.few && !slices.Contains([]string{"served", "asked", "answered", "participation"}, fig.Code) ||
			x.staff != "" && fig.Code == "silent" {
			continue
		}
		row := []string{fig.Chinese, fig.Of(x.now).String(), fig.Of(x.before).String()}
		if x.few || x.fewBefore {
			row[2] = "–"
		}
		switch {
		case x.peers == "":
		case x.staff != "" && fig.Works:
			row = append(row, "–")
		default:
			row = append(row, fig.Of(x.of).String())
		}
		f.Table.Rows = append(f.Table.Rows, row)
	}
	if !x.few {
		i := report.Sureness(x.now.Amount)
		f.Lines = append(f.Lines, Line{"主动评价好评率 95% 区间", fmt.Sprintf("%.1f–%.1f%%", i.Low, i.High)})
	}
	return f
}

// unit returns the sheet of a unit, beside all of its city.
func (s Sheets) unit(ctx context.Context, u directory.Record, year int) (x sheet, err error) {
	x.who = u.Name
	within := func(w report.Where) bool { return slices.Contains(w.Units, u.ID) }
	for _, part := range []struct {
		year int
		fits func(report.Where) bool
		into *report.Input
	}{{year, within, &x.now}, {year - 1, within, &x.before},
		{year, func(w report.Where) bool { return city(w) != "" && strings.HasPrefix(u.Area, city(w)) }, &x.of}} {
		t, err := s.Reports.Sum(ctx, report.Ask{Days: yearOf(part.year), Fits: part.fits})
		if err != nil {
			return x, err
		}
		*part.into = report.Input{Amount: t.Total.Of(""), Work: t.Total.Work}
	}
	x.peers = "同市全部"
	return x, nil
}

// people returns the sheets of those who served at the unit's own windows, in the order of their numbers.
func (s Sheets) people(ctx context.Context, u directory.Record, year int) (all []sheet, err error) {
	ask := report.Ask{Days: yearOf(year), Split: report.ByStaff,
		Fits:  func(w report.Where) bool { return len(w.Units) > 0 && w.Units[0] == u.ID },
		Group: func(_ report.Where, of string) string { return of }}
	now, err := s.Reports.Sum(ctx, ask)
	if err != nil {
		return nil, err
	}
	few, err := s.few(ctx, ask, year)
	if err != nil {
		return nil, err
	}
	fewBefore, err := s.few(ctx, ask, year-1)
	if err != nil {
		return nil, err
	}
	ask.Days = yearOf(year - 1)
	before, err := s.Reports.Sum(ctx, ask)
	if err != nil {
		return nil, err
	}
	was := make(map[string]report.Input)
	for _, r := range before.Rows {
		was[r.ID] = input(r.Sums)
	}
	var together report.Amount
	var ids []string
	for _, r := range now.Rows {
		together = together.Plus(ofPersons(r.Sums))
		ids = append(ids, r.ID)
	}
	names, err := s.Reports.Names(ctx, report.ByStaff, ids)
	for _, r := range now.Rows {
		x := sheet{who: strings.TrimSpace(names[r.ID] + "（工号 " + r.ID + "）"), staff: r.ID, now: input(r.Sums), before: was[r.ID], few: few[r.ID],
			fewBefore: fewBefore[r.ID]}
		if rest := together.Plus(x.now.Times(-1)); len(now.Rows) > leastOf && rest.Answered() >= s.Least && !x.few {
			x.peers, x.of.Amount = "同单位其他人员", rest
		}
		all = append(all, x)
	}
	return all, err
}

func input(s report.Sums) report.Input {
	return report.Input{Amount: s.Of(rating.StaffSubject), Work: s.Work}
}

// few says of whom no levels are told: of those with few answers in the year, and of those whose months with few answers have few together,
// since who knows the other months could tell them by the difference.
func (s Sheets) few(ctx context.Context, ask report.Ask, year int) (map[string]bool, error) {
	total, small := make(map[string]int64), make(map[string]int64)
	for m := range time.Month(janToDec) {
		ask.Days = directory.Period{From: directory.Date(year, m+1, 1), To: directory.Date(year, m+2, 1)}
		t, err := s.Reports.Sum(ctx, ask)
		if err != nil {
			return nil, err
		}
		for _, r := range t.Rows {
			n := ofPersons(r.Sums).Answered()
			if total[r.ID] += n; n < s.Least {
				small[r.ID] += n
			}
		}
	}
	out := make(map[string]bool)
	for id, n := range total {
		out[id] = n < s.Least || small[id] > 0 && small[id] < s.Least
	}
	return out, nil
}
