package directory

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"pgregory.net/rapid"
)

const head = "类别,编号,名称,生效日期,失效日期,区划代码,所属单位,大厅,窗口\n"

// small is an organisation with one thing of each kind.
const small = head + `区划,620000000000,省,2020-01-01,,,,,
区划,620100,市,2020-01-01,,,,,
单位,91350100M000100Y43,政务服务中心,2020-01-01,,620100000000,,,
大厅,H1,市民中心,2020-01-01,,620100000000,91350100M000100Y43,,
窗口,H1-01,1号窗口,2020-01-01,,,,H1,
人员,0001,赵示例,2020-01-01,,,91350100M000100Y43,,H1-01
`

func read(t *testing.T, b []byte) []Line {
	t.Helper()
	lines, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// records returns the records of a file that is in order.
func records(t *testing.T, text string) []Record {
	t.Helper()
	p := preview(newTree(nil), 0, read(t, []byte(text)), nil)
	var all []Record
	for _, l := range p.Lines {
		if len(l.Refused) > 0 {
			t.Fatalf("%s: %v", l.Chinese(), l.Refused)
		}
		all = append(all, l.Record)
	}
	return all
}

func TestEncodings(t *testing.T) {
	want := read(t, []byte(small))
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(small)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"with a mark": bom + small, "GB18030": gb, "CRLF": strings.ReplaceAll(small, "\n", "\r\n"),
		"English": strings.NewReplacer("类别,编号,名称,生效日期,失效日期,区划代码,所属单位,大厅,窗口", "kind,id,name,valid_from,valid_to,area,unit,hall,window",
			"\n区划", "\narea", "\n单位", "\nunit", "\n大厅", "\nhall", "\n窗口", "\nWindow", "\n人员", "\nSTAFF").Replace(small)} {
		if got := read(t, []byte(text)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s:\n%v\nwant\n%v", name, got, want)
		}
	}
}

// What is wrong with a file as a whole is said in both languages.
func TestFilesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":          {nil, "文件是空的"},
		"large":          {make([]byte, MaxFile+1), "最多 8388608"},
		"UTF-16":         {[]byte("\xff\xfe\x7b\x7c"), "UTF-16"},
		"neither":        {[]byte(head + "\xff\xff\xff"), "GB18030"},
		"binary":         {[]byte("\x7fELF\x00\x00"), "不是文本文件"},
		"old Excel":      {[]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "另存为 .xlsx"},
		"no workbook":    {[]byte("PK\x03\x04 and nothing"), "工作簿读不出来"},
		"unknown column": {[]byte("类别,编号,名称,生效日期,级别\n"), "不认识"},
		"column twice":   {[]byte("类别,编号,id,名称,生效日期\n"), "重复"},
		"missing column": {[]byte("类别,编号,名称\n"), "“生效日期”"},
		"too many lines": {[]byte(head + strings.Repeat("区划,620000,省,2020-01-01,,,,,\n", maxLines+1)), "30000 行"},
		"formula": {workbook(t, "大厅", [][]any{{"编号", "名称", "生效日期"}, {"H1", formula("1+1"), "2020-01-01"}}),
			"B2（xl/worksheets/sheet1.xml）是公式"},
		"days from 1904":  {workbook1904(t), "1904"},
		"too many sheets": {workbook(t, "大厅", nil, slices.Repeat([]string{"x"}, maxSheets)...), "张表"},
	} {
		_, err := Read(c.file)
		f := asFault(err)
		if err == nil || !strings.Contains(f.Chinese, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if f.English == "" || strings.Contains(f.Chinese+f.English, "%!") {
			t.Errorf("%s: the texts are %q and %q", name, f.Chinese, f.English)
		}
	}
}

// A workbook is unpacked up to a bound, whatever it says of itself.
func TestBombs(t *testing.T) {
	for name, c := range map[string]struct {
		file     []byte
		bytes    int64
		elements int
	}{
		"a sheet":   {bomb(t, "xl/worksheets/sheet1.xml", " ", 100_001), 100_000, 100_000},
		"a picture": {bomb(t, "xl/media/1.png", " ", 100_001), 100_000, 100_000},
		"texts":     {bomb(t, "xl/sharedStrings.xml", "<si/>", 1001), 100_000, 1000},
		"styles":    {bomb(t, "xl/styles.xml", "<xf/>", 1001), 100_000, 1000},
	} {
		if err := inspect(c.file, c.bytes, c.elements); err == nil || !strings.Contains(err.Error(), "解压后超过") {
			t.Errorf("%s: %v", name, err)
		}
		if err := inspect(c.file, 2*c.bytes, 2*c.elements); err != nil && strings.Contains(err.Error(), "解压后超过") {
			t.Errorf("%s within the bounds: %v", name, err)
		}
	}
}

