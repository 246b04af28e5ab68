package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"haochaping/device"
	"haochaping/device/keypad"
	"haochaping/display"
	"haochaping/internal/boxconfig"
	"haochaping/internal/crash"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

// keyLesson finds out which key means which level: all five are pressed from the best level to the worst, and once more. It is not safe
// for concurrent use.
type keyLesson struct {
	codes [5]string
	known int             // of codes
	again *keypad.Recheck // nil the first time
}

// asked returns which level's key is to be pressed, 0 when all were, and in which round.
func (l *keyLesson) asked() (level rating.Level, round display.LessonStep) {
	next, round := l.known, display.LessonFirst
	if l.again != nil {
		next, round = l.again.Key(), display.LessonAgain
	}
	if next == len(l.codes) {
		return 0, round
	}
	return rating.Levels()[next], round
}

// press takes a key. It is an error if it is another one than before, or one that means another level already.
func (l *keyLesson) press(code string) error {
	if l.again != nil {
		if l.again.Key() == 0 && code == l.codes[len(l.codes)-1] {
			return nil // the last one repeats
		}
		return l.again.Pressed(code)
	}
	switch i := slices.Index(l.codes[:l.known], code); {
	case i >= 0 && i == l.known-1:
		return nil // it repeats
	case i >= 0:
		level, _ := l.asked()
		return fmt.Errorf("请按“%s”时按下的键已是“%s”，请重新学习 / "+
			"the key for %s was pressed where %s was asked for; learn the keys again", level, rating.Levels()[i], rating.Levels()[i], level)
	}
	l.codes[l.known] = code
	if l.known++; l.known == len(l.codes) {
		l.again = keypad.NewRecheck(l.codes)
	}
	return nil
}

// lessonView is what the screen shows of a lesson. The zero one is of none.
type lessonView struct {
	on    bool
	level rating.Level // whose key is to be pressed; 0: all were, and somebody has to confirm them
	step  display.LessonStep
	said  string // of the last press, and of what was learnt
}

// teacher has the keys learnt when the centre asks for it.
type teacher struct {
	cfg     boxconfig.Config
	source  keySource
	lost    func() bool // the keys cannot be read
	gpio    boardLines
	loop    *terminal.Loop
	views   *audience
	now     func() time.Duration
	answer  func(id string, parts []wire.Part, err error)
	restart func() // nil without a service manager
	log     *slog.Logger
	begun   chan wire.Command

	mu      sync.Mutex
	running string           // guarded by mu; the command of the lesson, empty while there is none
	learnt  boxconfig.Learnt // guarded by mu; without keys until all were pressed
	end     func()           // guarded by mu; ends the lesson
}

func newTeacher(cfg boxconfig.Config, source keySource, loop *terminal.Loop, views *audience, now func() time.Duration, restart func(),
	log *slog.Logger) *teacher {
	return &teacher{cfg: cfg, source: source, loop: loop, views: views, now: now, restart: restart, log: log,
		begun: make(chan wire.Command, 1)}
}

// Errors of lessons, whose texts go to the centre's page.
var (
	errLesson     = errors.New("已在学习按键，请到评价器前按屏幕提示按键 / the keys are being learnt already")
	errNoLesson   = errors.New("没有待确认的按键，请重新学习 / there is nothing to confirm; learn the keys again")
	errOtherKeys  = errors.New("确认的按键与刚学到的不同，请重新学习 / these are not the keys that were learnt; learn them again")
	errUnfinished = errors.New("五分钟内没有按完五个键，请重新学习 / the keys were not all pressed in five minutes; learn them again")
)

// begin takes the command to learn the keys, whose answer comes later.
func (t *teacher) begin(c wire.Command) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running != "" && t.running != c.ID && t.learnt.Keys == nil {
		return errLesson
	}
	if t.running == c.ID {
		return uplink.ErrLater
	}
	if t.end != nil {
		t.end() // what was learnt and nobody has confirmed
	}
	select {
	case t.begun <- c:
		return uplink.ErrLater
	default:
		return errLesson
	}
}

// run gives lessons until ctx ends.
func (t *teacher) run(ctx context.Context) error {
	if err := t.source.watch.restore(ctx, t.loop); err != nil && ctx.Err() == nil {
		t.log.Error("the window stays paused until somebody resumes it", "error", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-t.begun:
			t.teach(ctx, c)
		}
	}
}

// teach gives a lesson. The window is paused until what was learnt is confirmed or the time is over: nobody is to be asked with keys that
// are in doubt.
func (t *teacher) teach(ctx context.Context, c wire.Command) {
	ctx, cancel := context.WithTimeout(ctx, wire.LessonLife)
	defer cancel()
	t.set(c.ID, boxconfig.Learnt{}, cancel)
	defer t.set("", boxconfig.Learnt{}, nil)
	defer t.views.teaches(lessonView{})
	var learnt bool
	var parts []wire.Part
	err := t.source.watch.whilePaused(ctx, t.loop, func() error {
		return crash.Contain(func() (err error) { // else the window would stay paused
			switch {
			case c.Args[wire.FramesArg] != "":
				learnt, parts, err = t.teachFrames(ctx, c)
			case c.Args[wire.LinesArg] != "" || t.unwired():
				learnt, parts, err = t.teachLines(ctx, c)
			default:
				learnt, parts, err = t.teachOrder(ctx, c)
			}
			return err
		})
	})
	if err == nil && !learnt {
		err = errUnfinished
	}
	if err != nil {
		t.log.Warn("the keys were not learnt", "error", err, "stack", crash.StackOf(err))
		t.answer(c.ID, parts, err)
	}
}

