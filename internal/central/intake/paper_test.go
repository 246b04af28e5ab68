package intake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"haochaping/internal/central/journal"
	"haochaping/internal/central/pdf/pdftest"
	"haochaping/internal/rating"
)

func paperWindow() rating.Window {
	return rating.Window{ID: "SL-B01", Name: "综合受理1号窗口", Hall: "示例便民服务站", Area: "620100000000", Generation: 1}
}

// TestAForm: 偏远地区和基层服务点等暂不具备条件的,应提供书面评价表格. It counts when two people have read the same on it, once, and says who they were.
func TestAForm(t *testing.T) {
	o := newOffice(t, "http://127.0.0.1:1")
	room, err := Open(t.Context(), o.journal)
	if err != nil {
		t.Fatal(err)
	}
	li, ma, wang := Enterer{"1", "li"}, Enterer{"2", "ma"}, Enterer{"3", "wang"}
	e := PaperEntry{Number: "B-17", Day: "2026-03-01", StaffID: "77", Staff: 4, Area: "620100", ProjectNo: "P-1", Matter: 2, Text: "排队 太久"}
	enter := func(want string, e PaperEntry, who Enterer, replace bool) {
		t.Helper()
		out, fields, err := room.Enter(t.Context(), paperWindow(), e, who, replace)
		if got := strings.TrimSpace(fmt.Sprint(out, " ", strings.Join(fields, " "))); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", who.Name, got, err, want)
		}
	}
	enter("first", e, li, false)
	enter("same", e, li, false)
	wrong := e
	wrong.Matter, wrong.StaffID = 5, ""
	enter("differs 工号 事项评价", wrong, ma, false)
	if head, err := o.journal.Head(t.Context()); err != nil || head != 0 {
		t.Fatalf("one person's entry is in the journal: %d, %v", head, err)
	}
	enter("first", wrong, ma, true) // says that the first was wrong
	enter("differs 工号 事项评价", e, li, false)
	enter("first", e, ma, false) // and corrects it
	all, err := room.WaitingForms(t.Context(), "2", []string{"SL-B01"}, 10)
	if err != nil || len(all) != 1 || !all[0].Mine || all[0].Number != "B-17" || strings.Contains(fmt.Sprint(all), "太久") {
		t.Errorf("waiting %+v, %v", all, err)
	}
	spaced := e
	spaced.Number, spaced.Area, spaced.Text = " Ｂ-17 ", "620100000000", "排队  太久 "
	enter("saved", spaced, wang, false)
	enter("before", e, li, false)
	enter("before", wrong, ma, true)
	entry, err := o.journal.Entry(t.Context(), 1)
	if err != nil || len(entry.Parts) != 2 || entry.Source != "paper" {
		t.Fatalf("%+v, %v", entry, err)
	}
	for i, subject := range []rating.Subject{rating.StaffSubject, rating.MatterSubject} {
		var a journal.Answer
		if err := json.Unmarshal(entry.Parts[i], &a); err != nil || a.Subject() != subject || a.Channel != rating.Paper ||
			!slices.Equal(a.By, []string{"ma", "wang"}) {
			t.Errorf("%+v, %v", a, err)
		}
	}
	if text, err := o.journal.Text(t.Context(), 1, 1); err != nil || text != "排队 太久" {
		t.Errorf("text %q, %v", text, err)
	}
	o.complete("P-1", "")
	if got := o.levels(); fmt.Sprintf("%v %v", got["P-1"], got[""]) != "[2 不满意] [4 满意]" {
		t.Errorf("levels %v", got)
	}
	if head, err := o.journal.Head(t.Context()); err != nil || head != 2 {
		t.Errorf("%d rows, %v", head, err)
	}
	if all, err := room.WaitingForms(t.Context(), "2", []string{"SL-B01"}, 10); err != nil || len(all) != 0 {
		t.Errorf("waiting %+v, %v", all, err)
	}
}

