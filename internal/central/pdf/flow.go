package pdf

import "fmt"

// The places of a flow's text, in points.
const (
	margin = 48
	letter = 10
	leads  = 16 // from line to line
	cell   = 8  // size of letters in tables, and in those of many columns
	small  = 7
	many   = 10
	row    = 12 // from line to line there
	gap    = 4
)

// Flow is a text that takes as many pages as it needs, each with its number.
type Flow struct {
	Document
	WideSheets bool // pages lie on their long side
	page       *Page
	y          int
	cell       int // size of letters in the table that is written
}

// room begins a page where fewer points than are needed are left, and reports whether it has.
func (f *Flow) room(points int) bool {
	if f.page != nil && f.y-points >= margin {
		return false
	}
	if f.page = nil; f.WideSheets {
		f.page = f.Wide()
	} else {
		f.page = f.Page()
	}
	f.y = f.page.height - margin
	return true
}

// right returns where lines end.
func (f *Flow) right() int { return f.page.width - margin }

// Title writes a line in large letters.
func (f *Flow) Title(s string) {
	f.room(40)
	for _, line := range f.Wrap(16, f.right()-margin, s) {
		f.room(24)
		f.y -= 18
		f.page.Text(16, margin, f.y, line)
		f.y -= 6
	}
	f.y -= gap
}

// Head writes the line above a part, on the page on which that begins.
func (f *Flow) Head(s string) {
	f.room(8 * row)
	f.y -= 18
	f.page.Text(12, margin, f.y, s)
	f.y -= 6
}

// Lines writes a text in lines that fit.
func (f *Flow) Lines(indent int, s string) {
	f.room(leads)
	for _, line := range f.Wrap(letter, f.right()-margin-indent, s) {
		f.room(leads)
		f.y -= leads
		f.page.Text(letter, margin+indent, f.y, line)
	}
}

// Rule draws a line across the page.
func (f *Flow) Rule() {
	f.room(leads)
	f.y -= leads / 2
	f.page.Line(margin, f.y, f.right())
}

// Blank writes something that is filled in by hand, after its name.
func (f *Flow) Blank(name string) {
	f.room(3 * leads)
	f.y -= 2 * leads
	f.page.Text(letter, margin, f.y, name)
	f.page.Line(margin+gap+f.face.width(letter, name), f.y-2, margin+(f.right()-margin)*2/3)
}

// Table writes rows under heads, which stand on each page again. The first column is of words and takes what the others leave; these are
// numbers of a width in points.
func (f *Flow) Table(heads []string, width int, rows [][]string) {
	if f.page == nil {
		f.room(0)
	}
	first := f.right() - margin - (len(heads)-1)*width
	if f.cell = cell; len(heads) > many {
		f.cell = small
	}
	f.y -= gap
	f.room(6 * row)
	f.heads(heads, first, width)
	for _, cells := range rows {
		lines := f.cells(cells, first, width)
		if f.room(len(lines)*row + gap) {
			f.heads(heads, first, width)
		}
		f.write(lines, first, width)
		f.page.Line(margin, f.y-gap, f.right())
		f.y -= gap
	}
	f.y -= gap
}

// heads writes the heads of a table on a grey field.
func (f *Flow) heads(heads []string, first, width int) {
	lines := f.cells(heads, first, width)
	f.page.Shade(margin, f.y-len(lines)*row-gap, f.right()-margin, len(lines)*row+gap)
	f.write(lines, first, width)
	f.y -= gap
}

// cells breaks the cells of a row into the lines that it takes.
func (f *Flow) cells(cells []string, first, width int) (lines [][]string) {
	for i, s := range cells {
		w := width
		if i == 0 {
			w = first
		}
		for n, part := range f.Wrap(f.cell, w-gap, s) {
			if n == len(lines) {
				lines = append(lines, make([]string, len(cells)))
			}
			lines[n][i] = part
		}
	}
	return lines
}

func (f *Flow) write(lines [][]string, first, width int) {
	for _, line := range lines {
		f.y -= row
		for i, s := range line {
			if i == 0 {
				f.page.Text(f.cell, margin+gap/2, f.y, s)
			} else if s != "" {
				f.page.Right(f.cell, margin+first+i*width-gap/2, f.y, s)
			}
		}
	}
}

// Bytes returns the flow as a file.
func (f *Flow) Bytes() []byte {
	f.room(0)
	for i, p := range f.pages {
		p.Right(cell, p.width-margin, margin/2, fmt.Sprintf("第 %d 页，共 %d 页", i+1, len(f.pages)))
	}
	return f.Document.Bytes()
}