// formula is a cell that is one.
type formula string

// workbook returns an XLSX file with rows in its first sheet, and sheets that have none.
func workbook(t testing.TB, sheet string, rows [][]any, more ...string) []byte {
	t.Helper()
	book := excelize.NewFile()
	defer func() { _ = book.Close() }()
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(book.SetSheetName("Sheet1", sheet))
	for i, s := range more {
		_, err := book.NewSheet(fmt.Sprint(s, i))
		check(err)
	}
	for i, row := range rows {
		for j, v := range row {
			cell, err := excelize.CoordinatesToCellName(j+1, i+1)
			check(err)
			if f, ok := v.(formula); ok {
				check(book.SetCellFormula(sheet, cell, string(f)))
			} else {
				check(book.SetCellValue(sheet, cell, v))
			}
		}
	}
	var b bytes.Buffer
	check(book.Write(&b))
	return b.Bytes()
}

func workbook1904(t *testing.T) []byte {
	t.Helper()
	book := excelize.NewFile()
	defer func() { _ = book.Close() }()
	yes := true
	var b bytes.Buffer
	if err := book.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &yes}); err != nil {
		t.Fatal(err)
	}
	if err := book.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bomb returns a small workbook with a part that repeats a text n times.
func bomb(t *testing.T, part, text string, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(part)
	for range n / 1000 {
		if err == nil {
			_, err = io.WriteString(w, strings.Repeat(text, 1000))
		}
	}
	if err == nil {
		_, err = io.WriteString(w, strings.Repeat(text, n%1000))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil || b.Len() > MaxFile {
		t.Fatal(b.Len(), err)
	}
	return b.Bytes()
}

// A workbook has a sheet for each kind, days and codes as spreadsheets keep them, and rows that are empty.
func TestWorkbook(t *testing.T) {
	day := Date(2026, 3, 1)
	lines := read(t, workbook(t, "区划", [][]any{{"编号", "名称", "生效日期"}, {}, {620100000000, "市", day.Start()}, {"620000", "省", "2020年1月1日"}}))
	if len(lines) != 2 || lines[0].Number != 3 || lines[0].Sheet != "区划" ||
		lines[0].Record != (Record{Kind: Area, ID: "620100000000", Name: "市", Period: Period{day, Forever}}) {
		t.Errorf("the workbook reads as %+v", lines)
	}
}

// What is written reads as the same, and no cell is taken for a formula.
func TestFilesAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.Custom(func(t *rapid.T) string {
			return strings.Trim(strings.TrimLeft(rapid.StringMatching(`[=+\-@'|";甲＝＠ a-z0-9]{0,8}`).Draw(t, "text"), "= "), " ")
		})
		r := Record{Kind: Unit, ID: "1", Period: Period{Date(2026, 1, 1), Forever}, Name: "x" + text.Draw(t, "name"),
			Office: text.Draw(t, "office"),
			Person: text.Draw(t, "person"), Phone: text.Draw(t, "phone")}
		if rapid.Bool().Draw(t, "ends") {
			r.To = r.From + 1
		}
		b := written(t, WriteCSV, r)
		wantRead(t, b, r)
		for _, cell := range strings.FieldsFunc(string(b), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
			if cell = strings.TrimPrefix(cell, `"`); cell != "" && strings.ContainsAny(cell[:1], "=+-@\t") {
				t.Fatalf("the cell %q begins as a formula does", cell)
			}
		}
	})
	for _, s := range []string{"", "+1", "-", "@x", "'a", "甲,\"乙\""} {
		r := Record{Kind: Unit, ID: "1", Period: Period{Date(2026, 1, 1), Forever}, Name: "x" + s, Office: s, Person: s, Phone: s}
		wantRead(t, written(t, WriteWorkbook, r), r)
	}
}