// TestFormsThatWait: other windows' forms hide none, and one that nobody can finish any more goes when the next is entered.
func TestFormsThatWait(t *testing.T) {
	o := newOffice(t, "http://127.0.0.1:1")
	room, err := Open(t.Context(), o.journal)
	if err != nil {
		t.Fatal(err)
	}
	first := o.now()
	enter := func(window, number string) {
		t.Helper()
		w := paperWindow()
		w.ID = window
		e := PaperEntry{Number: number, Day: o.now().In(rating.Shanghai()).Format("2006-01-02"), Staff: 5}
		if out, _, err := room.Enter(t.Context(), w, e, Enterer{"1", "li"}, false); err != nil || out != EnteredFirst {
			t.Fatalf("%s %s: %s, %v", window, number, out, err)
		}
	}
	for i := range 5 {
		enter("SL-B02", fmt.Sprint(i))
	}
	enter("SL-B01", "1")
	for _, c := range []struct {
		name    string
		after   time.Duration
		enter   string
		windows []string
		want    string
	}{
		{"of one window", 0, "", []string{"SL-B01"}, "[SL-B01 1]"},
		{"of none", 0, "", nil, "[]"},
		{"those that wait longest", 0, "", []string{"SL-B01", "SL-B02"}, "[SL-B01 1 SL-B02 0]"},
		{"60 days old", paperLife, "2", []string{"SL-B01"}, "[SL-B01 1 SL-B01 2]"},
		{"older", paperLife + time.Millisecond, "3", []string{"SL-B01", "SL-B02"}, "[SL-B01 2 SL-B01 3]"},
	} {
		o.set(first.Add(c.after))
		if c.enter != "" {
			enter("SL-B01", c.enter)
		}
		all, err := room.WaitingForms(t.Context(), "2", c.windows, 2)
		got := []string{}
		for _, f := range all {
			got = append(got, f.Window+" "+f.Number)
		}
		if fmt.Sprint(got) != c.want || err != nil {
			t.Errorf("%s: %v, %v, want %s", c.name, got, err, c.want)
		}
	}
	if got, err := room.WaitingPlaces(t.Context()); fmt.Sprint(got) != "[SL-B01]" || err != nil {
		t.Errorf("windows %v, %v", got, err)
	}
}

