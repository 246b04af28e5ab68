package rectify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

const (
	textsName = "orders texts" // the lease of the instance that writes to citizens
	textsLife = 24 * time.Hour // what was done longer ago is not written of any more
	askedLife = time.Hour      // for so long a gateway that does not answer is asked what has become of a message
)

// Messages sends short messages by day, and to nobody who wants none.
type Messages interface {
	// Awake reports whether messages can be sent now.
	Awake() bool
	Write(context.Context, deadline.Note) (deadline.Outcome, error)
	// Over has no reply wait any more for a note.
	Over(ctx context.Context, name string) error
	// Became returns what has become of a note whose outcome was lost, as far as the gateway can say: deadline.Unclear if it cannot.
	Became(ctx context.Context, name string) (deadline.Outcome, error)
}

// Texts writes short messages to citizens who can be reached: what they think of the work on their rating, if the office asks so (article
// 18); that it takes longer (article 16: 需向评价人说明理由); that their rating was not adopted (article 17), against which they may appeal; and
// once that a call did not reach them. A message names neither a person nor a
// matter, and does not say that anybody was rated: others read it too. What stands behind it is on the page of its link. Each is sent
// once at most, and what became of it is an act. Nobody is written to about a clue.
type Texts struct {
	Orders   *Orders
	Messages Messages
	Link     func(about string) (string, error) // address of a page that says more; nil where no text has {link}
	Ask      string                             // with {letter} and {link}
	Extended string                             // with {day} and {link}
	Missed   string
	Refused  string // with {link}
	Logger   *slog.Logger
}

