package orders

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"haochaping/internal/central/journal"
	"haochaping/internal/central/pdf"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
)

// attach keeps the file that a form has sent.
func (p *pages) attach(c *web.Call) error {
	f, err := p.part(c)
	if err != nil {
		return err
	}
	if f.clue && !f.Body.Secret {
		return web.ErrNotFound
	}
	b, err := sent(c)
	if err != nil {
		return err
	}
	_, err = p.Orders.Attach(c.R.Context(), by(c), f.Kept, b)
	var refusal *rectify.Refusal
	if errors.As(err, &refusal) {
		return p.show(c, http.StatusUnprocessableEntity, refusal.Chinese)
	}
	if err != nil {
		return err
	}
	return c.See(f.path)
}

// sent reads the one file of a form. What a browser has sent wrongly is its own fault.
func sent(c *web.Call) ([]byte, error) {
	broken := &web.Refusal{Words: "没有收到文件，请选择一个 JPEG、PNG 或 PDF 文件再上传。No file has arrived; choose one and send it again."}
	in, _, err := c.R.FormFile("file")
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, err
	}
	if err != nil {
		return nil, broken
	}
	b, err := io.ReadAll(io.LimitReader(in, rectify.MostBytes+1))
	if errors.Join(err, in.Close(), c.R.MultipartForm.RemoveAll()) != nil {
		return nil, broken
	}
	return b, nil
}

// file serves an attachment, to be saved and never to be shown by the browser in this site's name. Of a clue it is asked for with a reason.
func (p *pages) file(c *web.Call) error {
	f, err := p.part(c)
	if err != nil {
		return err
	}
	name := c.R.PathValue("file")
	if f.clue {
		name = c.R.PathValue("enclosure")
	}
	id, err := strconv.ParseInt(name, 10, 64)
	if err != nil || f.clue && !f.Body.Secret {
		return web.ErrNotFound
	}
	if f.clue {
		problem, err := p.lookFor(c, f)
		if err != nil {
			return err
		}
		if problem != "" {
			return p.show(c, http.StatusUnprocessableEntity, problem)
		}
	}
	file, b, err := p.Orders.File(c.R.Context(), f.Kept, id)
	switch {
	case errors.Is(err, rectify.ErrNoFile):
		return web.ErrNotFound
	case errors.Is(err, journal.ErrErased):
		return &web.Refusal{Status: http.StatusGone, Words: "这个附件已依申请删除。It was erased."}
	case err != nil:
		return err
	}
	h := c.W.Header()
	h.Set("Content-Type", string(file.Kind))
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s"`, file.Name()))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = c.W.Write(b) // a failing write means that the reader is gone
	return nil
}

// size returns a number of bytes as people read it.
func size(n int) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KB", (n+1023)>>10)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}

// print serves the order on paper: what the page shows, without what is shown for a reason.
func (p *pages) print(c *web.Call) error {
	f, err := p.part(c)
	if err != nil {
		return err
	}
	v, err := p.single(c, f, rectify.ThatClues)
	if err != nil {
		return err
	}
	c.W.Header().Set("Content-Type", "application/pdf")
	c.W.Header().Set("Content-Disposition", fmt.Sprintf(`inline; filename="order-%d-%d.pdf"`, f.Order, f.Part))
	_, _ = c.W.Write(onPaper(v, web.Clock(c.Now().UnixMilli()))) // a failing write means that the reader is gone
	return nil
}

// onPaper returns a part with its history, the first act first.
func onPaper(v single, now string) []byte {
	s := &pdf.Flow{}
	s.Title("差评整改工单")
	kind := "评价"
	if v.Complaint != nil {
		kind = "投诉"
	}
	unit := v.Unit
	if unit == "" {
		unit = "未明确"
	}
	for _, fact := range [][2]string{{"工单", fmt.Sprintf("%d-%d", v.Order, v.Part)}, {"事项", v.About.Matter}, {"地点", v.About.Place},
		{kind, v.Level + "　" + v.RatedDay},
		{"承办单位", unit}, {"区划", v.Area}, {"环节", v.State}, {"本环节期限", v.Due}, {"整改期限", fmt.Sprintf("%s（%d 个工作日）", v.Ends, v.Days)}, {"打印", now}} {
		if fact[1] != "" {
			s.Lines(0, fact[0]+"："+fact[1])
		}
	}
	s.Rule()
	for i := len(v.Steps) - 1; i >= 0; i-- {
		x := v.Steps[i]
		s.Lines(0, x.At+"　"+x.What+"　"+x.Who)
		switch {
		case x.Erased:
			s.Lines(22, "文字已依申请删除")
		case x.Kept:
			s.Lines(22, "文字仅线索专员可见")
		case x.Judged:
			s.Lines(22, "评价人写了话，在工单页说明理由后可见")
		case x.Text != "":
			s.Lines(22, x.Text)
		}
	}
	return s.Bytes()
}
