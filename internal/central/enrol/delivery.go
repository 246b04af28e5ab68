package enrol

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
)

// Bounds of a supplier's list.
const (
	MaxDelivery     = 300 // boxes of a file: each password is hashed slowly
	MaxPasswordDays = 90
	leastPassword   = 12
	mostPassword    = 64
	leastDifferent  = 6 // characters of a password
	mostSerial      = 40
	draftLife       = time.Hour
)

// ErrMeanwhile says that what a preview has shown is not so any more.
var ErrMeanwhile = errors.New("清单在预览之后有了变化，请重新预览。The list or the windows have changed since the preview; preview it again")

// Line is a line of a supplier's list.
type Line struct {
	Sheet   string            `json:"sheet,omitempty"` // of a workbook
	Number  int               `json:"line"`
	Serial  string            `json:"serial"`
	Hall    string            `json:"hall"`
	Window  string            `json:"window"`
	Hash    string            `json:"hash"` // of the password; empty in a preview of which something is refused
	Step    directory.Step    `json:"step"`
	Refused []directory.Fault `json:"-"`

	password string
}

// Preview is what a supplier's list would have the centre expect, and what is refused. It is confirmed as a whole or not at all.
type Preview struct {
	Lines []Line
	Ends  time.Time // of the passwords
	Hash  string    // by which it is confirmed
}

// Refused returns how many lines are refused.
func (p Preview) Refused() (n int) {
	for _, l := range p.Lines {
		if len(l.Refused) > 0 {
			n++
		}
	}
	return n
}

func (l *Line) refuse(chinese, english string, args ...any) {
	l.Refused = append(l.Refused, directory.Fault{Chinese: fmt.Sprintf(chinese, args...), English: fmt.Sprintf(english, args...)})
}

func fault(chinese, english string, args ...any) error {
	return directory.Fault{Chinese: fmt.Sprintf(chinese, args...), English: fmt.Sprintf(english, args...)}
}

// columns returns the columns of a list with their Chinese names.
func columns() [][2]string {
	return [][2]string{{"serial", "序列号"}, {"hall", "大厅"}, {"window", "窗口"}, {"password", "一次性口令"}}
}

// ParseDelivery reads a supplier's list: CSV or XLSX, whose first line names the columns. What is wrong with one line is in that line; what
// is wrong with the file as a whole is a directory.Fault. It reads bytes of strangers.
func ParseDelivery(b []byte) ([]Line, error) {
	rows, err := directory.Rows(b)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, directory.Row.Empty)
	if len(rows) == 0 {
		return nil, fault("文件是空的", "the file is empty")
	}
	place, err := headOf(rows[0])
	if err != nil {
		return nil, err
	}
	if len(rows) == 1 {
		return nil, fault("文件只有列名，没有评价器", "the file has the columns' names and no box")
	}
	if len(rows)-1 > MaxDelivery {
		return nil, fault("文件有 %d 台，最多 %d 台，请分成几个文件", "the file has %d boxes, at most %d are allowed; split it", len(rows)-1, MaxDelivery)
	}
	var lines []Line
	for _, r := range rows[1:] {
		lines = append(lines, lineOf(r, place, len(rows[0].Cells)))
	}
	return lines, nil
}

func headOf(r directory.Row) (map[string]int, error) {
	if r.Fault != nil {
		return nil, *r.Fault
	}
	place := make(map[string]int)
	for i, cell := range r.Cells {
		cell = strings.ToLower(strings.TrimSpace(cell))
		if cell == "" {
			continue
		}
		j := slices.IndexFunc(columns(), func(c [2]string) bool { return cell == c[0] || cell == c[1] })
		if j < 0 {
			return nil, fault("第一行的列名 %q 不认识，可用的是 序列号、大厅、窗口、一次性口令",
				"the column %q of the first line is unknown; known are serial, hall, window, password", cell)
		}
		if _, ok := place[columns()[j][0]]; ok {
			return nil, fault("第一行的列名 %q 重复", "the column %q stands twice in the first line", cell)
		}
		place[columns()[j][0]] = i
	}
	for _, c := range columns() {
		if _, ok := place[c[0]]; !ok {
			return nil, fault("第一行缺少“%[2]s”一列", "the first line has no column %[1]q", c[0], c[1])
		}
	}
	return place, nil
}

