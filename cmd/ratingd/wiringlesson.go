package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"haochaping/device/keypad"
	"haochaping/device/wiring"
	"haochaping/display"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// wiringLesson finds out on which GPIO lines the keys hang: each key is pressed twice while the screen asks for it, and all five once
// more in order. It has no input, output or time of its own, and is not safe for concurrent use.
type wiringLesson struct {
	names   []string // of the lines
	watcher *wiring.Watcher
	stage   lessonStage
	began   time.Duration
	once    *wiring.Found // a press that is to be repeated; nil if there is none
	keys    []wiring.Found
	codes   [5]string
	again   *keypad.Recheck
	heard   heardList // what moved
	while   string    // what was asked for then
	last    string    // of these, of the level that is asked for
}

func newWiringLesson(names []string, now time.Duration) *wiringLesson {
	return &wiringLesson{names: names, watcher: wiring.NewWatcher(len(names)), began: now, while: "没有碰键盘"}
}

// Errors of lessons of lines.
var (
	errFewLines = errors.New("不受干扰的空闲 GPIO 线不足五条，请检查接线和设备树 / " +
		"fewer than five GPIO lines are free and at rest: look at the wiring and the device tree")
	errKeyMoves = errors.New("已学会的键自行变化或一直没有松开，请检查它的接线后重新学习 / " +
		"the line of a key that was learnt moves by itself or stays pressed; mend it and learn again")
)

// asked returns which level's key is to be pressed, 0 when all are learnt, and the step of it that the screen shows.
func (l *wiringLesson) asked() (rating.Level, display.LessonStep) {
	switch l.stage {
	case stageUntouched:
		return rating.Levels()[0], display.LessonUntouched
	case stageAgain:
		return rating.Levels()[l.again.Key()], display.LessonAgain
	case stageLearnt:
		return 0, display.LessonAgain
	}
	if l.once != nil {
		return rating.Levels()[len(l.keys)], display.LessonSame
	}
	return rating.Levels()[len(l.keys)], display.LessonFirst
}

// said is what the last press was, and which line is whose at the end.
func (l *wiringLesson) said() string {
	if l.stage != stageLearnt {
		return strings.Replace(l.last, " / ", "\n", 1)
	}
	var all []string
	for i, code := range l.codes {
		all = append(all, rating.Levels()[i].Chinese()+" "+code)
	}
	return strings.Join(all, " · ") + "\n" + l.keysWords()
}

func (l *wiringLesson) learnt() (learnt, bool) {
	if l.stage != stageLearnt {
		return learnt{}, false
	}
	high := l.high()
	return learnt{codes: l.codes, activeHigh: &high}, true
}

// high reports whether pressed keys are.
func (l *wiringLesson) high() bool { return l.keys[0].Down == wiring.High }

// pass says that it is later.
func (l *wiringLesson) pass(now time.Duration) error {
	if l.stage != stageUntouched || now-l.began < leaveAlone {
		return nil
	}
	l.stage = stagePressed
	for _, f := range l.watcher.Rested(now) {
		l.left(f)
	}
	l.last = ""
	if l.watcher.Usable() < len(l.codes) {
		return errFewLines
	}
	return nil
}

// look takes which lines are high under a pull. It is an error if the wiring cannot be learnt.
func (l *wiringLesson) look(pulledUp bool, high []bool, at time.Duration) error {
	for _, f := range l.watcher.Look(pulledUp, high, at) {
		if level, step := l.asked(); step != display.LessonUntouched {
			l.while = level.Chinese()
		}
		switch f.Kind {
		case wiring.Press:
			if err := l.press(f); err != nil {
				return err
			}
		case wiring.Together:
			l.once = nil
			l.note(f, "同时变化，不采用，请只按一个键 / moved at once and do not count: press one key alone")
		default:
			l.left(f)
			if slices.Contains(l.codes[:], l.names[f.Lines[0]]) {
				return errKeyMoves
			}
		}
	}
	return nil
}