func written(t interface{ Fatal(...any) }, write func(io.Writer, func(func(Record) error) error) error, r Record) []byte {
	var b bytes.Buffer
	if err := write(&b, func(f func(Record) error) error { return f(r) }); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func wantRead(t interface{ Fatalf(string, ...any) }, b []byte, r Record) {
	lines, err := Read(b)
	if err != nil || len(lines) != 1 || len(lines[0].Refused) > 0 || lines[0].Record != r {
		t.Fatalf("%#v reads as %#v, %v", r, lines, err)
	}
}

// A cell far to the right is refused before it is padded, under whatever name the sheet is packed; so are too many cells without a
// reference.
func TestWideRows(t *testing.T) {
	for _, c := range []struct{ part, text string }{
		{"xl/worksheets/sheet1.xml", `<worksheet><sheetData><row r="1"><c r="XFD1"><v>1</v></c></row></sheetData></worksheet>`},
		{"xl/worksheets/sheet1.xml", `<worksheet><sheetData><row r="1"><c r="A1" x:r="BM1"/></row></sheetData></worksheet>`},
		{"xl/worksheets/sheet1.xml", `<worksheet><sheetData><row>` + strings.Repeat("<c/>", maxCells+1) + `</row></sheetData></worksheet>`},
		{"xl/other.bin", " <worksheet><sheetData><row><c r=\"XFD1\"/></row></sheetData></worksheet>"},
	} {
		err := inspect(zipped(t, c.part, c.text), maxUnpacked, maxElements)
		if err == nil || !strings.Contains(err.Error(), "太靠右") {
			t.Errorf("%s %.80s: %v", c.part, c.text, err)
		}
	}
	row := `<row>` + strings.Repeat("<c/>", maxCells) + `</row>`
	if err := inspect(zipped(t, "xl/worksheets/a.xml", `<worksheet>`+row+row+`</worksheet>`), maxUnpacked, 10); err != nil {
		t.Errorf("rows of %d cells: %v", maxCells, err)
	}
	for _, part := range []string{"_rels/.rels", "xl/worksheets/strings.xml", "a.png"} {
		if err := inspect(zipped(t, part, "<sst>"+strings.Repeat("<a/>", 20)+"</sst>"), maxUnpacked, 10); err == nil {
			t.Errorf("the elements of %s are not counted", part)
		}
	}
}

// zipped returns a file with one part.
func zipped(t *testing.T, part, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(part)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzReadCSV reads anything as a file, and works out what it would change.
func FuzzReadCSV(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(bom + small))
	f.Add([]byte("kind,id,name,valid_from\nhall,\"H\n1\",=1+1,2020-01-01\n"))
	f.Add([]byte("\xb1\xe0\xba\xc5,\xc0\xe0\xb1\xf0\n"))
	f.Fuzz(fuzzRead)
}

// FuzzReadWorkbook does so with what is packed as a workbook's sheet, so that the fuzzer reaches the sheet's own reading.
func FuzzReadWorkbook(f *testing.F) {
	whole := workbook(f, "大厅", [][]any{{"编号", "名称", "生效日期"}, {"H1", "大厅", "2020-01-01"}})
	z, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		f.Fatal(err)
	}
	const sheet = "xl/worksheets/sheet1.xml"
	in, err := z.Open(sheet)
	if err != nil {
		f.Fatal(err)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`<worksheet><sheetData><row r="1048576"><c r="XFD1" t="s"><v>-1</v></c></row></sheetData></worksheet>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var b bytes.Buffer
		out := zip.NewWriter(&b)
		for _, part := range z.File {
			if part.Name != sheet {
				if err := out.Copy(part); err != nil {
					t.Fatal(err)
				}
			}
		}
		w, err := out.Create(sheet)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		fuzzRead(t, b.Bytes())
	})
}

func fuzzRead(t *testing.T, b []byte) {
	lines, err := Read(b)
	if err != nil {
		if f := asFault(err); f.English == "" || f.Chinese == "" {
			t.Fatalf("refused for %v", err)
		}
		return
	}
	if len(lines) > maxLines {
		t.Fatalf("%d lines", len(lines))
	}
	if len(lines) > 100 {
		return
	}
	tree := newTree(nil)
	if p := preview(tree, 1, lines, nil); p.Refused() == 0 {
		if wrong := tree.check(); len(wrong) > 0 {
			t.Fatalf("nothing is refused, and %v", wrong)
		}
	}
}