func lineOf(r directory.Row, place map[string]int, heads int) Line {
	l := Line{Sheet: r.Sheet, Number: r.Number}
	if r.Fault != nil {
		l.Refused = append(l.Refused, *r.Fault)
		return l
	}
	get := func(name string) string {
		if i := place[name]; i < len(r.Cells) {
			return strings.TrimSpace(r.Cells[i])
		}
		return ""
	}
	l.Serial, l.Hall, l.Window, l.password = get("serial"), get("hall"), get("window"), get("password")
	if len(r.Cells) > heads && strings.TrimSpace(strings.Join(r.Cells[heads:], "")) != "" {
		l.refuse("第 %d 列没有列名", "column %d has no name", heads+1)
	}
	if !serial(l.Serial) {
		l.refuse("序列号为 1 至 %d 个字母、数字或 - _ . /", "a serial number has 1 to %d letters, digits or - _ . /", mostSerial)
	}
	l.checkPassword()
	return l
}

// serial reports whether a text is a serial number.
func serial(s string) bool {
	return s != "" && len(s) <= mostSerial && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("-_./", c)
	})
}

// checkPassword refuses what would soon be guessed. No message says what it is.
func (l *Line) checkPassword() {
	different := make(map[rune]bool)
	for _, c := range l.password {
		different[c] = true
	}
	switch {
	case len(l.password) < leastPassword || len(l.password) > mostPassword ||
		strings.ContainsFunc(l.password, func(c rune) bool { return c <= ' ' || c > '~' }):
		l.refuse("一次性口令为 %d 至 %d 个字母、数字或符号，不含空格", "a password has %d to %d letters, digits or signs without spaces", leastPassword, mostPassword)
	case len(different) < leastDifferent || l.Serial != "" && strings.Contains(strings.ToLower(l.password), strings.ToLower(l.Serial)):
		l.refuse("一次性口令太简单，或含有序列号：请用随机生成的", "the password is too simple, or has the serial number in it; use one that was drawn")
	}
}

// PreviewDelivery tells line by line what a list would have the centre expect for some days, and what is refused and why. May says whether
// boxes may be let into a hall.
func (r *Room) PreviewDelivery(ctx context.Context, b []byte, days int, may func(directory.Record) bool) (Preview, error) {
	lines, err := ParseDelivery(b)
	if err != nil {
		return Preview{}, err
	}
	if days < 1 || days > MaxPasswordDays {
		return Preview{}, fault("有效天数为 1 至 %d", "the passwords may hold for 1 to %d days", MaxPasswordDays)
	}
	p := Preview{Lines: lines, Ends: r.now().AddDate(0, 0, days)}
	same := make(map[string]int)
	for i := range p.Lines {
		l := &p.Lines[i]
		if first, ok := same[l.password]; ok && l.password != "" {
			l.refuse("一次性口令与第 %d 行相同", "the password is that of line %d", first)
		}
		same[l.password] = l.Number
	}
	if err := r.check(ctx, p.Lines, may); err != nil || p.Refused() > 0 {
		return p, err
	}
	for i := range p.Lines {
		if p.Lines[i].Hash, err = r.cfg.Passwords.Hash(ctx, p.Lines[i].password); err != nil {
			return p, fmt.Errorf("hash the passwords of a list: %w", err)
		}
	}
	text, err := json.Marshal(p.Lines)
	sum := sha256.Sum256(text)
	p.Hash = hex.EncodeToString(sum[:])
	return p, err
}

