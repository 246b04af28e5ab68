package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/report"
)

// Figures count what was played.
type Figures interface{ Once(context.Context) error }

// Proposals are orders to mend and tasks, as they follow from the figures of closed months.
type Proposals interface {
	Once(context.Context) (opened int, err error)
}

// approver is who approves and publishes what the account has drafted.
const approver = "演练审批"

const (
	closes  = 7  // days after which proposals look at a month
	settles = 31 // days after which a month is published
)

// decide is the work on results: offices order to mend and hand on what is proposed, units report, and months are published.
func (p *play) decide(ctx context.Context, day directory.Day) error {
	if m := monthOf(day - closes); m.From != p.proposed {
		p.proposed = m.From
		if err := p.count(ctx); err != nil {
			return err
		}
		if _, err := p.Proposals.Once(ctx); err != nil {
			return err
		}
	}
	if err := p.draft(ctx, day); err != nil {
		return err
	}
	for _, kind := range []dossier.Kind{dossier.Mend, dossier.Problem, dossier.Publication} {
		all, err := p.Dossiers.List(ctx, dossier.Filter{Kind: kind, Limit: 100})
		if err != nil {
			return err
		}
		for _, k := range all {
			if err := p.pursue(ctx, k); err != nil {
				return fmt.Errorf("%s %q: %w", kind, k.Title, err)
			}
		}
	}
	return nil
}

// count has the figures follow what was played.
func (p *play) count(ctx context.Context) error {
	if err := p.follow(ctx); err != nil {
		return err
	}
	return p.Figures.Once(ctx)
}

func monthOf(d directory.Day) directory.Period {
	y, m, _ := d.Start().Date()
	return directory.Period{From: directory.Date(y, m, 1), To: directory.Date(y, m+1, 1)}
}

// draft begins the result of a month that was played as a whole: of the city, and of its counties too where it is the last one.
func (p *play) draft(ctx context.Context, day directory.Day) error {
	m := monthOf(day - settles)
	for m.To+settles > day {
		m = monthOf(m.From - 1)
	}
	if m.From <= p.drafted || m.From < p.first {
		return nil
	}
	p.drafted = m.From
	if err := p.count(ctx); err != nil {
		return err
	}
	areas := p.areas()
	if monthOf(m.To).To+settles <= directory.DayOf(p.until) {
		areas = areas[:1]
	}
	for _, area := range areas {
		_, err := p.publications().Draft(ctx, dossier.By{Account: account}, area, m)
		if err != nil && !errors.Is(err, report.ErrDiscloses) {
			return err
		}
	}
	return nil
}

func (p *play) publications() report.Publications {
	return report.Publications{Reports: p.Reports, Dossiers: p.Dossiers}
}

// areas returns the city of the first box and then the counties of it that have boxes.
func (p *play) areas() (all []string) {
	city := p.boxes[0].area[:4]
	for _, b := range p.boxes {
		if county := b.area[:6] + "000000"; b.area[:4] == city && b.area[4:6] != "00" && !slices.Contains(all, county) {
			all = append(all, county)
		}
	}
	slices.Sort(all)
	return append([]string{city + "00000000"}, all...)
}

// pace says after how many days something is done about a proposal.
type pace struct{ order, answer, accept int }

// paceOf returns how a proposal is worked on, so that there are some of each state.
func paceOf(k dossier.Kept) pace {
	switch what, _, _ := strings.Cut(k.Name, " "); {
	case k.Kind == dossier.Mend:
		return pace{2, 9, 34}
	case what == "hall":
		return pace{1, 8, 12}
	case what == "unit":
		return pace{2, 27, 33}
	}
	return pace{18, 25, 30}
}

// pursue does what is next about a dossier, if anything is.
func (p *play) pursue(ctx context.Context, k dossier.Kept) error {
	e, who, words := p.step(k)
	if e.Do == "" {
		return nil
	}
	if e.Do == dossier.Publish {
		var err error
		if k, err = p.Dossiers.Dossier(ctx, k.ID); err != nil { // with what was found
			return err
		}
		if e.After, err = p.Dossiers.Published(ctx, k.Kind); err != nil {
			return err
		}
		if err := p.publications().Check(ctx, k); err != nil {
			return err
		}
	}
	_, err := p.Dossiers.Do(ctx, dossier.By{Account: who}, k, e, words)
	return err
}

// step returns what is done next about a dossier, by whom, and in which words; nothing where nobody does.
func (p *play) step(k dossier.Kept) (e dossier.Event, who, words string) {
	if k.Kind == dossier.Publication {
		return p.publish(k)
	}
	now, pace := p.Clock.Now(), paceOf(k)
	age := int(now.Sub(time.UnixMilli(k.Opened)) / (24 * time.Hour))
	due := now.AddDate(0, 0, 30).UnixMilli()
	switch {
	case k.State == dossier.Waiting && age >= pace.order && k.Kind == dossier.Mend:
		return dossier.Event{Do: dossier.Issue, Due: due}, account, "连续三个月靠后，请查明原因、限期整改，到期书面报告。"
	case k.State == dossier.Waiting && age >= pace.order:
		return dossier.Event{Do: dossier.Assign, Owner: p.poor, Due: due}, account, "请牵头分析差评原因，提出解决办法和时间。"
	case k.State == dossier.Assigned && age >= pace.answer:
		return dossier.Event{Do: dossier.Answer}, account, "已增开一个窗口，公示一次性告知单，并逐件回访了差评人。"
	case k.State == dossier.Answered && age >= pace.accept:
		return dossier.Event{Do: dossier.Accept}, account, "已到现场查看，整改属实，此后两周差评明显减少。"
	}
	return dossier.Event{}, "", ""
}

// publish returns what is done next about a result. The city's is published, the first county's waits for other eyes, others are drafts.
func (p *play) publish(k dossier.Kept) (e dossier.Event, who, words string) {
	i := slices.Index(p.areas(), k.Area)
	switch {
	case i > 1:
	case k.State == dossier.Waiting && k.Draft == "":
		return dossier.Event{Do: dossier.Edit, Draft: "现将本期政务服务好差评结果公布如下。小于 10 的数和可推得的数不公布。"}, account, ""
	case k.State == dossier.Waiting:
		return dossier.Event{Do: dossier.Submit}, account, ""
	case i == 1:
	case k.State == dossier.Submitted:
		return dossier.Event{Do: dossier.Approve}, approver, ""
	case k.State == dossier.Approved:
		return dossier.Event{Do: dossier.Publish}, approver, ""
	}
	return dossier.Event{}, "", ""
}
