package main

import (
	"cmp"
	"context"
	"strings"
	"sync"

	"haochaping/display"
	"haochaping/internal/enrolment"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/qrcode"
)

// picture is what the screen is made of.
type picture struct {
	view   terminal.View
	online bool
	code   enrolment.Code // under which the box waits to be accepted
	lesson lessonView     // of the keys
	test   *testCard      // the test picture, nil for none
}

// scene turns what the terminal shows into what the display draws. It is the one place that knows both.
type scene struct {
	links  *linkBook
	order  [5]rating.Level
	photos *photos // nil for none
	page   string  // of the centre, empty for none
}

func (s scene) screen(p picture) (display.Screen, error) {
	v := p.view
	out := display.Screen{
		State: displayState(v), Offline: !p.online, StuckKey: v.StuckKey, Order: s.order,
		Hall: v.Window.Hall, Window: v.Window.Name,
		StaffName: v.Staff.Name, StaffID: v.Staff.ID, Department: v.Staff.Department,
		Device: string(s.links.who.device), Fingerprint: s.links.who.fingerprint(),
		Problem: problemText(v.Problem), Texts: v.Texts,
	}
	if s.photos != nil {
		out.Photo = s.photos.of(v.Staff.ID)
	}
	if v.State == terminal.Enrolling && p.code.Text != "" {
		out.Code, out.Digits, out.Link = p.code.Text, p.code.Digits, p.code.Text
		if s.page != "" {
			out.Link = s.page + "/fleet/enrol?code=" + p.code.Text
		}
	}
	if p.lesson.on && v.Visit == nil {
		out.State, out.Learning, out.Step, out.Said = display.Learning, p.lesson.level, int(p.lesson.step), p.lesson.said
	}
	if p.test != nil {
		out.State, out.Link, out.Version = display.TestPicture, s.links.base, version()
	}
	if v.Ended != nil {
		explain(&out, v)
	}
	if v.Visit == nil {
		return out, nil
	}
	out.Subject, out.Step, out.Steps = v.Subject, v.Step, v.Steps
	out.Chosen, out.AskAgain, out.LetGo = v.Chosen, v.AskAgain, v.LetGo
	out.Matter = matterName(*v.Visit, v.Case)
	var err error
	out.Link, err = s.links.link(v)
	return out, err
}

// question returns a screen like the one that will ask at this window. Its link is as long as those that are signed, and leads nowhere.
func (s scene) question(idle display.Screen) display.Screen {
	const token = 138 // characters
	idle.State, idle.Subject, idle.Step, idle.Steps = display.Asking, rating.StaffSubject, 1, 1
	idle.Link = strings.ToUpper(s.links.base) + qrcode.Path + strings.Repeat("A", token)
	return idle
}

// thanksFor returns the screen that a press will show in place of one that asks. Which level it names is all that a press
// changes. ok is false for a screen that does not ask.
func thanksFor(asking display.Screen) (thanks display.Screen, ok bool) {
	thanks = asking
	thanks.State, thanks.AskAgain, thanks.LetGo, thanks.Chosen = display.Thanks, false, false, asking.Order[0]
	return thanks, asking.State == display.Asking
}

// explain fills in what is shown while the reasons of a visit that has ended are asked for. At the top stands who it was about.
func explain(out *display.Screen, v terminal.View) {
	w, staff := v.Ended.Window, v.Ended.Staff
	out.Hall, out.Window, out.StaffName, out.StaffID, out.Department = w.Hall, w.Name, staff.Name, staff.ID, staff.Department
	out.Subject, out.Step, out.Steps, out.AskAgain = v.Subject, v.Step, v.Steps, v.AskAgain
	out.Matter = matterName(*v.Ended, v.Case)
	for i, r := range v.Reasons {
		out.Reasons[i] = r.Label()
	}
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

// matterName names the matter for a citizen who has one case or several, of which the question may be about one.
func matterName(v rating.Visit, project string) string {
	if c, ok := v.Case(project); ok {
		return cmp.Or(c.TaskName, c.ProjectNo)
	}
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
	case v.State == terminal.Closed:
		return display.Closed
	case v.State == terminal.Correcting:
		return display.Thanks
	case v.Problem != "":
		return display.Fault
	case v.State == terminal.Asking:
		return display.Asking
	case v.State == terminal.Explaining:
		return display.Explaining
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
	link, err := b.sign(*v.Visit, v.Opened)
	if err != nil {
		return "", err
	}
	b.visit, b.last = v.Visit.ID, link
	return link, nil
}

// again returns the link of a visit that was opened at a moment: the one that was on the screen, if that is still known.
func (b *linkBook) again(v rating.Visit, opened rating.Stamp) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.visit == v.ID {
		return b.last, nil
	}
	return b.sign(v, opened)
}

func (b *linkBook) sign(v rating.Visit, issued rating.Stamp) (string, error) {
	claim := qrcode.Claim{Device: b.who.device, Visit: v.ID, Issued: issued.Time(), Synced: issued.Synced}
	claim.Staff, claim.Matter = v.Asks(rating.StaffSubject), v.Asks(rating.MatterSubject)
	token, err := claim.Sign(b.who.key)
	if err != nil {
		return "", err
	}
	return qrcode.Link(b.base, token)
}

// latest hands the newest value to a slower reader; older ones are overwritten. It is safe for concurrent use.
type latest[T any] struct {
	mu    sync.Mutex
	value T

	wake   chan struct{}
	probes chan struct{}
	first  chan struct{} // closed when the reader is done with its first value
}

func newLatest[T any](first T) *latest[T] {
	l := &latest[T]{value: first, wake: make(chan struct{}, 1), probes: make(chan struct{}), first: make(chan struct{})}
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

// each calls f with the newest value after each change until ctx ends. Call it once.
func (l *latest[T]) each(ctx context.Context, f func(T)) {
	for first := true; ; {
		select {
		case <-ctx.Done():
			return
		case <-l.probes:
		case <-l.wake:
			f(l.get())
			if first {
				first = false
				close(l.first)
			}
		}
	}
}

// probe returns nil once the reader has answered: a reader that hangs in its work never does.
func (l *latest[T]) probe(ctx context.Context) error {
	select {
	case l.probes <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