// TestWhatNoFormSays names what is wrong with an entry.
func TestWhatNoFormSays(t *testing.T) {
	o := newOffice(t, "http://127.0.0.1:1")
	room, err := Open(t.Context(), o.journal)
	if err != nil {
		t.Fatal(err)
	}
	good := PaperEntry{Number: "1", Day: "2026-03-02", Staff: 5}
	for says, change := range map[string]func(*PaperEntry){
		"表号":    func(e *PaperEntry) { e.Number = "十七" },
		"形式":    func(e *PaperEntry) { e.Day = "3月2日" },
		"将来":    func(e *PaperEntry) { e.Day = "2026-03-03" },
		"60天前":  func(e *PaperEntry) { e.Day = "2025-12-30" },
		"没有录入":  func(e *PaperEntry) { e.Staff = 0 },
		"办件编号":  func(e *PaperEntry) { e.Matter = 5 },
		"内容不符合": func(e *PaperEntry) { e.Matter, e.ProjectNo, e.Area = 5, "P", "62" },
		"同一市州":  func(e *PaperEntry) { e.Matter, e.ProjectNo, e.Area = 5, "P", "620200" },
		"150":   func(e *PaperEntry) { e.Text = strings.Repeat("长", 151) },
	} {
		e := good
		change(&e)
		_, _, err := room.Enter(t.Context(), paperWindow(), e, Enterer{"1", "li"}, false)
		if f, ok := IsFault(err); !ok || !strings.Contains(f.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// TestAFileOfForms reads CSV as Excel writes it, and says of each line that is none why.
func TestAFileOfForms(t *testing.T) {
	text := "表号,窗口编号,评价日期,服务评价,事项评价,办件编号,区划,意见\r\n" +
		"1,SL-B01,2026-03-01,非常满意,,,,\"快,\n好\"\r\n2,SL-B01,2026-03-01,6,,,,\r\n3,SL-B01,2026-03-01,５,不满意,P-1,620100,\n4\n"
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]string{"UTF-8": text, "with a mark": "\ufeff" + text, "GB18030": gb} {
		all, err := ParsePaper([]byte(b))
		if err != nil || len(all) != 4 {
			t.Fatalf("%s: %+v, %v", name, all, err)
		}
		if e := all[0].Entry; e.Staff != 5 || e.Matter != 0 || e.Number != "1" || e.Text != "快,\n好" || all[0].Window != "SL-B01" ||
			all[0].Fault != nil {
			t.Errorf("%s: %+v", name, all[0])
		}
		if all[1].Fault == nil || all[1].Line != 4 || all[2].Fault != nil || all[2].Entry.Staff != 5 || all[2].Entry.Matter != 2 ||
			all[3].Window != "" {
			t.Errorf("%s: %+v", name, all[1:])
		}
	}
	for says, b := range map[string]string{"空的": "", "未知": "表号,电话\n", "缺少": "表号,窗口编号\n", "重复": "表号,表号\n", "编码": "\xff\xfe\x00\x81",
		"CSV": "表号,窗口编号,评价日期\n\"1\n",
		"分成":  "表号,窗口编号,评价日期\n" + strings.Repeat("1,2,3\n", MaxPaperLines+1)} {
		if _, err := ParsePaper([]byte(b)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// TestAFileThatASpreadsheetHasWrittenAgain: days as it writes them are read, and a number whose last digits it has lost is none: two
// cases would be one.
func TestAFileThatASpreadsheetHasWrittenAgain(t *testing.T) {
	all, err := ParsePaper([]byte("表号,窗口编号,评价日期,服务评价,事项评价,办件编号,区划,工号\n1,SL-B01,2026/3/1,5,,,,\n2,SL-B01,2026年3月1日,5,,,,\n" +
		"3,SL-B01,2026-03-01,,5,6.20102E+14,620100,\n4,SL-B01,2026-03-01,,5,P-1,6.201e+11,\n5,SL-B01,2026-03-01,5,,,,1E+05\n" +
		"6.2E+20,SL-B01,2026-03-01,5,,,,\n7,SL-B01,2026-03-01,,5,E+5,620100,\n8,SL-B01,2026-03-01,,5,62E5,620100,\n9,SL-B01,3/1/2026,5,,,,\n"))
	if err != nil || len(all) != 9 {
		t.Fatal(all, err)
	}
	for i, l := range all {
		if lost := i >= 2 && i <= 5; lost != (l.Fault != nil) || lost && !strings.Contains(l.Fault.Error(), "设为文本") {
			t.Errorf("line %d: %v", l.Line, l.Fault)
		}
		if want := "2026-03-01"; i < 8 && l.Entry.Day != want || i == 8 && l.Entry.Day == want {
			t.Errorf("line %d is of the day %s", l.Line, l.Entry.Day)
		}
	}
}

func FuzzParsePaper(f *testing.F) {
	f.Add([]byte("表号,窗口编号,评价日期,服务评价\n1,2,2026-03-01,5\n"))
	f.Add([]byte("\xef\xbb\xbf\"表号"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := ParsePaper(b)
		if _, fault := IsFault(err); err != nil && !fault {
			t.Errorf("%q: %v is no fault of the file", b, err)
		}
		for _, l := range all {
			if l.Line < 2 || l.Fault == nil && (l.Entry.Staff > 5 || l.Entry.Matter > 5) {
				t.Errorf("%q: %+v", b, l)
			}
		}
	})
}

// TestThePrintedForm is a PDF of one page, whose places are right, with the window's code and the five levels twice.
func TestThePrintedForm(t *testing.T) {
	w := paperWindow()
	w.Hall = strings.Repeat("长", 60)
	b := Form(w)
	for i, m := range regexp.MustCompile(`(?m)^(\d{10}) 00000 n `).FindAllSubmatch(b, -1) {
		at, err := strconv.Atoi(string(m[1]))
		if err != nil || !bytes.HasPrefix(b[at:], fmt.Appendf(nil, "%d 0 obj", i+1)) {
			t.Errorf("object %d is not at %d", i+1, at)
		}
	}
	said, pages := pdftest.Text(t, b)
	for text, times := range map[string]int{"窗口编号：SL-B01": 1, "基本满意": 2, "综合受理1号窗口": 1} {
		if got := strings.Count(said, text); got != times {
			t.Errorf("%s stands there %d times, want %d", text, got, times)
		}
	}
	if pdftest.Boxes(t, b, 20) != 10 || pages != 1 {
		t.Error("it has not ten boxes on one page")
	}
}
