package intake

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"

	"haochaping/internal/rating"
)

// Form returns the form on which citizens rate where there is nothing else (暂不具备条件的,应提供书面评价表格, article 13): a PDF of one page of A4 in large
// type, with the window's code. Its letters are those of every reader of PDF for Chinese (STSong-Light), so that the file needs no font of its own.
func Form(w rating.Window) []byte {
	p := &page{}
	p.text(24, 90, 770, "政务服务“好差评”书面评价表")
	p.text(16, 50, 728, strings.TrimSpace(short(w.Hall, 20)+"　"+short(w.Name, 16)))
	p.text(20, 50, 699, "窗口编号："+w.ID)
	p.text(16, 50, 666, "表号（工作人员填写）：")
	p.line(215, 662, 545)
	p.text(16, 50, 632, "日期：　　　　　年　　　月　　　日　　工号：")
	p.line(390, 628, 545)
	p.text(16, 50, 598, "办件编号：")
	p.line(130, 594, 545)
	p.text(18, 50, 548, "一、您对工作人员的服务满意吗？（选一项打√）")
	p.levels(506)
	p.text(18, 50, 422, "二、您对所办事项满意吗？（事项已办结时选一项打√）")
	p.levels(380)
	p.text(18, 50, 296, "三、想说的话（可不填，150字以内）")
	for y := 262; y >= 166; y -= 32 {
		p.line(50, y, 545)
	}
	p.text(14, 50, 126, "评价自愿。请不要填写姓名、电话、证件号码。")
	p.text(14, 50, 102, "填好后请折起投入评价箱。由两名工作人员分别录入，一致后计入。")
	p.text(14, 50, 78, "反映问题也可拨打 12345 政务服务便民热线。")
	return p.pdf()
}

// short cuts a name that would not fit its line.
func short(s string, n int) string {
	if all := []rune(s); len(all) > n {
		return string(all[:n-1]) + "…"
	}
	return s
}

// page is the content of a page, in points from its lower left corner.
type page struct{ content bytes.Buffer }

func (p *page) text(size, x, y int, s string) {
	fmt.Fprintf(&p.content, "BT /F1 %d Tf %d %d Td <", size, x, y)
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&p.content, "%04X", u)
	}
	p.content.WriteString("> Tj ET\n")
}

func (p *page) line(x, y, to int) { fmt.Fprintf(&p.content, "0.8 w %d %d m %d %d l S\n", x, y, to, y) }

// levels draws the five levels of article 10 in two rows, each with a box of one size.
func (p *page) levels(y int) {
	for i, l := range rating.Levels() {
		x, row := 50+i%3*170, y-i/3*42
		fmt.Fprintf(&p.content, "1.4 w %d %d 20 20 re S\n", x, row-3)
		p.text(18, x+28, row, l.Chinese())
	}
}

// pdf writes the page as a file.
func (p *page) pdf() []byte {
	const character = "<< /Registry (Adobe) /Ordering (GB1) /Supplement 2 >>"
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R /Lang (zh-CN) >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", p.content.Len(), p.content.String()),
		"<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UTF16-H /DescendantFonts [6 0 R] >>",
		"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo " + character + " /DW 1000 /W [1 95 520 814 939 500] /FontDescriptor 7 0 R >>",
		"<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>",
	}
	var out bytes.Buffer
	out.WriteString("%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
	var places []int
	for i, o := range objects {
		places = append(places, out.Len())
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, at := range places {
		fmt.Fprintf(&out, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&out, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, start)
	return out.Bytes()
}
