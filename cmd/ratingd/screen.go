package main

import (
	"sync"

	"haochaping/display"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/qrcode"
)

// picture is what the screen is made of.
type picture struct {
	view   terminal.View
	online bool
}

// scene turns what the terminal shows into what the display draws. It is the one place that knows both.
type scene struct {
	links *linkBook
	order [5]rating.Level
}

func (s scene) screen(p picture) (display.Screen, error) {
	v := p.view
	out := display.Screen{
		State: displayState(v), Offline: !p.online, Order: s.order,
		Hall: v.Window.Hall, Window: v.Window.Name,
		StaffName: v.Window.Staff.Name, StaffID: v.Window.Staff.ID, Department: v.Window.Staff.Department,
		Device: string(s.links.who.device), Fingerprint: s.links.who.fingerprint(),
		Problem: problemText(v.Problem),
	}
	if v.Visit == nil {
		return out, nil
	}
	out.StaffName, out.StaffID, out.Department = v.Visit.Staff.Name, v.Visit.Staff.ID, v.Visit.Staff.Department
	out.Subject, out.Step, out.Steps = v.Subject, v.Step, v.Steps
	out.Chosen, out.AskAgain = v.Chosen, v.AskAgain
	out.Matter = matterName(*v.Visit)
	var err error
	out.Link, err = s.links.link(v)
	return out, err
}

// problemText says in a citizen's words what does not work.
func problemText(p terminal.Problem) string {
	switch p {
	case terminal.StoreProblem:
		return "评价器暂时无法保存按键评价"
	case terminal.KeypadProblem:
		return "评价器的按键暂时无法使用"
	}
	return ""
}

// matterName names the matter for a citizen who has one case or several.
func matterName(v rating.Visit) string {
	for _, c := range v.Cases {
		if c.Completed && c.TaskName != "" {
			return c.TaskName
		}
	}
	return ""
}

func displayState(v terminal.View) display.State {
	switch {
	case v.State == terminal.Starting:
		return display.Starting
	case v.State == terminal.Enrolling:
		return display.Enrolling
	case v.State == terminal.Paused:
		return display.Paused
	case v.State == terminal.Correcting:
		return display.Thanks
	case v.Problem != "":
		return display.Fault
	case v.State == terminal.Asking:
		return display.Asking
	}
	return display.Idle
}

// linkBook makes the rating link of a visit, once: a reprint is the same visit. It is safe for concurrent use.
type linkBook struct {
	who  identity
	base string

	mu    sync.Mutex
	visit rating.VisitID // whose link is kept
	last  string
}

func (b *linkBook) link(v terminal.View) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.visit == v.Visit.ID {
		return b.last, nil
	}
	claim := qrcode.Claim{Device: b.who.device, Visit: v.Visit.ID, Issued: v.Opened.Time(), Synced: v.Opened.Synced}
	for _, subject := range v.Visit.Subjects {
		claim.Staff = claim.Staff || subject == rating.StaffSubject
		claim.Matter = claim.Matter || subject == rating.MatterSubject
	}
	token, err := claim.Sign(b.who.key)
	if err != nil {
		return "", err
	}
	link, err := qrcode.Link(b.base, token)
	if err != nil {
		return "", err
	}
	b.visit, b.last = v.Visit.ID, link
	return link, nil
}

// latest hands the newest value to a slower reader; older ones are overwritten. It is safe for concurrent use.
type latest[T any] struct {
	mu    sync.Mutex
	value T
	wake  chan struct{}
}

func newLatest[T any](first T) *latest[T] {
	l := &latest[T]{value: first, wake: make(chan struct{}, 1)}
	l.wake <- struct{}{}
	return l
}

// update changes the value and wakes the reader. It never blocks.
func (l *latest[T]) update(change func(*T)) {
	l.mu.Lock()
	change(&l.value)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *latest[T]) get() T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.value
}
