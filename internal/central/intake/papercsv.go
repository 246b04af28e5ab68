package intake

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"haochaping/internal/rating"
)

// Bounds of a file of forms.
const (
	MaxPaperFile  = 1 << 20 // bytes
	MaxPaperLines = 2000
)

// PaperColumns returns the columns of a file of forms.
func PaperColumns() []string {
	return []string{"窗口编号", "表号", "评价日期", "工号", "服务评价", "区划", "办件编号", "事项评价", "意见"}
}

// PaperLine is a line of a file: the entry, or why it cannot be one.
type PaperLine struct {
	Line   int // of the file, from 1
	Window string
	Entry  PaperEntry
	Fault  error
}

// ParsePaper reads a file of forms as CSV, in UTF-8 or GB18030. The first line names the columns, in any order. The error is what is wrong
// with the file as a whole.
func ParsePaper(b []byte) ([]PaperLine, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(b) {
		plain, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
		if err != nil || bytes.ContainsRune(plain, utf8.RuneError) {
			return nil, Fault{"文件编码应为 UTF-8 或 GB18030", "the file is neither UTF-8 nor GB18030"}
		}
		b = plain
	}
	in := csv.NewReader(bytes.NewReader(b))
	in.FieldsPerRecord = -1
	head, err := in.Read()
	if err != nil {
		return nil, Fault{"文件是空的，或第一行不是列名", "the file is empty, or its first line has no columns"}
	}
	at := make(map[string]int)
	for i, c := range head {
		c = strings.TrimSpace(c)
		if _, twice := at[c]; twice || !slices.Contains(PaperColumns(), c) {
			return nil, Fault{fmt.Sprintf("列名“%s”重复或未知", c), "a column is unknown or stands twice"}
		}
		at[c] = i
	}
	for _, c := range []string{"窗口编号", "表号", "评价日期"} {
		if _, ok := at[c]; !ok {
			return nil, Fault{"缺少列“" + c + "”", "a column is missing"}
		}
	}
	var all []PaperLine
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, Fault{fmt.Sprintf("第 %d 行不是 CSV", len(all)+2), err.Error()}
		}
		if len(all) == MaxPaperLines {
			return nil, Fault{fmt.Sprintf("超过 %d 行，请分成几个文件", MaxPaperLines), "split the file"}
		}
		line, _ := in.FieldPos(0)
		all = append(all, paperLine(line, func(column string) string {
			if i, ok := at[column]; ok && i < len(cells) {
				return strings.TrimPrefix(strings.TrimSpace(cells[i]), "'")
			}
			return ""
		}))
	}
}

// paperLine reads a line by its columns.
func paperLine(line int, of func(string) string) PaperLine {
	l := PaperLine{Line: line, Window: of("窗口编号"), Entry: PaperEntry{Number: of("表号"), Day: of("评价日期"), StaffID: of("工号"), Area: of("区划"),
		ProjectNo: of("办件编号"), Text: of("意见")}}
	var staff, matter error
	l.Entry.Staff, staff = ParsePaperLevel(of("服务评价"))
	l.Entry.Matter, matter = ParsePaperLevel(of("事项评价"))
	for _, written := range []string{"2006/1/2", "2006-1-2", "2006年1月2日"} { // as spreadsheets write a day again
		if day, err := time.Parse(written, l.Entry.Day); err == nil {
			l.Entry.Day = day.Format(time.DateOnly)
		}
	}
	l.Fault = cmp.Or(staff, matter, l.Entry.rounded())
	return l
}

// rounded is the Fault of a number that a spreadsheet has written as a power of ten: its last digits are lost, and others' become the same.
func (e PaperEntry) rounded() error {
	for _, s := range []string{e.Number, e.StaffID, e.Area, e.ProjectNo} {
		mantissa, power, ok := strings.Cut(strings.ToUpper(s), "E+")
		if ok && mantissa != "" && power != "" && strings.Trim(mantissa, "0123456789.") == "" && strings.Trim(power, "0123456789") == "" {
			return Fault{"号码“" + s + "”已被表格软件改写，末尾数字丢失；请把该列设为文本后重新填写",
				"the number " + s + " was rewritten by a spreadsheet, and its last digits are lost; make the column text and enter it again"}
		}
	}
	return nil
}

// ParsePaperLevel reads a level: its digit or its words, 0 for an empty one. Anything else is no level.
func ParsePaperLevel(s string) (rating.Level, error) {
	s = strings.TrimSpace(narrow(s))
	if s == "" {
		return 0, nil
	}
	for _, l := range rating.Levels() {
		if s == l.Chinese() || s == string(rune('0'+l)) {
			return l, nil
		}
	}
	return 0, Fault{"满意程度应为 5 至 1，或非常满意、满意、基本满意、不满意、非常不满意", "a level is 5 to 1, or its words"}
}
