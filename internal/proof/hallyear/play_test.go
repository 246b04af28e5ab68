package hallyear

import (
	"container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"haochaping/internal/central/intake"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

const (
	area    = "620100000000"
	second  = int64(1000)
	minute  = 60 * second
	hour    = 60 * minute
	day     = 24 * hour
	oneTask = "11620100MB0153721"
)

// size is how much is played.
type size struct {
	first, last time.Time // days; the last is not played any more
	windows     int
	visits      int // at a window in a day
	online      int // cases a day
}

// play is a hall in which time passes from one thing that happens to the next.
type play struct {
	*centre
	size
	random  *rand.Rand
	days    notice
	queue   happenings
	boxes   []*box
	cases   map[string]*matter
	said    []said
	persons map[string]said // by visit, the answer about the person that is to count
	stopped map[string]bool
	still   [][2]int64 // when the centre stands still
	n       int
	looks   []int64 // when deadlines and reminders were looked for
}

// happening is something at a time.
type happening struct {
	at    int64
	order int
	do    func()
}

type happenings []happening

func (h happenings) Len() int { return len(h) }
func (h happenings) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h happenings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *happenings) Push(x any)   { *h = append(*h, x.(happening)) }
func (h *happenings) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// at has something happen at a time.
func (p *play) at(when int64, do func()) {
	p.n++
	heap.Push(&p.queue, happening{when, p.n, do})
}

// reach has something happen at the centre at a time, or when it is back.
func (p *play) reach(when int64, do func()) {
	for _, s := range p.still {
		if s[0] <= when && when < s[1] {
			when = s[1] + 1 + p.random.Int64N(minute)
		}
	}
	p.at(when, do)
}

func (p *play) isStill(at int64) bool {
	for _, s := range p.still {
		if s[0] <= at && at < s[1] {
			return true
		}
	}
	return false
}

// until lets time pass.
func (p *play) until(end int64) {
	for len(p.queue) > 0 && p.queue[0].at < end {
		h := heap.Pop(&p.queue).(happening)
		p.clock.Store(max(h.at, p.clock.Load()))
		h.do()
	}
	p.clock.Store(max(end, p.clock.Load()))
}

func (p *play) between(low, high int64) int64 { return low + p.random.Int64N(high-low) }

func (p *play) often(percent int) bool { return p.random.IntN(100) < percent }

func (p *play) name(kind string) string {
	p.n++
	return fmt.Sprintf("%s%d", kind, p.n)
}

// file adds a case.
func (p *play) file(batch, theme string) *matter {
	m := &matter{area: area, project: p.name("P"), batch: batch, theme: theme, task: oneTask}
	if p.often(70) {
		m.number = fmt.Sprint(13800000000 + p.random.IntN(400))
	}
	p.cases[m.key()] = m
	return m
}

// fact is what a business system says of a case.
func (p *play) fact(m *matter, completed, asOf int64, corrects bool) map[string]any {
	f := map[string]any{"area": m.area[:6], "project_no": m.project, "task_code": m.task, "task_name": m.project, "as_of": written(asOf),
		"corrects": corrects}
	for field, value := range map[string]string{"contact": m.number, "batch": m.batch, "theme": m.theme} {
		if value != "" && !corrects {
			f[field] = value
		}
	}
	if completed != 0 {
		f["completed_at"] = written(completed)
	}
	return f
}

func written(ms int64) string { return time.UnixMilli(ms).In(china()).Format(time.RFC3339Nano) }

// learns notes that the centre has heard that a case is completed.
func (p *play) learns(m *matter) {
	if m.learnt == 0 {
		m.learnt = p.clock.Load()
	}
}

// tell has a business system tell of a case: some facts come twice, some late, some are wrong at first.
func (p *play) tell(m *matter, completed int64) {
	key, asOf := p.name("k"), completed+minute
	told := completed
	wrong := p.often(5)
	if wrong {
		told -= p.between(hour, 20*hour)
	}
	m.told = completed
	delay := p.between(2*minute, 10*minute)
	if p.often(20) {
		delay = p.between(hour, 3*day)
	}
	fact := p.fact(m, told, asOf, false)
	send := func() {
		p.learns(m)
		p.ask("business", "/v1/cases", key, map[string]any{"cases": []any{fact}})
	}
	p.reach(completed+delay, send)
	if p.often(10) {
		p.reach(completed+delay+p.between(minute, 2*day), send)
	}
	if wrong {
		right := p.fact(m, completed, asOf+hour, true)
		p.reach(completed+delay+2*hour, func() {
			p.ask("business", "/v1/cases", key+"c", map[string]any{"cases": []any{right}})
		})
	}
}

// accept tells that a case was filed, before or after it is known to be completed.
func (p *play) accept(m *matter, at int64) {
	key, fact := p.name("k"), p.fact(m, 0, at, false)
	p.reach(at+p.between(minute, 12*hour), func() { p.ask("business", "/v1/cases", key, map[string]any{"cases": []any{fact}}) })
}

