package rectify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
)

// Bounds of what is said of a deed, in characters.
const (
	leastWords = 2
	MostWords  = 1000
)

// By is who does something.
type By struct {
	Account string
	Session string // by which they are known, as a name that opens nothing
}

// Do does something about a part of an order as somebody saw it, enters it into the journal, and returns the part. Who may do it is for the
// caller to say; what the machine does not allow is a Refusal, and ErrMeanwhile if somebody else was faster. Of an event, days and unit are
// the caller's.
func (o *Orders) Do(ctx context.Context, by By, seen Kept, e Event, words string) (Kept, error) {
	about, ok := e.Do.About()
	if !ok || about.By == Books {
		return seen, refuse("没有这一操作。", "There is no such deed.")
	}
	words = strings.TrimSpace(words)
	n := utf8.RuneCountInString(words)
	if n > MostWords || !utf8.ValidString(words) || about.Words && n < leastWords {
		return seen, refuse(fmt.Sprintf("请写明情况（%d 至 %d 字）。", leastWords, MostWords),
			fmt.Sprintf("Say why, what or how, in %d to %d characters.", leastWords, MostWords))
	}
	if unedited(words) {
		return seen, refuse("模板中【】里的内容还没有改写，请按实际情况填写后再提交。", "Replace what stands in 【】: a template is no answer.")
	}
	if err := e.choose(); err != nil {
		return seen, err
	}
	e.At = o.now()
	if err := o.check(ctx, seen, &e); err != nil {
		return seen, err
	}
	if _, err := Apply(seen.Body, e); err != nil {
		return seen, err
	}
	return o.do(ctx, by, "", seen, e, words)
}

// check completes an event, and returns why it cannot be, by what lies outside of the machine. What the deed does not ask for is dropped:
// it would be kept in the journal for good.
func (o *Orders) check(ctx context.Context, seen Kept, e *Event) error {
	p := seen.Body
	e.Area, e.Of = "", 0
	if e.Do != Extend {
		e.Days = 0
	}
	if e.Do != Move && e.Do != Assign {
		e.Unit = ""
	}
	switch e.Do {
	case Extend:
		if end := o.cfg.Terms.End(p).At; !time.UnixMilli(e.At).Before(end) {
			return refuse("整改期限已过，不能再申请延期。", "The time is over; it cannot be extended any more.")
		}
	case Move, Assign:
		a, err := o.cfg.Directory.Atlas(ctx)
		if err != nil {
			return err
		}
		unit, ok := a.At(directory.Unit, e.Unit, directory.DayOf(time.UnixMilli(e.At)))
		if !ok {
			return refuse("机构信息中没有这个单位，请填写统一社会信用代码。", "The organisation has no such unit; write its credit code.")
		}
		e.Area = unit.Area
	case Dissatisfied, Grant:
		e.Days = Days
	case Ask:
		if !o.cfg.Texts {
			return refuse("中心没有配置短信网关，请电话回访。", "The centre has no gateway for messages; call the citizen.")
		}
	}
	if e.Cases = nil; (e.Do == Uphold || refusing(p, *e)) && !p.Complaint {
		return o.refuses(ctx, seen, e)
	}
	return nil
}

// do enters a deed.
func (o *Orders) do(ctx context.Context, by By, name string, seen Kept, e Event, words string) (Kept, error) {
	data, err := json.Marshal(Done{seen.Changed, e})
	if err != nil {
		return seen, err
	}
	a := journal.Act{Do: prefix + string(e.Do), Object: objectOf(seen.Order, seen.Part), By: by.Session, Data: data, Domain: seen.Body.Area,
		Few: seen.Body.Secret || e.Do == Refer}
	if a.Adoption, err = o.adoption(ctx, seen, e); err != nil { // the books follow it
		return seen, err
	}
	if _, err := o.say(ctx, by.Account, name, a, words); err != nil {
		return seen, err
	}
	x, err := o.Order(ctx, seen.Order)
	if err != nil {
		return seen, err
	}
	i := slices.IndexFunc(x.Parts, func(k Kept) bool { return k.Part == seen.Part })
	if i < 0 {
		return seen, ErrNoOrder
	}
	return x.Parts[i], nil
}

// say enters an act and does what it says, in one transaction. What people were told before is not told again with what the journal says
// around it.
func (o *Orders) say(ctx context.Context, account, name string, a journal.Act, words string) (journal.Receipt, error) {
	r, err := o.cfg.Journal.Say(ctx, account, name, a, words, func(ctx context.Context, tx *db.Tx, pos int64) error {
		return o.enter(ctx, tx, pos, a)
	})
	var refusal *Refusal
	switch {
	case errors.Is(err, ErrMeanwhile):
		err = ErrMeanwhile
	case errors.As(err, &refusal):
		err = refusal
	}
	return r, err
}
