package enrol

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
)

// TestAListIsRefusedLineByLine previews lists with each fault.
func TestAListIsRefusedLineByLine(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	w.expect([3]string{"SN-old", "SL-H2-B04", password})
	may := func(hall directory.Record) bool { return hall.ID != "SL-H3" }
	for line, want := range map[string]string{
		"SN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4":                                     "",
		"SN-old,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4":                                   "", // its window and password change
		"S N,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4":                                      "序列号",
		",SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4":                                         "序列号",
		"SN-1,SL-H2,SL-H2-B02,short":                                             "口令为",
		"SN-1,SL-H2,SL-H2-B02,kV7 mQ2x 9Rw4":                                     "口令为",
		"SN-1,SL-H2,SL-H2-B02,一次性口令一次性口令一次性口令":                                   "口令为",
		"SN-1,SL-H2,SL-H2-B02,111111111111":                                      "太简单",
		"SN-2026,SL-H2,SL-H2-B02,pass-sn-2026-word":                              "太简单",
		"SN-1,SL-H9,SL-H2-B02,kV7-mQ2x-9Rw4":                                     "没有大厅",
		"SN-1,SL-H3,SL-H3-C01,kV7-mQ2x-9Rw4":                                     "没有大厅",
		"SN-1,SL-H2,SL-H1-A07,kV7-mQ2x-9Rw4":                                     "没有窗口",
		"SN-1,SL-H2,SL-H2-B01,kV7-mQ2x-9Rw4":                                     "已有评价器",
		"SN-1,SL-H2,SL-H2-B04,kV7-mQ2x-9Rw4":                                     "已登记给序列号",
		"SN-old,SL-H1,SL-H1-A07,kV7-mQ2x-9Rw4":                                   "别的大厅",
		"SN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4,more":                                "没有列名",
		"SN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4\nSN-2,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw5": "窗口与第 2 行重复",
		"SN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4\nsn-1,SL-H2,SL-H2-B03,kV7-mQ2x-9Rw5": "序列号与第 2 行重复",
		"SN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4\nSN-2,SL-H2,SL-H2-B03,kV7-mQ2x-9Rw4": "口令与第 2 行相同",
	} {
		p, err := w.room.PreviewDelivery(t.Context(), []byte("序列号,大厅,窗口,一次性口令\n"+line), 30, may)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		var said []string
		for _, l := range p.Lines {
			for _, f := range l.Refused {
				said = append(said, f.Chinese)
			}
		}
		got := strings.Join(said, "; ")
		if (want == "") != (got == "") || !strings.Contains(got, want) || strings.Contains(got, "kV7") {
			t.Errorf("%s: refused with %q, want %q", line, got, want)
		}
		if hashed := p.Lines[0].Hash != ""; hashed != (want == "") {
			t.Errorf("%s: hashed: %v", line, hashed)
		}
	}
	for text, want := range map[string]string{
		"": "空的", "serial,hall,window\nSN-1,SL-H2,SL-H2-B02": "password", "serial,hall,window,password,colour\n": "colour",
		"serial,hall,window,password,serial\n": "重复", "\x00\x01": "文本",
		"serial,hall,window,password\n\n": "没有评价器",
		"serial,hall,window,password\n" + strings.Repeat("SN-1,SL-H2,SL-H2-B02,x\n", MaxDelivery+1): "最多 300 台",
	} {
		var f directory.Fault
		if _, err := w.room.PreviewDelivery(t.Context(), []byte(text), 30, may); !errors.As(err, &f) || !strings.Contains(f.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
	for _, days := range []int{0, MaxPasswordDays + 1} {
		if _, err := w.room.PreviewDelivery(t.Context(), []byte("serial,hall,window,password\nSN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4\n"), days,
			may); err == nil {
			t.Errorf("passwords for %d days", days)
		}
	}
	text, err := simplifiedchinese.GB18030.NewEncoder().String("序列号,大厅,窗口,一次性口令\nSN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4\n")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := w.room.PreviewDelivery(t.Context(), []byte(text), 30, may); err != nil || p.Refused() != 0 || len(p.Lines) != 1 {
		t.Errorf("a list in GB18030: %+v, %v", p, err)
	}
}

// TestAPreviewIsConfirmedOnce, by whoever was shown it, within an hour, and as long as it is in order.
func TestAPreviewIsConfirmedOnce(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	may := func(directory.Record) bool { return true }
	list := []byte("serial,hall,window,password\nSN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4\n")
	preview := func() Preview {
		t.Helper()
		p, err := w.room.PreviewDelivery(t.Context(), list, 30, may)
		if err == nil {
			err = w.room.Keep(t.Context(), "li", p)
		}
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	kept := func(account, hash string) error {
		_, err := w.room.Kept(t.Context(), account, hash, may)
		return err
	}
	p := preview()
	if a, b := kept("wang", p.Hash), kept("li", p.Hash+"x"); !errors.Is(a, ErrMeanwhile) || !errors.Is(b, ErrMeanwhile) {
		t.Errorf("another's preview: %v, another one: %v", a, b)
	}
	got, err := w.room.Kept(t.Context(), "li", p.Hash, may)
	if err != nil || len(got.Lines) != 1 || got.Lines[0].Hash != p.Lines[0].Hash || !got.Ends.Equal(p.Ends) {
		t.Fatalf("it is %+v, %v", got, err)
	}
	if text := fmt.Sprintf("%+v", got); strings.Contains(text, "kV7") {
		t.Errorf("the draft has the password: %s", text)
	}
	w.serves(newBox(t, "bcdf23456789"), "SL-H2-B02")
	if err := kept("li", p.Hash); !errors.Is(err, ErrMeanwhile) {
		t.Errorf("the window has a box meanwhile: %v", err)
	}
	write := func() error {
		return w.room.db.Write(t.Context(), func(tx *db.Tx) error { return Expect(t.Context(), tx, p, "li", w.now()) })
	}
	if err := write(); !errors.Is(err, ErrMeanwhile) {
		t.Errorf("it is written all the same: %v", err)
	}
	list = []byte(strings.Replace(string(list), "B02", "B03", 1))
	p = preview()
	if err := write(); err != nil {
		t.Fatal(err)
	}
	if err := kept("li", p.Hash); !errors.Is(err, ErrMeanwhile) {
		t.Errorf("it is confirmed twice: %v", err)
	}
	p = preview()
	w.pass(draftLife + time.Second)
	if err := kept("li", p.Hash); !errors.Is(err, ErrMeanwhile) {
		t.Errorf("it is confirmed after an hour: %v", err)
	}
}

// TestAListIsChanged gives an expected box another password and window, which ends the former.
func TestAListIsChanged(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	w.expect([3]string{"SN-1", "SL-H2-B02", password})
	w.expect([3]string{"SN-1", "SL-H2-B03", password + "2"})
	b := newBox(t, "bcdf23456789")
	w.shown(b, Pass{Serial: "SN-1", Password: password}, Wrong)
	w.letIn(b, Pass{Serial: "SN-1", Password: password + "2"}, "SL-H2-B03")
	err := w.room.db.Write(t.Context(), func(tx *db.Tx) error { return Forget(t.Context(), tx, "SN-1") })
	if _, gone := w.room.ExpectedBox(t.Context(), "SN-1"); err != nil || !errors.Is(gone, ErrNotExpected) {
		t.Errorf("it is still expected: %v, %v", err, gone)
	}
}

func FuzzParseDelivery(f *testing.F) {
	f.Add([]byte("serial,hall,window,password\nSN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4\n"))
	f.Add([]byte("\ufeff序列号,大厅,窗口,一次性口令\r\n\"SN-1\",,,\r\n"))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, err := ParseDelivery(b)
		if err != nil && lines != nil {
			t.Error("a file that is refused has lines")
		}
		for _, l := range lines {
			if len(l.Refused) == 0 && (!serial(l.Serial) || len(l.password) < leastPassword) {
				t.Errorf("%q is taken", l.Serial)
			}
		}
	})
}
