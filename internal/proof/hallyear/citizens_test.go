package hallyear

import (
	"fmt"

	"haochaping/internal/rating"
)

// visit serves somebody at a window: one case, some filed at once, or what belongs to one event of life.
func (p *play) visit(b *box) {
	now := p.clock.Load()
	v := rating.Visit{ID: rating.VisitID(len(b.records)+1)<<16 | rating.VisitID(p.n&0xffff), Window: b.window, Staff: rating.Staff{ID: "0417"},
		Opener: rating.OpenedByPC, WaitSec: 60,
		Grouping: rating.Single, Subjects: []rating.Subject{rating.StaffSubject}}
	var here []*matter
	done, asks := true, said{channel: "keypad"}
	switch kind := p.random.IntN(20); {
	case kind < 2:
		v.Grouping = rating.Batch
		batch := p.name("B")
		for range 2 + p.random.IntN(3) {
			here = append(here, p.file(batch, ""))
		}
	case kind < 4:
		v.Grouping = rating.Theme
		theme := p.name("T")
		for range 2 + p.random.IntN(2) {
			here = append(here, p.file("", theme))
			here[len(here)-1].task = here[len(here)-1].project // each of another task
		}
		asks.theme = theme
	default:
		here = append(here, p.file("", ""))
		done = p.often(60)
	}
	for i, m := range here {
		completes := done && (v.Grouping != rating.Batch || i == 0 || p.often(50)) // others of a batch are completed later
		v.Cases = append(v.Cases, rating.Case{ProjectNo: m.project, Area: m.area, TaskCode: m.task, TaskName: m.project, Completed: completes})
		p.follows(b, m, completes, now)
	}
	if done {
		v.Subjects = append(v.Subjects, rating.MatterSubject)
	}
	p.record(b, rating.VisitBody(b.stamp(now), v))
	p.keys(b, v, here, asks)
	p.deliver(b)
}

// follows says what the business system does with a case that was filed at a window.
func (p *play) follows(b *box, m *matter, completes bool, now int64) {
	p.accept(m, now)
	if completes {
		m.visit = true
		b.waits = append(b.waits, func() { p.learns(m) })
	}
	switch {
	case completes && p.often(50): // else the visit alone says it
		p.tell(m, now+p.between(minute, 4*hour))
	case !completes && p.often(90): // else it is never completed
		p.later(m, now+p.between(hour, 10*day))
	}
}

// later has a back office complete a case, and its applicant rate it or not.
func (p *play) later(m *matter, at int64) {
	p.at(at, func() {
		p.tell(m, at)
		p.afterwards(m, at)
	})
}

// keys has somebody press keys at the window, or rate by phone behind the code, or both, or neither.
func (p *play) keys(b *box, v rating.Visit, here []*matter, asks said) {
	at := p.clock.Load() + p.between(5*second, 40*second)
	for i, s := range v.Subjects {
		at += int64(i) * 10 * second
		level := 1 + p.random.IntN(5)
		heard := func(when int64, level int) {
			if s == rating.StaffSubject {
				key := fmt.Sprint(b.id, v.ID)
				if before, ok := p.persons[key]; !ok || when < before.at {
					p.persons[key] = said{at: when, level: level}
				}
				return
			}
			x := asks
			x.at, x.level = when, level
			if x.theme == "" {
				x.area, x.number = here[0].area, here[0].project
			}
			p.answers(x)
		}
		if p.often(50) {
			seq := p.record(b, rating.EvaluationBody(b.stamp(at),
				rating.Evaluation{Visit: v.ID, Subject: s, Level: rating.Level(level), Channel: rating.Keypad}))
			if p.often(10) { // it was the wrong key
				level = 1 + p.random.IntN(5)
				p.record(b, rating.EvaluationBody(b.stamp(at+3*second),
					rating.Evaluation{Visit: v.ID, Subject: s, Level: rating.Level(level), Channel: rating.Keypad, Replaces: seq}))
			}
			heard(at, level)
		}
		if phone := at + p.between(minute, 20*minute); p.often(15) && !p.isStill(phone) {
			level := 1 + p.random.IntN(5)
			p.at(phone, func() {
				heard(p.clock.Load(), level)
				p.byPhone(b, v.ID, s, level)
			})
		}
	}
}

