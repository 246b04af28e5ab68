package directory

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Bounds of workbooks, which are compressed.
const (
	maxUnpacked = 64 << 20 // bytes
	maxElements = 500_000  // of XML besides the sheets, which are read row by row
	maxOfSheets = 3_000_000
	maxCells    = 64 // of a row: a cell further to the right would be padded with as many empty ones as lie before it
	maxParts    = 200
	maxSheets   = 20
)

// readWorkbook reads the rows of all sheets of a workbook.
func readWorkbook(b []byte) (rows []Row, err error) {
	if err := inspect(b, maxUnpacked, maxElements); err != nil {
		return nil, err
	}
	book, err := excelize.OpenReader(bytes.NewReader(b),
		excelize.Options{UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: maxUnpacked, RawCellValue: true})
	if err != nil {
		return nil, unreadable(err)
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	sheets := book.GetSheetList()
	if len(sheets) > maxSheets {
		return nil, faultf("工作簿有 %d 张表，最多 %d 张", "the workbook has %d sheets, at most %d are allowed", len(sheets), maxSheets)
	}
	early := false // days count from 1904
	if p, err := book.GetWorkbookProps(); err == nil && p.Date1904 != nil {
		early = *p.Date1904
	}
	if early {
		return nil, faultf("工作簿使用 1904 日期系统，请在表格软件的选项中关闭", "the workbook counts days from 1904; turn that off in the spreadsheet's options")
	}
	for _, name := range sheets {
		some, err := readSheet(book, name, maxLines+len(sheets)-len(rows))
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

func unreadable(err error) Fault {
	return faultf("工作簿读不出来，请用表格软件另存一次：%v", "the workbook cannot be read; save it once more with a spreadsheet: %v", err)
}

// readSheet reads up to a number of rows that are not empty.
func readSheet(book *excelize.File, name string, most int) (rows []Row, err error) {
	in, err := book.Rows(name)
	if err != nil {
		return nil, unreadable(err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	for n := 1; in.Next(); n++ {
		cells, err := in.Columns()
		if err != nil {
			return nil, unreadable(err)
		}
		if strings.Join(cells, "") == "" {
			continue
		}
		if len(rows) == most {
			return nil, faultf("文件超过 %d 行，请分成几个文件", "the file has more than %d lines; split it", maxLines)
		}
		rows = append(rows, Row{Sheet: name, Number: n, Cells: cells})
	}
	if err := in.Error(); err != nil {
		return nil, unreadable(err)
	}
	return rows, nil
}

// inspect refuses a workbook that would unpack to more than some bytes or XML elements, and one with formulas, whose values are not what
// somebody has written.
func inspect(b []byte, bytesLeft int64, elements int) error {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return unreadable(err)
	}
	if len(z.File) > maxParts {
		return faultf("工作簿有 %d 个部件，最多 %d 个", "the workbook has %d parts, at most %d are allowed", len(z.File), maxParts)
	}
	left, ofSheets := bytesLeft, maxOfSheets
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			return unreadable(err)
		}
		// What is read counts, not what the file says of itself.
		bounded := &io.LimitedReader{R: in, N: left + 1}
		if text := bufio.NewReader(bounded); isXML(text, f.Name) {
			var n int
			var sheet bool
			if n, sheet, err = scan(text, f.Name); sheet {
				ofSheets -= n
			} else {
				elements -= n
			}
		}
		if err == nil || bounded.N <= 0 {
			_, err = io.Copy(io.Discard, bounded)
		}
		err = errors.Join(err, in.Close())
		if left = bounded.N - 1; left < 0 || elements < 0 || ofSheets < 0 {
			return faultf("工作簿解压后超过 %d 字节，或内容过多", "the workbook unpacks to more than %d bytes, or has too many elements", bytesLeft)
		}
		var wrong Fault
		if errors.As(err, &wrong) {
			return wrong
		}
		if err != nil {
			return unreadable(err)
		}
	}
	return nil
}

// isXML reports whether a part is XML by its name or its beginning: a workbook may name its sheets as it likes.
func isXML(r *bufio.Reader, part string) bool {
	part = strings.ToLower(part)
	if strings.HasSuffix(part, ".xml") || strings.HasSuffix(part, ".rels") {
		return true
	}
	head, _ := r.Peek(512) // what cannot be read is met again by whoever reads on
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))), []byte("<"))
}

// scan counts the elements of a part and reports whether it is a sheet. It refuses a part that has a formula in a cell, or a row with too
// many cells. A chart's formulas are its own.
func scan(r io.Reader, part string) (n int, sheet bool, err error) {
	in := xml.NewDecoder(r)
	in.Strict = !strings.HasSuffix(strings.ToLower(part), ".vml") // drawings are often written as loosely as HTML
	cell, within, cells := "", false, 0
	for {
		t, err := in.RawToken()
		if errors.Is(err, io.EOF) {
			return n, sheet, nil
		}
		if err != nil {
			return n, sheet, fmt.Errorf("read %s: %w", part, err)
		}
		if e, ok := t.(xml.EndElement); ok && e.Name.Local == "c" {
			within = false
		}
		e, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		if n++; n == 1 {
			sheet = e.Name.Local == "worksheet"
		}
		switch {
		case e.Name.Local == "row":
			cells = 0
		case e.Name.Local == "c":
			within, cell = true, attribute(e, "r")
			if cells++; sheet && cells > maxCells || column(e) > maxCells {
				return n, sheet, faultf("单元格 %.10s（%.40s）太靠右：一行最多 %d 格",
					"the cell %.10s of %.40s lies too far right: a row has at most %d cells", cell, part, maxCells)
			}
		case e.Name.Local == "f" && within && !strings.Contains(part, "/charts/"):
			return n, sheet, faultf("单元格 %.10s（%.40s）是公式，请改为数值（选择性粘贴→数值）", "the cell %.10s of %.40s has a formula; replace it by its value", cell,
				part)
		}
	}
}

// column returns the column of a cell by the reference that lies furthest right, 0 if there is none.
func column(e xml.StartElement) (most int) {
	for _, a := range e.Attr {
		if c, _, err := excelize.CellNameToCoordinates(a.Value); err == nil && a.Name.Local == "r" {
			most = max(most, c)
		}
	}
	return most
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// WriteWorkbook writes records as a workbook with a sheet for each kind, all of whose cells are texts.
func WriteWorkbook(w io.Writer, each func(func(Record) error) error) (err error) {
	book := excelize.NewFile()
	defer func() { err = errors.Join(err, book.Close()) }()
	out := make(map[Kind]*excelize.StreamWriter)
	rows := make(map[Kind]int)
	for i, k := range Kinds() {
		if i == 0 {
			err = book.SetSheetName("Sheet1", k.Chinese())
		} else {
			_, err = book.NewSheet(k.Chinese())
		}
		if err != nil {
			return err
		}
		if out[k], err = book.NewStreamWriter(k.Chinese()); err != nil {
			return err
		}
		var head []any
		for _, h := range heads() {
			head = append(head, h[1])
		}
		if err := errors.Join(out[k].SetColWidth(3, len(head), 20), out[k].SetRow("A1", head)); err != nil {
			return err
		}
		rows[k] = 1
	}
	err = each(func(r Record) error {
		rows[r.Kind]++
		var cells []any
		for _, s := range r.fileRow() {
			cells = append(cells, neutral(s))
		}
		return out[r.Kind].SetRow(fmt.Sprintf("A%d", rows[r.Kind]), cells)
	})
	if err != nil {
		return err
	}
	for _, k := range Kinds() {
		if err := out[k].Flush(); err != nil {
			return err
		}
	}
	return book.Write(w)
}
