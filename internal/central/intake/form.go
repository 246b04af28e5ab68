package intake

import (
	"strings"

	"haochaping/internal/central/pdf"
	"haochaping/internal/rating"
)

// Form returns the form on which citizens rate where there is nothing else (暂不具备条件的,应提供书面评价表格, article 13): a PDF of one page of A4 in
// large type, with the window's code.
func Form(w rating.Window) []byte {
	var d pdf.Document
	p := d.Page()
	p.Text(24, 90, 770, "政务服务“好差评”书面评价表")
	p.Text(16, 50, 728, strings.TrimSpace(short(w.Hall, 20)+"　"+short(w.Name, 16)))
	p.Text(20, 50, 699, "窗口编号："+w.ID)
	p.Text(16, 50, 666, "表号（工作人员填写）：")
	p.Line(215, 662, 545)
	p.Text(16, 50, 632, "日期：　　　　　年　　　月　　　日　　工号：")
	p.Line(390, 628, 545)
	p.Text(16, 50, 598, "办件编号：")
	p.Line(130, 594, 545)
	p.Text(18, 50, 548, "一、您对工作人员的服务满意吗？（选一项打√）")
	levels(p, 506)
	p.Text(18, 50, 422, "二、您对所办事项满意吗？（事项已办结时选一项打√）")
	levels(p, 380)
	p.Text(18, 50, 296, "三、想说的话（可不填，150字以内）")
	for y := 262; y >= 166; y -= 32 {
		p.Line(50, y, 545)
	}
	p.Text(14, 50, 126, "评价自愿。请不要填写姓名、电话、证件号码。")
	p.Text(14, 50, 102, "填好后请折起投入评价箱。由两名工作人员分别录入，一致后计入。")
	p.Text(14, 50, 78, "反映问题也可拨打 12345 政务服务便民热线。")
	return d.Bytes()
}

// short cuts a name that would not fit its line.
func short(s string, n int) string {
	if all := []rune(s); len(all) > n {
		return string(all[:n-1]) + "…"
	}
	return s
}

// levels draws the five levels of article 10 in two rows, each with a box of one size.
func levels(p *pdf.Page, y int) {
	for i, l := range rating.Levels() {
		x, row := 50+i%3*170, y-i/3*42
		p.Box(x, row-3, 20)
		p.Text(18, x+28, row, l.Chinese())
	}
}