// check refuses lines that contradict each other, the organisation, or what is expected already.
func (r *Room) check(ctx context.Context, lines []Line, may func(directory.Record) bool) error {
	atlas, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return err
	}
	var windows []string
	for _, l := range lines {
		windows = append(windows, l.Window)
	}
	there, err := r.boxes.At(ctx, windows)
	if err != nil {
		return err
	}
	day := directory.DayOf(r.now())
	serials, stands := make(map[string]int), make(map[string]int)
	for i := range lines {
		l := &lines[i]
		l.Step = directory.Adds
		if first, ok := serials[strings.ToLower(l.Serial)]; ok {
			l.refuse("序列号与第 %d 行重复", "the serial number is that of line %d", first)
		}
		if first, ok := stands[l.Window]; ok {
			l.refuse("窗口与第 %d 行重复", "the window is that of line %d", first)
		}
		serials[strings.ToLower(l.Serial)], stands[l.Window] = l.Number, l.Number
		hall, ok := atlas.At(directory.Hall, l.Hall, day)
		if !ok || !may(hall) {
			l.refuse("没有大厅 %q，或不在您的管理范围", "there is no hall %q, or it is not within your role", l.Hall)
			continue
		}
		if place, ok := atlas.Window(l.Window, day); !ok || place.Hall.ID != l.Hall {
			l.refuse("大厅 %[1]s 没有窗口 %[2]q", "the hall %[1]s has no window %[2]q", l.Hall, l.Window)
			continue
		}
		for _, s := range there {
			if s.Window.ID == l.Window {
				l.refuse("窗口 %[1]s 已有评价器 %[2]s", "the window %[1]s has the box %[2]s", l.Window, s.ID)
			}
		}
		if err := r.checkExpected(ctx, l); err != nil {
			return err
		}
	}
	return r.checkOthers(ctx, lines)
}

// checkExpected compares a line with what is expected of its serial number.
func (r *Room) checkExpected(ctx context.Context, l *Line) error {
	e, err := r.ExpectedBox(ctx, l.Serial)
	switch {
	case errors.Is(err, ErrNotExpected):
		return nil
	case err != nil:
		return err
	case e.Hall != l.Hall:
		l.refuse("这个序列号已登记在别的大厅；要改到这里，请先在那里删除", "the serial number is expected in another hall; take it off there first")
	}
	l.Step = directory.Changes
	return nil
}

// checkOthers refuses windows at which other boxes are expected.
func (r *Room) checkOthers(ctx context.Context, lines []Line) error {
	for i := range lines {
		l := &lines[i]
		all, err := db.Query(ctx, r.db, scanExpected, readExpected+"WHERE hall = $1 AND window_id = $2 AND used = 0 AND ends > $3 AND "+
			"serial <> $4",
			l.Hall, l.Window, r.now().UnixMilli(), l.Serial)
		if err != nil {
			return fmt.Errorf("read who is expected at a window: %w", err)
		}
		for _, e := range all {
			moves := slices.ContainsFunc(lines, func(x Line) bool { return x.Serial == e.Serial })
			if !moves {
				l.refuse("窗口 %[1]s 已登记给序列号 %[2]s", "at the window %[1]s the box %[2]s is expected", l.Window, e.Serial)
			}
		}
	}
	return nil
}

// Keep keeps a preview until its account confirms it, previews another list, or an hour is over.
func (r *Room) Keep(ctx context.Context, account string, p Preview) error {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := errors.Join(json.NewEncoder(z).Encode(p), z.Close()); err != nil {
		return fmt.Errorf("keep a preview: %w", err)
	}
	now := r.now()
	err := r.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM enrol_draft WHERE account = $1 OR made < $2", account,
			now.Add(-draftLife).UnixMilli()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO enrol_draft (account, hash, made, body) VALUES ($1, $2, $3, $4)", account, p.Hash,
			now.UnixMilli(), b.Bytes())
		return err
	})
	if err != nil {
		return fmt.Errorf("keep a preview: %w", err)
	}
	return nil
}

// Kept returns the preview of an account that has a hash, if all of it is still in order; else ErrMeanwhile.
func (r *Room) Kept(ctx context.Context, account, hash string, may func(directory.Record) bool) (p Preview, err error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (b []byte, err error) { return b, s.Scan(&b) },
		"SELECT body FROM enrol_draft WHERE account = $1 AND hash = $2 AND made >= $3", account, hash, r.now().Add(-draftLife).UnixMilli())
	if err != nil {
		return p, fmt.Errorf("read a preview: %w", err)
	}
	if len(all) == 0 {
		return p, ErrMeanwhile
	}
	z, err := gzip.NewReader(bytes.NewReader(all[0]))
	if err == nil {
		err = json.NewDecoder(io.LimitReader(z, 8<<20)).Decode(&p)
	}
	if err != nil {
		return p, fmt.Errorf("read a preview: %w", err)
	}
	if err := r.check(ctx, p.Lines, may); err != nil {
		return p, err
	}
	if p.Refused() > 0 {
		return p, ErrMeanwhile
	}
	return p, nil
}
