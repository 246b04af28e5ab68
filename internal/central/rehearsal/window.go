package rehearsal

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// box is one window's: its key, log and clocks.
type box struct {
	device  rating.DeviceID
	window  rating.Window
	unit    string
	area    string
	staff   []rating.Staff
	matters []string
	key     ed25519.PrivateKey
	epoch   rating.Epoch
	seq     uint64
	visits  uint64
	head    rating.Hash
	started time.Time
	hasty   bool // somebody else presses its keys, before a citizen can read what is asked
}

// newBox returns the box of a window, as it begins.
func (p *play) newBox(place directory.Place) *box {
	id := rating.DeviceID(strings.ToLower(place.Window.ID))
	seed := p.seed(string(id))
	b := &box{device: id, unit: place.Unit().ID, area: place.Area().ID, key: ed25519.NewKeyFromSeed(seed[:]), started: p.Clock.Now(),
		epoch:  rating.Epoch(binary.BigEndian.Uint32(seed[:]) | 1),
		window: rating.Window{ID: place.Window.ID, Name: place.Window.Name, Hall: place.Hall.Name, Area: place.Area().ID, Generation: 1}}
	b.head = rating.Genesis(b.device, b.epoch)
	b.matters = matters(place.Window.Name)
	return b
}

// matters returns what is done at a window, by its name.
func matters(window string) []string {
	for part, all := range map[string][]string{
		"户政": {"居民身份证补领", "户口迁移", "新生儿落户"}, "出入境": {"普通护照首次申领", "往来港澳通行证签注"}, "社保": {"社会保障卡补领", "养老保险关系转移", "失业登记"},
		"企业": {"企业设立登记", "企业变更登记", "食品经营许可"}} {
		if strings.Contains(window, part) {
			return all
		}
	}
	return []string{"城乡居民医保参保登记", "老年人优待证办理", "临时救助申请", "不动产登记查询"}
}

func (b *box) public() ed25519.PublicKey { return b.key.Public().(ed25519.PublicKey) }

// visited is a visit: its records, what a phone says, and what the business system knows of its case.
type visited struct {
	bodies []rating.Body
	phone  []rating.Evaluation
	facts  []journal.Fact
}

// visit plays a visit. Half of the citizens press keys and a tenth use their phones, whatever they think.
func (p *play) visit(b *box, at time.Time) (out visited) {
	b.visits++
	task := one(p, b.matters...)
	project := fmt.Sprintf("%s%s%04d", b.area[:6], at.In(rating.Shanghai()).Format("20060102"), p.next())
	completed := p.often(85)
	v := rating.Visit{ID: rating.VisitID(b.visits), Window: b.window, Grouping: rating.Single, Opener: rating.OpenedByPC, WaitSec: 60,
		Subjects: []rating.Subject{rating.StaffSubject}, Cases: []rating.Case{{ProjectNo: project, TaskCode: code(task), TaskName: task,
			Completed: completed}}}
	if len(b.staff) > 0 {
		v.Staff = one(p, b.staff...)
	}
	f := rating.CaseFact{Area: b.area, ProjectNo: project, TaskCode: code(task), TaskName: task, Unit: b.unit,
		Applicant:  one(p, rating.NaturalPerson, rating.NaturalPerson, rating.Enterprise),
		Handling:   one(p, rating.InHall, rating.InHall, rating.Mixed),
		AcceptedAt: at.Add(-20 * time.Minute).UnixMilli(), AsOf: at.UnixMilli()}
	if completed {
		v.Subjects, f.CompletedAt = append(v.Subjects, rating.MatterSubject), at.UnixMilli()
	}
	out.facts = []journal.Fact{{Fact: f, Contact: p.contact()}}
	stamp := rating.Stamp{Boot: 1, Mono: at.Sub(b.started).Milliseconds(), Wall: at.UnixMilli(), Synced: true}
	out.bodies = []rating.Body{rating.VisitBody(stamp, v)}
	kind, outcome := p.random.IntN(100), rating.TimedOut
	var rated []rating.Subject
	for _, s := range v.Subjects {
		e := rating.Evaluation{Visit: v.ID, Subject: s, Level: p.level(b.unit), Channel: rating.Keypad, WaitedMS: 1500 + p.random.Int64N(6000)}
		if b.hasty {
			e.WaitedMS /= 5
		}
		switch {
		case kind < 55:
			out.bodies = append(out.bodies, rating.EvaluationBody(stamp.Add(time.Duration(len(out.bodies))*6*time.Second), e))
			outcome, rated = rating.Rated, append(rated, s)
		case kind < 65:
			e.Channel, e.WaitedMS, e.Text = rating.Phone, 0, p.words(e.Level)
			out.phone = append(out.phone, e)
		}
	}
	out.bodies = append(out.bodies, rating.OutcomeBody(stamp.Add(70*time.Second), rating.Closing{Visit: v.ID, Outcome: outcome, Rated: rated}))
	return out
}

