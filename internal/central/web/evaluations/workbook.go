package evaluations

import (
	"errors"
	"fmt"

	"github.com/xuri/excelize/v2"

	"haochaping/internal/central/books"
	"haochaping/internal/central/web"
)

// exportWorkbook sends a workbook with one sheet, all of whose cells are texts. It is made on the disk row by row, and sent when it is
// whole.
func (p *pages) exportWorkbook(c *web.Call, q books.Search) (err error) {
	book := excelize.NewFile()
	defer func() { err = errors.Join(err, book.Close()) }()
	const sheet = "评价"
	if err := book.SetSheetName("Sheet1", sheet); err != nil {
		return err
	}
	out, err := book.NewStreamWriter(sheet)
	if err != nil {
		return err
	}
	write := func(n int, cells []string) error {
		row := make([]any, len(cells))
		for i, s := range cells {
			row[i] = web.Inert(s)
		}
		return out.SetRow(fmt.Sprintf("A%d", n), row)
	}
	if err := errors.Join(out.SetColWidth(1, len(heads()), 18), write(1, heads())); err != nil {
		return err
	}
	n := 1
	if err := p.each(c, q, func(e books.Entry) error { n++; return write(n, p.cells(e)) }); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	c.W.Header().Set("Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
	c.W.Header().Set("Content-Disposition", `attachment; filename="evaluations.xlsx"`)
	return c.Whole(book.Write(c.W))
}
