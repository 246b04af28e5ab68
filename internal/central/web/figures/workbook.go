package figures

import (
	"errors"
	"fmt"
	"time"

	"github.com/xuri/excelize/v2"

	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
)

// written returns a cell as CSV has it: shares with four digits, nothing where nothing is said.
func written(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return fmt.Sprintf("%.4f", v)
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// workbook sends the figures as a workbook: numbers are numbers, days are days, and the heads stay in sight. A second sheet has the
// definitions.
func (p *pages) workbook(c *web.Call) (err error) {
	a, err := p.asked(c)
	if err != nil {
		return err
	}
	book := excelize.NewFile()
	defer func() { err = errors.Join(err, book.Close()) }()
	const sheet, meanings = "统计", "指标定义"
	_, bad := book.NewSheet(meanings)
	if err := errors.Join(book.SetSheetName("Sheet1", sheet), bad); err != nil {
		return err
	}
	if err := errors.Join(a.fill(book, sheet), define(book, meanings)); err != nil {
		return err
	}
	c.W.Header().Set("Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
	c.W.Header().Set("Content-Disposition", `attachment; filename="figures.xlsx"`)
	return c.Whole(book.Write(c.W))
}

func (a *answer) fill(book *excelize.File, sheet string) error {
	head, err := book.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	share, err1 := book.NewStyle(&excelize.Style{NumFmt: 10}) // 0.00%
	day, err2 := book.NewStyle(&excelize.Style{NumFmt: 14})
	out, err3 := book.NewStreamWriter(sheet)
	if err := errors.Join(err, err1, err2, err3); err != nil {
		return err
	}
	at := func(d time.Time) excelize.Cell {
		y, m, n := d.Date()
		return excelize.Cell{StyleID: day, Value: time.Date(y, m, n, 0, 0, 0, 0, time.UTC)} // a day has no zone there
	}
	all := columns(a.q.viewer.guarded)
	heads := make([]any, len(all))
	for i, x := range all {
		heads[i] = excelize.Cell{StyleID: head, Value: x.head}
	}
	err = errors.Join(out.SetColWidth(1, 2, 28), out.SetColWidth(3, len(all), 14),
		out.SetPanes(&excelize.Panes{Freeze: true, XSplit: 2, YSplit: 2, TopLeftCell: "C3", ActivePane: "bottomRight"}),
		out.SetRow("A1", []any{"按" + a.q.By.Chinese + "统计", "", at(a.q.Days.From.Start()), at((a.q.Days.To - 1).Start()), "上期",
			at(a.Before.From.Start()), at((a.Before.To - 1).Start())}),
		out.SetRow("A2", heads))
	for n, x := range a.rows() {
		row := make([]any, len(all))
		for i, col := range all {
			switch v := col.of(x).(type) {
			case string:
				row[i] = web.Inert(v)
			case float64:
				row[i] = excelize.Cell{StyleID: share, Value: v}
			default:
				row[i] = v
			}
		}
		err = errors.Join(err, out.SetRow(fmt.Sprintf("A%d", n+3), row))
	}
	return errors.Join(err, out.Flush())
}

// define writes what each figure is and where that comes from.
func define(book *excelize.File, sheet string) error {
	out, err := book.NewStreamWriter(sheet)
	if err != nil {
		return err
	}
	err = errors.Join(out.SetColWidth(1, 1, 28), out.SetColWidth(2, 2, 70), out.SetColWidth(3, 3, 32),
		out.SetRow("A1", []any{"指标", "定义", "依据"}))
	for i, f := range report.Figures() {
		err = errors.Join(err, out.SetRow(fmt.Sprintf("A%d", i+2), []any{f.Chinese, f.Means, f.Source}))
	}
	return errors.Join(err, out.Flush())
}
