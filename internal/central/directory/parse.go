package directory

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// Bounds of files. More lines would keep the journal's writer from the boxes for longer than it should.
const (
	MaxFile  = 8 << 20 // bytes
	maxLines = 30000
	maxCell  = 1000 // bytes of a cell
)

// Row is a line of a file before it is understood.
type Row struct {
	Sheet  string // of a workbook
	Number int    // of the line, from 1
	Cells  []string
	Fault  *Fault // why it could not be read
}

// Empty reports whether nothing stands in a line, as spreadsheets leave many.
func (r Row) Empty() bool {
	return r.Fault == nil && strings.TrimSpace(strings.Join(r.Cells, "")) == ""
}

// Read reads a file that changes the organisation. What is wrong with one line is in that line; what is wrong with the file as a whole is a
// Fault.
func Read(b []byte) ([]Line, error) {
	rows, err := Rows(b)
	if err != nil {
		return nil, err
	}
	return understand(rows)
}

// Rows reads the lines of a file as spreadsheets write it: CSV in UTF-8 or GB18030, or XLSX. What is wrong with the file as a whole is a
// Fault.
func Rows(b []byte) (rows []Row, err error) {
	if len(b) > MaxFile {
		return nil, faultf("文件有 %d 字节，最多 %d，请分成几个文件", "the file has %d bytes, at most %d are allowed; split it", len(b), MaxFile)
	}
	switch {
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		rows, err = readWorkbook(b)
	case bytes.HasPrefix(b, []byte("\xd0\xcf\x11\xe0")):
		err = faultf("这是旧版或加密的 Excel 文件，请另存为 .xlsx 或 .csv（不设密码）", "this is an old or encrypted Excel file; save it as .xlsx or .csv without a "+
			"password")
	default:
		rows, err = readCSV(b)
	}
	return rows, err
}

// understand reads the records of rows. The first row of each sheet names the columns.
func understand(rows []Row) ([]Line, error) {
	var lines []Line
	var head columnsOf
	sheet, begun := "", false
	for _, r := range rows {
		if r.Empty() {
			continue
		}
		if !begun || r.Sheet != sheet {
			if r.Fault != nil {
				return nil, *r.Fault
			}
			var err error
			if head, err = readHead(r); err != nil {
				return nil, err
			}
			sheet, begun = r.Sheet, true
			continue
		}
		if len(lines) == maxLines {
			return nil, faultf("文件超过 %d 行，请分成几个文件", "the file has more than %d lines; split it", maxLines)
		}
		lines = append(lines, head.line(r))
	}
	if !begun {
		return nil, faultf("文件是空的", "the file is empty")
	}
	return lines, nil
}

// columnsOf says which column of a sheet is what.
type columnsOf struct {
	kind  Kind // of all lines, where no column says it
	place map[string]int
	count int
}

// heads returns the columns' names in files with their Chinese names.
func heads() [][2]string {
	all := [][2]string{{"op", "操作"}, {"kind", "类别"}, {"id", "编号"}, {"valid_from", "生效日期"}, {"valid_to", "失效日期"}}
	for _, f := range fields() {
		all = append(all, [2]string{f.name, f.header})
	}
	return all
}

// kindNamed returns the kind that a cell or a sheet's name says.
func kindNamed(s string) (Kind, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	for _, k := range Kinds() {
		if s == string(k) || s == k.Chinese() || s == string(k)+"s" {
			return k, true
		}
	}
	return Kind(s), false
}

