package main

import (
	"haochaping/internal/enrolment"
	"haochaping/internal/terminal"
)

// audience is who gets to see the terminal's views: the screen, lamps and sound, and a keypad that shows them too. None can
// hold up the terminal. It is safe for concurrent use.
type audience struct {
	shown   *latest[picture]
	lamps   *latest[glimpse]
	heard   *latest[terminal.View]
	prompt  func(terminal.View) // of the keypad, nil if it cannot be told
	noticed func()              // is called when something has begun or ended that is a trouble
}

func newAudience(prompt func(terminal.View), noticed func()) *audience {
	starting := terminal.View{State: terminal.Starting}
	return &audience{shown: newLatest(picture{}), lamps: newLatest(glimpse{View: starting}), heard: newLatest(starting), prompt: prompt,
		noticed: noticed}
}

// show takes a view of the terminal.
func (a *audience) show(v terminal.View) {
	if was := a.shown.get().view; was.Problem != v.Problem || (was.State == terminal.Enrolling) != (v.State == terminal.Enrolling) {
		a.noticed()
	}
	a.shown.update(func(p *picture) {
		if p.view = v; !unserved(v) {
			p.test = p.test.end()
		}
		if p.test == nil {
			a.play(v, v)
		}
	})
	if a.prompt != nil {
		a.prompt(v)
	}
}

// play takes what the lamps and the sound make of views.
func (a *audience) play(lamps, heard terminal.View) {
	a.lamps.update(func(g *glimpse) { g.View = lamps })
	a.heard.update(func(p *terminal.View) { *p = heard })
}

// offline reports whether records do not get to the centre, as far as is known.
func (a *audience) offline() bool { return !a.shown.get().online }

// generation returns which configuration of its window the box serves by, of which everybody may know.
func (a *audience) generation() uint32 { return a.shown.get().view.Window.Generation }

// code returns under which code the box waits to be accepted, the empty one if it does not.
func (a *audience) code() enrolment.Code { return a.shown.get().code }

// waits takes under which code the box waits to be accepted.
func (a *audience) waits(c enrolment.Code) {
	a.shown.update(func(p *picture) { p.code = c })
	a.lamps.update(func(g *glimpse) { g.code = c })
}

// teaches takes what is to be shown of a lesson of the keys.
func (a *audience) teaches(v lessonView) {
	a.shown.update(func(p *picture) {
		if p.lesson = v; v.on && p.test != nil {
			p.test = p.test.end()
			a.play(p.view, p.view)
		}
	})
}

// lesson returns what is shown of one.
func (a *audience) lesson() lessonView { return a.shown.get().lesson }

// connected takes that a connection to the broker has come or gone. What it is worth shows at the next look, which is at once.
func (a *audience) connected(yes bool) {
	a.noticed()
	if !yes {
		a.reaches(false)
	}
}

// reaches takes whether records get to the centre, as far as is known.
func (a *audience) reaches(yes bool) {
	if a.shown.get().online != yes {
		a.shown.update(func(p *picture) { p.online = yes })
	}
}
