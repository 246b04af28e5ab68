package intake

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// paperLife is how old a form may be when it is entered: from remote places they come once a month.
const paperLife = 60 * 24 * time.Hour

// PaperEntry is what somebody reads on a form (书面评价表格, article 13). Of the two levels one at least is marked; 0 is not marked.
type PaperEntry struct {
	Number    string       `json:"number"` // of the form, unique at its window
	Day       string       `json:"day"`    // of the evaluation, as 2026-03-02
	StaffID   string       `json:"staff_id,omitempty"`
	Staff     rating.Level `json:"staff,omitempty"`
	Area      string       `json:"area,omitempty"`
	ProjectNo string       `json:"project_no,omitempty"`
	Matter    rating.Level `json:"matter,omitempty"`
	Text      string       `json:"text,omitempty"`
}

// Enterer is who enters a form.
type Enterer struct{ Account, Name string }

// Fault is what is wrong with an entry, in words for who entered it.
type Fault struct{ Chinese, English string }

func (f Fault) Error() string { return f.Chinese + "。" + f.English }

// tidy returns an entry as it is compared: spaces around, and the writing of an area, say nothing.
func (e PaperEntry) tidy() PaperEntry {
	for _, s := range []*string{&e.Number, &e.Day, &e.StaffID, &e.Area, &e.ProjectNo} {
		*s = strings.TrimSpace(narrow(*s))
	}
	e.Area = rating.PadArea(e.Area)
	e.Text = strings.Join(strings.FieldsFunc(e.Text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	return e
}

// given returns the moment that counts as that of the answer: the end of its day, or now. A form has no clock time, and one of a case's
// last day is in time.
func (e PaperEntry) given(now time.Time) (time.Time, error) {
	day, err := time.ParseInLocation("2006-01-02", e.Day, rating.Shanghai())
	if err != nil {
		return day, Fault{"评价日期应写作 2026-03-02 的形式", "write the day as 2026-03-02"}
	}
	if day.After(now) || now.Sub(day) > paperLife {
		return day, Fault{"评价日期在将来，或早于60天前", "the day lies in the future or more than 60 days ago"}
	}
	end := day.AddDate(0, 0, 1).Add(-time.Millisecond)
	if end.After(now) {
		end = now
	}
	return end, nil
}

// answers returns what a form says, as the journal takes it.
func (e PaperEntry) answers(w rating.Window, by []string, now time.Time) (all []journal.Answer, texts []string, err error) {
	at, err := e.given(now)
	switch {
	case e.Number == "" || len(e.Number) > rating.MaxCode || strings.ContainsFunc(e.Number, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, nil, Fault{"表号缺失，或不是64个以内的字母、数字", "the form's number is missing, or is not of letters and digits"}
	case err != nil:
		return nil, nil, err
	case e.Staff == 0 && e.Matter == 0:
		return nil, nil, Fault{"没有录入任何满意程度", "no level is entered"}
	case e.Matter != 0 && e.ProjectNo == "":
		return nil, nil, Fault{"评价事项需要办件编号", "the matter's level needs the case's number"}
	case e.Matter != 0 && len(e.Area) == 12 && len(w.Area) == 12 && e.Area[:4] != w.Area[:4]:
		return nil, nil, Fault{"办件区划与窗口不在同一市州", "the case is of another city than the window"}
	case utf8.RuneCountInString(e.Text) > rating.MaxText || !utf8.ValidString(e.Text):
		return nil, nil, Fault{fmt.Sprintf("意见超过 %d 字", rating.MaxText), "the text is too long"}
	}
	base := journal.Answer{Channel: rating.Paper, At: at.UnixMilli(), By: by}
	if e.Staff != 0 {
		a := base
		a.Level = e.Staff
		a.Visit = &rating.Visit{ID: paperVisit(w.ID, e.Number), Window: w, Staff: rating.Staff{ID: e.StaffID}, Grouping: rating.Single,
			Subjects: []rating.Subject{rating.StaffSubject}, Opener: rating.OpenedByPC, WaitSec: 1}
		all = append(all, a)
	}
	if e.Matter != 0 {
		a := base
		a.Level, a.Case = e.Matter, rating.CaseKey{Area: e.Area, Project: e.ProjectNo}
		all = append(all, a)
	}
	for _, a := range all {
		if err := a.Check(); err != nil {
			return nil, nil, Fault{"内容不符合要求", err.Error()}
		}
	}
	texts = make([]string, len(all))
	texts[len(all)-1] = e.Text // about the matter, if it is one
	return all, texts, nil
}

// paperVisit names the service that a form is about.
func paperVisit(window, number string) rating.VisitID {
	sum := sha256.Sum256([]byte("paper\n" + window + "\n" + number))
	return rating.VisitID(binary.BigEndian.Uint64(sum[:8]) | 1)
}

// differs names the fields in which two entries of a form do not agree.
func (e PaperEntry) differs(o PaperEntry) (fields []string) {
	for _, f := range []struct {
		name string
		same bool
	}{{"评价日期", e.Day == o.Day}, {"工号", e.StaffID == o.StaffID}, {"服务评价", e.Staff == o.Staff},
		{"区划", e.Area == o.Area || e.ProjectNo == "" && o.ProjectNo == ""},
		{"办件编号", e.ProjectNo == o.ProjectNo}, {"事项评价", e.Matter == o.Matter}, {"意见", e.Text == o.Text}} {
		if !f.same {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// Entered says what has become of an entry.
type Entered string

// What becomes of an entry.
const (
	EnteredFirst   Entered = "first"   // a second person's is waited for
	EnteredSaved   Entered = "saved"   // two people's agree
	EnteredBefore  Entered = "before"  // the form was saved before
	EnteredSame    Entered = "same"    // who entered it first has done so again
	EnteredDiffers Entered = "differs" // it does not agree with the first
)

// compare says what an entry by somebody is to the one that was entered first, and in which fields they differ.
func compare(first PaperEntry, by string, e PaperEntry, who string) (Entered, []string) {
	if by == who {
		return EnteredSame, nil
	}
	if fields := first.differs(e); len(fields) > 0 {
		return EnteredDiffers, fields
	}
	return EnteredSaved, nil
}

// paperForm is a form as the table has it.
type paperForm struct {
	entry, account, name string
	done                 int64
}

func formOf(ctx context.Context, q db.Querier, window, number string) (*paperForm, error) {
	all, err := db.Query(ctx, q, func(s db.Scanner) (f paperForm, err error) { return f, s.Scan(&f.entry, &f.account, &f.name, &f.done) },
		"SELECT entry, account, name, done FROM paper_form WHERE place = $1 AND number = $2", window, number)
	if err != nil {
		return nil, fmt.Errorf("read a form: %w", err)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return &all[0], nil
}

// Enter takes what somebody has read on a form. What a second person enters has to agree with the first; then it is an answer, marked as
// entered later and by whom. With replace an entry that does not agree takes the first one's place, and waits for another person. Fields
// are those that differ. A Fault says what is wrong with the entry itself.
func (r *Room) Enter(ctx context.Context, w rating.Window, e PaperEntry, who Enterer, replace bool) (out Entered, fields []string,
	err error) {
	e = e.tidy()
	now := time.UnixMilli(r.journal.Now())
	if _, _, err := e.answers(w, nil, now); err != nil {
		return "", nil, err
	}
	f, err := formOf(ctx, r.db, w.ID, e.Number)
	switch {
	case err != nil:
		return "", nil, err
	case f != nil && f.done != 0:
		return EnteredBefore, nil, nil
	case f == nil:
		return EnteredFirst, nil, r.enterFirst(ctx, w.ID, e, who, now, "")
	}
	var first PaperEntry
	if err := json.Unmarshal([]byte(f.entry), &first); err != nil {
		return "", nil, fmt.Errorf("read a form: %w", err)
	}
	if out, fields = compare(first, f.account, e, who.Account); out != EnteredSaved {
		if replace && out == EnteredDiffers || out == EnteredSame && len(first.differs(e)) > 0 {
			return EnteredFirst, nil, r.enterFirst(ctx, w.ID, e, who, now, f.entry)
		}
		return out, fields, nil
	}
	answers, texts, err := e.answers(w, []string{f.name, who.Name}, now)
	if err != nil {
		return "", nil, err
	}
	// The name makes it one answer, whatever comes between this and the table.
	receipt, err := r.journal.Answer(ctx, "paper", w.ID+" "+e.Number, answers, texts)
	if err != nil {
		return "", nil, err
	}
	err = r.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE paper_form SET done = $1, entry = '' WHERE place = $2 AND number = $3", receipt.Pos, w.ID, e.Number)
		return err
	})
	return EnteredSaved, nil, err
}

// errMeanwhile says that somebody else has entered a form at the same moment.
var errMeanwhile = Fault{"另一人刚刚录入了同一张表，请重试", "somebody has entered this form at this moment; try again"}

// enterFirst keeps an entry that waits for a second person, in the place of instead if that is not empty.
func (r *Room) enterFirst(ctx context.Context, window string, e PaperEntry, who Enterer, now time.Time, instead string) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(tx *db.Tx) error {
		// A form that old can be finished no more, and would hide others for ever.
		if _, err := tx.ExecContext(ctx, "DELETE FROM paper_form WHERE done = 0 AND entered < $1", now.Add(-paperLife).UnixMilli()); err != nil {
			return err
		}
		text := `INSERT INTO paper_form (place, number, entry, account, name, entered, done) VALUES ($1, $2, $3, $4, $5, $6, 0)
			ON CONFLICT (place, number) DO NOTHING`
		args := []any{window, e.Number, string(b), who.Account, who.Name, now.UnixMilli()}
		if instead != "" {
			text = "UPDATE paper_form SET entry = $1, account = $2, name = $3, entered = $4 WHERE place = $5 AND number = $6 AND entry = $7 AND " +
				"done = 0"
			args = []any{string(b), who.Account, who.Name, now.UnixMilli(), window, e.Number, instead}
		}
		done, err := tx.ExecContext(ctx, text, args...)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return errMeanwhile
	})
}

// Waiting is a form that waits for a second person. It says nothing of what was entered.
type Waiting struct {
	Window, Number, Name string
	Entered              int64 // milliseconds since 1970-01-01 UTC
	Mine                 bool  // the person who asks has entered it
}

// WaitingPlaces returns the windows of which forms wait.
func (r *Room) WaitingPlaces(ctx context.Context) ([]string, error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (id string, err error) { return id, s.Scan(&id) },
		"SELECT DISTINCT place FROM paper_form WHERE done = 0 ORDER BY place")
	if err != nil {
		return nil, fmt.Errorf("read the windows whose forms wait: %w", err)
	}
	return all, nil
}

// WaitingForms returns up to n forms of up to 30000 windows that wait, those that have waited longest first.
func (r *Room) WaitingForms(ctx context.Context, account string, windows []string, n int) ([]Waiting, error) {
	if len(windows) == 0 {
		return nil, nil
	}
	args, marks := []any{n}, []string{}
	for i, w := range windows {
		args, marks = append(args, w), append(marks, fmt.Sprintf("$%d", i+2))
	}
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (w Waiting, err error) {
		var by string
		err = s.Scan(&w.Window, &w.Number, &w.Name, &w.Entered, &by)
		w.Mine = by == account
		return w, err
	}, "SELECT place, number, name, entered, account FROM paper_form WHERE done = 0 AND place IN ("+strings.Join(marks, ", ")+
		") ORDER BY entered, place, number LIMIT $1", args...)
	if err != nil {
		return nil, fmt.Errorf("read the forms that wait: %w", err)
	}
	return all, nil
}

// IsFault reports whether an error is a fault of the entry, and returns its words.
func IsFault(err error) (f Fault, ok bool) {
	ok = errors.As(err, &f)
	return f, ok
}