// a day at the hall, and online.
func (p *play) day(morning int64) {
	if p.days.worked(time.UnixMilli(morning).In(china())) {
		for _, b := range p.boxes {
			p.box(b, morning)
			for range p.visits {
				at := p.between(morning+9*hour, morning+17*hour)
				p.at(at, func() { p.visit(b) })
			}
		}
	}
	for range p.online {
		p.at(p.between(morning, morning+day), p.filedOnline)
	}
	for _, clock := range []int64{10 * minute, 9 * hour, 15 * hour} {
		p.at(morning+clock, p.look)
	}
}

// box starts a box in the morning, and has it be offline at times.
func (p *play) box(b *box, morning int64) {
	p.at(morning+8*hour, func() {
		b.boot++
		b.started, b.unset = p.clock.Load(), 0
		if p.often(20) {
			b.unset = morning + p.between(9*hour, 16*hour)
		}
		switch {
		case b.offline > morning:
		case p.often(4):
			b.offline = morning + p.between(2*day, 12*day)
		case p.often(20):
			b.offline = p.between(morning+9*hour, morning+18*hour)
		}
	})
	// What is written after the clock was set puts right what came before.
	p.at(morning+18*hour, func() {
		p.record(b, rating.EventBody(b.stamp(p.clock.Load()), "evening"))
		p.deliver(b)
	})
}

// deliver hands over what a box has, when it is online and the centre is there.
func (p *play) deliver(b *box) {
	p.reach(max(p.clock.Load()+second, b.offline+minute), func() {
		if b.offline <= p.clock.Load() && b.sent < len(b.records) {
			p.hand(b, p.often(5))
		}
	})
}

// look looks for deadlines and reminders, and has telephones show what came.
func (p *play) look() {
	now := p.clock.Load()
	if p.isStill(now) {
		return
	}
	p.looks = append(p.looks, now)
	if err := p.deadlines.Once(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	for _, m := range p.gateway.take() {
		p.reply(m)
	}
}

// answers notes an answer about a matter.
func (p *play) answers(s said) { p.said = append(p.said, s) }

// reply has somebody answer a message, or stop further ones.
func (p *play) reply(m map[string]string) {
	number := m["to"]
	if p.stopped[number] || strings.HasPrefix(m["text"], "【") || !p.often(40) {
		return
	}
	project, letter, _ := strings.Cut(m["text"], " ")
	of := p.cases[area+" "+project]
	id, level := p.name("mo"), 1+p.random.IntN(5)
	text := fmt.Sprintf("%s%d", letter, level)
	if p.often(3) {
		p.stopped[number] = true
		text = "TD"
	}
	given := p.clock.Load() + p.between(minute, 8*day)
	first := true
	hand := func() {
		received := given + p.between(0, 5*minute)
		got := p.ask("gateway", "/v1/sms/replies", "", map[string]any{"id": id, "number": number, "text": text, "received_at": written(received)})
		if first && text != "TD" {
			if got["outcome"] != "saved" {
				p.t.Fatalf("%s to %q of case %s: %v", text, m["text"], project, got)
			}
			p.answers(said{at: received, level: level, channel: "sms", area: of.area, number: of.project, door: true})
		}
		first = false
	}
	p.reach(given+5*minute+p.between(0, day), hand)
	if p.often(20) {
		p.reach(given+5*minute+p.between(day, 2*day), hand)
	}
}

// paper has two people enter a form about a case.
func (p *play) paper(m *matter, at int64) {
	midnight := time.UnixMilli(at).In(china()).Format("2006-01-02")
	e := intake.PaperEntry{Number: p.name("F"), Day: midnight, Area: m.area, ProjectNo: m.project, Matter: rating.Level(1 + p.random.IntN(5))}
	w := p.boxes[0].window
	enter := func(who string, want intake.Entered) {
		got, _, err := p.room.Enter(context.Background(), w, e, intake.Enterer{Account: who, Name: who}, false)
		if err != nil || got != want {
			p.t.Fatalf("a form: %s, %v", got, err)
		}
	}
	p.reach(at+p.between(minute, day), func() {
		enter("甲", intake.EnteredFirst)
		p.reach(p.clock.Load()+p.between(minute, 2*day), func() {
			enter("乙", intake.EnteredSaved)
			t, _ := time.ParseInLocation("2006-01-02", midnight, china())
			given := min(t.UnixMilli()+day-1, p.clock.Load())
			p.answers(said{at: given, level: int(e.Matter), channel: "paper", area: m.area, number: m.project, door: true})
		})
	})
}

// answered enters a rating by phone behind a box's code.
func (p *play) byPhone(b *box, v rating.VisitID, s rating.Subject, level int) {
	_, err := p.journal.Rate(context.Background(), journal.Rating{Device: b.id, Name: p.name("s"), Received: p.clock.Load(),
		Answers: []rating.Evaluation{{Visit: v, Subject: s, Level: rating.Level(level), Channel: rating.Phone}}})
	must(p.t, err)
}
