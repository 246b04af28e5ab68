// Package pdf writes pages of A4 with Chinese text: forms, prints and reports. It draws the characters that a file uses from the built-in
// font into the file (font.go), so that each reader and printer shows the same, and text can be searched and copied. A character that the
// font lacks is left to the reader's own font for Chinese (STSong-Light). It knows no room.
package pdf

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
)

// Width and Height are those of A4, in points.
const (
	Width  = 595
	Height = 842
)

// Document is pages in their order. Its zero value is an empty one.
type Document struct {
	pages []*Page
	face  face
}

// Page adds a page.
func (d *Document) Page() *Page { return d.add(Width, Height) }

// Wide adds a page that lies on its long side.
func (d *Document) Wide() *Page { return d.add(Height, Width) }

func (d *Document) add(width, height int) *Page {
	p := &Page{face: &d.face, width: width, height: height}
	d.pages = append(d.pages, p)
	return p
}

// Page is the content of a page, in points from its lower left corner.
type Page struct {
	face          *face
	width, height int
	content       bytes.Buffer
}

// Text writes a line of text.
func (p *Page) Text(size, x, y int, s string) {
	fmt.Fprintf(&p.content, "BT %d %d Td", x, y)
	for _, r := range p.face.runs(s) {
		fmt.Fprintf(&p.content, " /%s %d Tf <%X> Tj", r.font, size, r.codes)
	}
	p.content.WriteString(" ET\n")
}

// Right writes a line of text that ends at a place.
func (p *Page) Right(size, x, y int, s string) { p.Text(size, x-p.face.width(size, s), y, s) }

// Line draws a horizontal line.
func (p *Page) Line(x, y, to int) { fmt.Fprintf(&p.content, "0.8 w %d %d m %d %d l S\n", x, y, to, y) }

// Box draws a square.
func (p *Page) Box(x, y, side int) {
	fmt.Fprintf(&p.content, "1.4 w %d %d %d %d re S\n", x, y, side, side)
}

// Shade fills a field with a light grey. What is written after it lies on it.
func (p *Page) Shade(x, y, width, height int) {
	fmt.Fprintf(&p.content, "0.9 g %d %d %d %d re f 0 g\n", x, y, width, height)
}

// Wrap breaks a text into lines of a width in points. No line begins with what closes, or ends with what opens, if it can be helped.
func (d *Document) Wrap(size, width int, s string) (lines []string) {
	for line := range strings.SplitSeq(s, "\n") {
		rest := []rune(line)
		for {
			n := d.fits(size, width, rest)
			if n == len(rest) {
				break
			}
			at := n
			for at > 1 && (strings.ContainsRune("）”》】，。；：、％%!?！？)", rest[at]) || strings.ContainsRune("（“《【(", rest[at-1])) {
				at--
			}
			if at == 1 {
				at = n
			}
			lines, rest = append(lines, string(rest[:at])), rest[at:]
		}
		lines = append(lines, string(rest))
	}
	return lines
}

// fits returns how many characters fit into a line, one at least.
func (d *Document) fits(size, width int, line []rune) int {
	n := 0
	for i, r := range line {
		if n += size * d.face.advance(r); n > width*em && i > 0 {
			return i
		}
	}
	return len(line)
}

// Bytes returns the document as a file.
func (d *Document) Bytes() []byte {
	f := &file{}
	f.put("<< /Type /Catalog /Pages 2 0 R /Lang (zh-CN) >>")
	f.put("") // the pages, below
	fonts := f.fonts(&d.face)
	var kids strings.Builder
	for _, p := range d.pages {
		content := f.stream("", p.content.Bytes())
		page := f.put(fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R /Resources << /Font << %s>> >> >>",
			p.width, p.height, content, fonts))
		fmt.Fprintf(&kids, "%d 0 R ", page)
	}
	f.objects[1] = fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", strings.TrimSpace(kids.String()), len(d.pages))
	return f.bytes()
}

// file is the objects of a file, whose numbers are their places from 1 on.
type file struct{ objects []string }

// put adds an object and returns its number.
func (f *file) put(object string) int {
	f.objects = append(f.objects, object)
	return len(f.objects)
}

// stream adds a compressed stream and returns its number.
func (f *file) stream(more string, content []byte) int {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(content) // into memory
	_ = w.Close()
	return f.put(fmt.Sprintf("<< %s/Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", more, b.Len(), b.String()))
}

func (f *file) bytes() []byte {
	var out bytes.Buffer
	out.WriteString("%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
	var places []int
	for i, o := range f.objects {
		places = append(places, out.Len())
		fmt.Fprintf(&out, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := out.Len()
	fmt.Fprintf(&out, "xref\n0 %d\n0000000000 65535 f \n", len(f.objects)+1)
	for _, at := range places {
		fmt.Fprintf(&out, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&out, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(f.objects)+1, start)
	return out.Bytes()
}