// Run writes until ctx ends, and gives back the lease.
func (x Texts) Run(ctx context.Context) error {
	tick := time.NewTicker(hookPause)
	defer tick.Stop()
	said := ""
	for {
		err := x.Once(ctx)
		switch {
		case ctx.Err() != nil:
			return x.Orders.giveBack(ctx, textsName)
		case err == nil:
			said = ""
		case err.Error() != said:
			said = err.Error()
			x.Logger.Error("messages about orders have to wait; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// Once writes what was not written, if people may be written to now and no other instance does. What was done before it first ran is not
// written. A question that is over waits for no reply any more, also at night.
func (x Texts) Once(ctx context.Context) error {
	err := x.Orders.tellEach(ctx, textsName, byQuestion, func() bool { return true }, x.over)
	if err == nil {
		err = x.lost(ctx)
	}
	if err != nil {
		return err
	}
	return x.Orders.tellEach(ctx, textsName, byText, x.Messages.Awake, x.tell)
}

// over has no reply wait any more for what a part was asked by message, once that is over.
func (x Texts) over(ctx context.Context, u untold, noted func() error) error {
	if u.part != 0 {
		_, k, err := x.Orders.part(ctx, u.order, u.part)
		if err != nil {
			return err
		}
		if k.Body.Asked != 0 && k.Body.State != FollowingUp {
			if err := x.Messages.Over(ctx, k.asked(k.Body.Asked)); err != nil {
				return err
			}
		}
	}
	return noted()
}

// lost enters what has become of a message that an instance was sending when it ended. It is never sent again by itself.
func (x Texts) lost(ctx context.Context) error {
	o := x.Orders
	if held, err := o.cfg.Journal.Lease(ctx, textsName, o.cfg.Holder, tellLease); err != nil || !held {
		return err
	}
	pos, since, err := o.sending(ctx)
	if err != nil || pos == 0 {
		return err
	}
	a, err := o.actAt(ctx, pos)
	if err != nil {
		return err
	}
	d, _, err := doneOf(a)
	if err != nil {
		return err
	}
	order, part, err := parseObject(a.Object)
	if err != nil {
		return err
	}
	_, k, err := o.part(ctx, order, part)
	if err != nil {
		return err
	}
	outcome, err := x.Messages.Became(ctx, k.asked(d.At))
	if err != nil && o.now()-max(since, d.At) < askedLife.Milliseconds() {
		return err
	}
	if err != nil {
		outcome = deadline.Unclear
	}
	return x.become(ctx, pos, k, d, outcome, "")
}

// tell writes what an act has a citizen told.
func (x Texts) tell(ctx context.Context, u untold, noted func() error) error {
	o := x.Orders
	a, err := o.actAt(ctx, u.pos)
	if err != nil {
		return err
	}
	d, known, err := doneOf(a)
	switch {
	case err != nil:
		return err
	case !known || a.Few:
		return noted()
	}
	order, k, err := o.part(ctx, u.order, u.part)
	if err != nil {
		return err
	}
	text, err := x.text(ctx, u.pos, k, d)
	switch {
	case err != nil:
		return err
	case text == "":
		return noted()
	case o.now()-d.At > textsLife.Milliseconds():
		if err := noted(); err != nil {
			return err
		}
		return x.enter(ctx, k, Event{Do: Unsent, At: o.now(), Of: d.At}, "过了一天，没有再发")
	}
	return x.write(ctx, u.pos, order, k, d, text)
}

// text returns what a citizen is told of the deed of a row as things stand now, empty: nothing.
func (x Texts) text(ctx context.Context, pos int64, k Kept, d Event) (string, error) {
	text := ""
	switch p := k.Body; {
	case !p.Named:
	case d.Do == Ask && p.State == FollowingUp && p.Asked == d.At:
		text = x.Ask
	case p.State == NotAdopted && (d.Do == Uphold || d.Do == Grant && p.Since == d.At):
		text = x.Refused
	case d.Do == Extend && p.State == Limited && p.Days == d.Days:
		day := x.Orders.cfg.Terms.End(p).At.Add(-time.Second).In(rating.Shanghai())
		text = strings.ReplaceAll(x.Extended, "{day}", fmt.Sprintf("%d月%d日", day.Month(), day.Day()))
	case d.Do == Miss && p.Reached == 0:
		first, err := x.Orders.firstMiss(ctx, k, pos)
		if err != nil || !first {
			return "", err
		}
		text = x.Missed
	}
	if !strings.Contains(text, "{link}") {
		return text, nil
	}
	address, err := x.Link(k.asked(d.At))
	return strings.ReplaceAll(text, "{link}", address), err
}

// write sends a message once that it is noted, and enters what became of it.
func (x Texts) write(ctx context.Context, pos int64, order Order, k Kept, d Event, text string) error {
	o := x.Orders
	number, err := o.number(ctx, order, k)
	if err != nil {
		return err
	}
	if err := o.noteSending(ctx, pos); err != nil {
		return err
	}
	if number == "" {
		return x.become(ctx, pos, k, d, deadline.Stopped, "没有可用的手机号码")
	}
	n := deadline.Note{Name: k.asked(d.At), Number: number, Text: text, Area: k.Body.Area}
	if d.Do == Ask {
		n.About = n.Name
	}
	outcome, err := x.Messages.Write(ctx, n)
	if errors.Is(err, deadline.ErrNight) {
		return x.become(ctx, pos, k, d, deadline.Refused, "已过可以发短信的时间，没有发送")
	}
	if err != nil {
		return err
	}
	return x.become(ctx, pos, k, d, outcome, "")
}

// become enters what became of a message, in other words than usual where some are given, and notes that none is being sent.
func (x Texts) become(ctx context.Context, pos int64, k Kept, d Event, outcome deadline.Outcome, words string) error {
	said := Event{Do: Unsent, At: x.Orders.now(), Of: d.At}
	switch outcome {
	case deadline.Sent:
		said.Do = Sent
	case deadline.Stopped:
		words = cmp.Or(words, "号码已退订短信")
	case deadline.Refused:
		words = cmp.Or(words, "短信网关没有接收")
	default: // it may have been sent: what the citizen replies holds, and it is not asked again by message
		said.Do, words = Unclear, "发送时中断，网关也不能说明；不会自动重发，请以电话联系"
	}
	if err := x.enter(ctx, k, said, words); err != nil {
		return err
	}
	return x.Orders.notSending(ctx, pos)
}

// enter enters what became of a message, also where somebody else works on the part meanwhile.
func (x Texts) enter(ctx context.Context, k Kept, said Event, words string) (err error) {
	for range attempts {
		said.At = max(said.At, k.Body.Since)
		_, err = x.Orders.do(ctx, By{Account: Source}, "text "+k.asked(said.Of), k, said, words)
		if !errors.Is(err, ErrMeanwhile) {
			return err
		}
		if _, k, err = x.Orders.part(ctx, k.Order, k.Part); err != nil {
			return err
		}
	}
	return ErrMeanwhile
}

// number returns the mobile number of the citizen of a part, empty if nobody knows it. It is read for the sending alone.
func (o *Orders) number(ctx context.Context, x Order, k Kept) (string, error) {
	if x.About.Complaint != nil {
		text, err := o.Person(ctx, x)
		return mobile(text), erased(err)
	}
	d, found, err := o.cfg.Books.Counted(ctx, x.About.Evaluation)
	if err != nil || !found {
		return "", err
	}
	handled, err := o.handled(ctx, d)
	if err != nil {
		return "", err
	}
	for _, c := range d.Contests {
		own := len(x.Parts) == 1 || handled(c).Unit == k.Body.Origin
		if c.File == nil || c.File.Contact == 0 || !own || c.Standing != rating.Counted && c.Standing != rating.NotAdopted {
			continue
		}
		pos, part := books.Entry{Cursor: c.File.Contact}.Pos()
		text, err := o.cfg.Journal.Text(ctx, pos, part)
		if number := mobile(text); number != "" || erased(err) != nil {
			return number, erased(err)
		}
	}
	return "", nil
}

// erased returns an error unless it is that a text was erased, which is then unknown.
func erased(err error) error {
	if errors.Is(err, journal.ErrErased) {
		return nil
	}
	return err
}

// mobile returns the mobile number of the mainland in what a citizen has left, empty unless there is exactly one.
func mobile(contact string) string {
	one := regexp.MustCompile(`(?:^|[^0-9])(?:(?:00|\+)?86)?(1[3-9][0-9]{9})(?:[^0-9]|$)`)
	found := one.FindAllStringSubmatch(contact, -1)
	if len(found) == 0 {
		found = one.FindAllStringSubmatch(strings.NewReplacer(" ", "", "-", "").Replace(contact), -1)
	}
	if len(found) != 1 {
		return ""
	}
	return found[0][1]
}

// firstMiss reports whether no call before that of a row has missed the citizen of a part.
func (o *Orders) firstMiss(ctx context.Context, k Kept, pos int64) (bool, error) {
	all, err := o.History(ctx, k.Order, NoClues)
	for _, s := range all {
		if s.Part == k.Part && s.Do == Miss {
			return s.Pos == pos, nil
		}
	}
	return false, err
}

// part returns an order, and a part of it as it stands.
func (o *Orders) part(ctx context.Context, order, part int64) (Order, Kept, error) {
	x, err := o.Order(ctx, order)
	if err != nil {
		return x, Kept{}, err
	}
	for _, k := range x.Parts {
		if k.Part == part {
			return x, k, nil
		}
	}
	return x, Kept{}, ErrNoOrder
}
