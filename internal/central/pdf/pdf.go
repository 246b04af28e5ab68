// Package pdf writes pages of A4 with Chinese text: forms and prints. Its letters are those of every reader of PDF for Chinese
// (STSong-Light), so that a file needs no font of its own. It knows no room.
package pdf

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
)

// Width and Height are those of A4, in points.
const (
	Width  = 595
	Height = 842
)

// Document is pages in their order.
type Document struct{ pages []*Page }

// Page adds a page.
func (d *Document) Page() *Page {
	p := &Page{}
	d.pages = append(d.pages, p)
	return p
}

// Page is the content of a page, in points from its lower left corner.
type Page struct{ content bytes.Buffer }

// Text writes a line of text.
func (p *Page) Text(size, x, y int, s string) {
	fmt.Fprintf(&p.content, "BT /F1 %d Tf %d %d Td <", size, x, y)
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&p.content, "%04X", u)
	}
	p.content.WriteString("> Tj ET\n")
}

// Line draws a horizontal line.
func (p *Page) Line(x, y, to int) { fmt.Fprintf(&p.content, "0.8 w %d %d m %d %d l S\n", x, y, to, y) }

// Box draws a square.
func (p *Page) Box(x, y, side int) {
	fmt.Fprintf(&p.content, "1.4 w %d %d %d %d re S\n", x, y, side, side)
}

// Wrap breaks a text into lines of a width, in halves of a character's size: what is not ASCII is two wide.
func Wrap(s string, width int) (lines []string) {
	for line := range strings.SplitSeq(s, "\n") {
		n, from := 0, 0
		for i, r := range line {
			w := 2
			if r < 0x7f {
				w = 1
			}
			if n+w > width {
				lines, from, n = append(lines, line[from:i]), i, 0
			}
			n += w
		}
		lines = append(lines, line[from:])
	}
	return lines
}

// Bytes returns the document as a file.
func (d *Document) Bytes() []byte {
	const character = "<< /Registry (Adobe) /Ordering (GB1) /Supplement 2 >>"
	font := 3 + 2*len(d.pages)
	var kids strings.Builder
	var pages []string
	for i, p := range d.pages {
		fmt.Fprintf(&kids, "%d 0 R ", 3+2*i)
		pages = append(pages,
			fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R /Resources << /Font << /F1 %d 0 R >> >> >>", Width,
				Height, 4+2*i, font),
			fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", p.content.Len(), p.content.String()))
	}
	objects := append([]string{
		"<< /Type /Catalog /Pages 2 0 R /Lang (zh-CN) >>",
		fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", strings.TrimSpace(kids.String()), len(d.pages)),
	}, pages...)
	objects = append(objects,
		fmt.Sprintf("<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UTF16-H /DescendantFonts [%d 0 R] >>", font+1),
		fmt.Sprintf("<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo %s /DW 1000 /W [1 95 520 814 939 500] "+
			"/FontDescriptor %d 0 R >>",
			character, font+2),
		"<< /Type /FontDescriptor /FontName /STSong-Light /Flags 6 /FontBBox [-25 -254 1000 880] /ItalicAngle 0 /Ascent 880 /Descent -120 "+
			"/CapHeight 880 /StemV 93 >>")
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
