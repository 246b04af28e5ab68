package main

import (
	"fmt"
	"time"

	"haochaping/device/keypad"
	"haochaping/display"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

const (
	// leaveAlone is for how long nobody is to touch the keypad at first, so that what comes by itself is known.
	leaveAlone = 5 * time.Second
	// oncePerRelease is how long a press is waited for that only tells what a key sends when it is let go.
	oncePerRelease = 8 * time.Second
	// mostBytes is how many bytes of one are.
	mostBytes = 32
)

// frameLesson finds out what a serial keypad sends of which nothing is known: each key is heard twice while the screen asks for it, and all
// five once more in order. It has no input, output or time of its own, and is not safe for concurrent use.
type frameLesson struct {
	line    keypad.Line
	learner *keypad.Learner
	stage   lessonStage
	began   time.Duration
	since   time.Duration // when a release was asked for
	same    bool          // the key was heard once
	again   *keypad.Recheck
	profile keypad.Learnt
	sent    [5][]byte // by each key, once they are known
	heard   heardList // what came
}

func newFrameLesson(line keypad.Line, now time.Duration) *frameLesson {
	return &frameLesson{line: line, learner: keypad.NewLearner(2), began: now}
}

// asked returns which level's key is to be pressed, 0 when all are learnt, and the step of it that the screen shows.
func (l *frameLesson) asked() (rating.Level, display.LessonStep) {
	next, step := l.learner.Key(), display.LessonFirst
	switch l.stage {
	case stageUntouched:
		return rating.Levels()[0], display.LessonUntouched
	case stagePressed:
		if l.same {
			step = display.LessonSame
		}
	case stageReleased:
		next, _ = l.learner.Unreleased()
		step = display.LessonSame
	case stageAgain:
		next, step = l.again.Key(), display.LessonAgain
	case stageLearnt:
		return 0, display.LessonAgain
	}
	return rating.Levels()[next], step
}

// pass says that it is later.
func (l *frameLesson) pass(now time.Duration) error {
	quiet := now - l.began
	switch {
	case l.stage == stageUntouched && quiet >= leaveAlone && l.learner.Settled(quiet):
		l.stage = stagePressed
	case l.stage == stageReleased && now-l.since > oncePerRelease:
		l.learner.Tried()
		return l.all(now)
	}
	return nil
}

// burst takes what came without a pause. It is an error if the keypad cannot be learnt.
func (l *frameLesson) burst(b []byte, at time.Duration) error {
	level, _ := l.asked()
	switch l.stage {
	case stageUntouched:
		l.learner.Untouched(b, at-l.began)
		l.note("没有碰键盘", b, "")
	case stagePressed, stageReleased:
		heard, err := l.learner.Burst(b, at-l.began)
		l.note(level.Chinese(), b, heardWords(heard))
		if err != nil {
			return err
		}
		l.same = heard == keypad.Once || l.same && heard != keypad.Taken
		if l.learner.Key() == len(l.sent) {
			return l.all(at)
		}
	case stageAgain:
		return l.confirm(level, b)
	}
	return nil
}

// all goes on once all five keys are known.
func (l *frameLesson) all(now time.Duration) error {
	if _, again := l.learner.Unreleased(); again {
		l.stage, l.since = stageReleased, now
		return nil
	}
	o, err := l.learner.Observed()
	if err != nil {
		return err
	}
	if l.profile, err = keypad.Learn("learnt", l.line, o); err != nil {
		return err
	}
	l.stage, l.sent, l.again = stageAgain, o.Sent, keypad.NewRecheck(l.profile.Codes)
	return nil
}

// confirm takes what a key sends whose profile is known.
func (l *frameLesson) confirm(level rating.Level, b []byte) error {
	n := 0
	for _, r := range l.profile.Profile.NewDecoder().Feed(b) {
		if r.Kind != keypad.Key {
			continue
		}
		if n++; l.again.Key() == 0 && r.Code == l.profile.Codes[len(l.profile.Codes)-1] {
			continue // the last one repeats
		}
		if err := l.again.Pressed(r.Code); err != nil {
			l.note(level.Chinese(), b, "是另一个键")
			return err
		}
	}
	word := "与第一遍相同"
	if n == 0 {
		word = "不是按键"
	}
	l.note(level.Chinese(), b, word)
	if l.again.Key() == len(l.profile.Codes) {
		l.stage = stageLearnt
	}
	return nil
}

// note keeps what came, for whoever asked for the lesson.
func (l *frameLesson) note(while string, b []byte, word string) {
	text := fmt.Sprintf("%s：% x", while, b[:min(len(b), mostBytes)])
	if len(b) > mostBytes {
		text += fmt.Sprintf(" …共 %d 字节", len(b))
	}
	if word != "" {
		text += "（" + word + "）"
	}
	l.heard.note(text)
}

func heardWords(h keypad.Heard) string {
	return map[keypad.Heard]string{keypad.Once: "请再按一次", keypad.Taken: "两次相同，已认出", keypad.Earlier: "与前面的键相同", keypad.Held: "同一次按键",
		keypad.LetGo: "松键时发送", keypad.ByItself: "键盘自行发送"}[h]
}

// parts returns what came, and what each key sends once that is known.
func (l *frameLesson) parts() (all []wire.Part) {
	for i, b := range l.sent {
		if b != nil {
			all = append(all, wire.Part{Name: fmt.Sprintf("%s%d", wire.FramePart, rating.Levels()[i]), What: fmt.Sprintf("% x", b)})
		}
	}
	return append(all, l.heard.parts()...)
}

// said is nothing: who presses cannot read bytes.
func (l *frameLesson) said() string { return "" }

func (l *frameLesson) learnt() (learnt, bool) {
	return learnt{codes: l.profile.Codes, profile: &l.profile}, l.stage == stageLearnt
}