// readHead reads the names of columns.
func readHead(r Row) (columnsOf, error) {
	c := columnsOf{place: make(map[string]int), count: len(r.Cells)}
	for i, cell := range r.Cells {
		cell = strings.ToLower(strings.TrimSpace(cell))
		if cell == "" {
			continue
		}
		j := slices.IndexFunc(heads(), func(h [2]string) bool { return cell == h[0] || cell == h[1] })
		if j < 0 {
			return c, faultf("第一行的列名 %[1]q 不认识，可用的是 %[2]s", "the column %[1]q of the first line is unknown; known are %[3]s", cell, headNames(1),
				headNames(0))
		}
		name := heads()[j][0]
		if _, ok := c.place[name]; ok {
			return c, faultf("第一行的列名 %q 重复", "the column %q stands twice in the first line", cell)
		}
		c.place[name] = i
	}
	if _, ok := c.place["kind"]; !ok {
		if c.kind, ok = kindNamed(r.Sheet); !ok {
			return c, faultf("第一行缺少“类别”一列", "the first line has no column kind")
		}
	}
	for _, h := range heads() {
		if _, ok := c.place[h[0]]; !ok && slices.Contains([]string{"id", "valid_from", "name"}, h[0]) {
			return c, faultf("第一行缺少“%[1]s”一列", "the first line has no column %[2]q", h[1], h[0])
		}
	}
	return c, nil
}

func headNames(which int) string {
	var all []string
	for _, h := range heads() {
		all = append(all, h[which])
	}
	return strings.Join(all, ", ")
}

// line reads one record.
func (c columnsOf) line(r Row) Line {
	l := Line{Sheet: r.Sheet, Number: r.Number}
	refuse := func(err error) { l.Refused = append(l.Refused, asFault(err)) }
	if r.Fault != nil {
		refuse(*r.Fault)
		return l
	}
	for i, cell := range r.Cells {
		if len(cell) > maxCell {
			refuse(faultf("第 %d 列有 %d 字节，最多 %d", "column %d has %d bytes, at most %d are allowed", i+1, len(cell), maxCell))
			return l
		}
		if i >= c.count && strings.TrimSpace(cell) != "" {
			refuse(faultf("第 %d 列没有列名", "column %d has no name", i+1))
			return l
		}
	}
	l.read(c.kind, func(name string) string {
		i, ok := c.place[name]
		if !ok || i >= len(r.Cells) {
			return ""
		}
		return plain(strings.TrimSpace(r.Cells[i]))
	})
	return l
}

// LineOf returns the line that values say, by the names of columns.
func LineOf(values map[string]string) Line {
	l := Line{Number: 1}
	l.read("", func(name string) string { return strings.TrimSpace(values[name]) })
	return l
}

// read reads the record of a line. Kind is that of all lines, if no column says it.
func (l *Line) read(kind Kind, get func(column string) string) {
	refuse := func(err error) { l.Refused = append(l.Refused, asFault(err)) }
	rec := Record{Kind: kind, ID: get("id"), Period: Period{To: Forever}}
	if kind == "" {
		rec.Kind, _ = kindNamed(get("kind")) // an unknown one is refused with all that is wrong
	}
	var err error
	switch op := strings.ToLower(get("op")); op {
	case "", "put", "写入":
	case "delete", "remove", "删除":
		l.Remove = true
	default:
		refuse(faultf("操作 %q 不认识，留空或写“删除”", `the op %q is unknown; leave it empty or write "delete"`, op))
	}
	if s := get("valid_from"); s == "" {
		refuse(faultf("缺少生效日期", "the first day (valid_from) is missing"))
	} else if rec.From, err = readDay(s); err != nil {
		refuse(err)
	}
	if s := get("valid_to"); s != "" {
		if rec.To, err = readDay(s); err != nil {
			refuse(err)
		}
	}
	for _, f := range fields() {
		*f.at(&rec) = get(f.name)
	}
	l.Record = rec
}

// readDay reads a day, also as the number by which workbooks keep days.
func readDay(s string) (Day, error) {
	const epoch = 25569 // 1970-01-01 in a workbook, which counts from 1899-12-30
	if n, err := strconv.ParseFloat(s, 64); err == nil && len(s) < 8 && n == float64(int(n)) && n >= 18172 && n <= 73050 {
		return Day(n) - epoch, nil
	}
	return ParseDay(s)
}

// plain takes away what neutral has put before a text.
func plain(s string) string {
	if rest, ok := strings.CutPrefix(s, "'"); ok && neutral(rest) != rest {
		return rest
	}
	return s
}

// neutral puts an apostrophe before a text that a spreadsheet would take for a formula.
func neutral(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n|'＝＋－＠", []rune(s)[0]) {
		return "'" + s
	}
	return s
}
