package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"

	"haochaping/device"
	"haochaping/device/keypad"
	"haochaping/internal/boxconfig"
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

// asked returns which level's key is to be pressed, 0 when all were, and for the how manieth time.
func (l *keyLesson) asked() (level rating.Level, round int) {
	next, round := l.known, 1
	if l.again != nil {
		next, round = l.again.Key(), 2
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
	round int
}

// teacher has the keys learnt when the centre asks for it.
type teacher struct {
	cfg     boxconfig.Config
	watch   *keyWatch
	loop    *terminal.Loop
	views   *audience
	answer  func(id string, parts []wire.Part, err error)
	restart func() // nil without a service manager
	log     *slog.Logger
	begun   chan wire.Command

	mu      sync.Mutex
	running string               // guarded by mu; the command of the lesson, empty while there is none
	learnt  []boxconfig.KeyLevel // guarded by mu; nil until all keys were pressed
	end     func()               // guarded by mu; ends the lesson
}

func newTeacher(cfg boxconfig.Config, watch *keyWatch, loop *terminal.Loop, views *audience, restart func(), log *slog.Logger) *teacher {
	return &teacher{cfg: cfg, watch: watch, loop: loop, views: views, restart: restart, log: log, begun: make(chan wire.Command, 1)}
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
	if t.running != "" && t.running != c.ID && t.learnt == nil {
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
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-t.begun:
			t.teach(ctx, c.ID)
		}
	}
}

// teach gives a lesson. The window is paused until what was learnt is confirmed or the time is over: nobody is to be asked with keys that
// are in doubt.
func (t *teacher) teach(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, wire.LessonLife)
	defer cancel()
	t.set(id, nil, cancel)
	defer t.set("", nil, nil)
	defer t.views.teaches(lessonView{})
	lesson := new(keyLesson)
	show := func() {
		level, round := lesson.asked()
		t.views.teaches(lessonView{true, level, round})
	}
	show()
	err := t.watch.paused(ctx, t.loop, func(e opsapi.KeyEvent) error {
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
			return nil
		}
		keys := t.cfg.Keys.Learnt(lesson.codes)
		if err := t.cfg.CheckKeys(keys); err != nil {
			return err
		}
		t.set(id, keys, cancel)
		parts := keyParts(keys)
		if !t.cfg.Keys.Placed(keys) {
			parts = append([]wire.Part{{Name: wire.PressedPart}}, parts...)
		}
		t.answer(id, parts, nil)
		return nil
	})
	if level, _ := lesson.asked(); err == nil && level != 0 {
		err = errUnfinished
	}
	if err != nil {
		t.log.Warn("the keys were not learnt", "error", err)
		t.answer(id, nil, err)
	}
}

func (t *teacher) set(id string, keys []boxconfig.KeyLevel, end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running, t.learnt, t.end = id, keys, end
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
	if t.learnt == nil {
		return errNoLesson
	}
	for _, k := range keyParts(t.learnt) {
		if len(c.Args) != len(t.learnt) || c.Args[k.Name] != k.What {
			return errOtherKeys
		}
	}
	if t.restart == nil {
		return errNoManager
	}
	if err := boxconfig.KeepKeys(t.cfg.State, t.learnt); err != nil {
		return err
	}
	t.log.Info("the keys were learnt and confirmed; the daemon starts anew with them", "command", c.ID)
	t.restart()
	return nil
}
