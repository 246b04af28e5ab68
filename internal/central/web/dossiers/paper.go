package dossiers

import (
	"fmt"
	"slices"
	"strings"

	"haochaping/internal/central/dossier"
	"haochaping/internal/central/pdf"
	"haochaping/internal/central/web"
)

// print serves a dossier on paper: what the page shows, and on a yearly sheet where it is signed.
func (p *pages) print(c *web.Call, d door) error {
	k, err := p.found(c, d)
	if err != nil {
		return err
	}
	r := p.row(c, d, k)
	e, err := p.evidence(c, k)
	if err != nil {
		return err
	}
	steps, err := p.steps(c, k)
	if err != nil {
		return err
	}
	f := &pdf.Flow{}
	f.Title(k.Title)
	facts := [][2]string{{"状态", r.State}, {"时期", e.Days}, {"规则", e.Rule}, {"依据", e.Source}, {"由谁办理", r.Owner}, {"期限", r.Due}}
	for _, l := range e.Lines {
		facts = append(facts, [2]string{l.Words, l.Value})
	}
	for _, x := range append(facts, [2]string{"打印", web.Clock(c.Now().UnixMilli())}) {
		if x[1] != "" {
			f.Lines(0, x[0]+"："+x[1])
		}
	}
	if t := e.Table; t != nil {
		var rows [][]string
		for _, x := range t.Rows {
			rows = append(rows, append([]string{strings.Repeat("　", x.Depth) + x.Name}, x.Cells...))
		}
		width := 42
		if len(t.Heads) < 5 {
			width = 90
		}
		f.Table(append([]string{t.First}, t.Heads...), width, rows)
	}
	if k.Draft != "" {
		f.Head("文字")
		f.Lines(0, k.Draft)
	}
	if k.Kind == dossier.Sheet {
		for _, blank := range []string{"本人签字：", "单位负责人签字（盖章）：", "异议（可另附页）：", "日期："} {
			f.Blank(blank)
		}
	}
	f.Head("经过")
	for _, s := range slices.Backward(steps) {
		f.Lines(0, s.At+"　"+s.What+"　"+s.Who)
		switch {
		case s.Erased:
			f.Lines(20, "文字已依申请删除")
		case s.Text != "":
			f.Lines(20, s.Text)
		}
	}
	c.W.Header().Set("Content-Type", "application/pdf")
	c.W.Header().Set("Content-Disposition", fmt.Sprintf(`inline; filename="dossier-%d.pdf"`, k.ID))
	_, _ = c.W.Write(f.Bytes()) // a failing write means that the reader is gone
	return nil
}