// teachOrder finds out which of the keys that the box reads means which level. It goes on to what else may be unknown where these keys are
// not those that somebody presses.
func (t *teacher) teachOrder(ctx context.Context, c wire.Command) (learns bool, parts []wire.Part, err error) {
	lesson, strange := new(keyLesson), 0
	show := func() {
		level, round := lesson.asked()
		t.views.teaches(lessonView{on: true, level: level, step: round})
	}
	show()
	listening, stop := context.WithCancel(ctx)
	defer stop()
	silence := time.AfterFunc(wire.LessonLife, stop)
	if t.cfg.Keys.Source == boxconfig.GPIO {
		silence.Reset(longSilence)
	}
	defer silence.Stop()
	err = t.source.watch.watch(listening, func(e opsapi.KeyEvent) (err error) {
		if strange += t.strange(e); !learns && lesson.known == 0 && strange >= mostStrange {
			learns, parts, err = t.teachFrames(ctx, c)
			return err
		}
		if e.What != opsapi.KeyDown || device.Code(e.Code).IsNoKey() {
			return nil
		}
		if level, _ := lesson.asked(); level == 0 {
			return nil
		}
		if err := lesson.press(e.Code); err != nil {
			return err
		}
		show()
		if level, _ := lesson.asked(); level != 0 {
			if t.cfg.Keys.Source == boxconfig.GPIO {
				silence.Reset(longSilence)
			}
			return nil
		}
		silence.Stop()
		learns = true
		return t.learns(c.ID, learnt{codes: lesson.codes}, nil)
	})
	if err == nil && !learns && ctx.Err() == nil {
		return t.teachLines(ctx, c)
	}
	return learns, parts, err
}

// teachMore gives a lesson that reads the keypad itself, and holds the window until what was learnt is confirmed or the time is over. It
// returns what was seen.
func (t *teacher) teachMore(ctx context.Context, id string, give func() (lesson, error)) (bool, []wire.Part, error) {
	var l lesson
	err := t.source.lend(ctx, func() (err error) {
		l, err = give()
		return err
	})
	if l == nil {
		return false, nil, err
	}
	all, ok := l.learnt()
	if err == nil && !ok {
		err = errUnfinished
	}
	if err == nil {
		err = t.learns(id, all, l.parts())
	}
	if err != nil {
		return false, l.parts(), err
	}
	t.shows(l)
	<-ctx.Done()
	return true, nil, nil
}

// shows lets the screen say what a lesson asks for.
func (t *teacher) shows(l lesson) {
	level, step := l.asked()
	if v := (lessonView{true, level, step, l.said()}); v != t.views.lesson() {
		t.views.teaches(v)
	}
}

// learns keeps what was learnt until somebody confirms it, and answers with it and what else was seen.
func (t *teacher) learns(id string, l learnt, seen []wire.Part) error {
	x := boxconfig.Learnt{Keys: t.cfg.Keys.Learnt(l.codes), ActiveHigh: l.activeHigh}
	if l.profile != nil {
		x.Profile, x.Text = l.profile.Profile, []byte(l.profile.Text)
	}
	if err := t.cfg.CheckKeys(x); err != nil {
		return err
	}
	t.mu.Lock()
	t.learnt = x
	t.mu.Unlock()
	parts := keyParts(x.Keys)
	if l.profile != nil || !t.cfg.Keys.Placed(x.Keys) { // keys of another profile have no places, whatever they are called
		parts = append([]wire.Part{{Name: wire.PressedPart}}, parts...)
	}
	t.answer(id, append(parts, seen...), nil)
	return nil
}

func (t *teacher) set(id string, l boxconfig.Learnt, end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running, t.learnt, t.end = id, l, end
}

// keyParts returns keys as an answer has them.
func keyParts(keys []boxconfig.KeyLevel) (all []wire.Part) {
	for _, k := range keys {
		all = append(all, wire.Part{Name: wire.KeyPart + strconv.Itoa(int(k.Level)), What: k.Key})
	}
	return all
}

// keep writes what was learnt, if that is what somebody has confirmed, and starts the daemon anew with it.
func (t *teacher) keep(c wire.Command) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.learnt.Keys == nil {
		return errNoLesson
	}
	for _, k := range keyParts(t.learnt.Keys) {
		if len(c.Args) != len(t.learnt.Keys) || c.Args[k.Name] != k.What {
			return errOtherKeys
		}
	}
	if t.restart == nil {
		return errNoManager
	}
	if err := t.cfg.KeepKeys(t.learnt); err != nil {
		return err
	}
	t.log.Info("the keys were learnt and confirmed; the daemon starts anew with them", "command", c.ID)
	t.restart()
	return nil
}
