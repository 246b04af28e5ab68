package figures

import (
	"fmt"
	"strconv"
	"strings"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/pdf"
	"haochaping/internal/central/web"
)

// print sends the figures as a report on paper: what the page shows to the person, as tables.
func (p *pages) print(c *web.Call) error {
	a, err := p.asked(c)
	if err != nil {
		return err
	}
	c.W.Header().Set("Content-Type", "application/pdf")
	c.W.Header().Set("Content-Disposition", fmt.Sprintf(`inline; filename="figures-%s-%s.pdf"`, a.q.Days.From, a.q.Days.To-1))
	_, _ = c.W.Write(a.onPaper(a.shown(c), web.Clock(c.Now().UnixMilli()))) // a failing write means that the reader is gone
	return nil
}

func (a *answer) onPaper(v shown, now string) []byte {
	f := &pdf.Flow{WideSheets: true}
	f.Title("政务服务好差评统计")
	f.Lines(0, fmt.Sprintf("时期：%s 至 %s（上期：%s）　范围：%s", v.From, v.To, v.Before, a.q.scope()))
	f.Lines(0, fmt.Sprintf("打印：%s，统计到日志第 %d 行%s", now, v.Pos, v.Notice))
	f.Head("指标")
	var rows [][]string
	for _, l := range v.Figures {
		rows = append(rows, []string{l.Chinese, l.All, l.Staff, l.Matter, l.Was, l.Change})
	}
	f.Table([]string{"指标", "全部", "工作人员", "办理事项", "上期", "变化"}, 84, rows)
	if len(v.Channels) > 0 {
		f.Head("各渠道")
		rows = nil
		for _, l := range v.Channels {
			rows = append(rows, append([]string{l.Name}, l.Cells...))
		}
		f.Table([]string{"渠道", "评价", "占比", "非常满意", "满意", "基本满意", "不满意", "非常不满意", "主动评价好评率"}, 64, rows)
	}
	if len(v.Parts) > 0 {
		f.Head("按" + a.q.By.Chinese)
		a.partsOnPaper(f, v)
	}
	f.Head("指标定义与依据")
	for _, l := range v.Figures {
		f.Lines(0, l.Chinese+"："+l.Means+"（"+l.Source+"）")
	}
	f.Lines(0, "办件计入办结当天，无论何时评价；晚到的评价、更正和复核结果会使已过去日子的数字变化。名次按主动评价好评率的 95% 区间排：区间相交的不分先后。")
	return f.Bytes()
}

// partsOnPaper writes the table of parts, and what the page says below it.
func (a *answer) partsOnPaper(f *pdf.Flow, v shown) {
	ranked := !v.Guarded && !v.Causes
	heads := []string{a.q.By.Chinese}
	for _, h := range v.Heads {
		heads = append(heads, h.Chinese)
	}
	if ranked {
		heads = append(heads, "好评率 95% 区间", "名次")
	}
	var rows [][]string
	for _, l := range v.Parts {
		name := l.Name
		if name == "" {
			name = l.ID
		}
		cells := append([]string{name}, l.Cells...)
		if ranked {
			place := "–"
			if l.Place > 0 {
				place = strconv.Itoa(l.Place)
			}
			cells = append(cells, l.Interval, place)
		}
		rows = append(rows, cells)
	}
	f.Table(heads, 44, rows)
	if len(v.Paces) > 0 {
		f.Head("提示到按键的时间")
		rows = nil
		for _, l := range v.Paces {
			rows = append(rows, []string{l.Name, l.Median, l.Fast})
		}
		f.Table([]string{a.q.By.Chinese, "中位数（秒）", "2 秒内占比"}, 84, rows)
	}
	if v.More > 0 {
		f.Lines(0, fmt.Sprintf("还有 %d 行，请导出表格。", v.More))
	}
	for _, x := range v.Repeated {
		f.Lines(0, fmt.Sprintf("反复被差评（第二十一条）：%s %s，差评 %d 份。是否追责由人依法依规决定。", x.Name, x.ID, x.Bad))
	}
	for _, x := range v.Signs {
		f.Lines(0, "值得核查："+x.Name+"："+x.Chinese+"。只是统计上的线索，不证明任何事情。")
	}
}

// scope says of what the figures are, in words.
func (q *question) scope() (s string) {
	for _, x := range []struct {
		kind directory.Kind
		id   string
	}{{directory.Area, q.Area}, {directory.Unit, q.Unit}, {directory.Hall, q.Hall}, {directory.Window, q.Window}} {
		if x.id == "" {
			continue
		}
		name := x.id
		if r, ok := q.atlas.At(x.kind, x.id, q.Days.To-1); ok {
			name = r.Name
		}
		s += name + " "
	}
	if q.Staff != "" {
		s += "工号 " + q.Staff
	}
	if q.Task != "" {
		s += "事项 " + q.Task
	}
	if s == "" {
		return "本人可见的全部范围"
	}
	return strings.TrimSpace(s)
}