// filedOnline completes a case online or at a terminal.
func (p *play) filedOnline() {
	now := p.clock.Load()
	theme := ""
	if p.often(10) {
		theme = p.name("T")
	}
	m := p.file("", theme)
	if theme == "" && p.often(15) {
		p.terminal(m)
		return
	}
	p.accept(m, now)
	if theme != "" {
		other := p.file("", theme)
		p.accept(other, now)
		p.later(other, now+p.between(hour, 6*day))
		if p.often(50) {
			p.overall(theme, now+p.between(hour, 9*day))
		}
	}
	if p.often(3) { // somebody rates what is not done yet
		p.byDoor(m, now, "portal")
	}
	p.later(m, now+p.between(12*hour, 6*day))
}

// afterwards has somebody rate what was completed, by any channel, in time or late, once or more often.
func (p *play) afterwards(m *matter, completed int64) {
	for range 2 {
		if !p.often(35) {
			continue
		}
		at := completed + p.between(minute, 4*day)
		if p.often(20) {
			at = completed + p.between(4*day, 14*day)
		}
		switch channel := []string{"portal", "app", "mini_program", "voice", "paper", "link"}[p.random.IntN(6)]; channel {
		case "voice":
			p.voice(m, at)
		case "paper":
			p.paper(m, at)
		case "link":
			p.link(m, at)
		default:
			p.byDoor(m, at, channel)
		}
	}
}

// byDoor has a portal hand on what somebody has answered there, some of it later and twice.
func (p *play) byDoor(m *matter, at int64, channel string) {
	level, key := 1+p.random.IntN(5), p.name("a")
	body := map[string]any{"answers": []any{map[string]any{"area": m.area[:6], "project_no": m.project, "level": level, "channel": channel,
		"given_at": written(at)}}}
	p.twice(at, func() { p.ask("portal", "/v1/answers", key, body) })
	p.answers(said{at: at, level: level, channel: channel, area: m.area, number: m.project, door: true})
}

// overall has a portal hand on an answer about a theme as a whole.
func (p *play) overall(theme string, at int64) {
	level, key := 1+p.random.IntN(5), p.name("a")
	body := map[string]any{"answers": []any{map[string]any{"theme": theme, "level": level, "channel": "app", "given_at": written(at)}}}
	p.twice(at, func() { p.ask("portal", "/v1/answers", key, body) })
	p.answers(said{at: at, level: level, channel: "app", theme: theme, door: true})
}

// twice has something reach the centre soon after a time, or days later, and some of it again.
func (p *play) twice(at int64, do func()) {
	delay := p.between(second, minute)
	if p.often(15) {
		delay = p.between(hour, 9*day)
	}
	p.reach(at+delay, do)
	if p.often(10) {
		p.reach(at+delay+p.between(minute, 2*day), do)
	}
}

// voice has somebody press a key in a call.
func (p *play) voice(m *matter, at int64) {
	level, id := 1+p.random.IntN(5), p.name("call")
	p.twice(at, func() {
		p.ask("hotline", "/v1/voice/keys", "", map[string]any{"id": id, "key": fmt.Sprint(6 - level), "pressed_at": written(at),
			"area": m.area[:6], "project_no": m.project})
	})
	p.answers(said{at: at, level: level, channel: "voice", area: m.area, number: m.project, door: true})
}

// link has a portal ask for a link, and somebody rate by it at once, if the case is not rated.
func (p *play) link(m *matter, at int64) {
	p.at(at, func() {
		if p.isStill(at) {
			return // and so is the page
		}
		p.follow()
		level := 1 + p.random.IntN(5)
		got := p.ask("portal", "/v1/links", "", map[string]any{"area": m.area[:6], "project_no": m.project, "channel": "portal"})
		if p.open(fmt.Sprint(got["url"]), level) {
			p.answers(said{at: p.clock.Load(), level: level, channel: "portal", area: m.area, number: m.project, door: true})
		}
	})
}

// terminal completes a case at a self-service terminal, which says so only with the answer; the business system says it as always.
func (p *play) terminal(m *matter) {
	now := p.clock.Load()
	p.tell(m, now)
	if p.isStill(now) || !p.often(60) {
		return
	}
	got := p.ask("kiosk", "/v1/visits", p.name("v"),
		map[string]any{"cases": []any{map[string]any{"area": m.area[:6], "project_no": m.project, "task_name": m.project, "completed": true}}})
	level := 1 + p.random.IntN(5)
	p.at(now+p.between(10*second, 2*minute), func() {
		if p.isStill(p.clock.Load()) {
			return
		}
		if p.open(fmt.Sprint(got["link"]), level) {
			m.visit = true
			p.learns(m)
			p.answers(said{at: p.clock.Load(), level: level, channel: "kiosk", area: m.area, number: m.project, door: true})
		}
	})
}
