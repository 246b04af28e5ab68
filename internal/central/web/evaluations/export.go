package evaluations

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
)

// Bounds of an export. Who needs more takes it month by month.
const (
	mostLines = 1_000_000 // sent while they are read
	mostRows  = 50_000    // of a workbook, which is whole on the disk before it is sent
)

// exportStep is how many evaluations are read at once for an export.
const exportStep = 500

// export sends what the filter finds as a file. That it was taken is an act, entered before the first line is sent.
func (p *pages) export(c *web.Call) error {
	f := filterOf(c.R.URL.Query())
	q, err := p.search(c, f, account.TakeEvaluations)
	if err != nil {
		return err
	}
	leave, ok := p.turns.Take(c, 1) // who reads slowly holds up nobody else
	if !ok {
		c.W.Header().Set("Retry-After", "30")
		return &web.Refusal{Status: http.StatusServiceUnavailable, Words: "您的上一次导出还没有完成，请等它完成后再试。Your last export is still under way."}
	}
	defer leave()
	select {
	case p.exports <- struct{}{}:
		defer func() { <-p.exports }()
	default:
		c.W.Header().Set("Retry-After", "30")
		return &web.Refusal{Status: http.StatusServiceUnavailable, Words: "正在导出的人太多，请过一会儿再试。Too many exports are under way."}
	}
	if q.To.IsZero() {
		q.To = c.Now().Add(time.Minute) // what comes in meanwhile is not awaited
	}
	kind, most := strings.TrimPrefix(path.Ext(c.R.URL.Path), "."), mostLines
	if kind == "xlsx" {
		most = mostRows
	}
	more, err := p.Books.Beyond(c.R.Context(), q, most)
	if err != nil {
		return err
	}
	if more {
		return &web.Refusal{Status: http.StatusUnprocessableEntity,
			Words: fmt.Sprintf("符合条件的评价超过 %d 份，一次导不完。请缩小日期或其他条件，分几次导出。More than %d evaluations match; export them in parts.", most,
				most)}
	}
	if err := c.Taken(account.TakeEvaluations, "evaluation.export", kind+" "+f.Query()); err != nil {
		return err
	}
	switch kind {
	case "xlsx":
		return p.exportWorkbook(c, q)
	case "jsonl":
		return p.exportLines(c, q)
	}
	return p.exportSheet(c, q)
}

// heads returns the columns of tables.
func heads() []string {
	return []string{"编号", "时间", "时间可靠性", "最早", "最晚", "收到时间", "区划", "大厅", "窗口编号", "窗口", "工号", "工作人员", "评价对象", "事项", "办件编号", "评价", "评价等级", "原因",
		"渠道", "状态",
		"有文字", "评价器", "批号", "序号"}
}

// cells returns an evaluation as a line of a table.
func (p *pages) cells(e books.Entry) []string {
	var reasons []string
	for _, code := range e.Reasons {
		reasons = append(reasons, p.Reason(code))
	}
	epoch, seq, text := "", "", "否"
	if e.Seq > 0 {
		epoch, seq = e.Epoch.String(), strconv.FormatUint(e.Seq, 10)
	}
	if e.HasText {
		text = "是"
	}
	area := e.Window.Area
	if post, ok := e.Post(); ok && post.Area != "" {
		area = post.Area
	}
	return []string{strconv.FormatInt(e.Cursor, 10), clock(e.At), qualityWords(e.Quality), clock(e.Earliest), clock(e.Latest),
		clock(e.ReceivedAt), area, e.Window.Hall, e.Window.ID, e.Window.Name,
		e.Staff.ID, e.Staff.Name, e.Subject.Chinese(), e.Matter, e.Case, strconv.Itoa(int(e.Level)), e.Level.Chinese(),
		strings.Join(reasons, "、"),
		in(channelWords(), string(e.Channel)), in(statusWords(), string(e.Status)), text, string(e.Device), epoch, seq}
}

// each calls f with all that a search finds, and lets the browser take its time with each part.
func (p *pages) each(c *web.Call, q books.Search, f func(books.Entry) error) error {
	control, end := http.NewResponseController(c.W), time.Now().Add(exportWhole)
	var after books.Cursor
	for left := mostLines; left > 0; {
		found, err := p.Books.Search(c.R.Context(), q, after, min(exportStep, left))
		if err != nil {
			return err
		}
		now := time.Now()
		if now.After(end) {
			return errSlow
		}
		// The server's own write timeout is meant for pages that end soon.
		part := now.Add(exportWrite)
		if part.After(end) {
			part = end
		}
		if err := control.SetWriteDeadline(part); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		for _, e := range found.Entries {
			if err := f(e); err != nil {
				return err
			}
		}
		if after, left = found.Next, left-len(found.Entries); after == (books.Cursor{}) {
			return nil
		}
	}
	return nil
}

const (
	// exportWrite is how long a browser may take for a part.
	exportWrite = time.Minute
	// exportWhole is how long an export may take: there is room for few at a time.
	exportWhole = 10 * time.Minute
)

// errSlow says that a browser reads too slowly.
var errSlow = errors.New("the export was not taken within ten minutes")

func (p *pages) exportSheet(c *web.Call, q books.Search) error {
	sheet, err := c.Sheet("评价.csv")
	if err != nil {
		return err
	}
	if err := sheet.Row(heads()...); err != nil {
		return err
	}
	err = p.each(c, q, func(e books.Entry) error { return sheet.Row(p.cells(e)...) })
	return c.Whole(errors.Join(err, sheet.End()))
}

func (p *pages) exportLines(c *web.Call, q books.Search) error {
	c.W.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
	c.W.Header().Set("Content-Disposition", `attachment; filename="evaluations.jsonl"`)
	out := json.NewEncoder(c.W)
	out.SetEscapeHTML(false)
	return c.Whole(p.each(c, q, func(e books.Entry) error { return out.Encode(e) }))
}
