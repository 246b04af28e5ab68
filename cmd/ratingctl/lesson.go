package main

import (
	"errors"
	"sync"
	"time"

	"haochaping/device/keypad"
	"haochaping/internal/cli"
	"haochaping/internal/rating"
)

// stage is what a lesson is at.
type stage uint8

const (
	untouched  stage = iota // nobody touches the keypad, so that what comes by itself is known
	pressing                // one key after the other is asked for
	releasing               // keys of which it is not known what they send when they are let go
	confirming              // all keys once more, since their order is doubtful
	ended
)

// allKeys is how many there are.
const allKeys = 5

// releaseWait is how long a press is waited for that only makes the profile better.
const releaseWait = 8 * time.Second

// foundKeys is what a lesson ends with.
type foundKeys struct {
	codes   [5]string // what keys.map calls the keys
	ordered bool      // the codes go up or down
	profile keypad.Learnt
}

// lesson asks for the keys of a keypad until they are known. It is safe for concurrent use.
type lesson struct {
	learn func(keypad.Observed) (foundKeys, error)
	read  func(foundKeys, []byte) []string // the codes of the keys in what was sent
	text  func([]byte) string              // shows what was sent
	wait  time.Duration                    // during which nobody touches the keypad
	out   *report
	end   func() // ends the lesson

	mu      sync.Mutex
	stage   stage // guarded by mu, as all below
	began   time.Duration
	asked   time.Duration
	learner *keypad.Learner
	again   *keypad.Recheck
	known   foundKeys
	failed  error
}

// open begins the lesson.
func (l *lesson) open(where string, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began = now
	l.out.say("正在监听 %s。按 Ctrl-C 结束。", "Listening on %s. End with Ctrl-C.", where)
	if l.wait > 0 {
		l.out.say("%s 内请勿触碰键盘。", "Do not touch the keypad for %s.", l.wait)
	}
	l.tick(now)
}

// pass says that time has passed.
func (l *lesson) pass(now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began != 0 {
		l.tick(now)
	}
}

// tick needs mu.
func (l *lesson) tick(now time.Duration) {
	since := now - l.began
	switch {
	case l.stage == untouched && since >= l.wait && l.learner.Settled(since):
		l.stage = pressing
		for _, b := range l.learner.ByItself() {
			l.out.say("键盘自行发送：%s。这不是按键。", "It sends by itself: %s. That is no key.", l.text(b))
		}
		l.ask(now)
	case l.stage == releasing && now-l.asked > releaseWait:
		l.learner.Tried()
		l.finishKeys(now)
	}
}

// ask asks for the key that is wanted. It needs mu.
func (l *lesson) ask(now time.Duration) {
	l.asked = now
	l.out.say("请按“%s”，直到认出为止。", "Press %s, and again until it is taken.", rating.Levels()[l.learner.Key()])
}

// burst takes what the keypad sent without a pause.
func (l *lesson) burst(b []byte, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at -= l.began
	switch l.stage {
	case untouched:
		l.learner.Untouched(b, at)
		l.show(at, b, "现在请勿触碰", "nobody should touch it yet")
	case pressing, releasing:
		l.press(b, at)
	case confirming:
		l.confirm(b, at)
	}
}

// show needs mu.
func (l *lesson) show(at time.Duration, b []byte, zh, en string) {
	l.out.printf("%10s  %s  %s\n", at.Round(time.Millisecond), l.text(b), l.out.lang.Say(zh, en))
}

// press needs mu.
func (l *lesson) press(b []byte, at time.Duration) {
	heard, err := l.learner.Burst(b, at)
	word := map[keypad.Heard][2]string{
		keypad.Once: {"收到；请再按同一键", "heard; press the same key again"}, keypad.Taken: {"已认出", "taken"},
		keypad.Earlier: {"与前面的键相同", "that is what an earlier key sends"}, keypad.Held: {"同一次按键还在继续", "the same press goes on"},
		keypad.LetGo: {"收到松键；若没有松键请再按", "heard; a key was let go, else press it again"}, keypad.ByItself: {"键盘自行发送", "it comes by itself"},
	}[heard]
	l.show(at, b, word[0], word[1])
	switch {
	case err != nil:
		l.finish(err)
	case l.learner.Key() == allKeys:
		l.finishKeys(l.began + at)
	case heard == keypad.Taken:
		l.ask(l.began + at)
	}
}

// finishKeys goes on once all five keys are known. It needs mu.
func (l *lesson) finishKeys(now time.Duration) {
	if key, again := l.learner.Unreleased(); again {
		if l.stage != releasing || now-l.asked > releaseWait {
			l.stage, l.asked = releasing, now
			l.out.say("请再按一次“%s”后松开：还不知道松开时发送什么。", "Press %s once more, and let it go: it is not known what it sends then.", rating.Levels()[key])
		}
		return
	}
	heard, err := l.learner.Observed()
	if err == nil {
		l.known, err = l.learn(heard)
	}
	if err != nil || l.known.ordered {
		l.finish(err)
		return
	}
	l.stage, l.again = confirming, keypad.NewRecheck(l.known.codes)
	best, worst := rating.Levels()[0], rating.Levels()[allKeys-1]
	l.out.say("从“%s”到“%s”的代码没有次序：%q。", "The codes of the keys from %s to %s are in no order: %q.", best, worst, l.known.codes)
	l.out.say("有的键盘如此，按错键也会如此。请从“%s”起依次再按五个键；确定无误则输入“是”并回车。",
		"That is so on some keypads, and wherever a wrong key was pressed. Press all five once more, from %s down; or type \"yes\" and Enter "+
			"if you are certain.", best)
}

// confirm needs mu.
func (l *lesson) confirm(b []byte, at time.Duration) {
	before := l.again.Key()
	var err error
	for _, code := range l.read(l.known, b) {
		err = errors.Join(err, l.again.Pressed(code))
	}
	switch {
	case err != nil:
		l.show(at, b, "这是另一个键", "that is another key")
		l.finish(err)
	case l.again.Key() == allKeys:
		l.show(at, b, "与之前相同", "as before")
		l.finish(nil)
	case l.again.Key() > before:
		next := rating.Levels()[l.again.Key()].String()
		l.show(at, b, "与之前相同；现在按“"+next+"”", "as before; now "+next)
	}
}

// answer takes a line that was typed.
func (l *lesson) answer(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stage == confirming && isYes(s) {
		l.finish(nil)
	}
}

// finish needs mu.
func (l *lesson) finish(err error) {
	l.stage, l.failed = ended, err
	l.end()
}

// result returns what was learnt.
func (l *lesson) result() (foundKeys, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.failed != nil:
		return foundKeys{}, l.failed
	case l.stage != ended:
		return foundKeys{}, cli.Hint(cli.Error("识别全部五个键之前已结束，没有写入任何内容", "ended before all five keys were known; nothing was written"),
			"按键没有显示时，检查接线和端口，或用 -scan 试其他速率", "if pressing a key shows nothing, check the cable and the port, or try other speeds with -scan")
	}
	return l.known, nil
}
