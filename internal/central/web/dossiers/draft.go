package dossiers

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/assess"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
)

// draft begins a result that is to be published.
func (p *pages) draft(c *web.Call) error {
	d := doors()[1]
	area := strings.TrimSpace(c.R.PostFormValue("area"))
	days, ok := monthsOf(c.R.PostFormValue("year"), c.R.PostFormValue("part"))
	if !account.IsArea(area) || !ok {
		return p.showList(c, d, http.StatusUnprocessableEntity, "请写 12 位区划代码，并选择年和时期。")
	}
	if !c.May(account.EditPublished, account.Object{Area: area}) {
		return p.showList(c, d, http.StatusUnprocessableEntity, "您的范围内没有这个区划。")
	}
	id, err := p.Publications.Draft(c.R.Context(), dossier.By{Account: c.Person.Account, Session: c.Person.By}, area, days)
	for _, refused := range []error{report.ErrNotOver, report.ErrOverlaps, report.ErrDiscloses, report.ErrMonths, report.ErrCounting} {
		if errors.Is(err, refused) {
			return p.showList(c, d, http.StatusUnprocessableEntity, refused.Error())
		}
	}
	if err != nil {
		return err
	}
	return c.See(fmt.Sprintf("%s/of/%d", d.path, id))
}

// sheets drafts the yearly sheets of a unit and of those who serve at its windows.
func (p *pages) sheets(c *web.Call) error {
	d := doors()[2]
	name := strings.TrimSpace(c.R.PostFormValue("unit"))
	year, err := strconv.Atoi(c.R.PostFormValue("year"))
	if name == "" || err != nil || year < 2020 || year > 9999 {
		return p.showList(c, d, http.StatusUnprocessableEntity, "请写单位，并选择年。")
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	day := directory.Date(year, time.December, 31)
	for r := range a.Each(directory.Unit, day) {
		if r.Name == name {
			name = r.ID
		}
	}
	u, ok := a.At(directory.Unit, name, day)
	o := account.Object{Area: u.Area}
	for _, x := range a.Units(name, day) {
		o.Units = append(o.Units, x.ID)
	}
	if !ok || !c.May(account.WorkAssessment, o) {
		return p.showList(c, d, http.StatusUnprocessableEntity, "您的范围内那一年没有这个单位，请填写全称或统一社会信用代码。")
	}
	_, err = p.Sheets.Draft(c.R.Context(), dossier.By{Account: c.Person.Account, Session: c.Person.By}, name, year)
	if errors.Is(err, assess.ErrNotOver) {
		return p.showList(c, d, http.StatusUnprocessableEntity, err.Error())
	}
	if err != nil {
		return err
	}
	return c.See(address(d, dossier.Sheet, false))
}

// monthsOf returns the months of a year that a form names as 4-6.
func monthsOf(year, part string) (directory.Period, bool) {
	y, err := strconv.Atoi(year)
	a, b, _ := strings.Cut(part, "-")
	from, err2 := strconv.Atoi(a)
	to, err3 := strconv.Atoi(b)
	if err != nil || err2 != nil || err3 != nil || y < 2020 || y > 9999 || from < 1 || to > 12 || from > to {
		return directory.Period{}, false
	}
	return directory.Period{From: directory.Date(y, time.Month(from), 1), To: directory.Date(y, time.Month(to)+1, 1)}, true
}