// left tells of a line that is looked at no more.
func (l *wiringLesson) left(f wiring.Found) {
	word := "自行变化，不再采用 / moves by itself and is left out"
	if f.Kind == wiring.Stuck {
		word = "一直没有松开，不再采用 / stays pressed and is left out"
	}
	l.note(f, word)
}

// press takes that one line has moved and come back.
func (l *wiringLesson) press(f wiring.Found) error {
	code := l.names[f.Lines[0]]
	if l.stage == stageAgain {
		return l.confirm(f, code)
	}
	switch {
	case slices.Contains(l.codes[:len(l.keys)], code):
		l.note(f, "与前面的键相同，请按屏幕所说的键 / is an earlier key: press the one on the screen")
	case f.Down != wiring.Low && f.Down != wiring.High:
		l.note(f, "按下时断开，不能用作按键 / is open when pressed and cannot be a key")
	case len(l.keys) > 0 && f.Down != l.keys[0].Down:
		l.note(f, "与前面的键电平相反，不采用 / goes the other way than the keys before and does not count")
	case l.once == nil || l.once.Lines[0] != f.Lines[0] || l.once.Down != f.Down || l.once.Rest != f.Rest:
		l.once = &f
		l.note(f, "有变化，请再按一次 / moved: press it once more")
	default:
		l.note(f, "两次相同，已认出 / twice the same: known")
		l.codes[len(l.keys)], l.keys, l.once, l.last = code, append(l.keys, f), nil, ""
		if len(l.keys) == len(l.codes) {
			l.stage, l.again = stageAgain, keypad.NewRecheck(l.codes)
		}
	}
	return nil
}

// confirm takes a line in the second round. One that is no key's is told and does not count.
func (l *wiringLesson) confirm(f wiring.Found, code string) error {
	i := slices.Index(l.codes[:], code)
	switch {
	case i < 0 || f.Down != l.keys[i].Down:
		l.note(f, "不是五个键之一，不采用 / is none of the five keys and does not count")
		return nil
	case l.again.Key() == 0 && i == len(l.codes)-1:
		return nil // the last one repeats
	}
	if err := l.again.Pressed(code); err != nil {
		l.note(f, "是另一个键 / is another key")
		return err
	}
	l.note(f, "与第一遍相同 / as in the first round")
	if l.last = ""; l.again.Key() == len(l.codes) {
		l.stage = stageLearnt
	}
	return nil
}

// note keeps what moved, for the screen and for whoever asked for the lesson.
func (l *wiringLesson) note(f wiring.Found, word string) {
	var lines []string
	for _, i := range f.Lines[:min(len(f.Lines), 2)] {
		lines = append(lines, l.names[i])
	}
	what := strings.Join(lines, "、")
	if more := len(f.Lines) - len(lines); more > 0 {
		what += fmt.Sprintf(" +%d", more)
	}
	l.last = what + " " + word
	l.heard.note(l.while + "：" + l.last)
}

// parts returns what moved, and what each key does to its line once that is known.
func (l *wiringLesson) parts() (all []wire.Part) {
	for i, f := range l.keys {
		all = append(all, wire.Part{Name: fmt.Sprintf("%s%d", wire.LinePart, rating.Levels()[i]), What: keyWords(f)})
	}
	return append(all, l.heard.parts()...)
}

// keysWords says what all keys do to their lines.
func (l *wiringLesson) keysWords() string {
	if l.high() {
		return "高电平有效 Pressed is high"
	}
	return "低电平有效 Pressed is low"
}

// keyWords says what a key does to its line.
func keyWords(f wiring.Found) string {
	switch floats := f.Rest == wiring.Floating; {
	case f.Down == wiring.High && floats:
		return "高电平有效，用内部下拉 / pressed is high, needs the chip's pull-down"
	case f.Down == wiring.High:
		return "高电平有效，外部已有下拉 / pressed is high, held low outside"
	case floats:
		return "低电平有效，用内部上拉 / pressed is low, needs the chip's pull-up"
	}
	return "低电平有效，外部已有上拉 / pressed is low, held high outside"
}