// code returns the code of a matter.
func code(task string) string {
	return fmt.Sprintf("11629900MB%07d", len(task)*131+int([]rune(task)[0]))
}

func (p *play) next() int {
	p.n++
	return p.n % 10000
}

// contact returns a number that nobody has, or none.
func (p *play) contact() string {
	if p.often(45) {
		return ""
	}
	return fmt.Sprintf("1390000%04d", p.random.IntN(10000))
}

// words returns what a citizen writes with a level, mostly nothing.
func (p *play) words(l rating.Level) string {
	switch {
	case l.Bad():
		return one(p, "取号以后等了一个多小时，窗口只开了一个", "材料跑了两趟，第一次没有说清楚", "态度生硬，问一句答半句", "")
	case p.often(80):
		return ""
	case l == 3:
		return one(p, "等候时间偏长", "指示牌不太好找")
	}
	return one(p, "办得很快", "讲解耐心", "一次就办好了")
}

// batch signs records as the box does.
func (b *box) batch(bodies []rating.Body) (journal.Entry, error) {
	w := wire.Batch{Device: b.device, Epoch: b.epoch, First: b.seq + 1, Released: b.seq}
	for _, body := range bodies {
		b.seq++
		raw, err := rating.Record{V: rating.RecordVersion, Device: b.device, Epoch: b.epoch, Seq: b.seq, Prev: b.head, Body: body}.Encode()
		if err != nil {
			return journal.Entry{}, err
		}
		b.head = rating.HashOf(raw)
		w.Records = append(w.Records, raw)
	}
	w.Sign(b.key)
	return journal.Entry{Kind: journal.Batch, Source: string(b.device), Key: b.public(), Signature: w.Signature, Epoch: w.Epoch,
		First: w.First, Released: w.Released, Parts: w.Records}, nil
}

// online has cases completed wholly online, some of which are rated at the portal, in the app, by telephone or by message.
func (p *play) online(ctx context.Context) error {
	var facts []journal.Fact
	var answers []journal.Answer
	var texts []string
	now := p.Clock.Now()
	for range 3 + p.random.IntN(4) {
		b := one(p, p.boxes...)
		task, at := one(p, b.matters...), now.Add(-time.Duration(30+p.random.IntN(500))*time.Minute)
		k := rating.CaseKey{Area: b.area, Project: fmt.Sprintf("%sW%s%04d", b.area[:6], at.In(rating.Shanghai()).Format("20060102"), p.next())}
		facts = append(facts, journal.Fact{Contact: p.contact(), Fact: rating.CaseFact{Area: k.Area, ProjectNo: k.Project, TaskCode: code(task),
			TaskName: task, Unit: b.unit, Applicant: rating.NaturalPerson, Handling: rating.Online, AcceptedAt: at.UnixMilli() - 3*3600_000,
			CompletedAt: at.UnixMilli(), AsOf: at.UnixMilli()}})
		if p.often(45) {
			l := p.level(b.unit)
			answers = append(answers, journal.Answer{Case: k, Level: l, At: at.Add(15 * time.Minute).UnixMilli(),
				Channel: one(p, rating.Portal, rating.App, rating.MiniProgram, rating.Voice, rating.SMS)})
			texts = append(texts, p.words(l))
		}
	}
	if _, err := p.Journal.Tell(ctx, business, p.name("cases"), facts); err != nil || len(answers) == 0 {
		return err
	}
	_, err := p.Journal.Answer(ctx, business, p.name("answers"), answers, texts)
	return err
}

// leave takes boxes off their windows. All that they have recorded has come.
func (p *play) leave(ctx context.Context) error {
	windows := p.Leave
	if slices.Contains(windows, All) {
		windows = nil
		for _, b := range p.boxes {
			windows = append(windows, b.window.ID)
		}
	}
	for _, window := range windows {
		i := slices.IndexFunc(p.boxes, func(b *box) bool { return b.window.ID == window })
		if i < 0 {
			return fmt.Errorf("there is no window %q", window)
		}
		b := p.boxes[i]
		d, err := p.Fleet.Device(ctx, b.device)
		if err != nil {
			return err
		}
		x := enrol.Retirement{Window: window, Until: journal.Until{Epoch: b.epoch, Last: b.seq, Head: b.head}}
		d.Follows, d.Retired = false, &x.Until
		d.Window.Generation++
		if err := p.Fleet.Put(ctx, d); err != nil {
			return err
		}
		data, err := json.Marshal(x)
		if err != nil {
			return err
		}
		if _, err := p.Journal.Do(ctx, account, "", journal.Act{Do: "fleet.replace", Object: string(b.device), Data: data, Domain: b.area},
			nil); err != nil {
			return err
		}
	}
	return nil
}
