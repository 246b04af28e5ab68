package rehearsal

import (
	"context"
	"errors"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/rectify"
)

// morning is the work on orders, and on results.
func (p *play) morning(ctx context.Context, day directory.Day, full bool) error {
	if full {
		if err := p.look(ctx, full); err != nil {
			return err
		}
	}
	if err := p.work(ctx); err != nil {
		return err
	}
	return p.decide(ctx, day)
}

// work is that units and offices look at which orders are due, and do something about most of them.
func (p *play) work(ctx context.Context) error {
	at := p.Clock.Now()
	if p.n > 0 && p.often(8) {
		if err := p.complain(ctx); err != nil {
			return err
		}
	}
	all, err := p.Orders.Due(ctx, rectify.Filter{Limit: 500})
	if err != nil {
		return err
	}
	for i, l := range all {
		p.Clock.Set(at.Add(time.Duration(1+i) * time.Minute))
		if !p.often(55) { // not today
			continue
		}
		do, words := p.deed(l.Kept)
		if do == "" {
			continue
		}
		e := rectify.Event{Do: do, Days: rectify.MostDays, Side: rectify.OfCitizen}
		if all := do.Methods(); len(all) > 0 {
			e.Method = one(p, rectify.ByPhone, rectify.ByPhone, rectify.ByPhone, rectify.InFace)
		}
		switch all := do.Results(); {
		case do == rectify.Contact:
			e.Result = one(p, rectify.Talked, rectify.Talked, rectify.Talked, rectify.Declined)
		case len(all) > 0:
			e.Method, e.Result = rectify.ByPhone, one(p, rectify.NoAnswer, rectify.NoAnswer, rectify.Rejected, rectify.SwitchedOff)
		}
		var refusal *rectify.Refusal
		_, err := p.Orders.Do(ctx, rectify.By{Account: account}, l.Kept, e, words)
		if err != nil && !errors.As(err, &refusal) && !errors.Is(err, rectify.ErrMeanwhile) {
			return err
		}
	}
	return nil
}

// deed returns what is done next about a part, and in which words; nothing where nobody does.
func (p *play) deed(k rectify.Kept) (rectify.Deed, string) {
	b := k.Body
	switch b.State {
	case rectify.Waiting:
		switch {
		case !b.Named:
			return rectify.Verify, "评价人未留联系方式，已调取取号记录和窗口录像核实。"
		case p.often(25):
			return rectify.Miss, ""
		}
		return rectify.Contact, one(p, "已向评价人了解情况：当日等候时间较长。", "已沟通：首次告知的材料不完整，评价人多跑一趟。", "已沟通：对窗口答复方式不满意。")
	case rectify.Contacted:
		switch {
		case p.often(12):
			return rectify.Claim, "评价人说明系误按，本意为满意。"
		case p.often(45):
			return rectify.BeginAtOnce, ""
		}
		return rectify.Plan, "涉及窗口排班，列入台账。"
	case rectify.AtOnce, rectify.Limited:
		switch {
		case b.State == rectify.Limited && b.Days < rectify.MostDays && p.often(10):
			return rectify.Extend, "需调整两个部门的排班，已电话向评价人说明。"
		case p.often(30):
			return "", ""
		}
		return rectify.Reply, one(p, "自下周一起上午增开一个窗口，并在取号屏显示预计等候时间。", "已修订一次性告知单，并对窗口人员培训。", "已约谈窗口人员，责令向评价人当面致歉。")
	case rectify.Reviewing:
		return one(p, rectify.Uphold, rectify.Reject), "经核对通话记录和评价时间，意见如上。"
	case rectify.Replied:
		if p.often(12) {
			return rectify.Return, "请写明落实的时间和负责人。"
		}
		return rectify.Pass, ""
	case rectify.FollowingUp:
		switch {
		case !b.Named:
			return rectify.Skip, "未留联系方式，无法回访。"
		case p.often(20):
			return rectify.Unreached, ""
		case p.often(12):
			return rectify.Dissatisfied, "评价人认为尚未解决。"
		}
		return rectify.Satisfied, "评价人对整改表示满意。"
	case rectify.Appealing:
		return rectify.Dismiss, "经复查，维持原结论。"
	}
	return "", ""
}

// complain has the hotline hand on a complaint.
func (p *play) complain(ctx context.Context) error {
	b := one(p, p.boxes...)
	_, _, err := p.Orders.Complain(ctx, rectify.By{Account: account}, p.name("complaint"), rectify.Complained{Way: rectify.ByHotline,
		Number: p.name("12345"), Unit: b.unit, Matter: one(p, b.matters...), Place: b.window.Name,
		Words: one(p, "电话一直占线，咨询不到所需材料。", "网上预约了，到现场还要重新取号排队。"), Contact: p.contact()})
	return err
}
