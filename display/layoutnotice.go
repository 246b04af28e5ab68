package display

import (
	"image"
	"slices"
	"strings"
)

// idle says welcome, and that the service may be rated when it is done.
func (l *layout) idle(s Screen, body image.Rectangle) {
	welcome, english := s.Texts.Welcome.Or("欢迎办理业务", "Welcome")
	later, laterEnglish := s.Texts.Later.Or("办理完成后，请您对服务作出评价", "You may rate the service when it is done")
	l.notice(l.takePhoto(s, body), welcome, english, later, laterEnglish)
}

func (l *layout) fault(s Screen, body image.Rectangle) {
	advice, english := "窗口恢复后即可评价，不影响您办理业务", "You may rate later; your business is not affected"
	if s.Link != "" {
		advice, english = "请扫描二维码，用手机评价", "Please scan the QR code and rate on your phone"
	}
	u := l.least
	l.write(column{box: l.code(s, body, "扫码用手机评价", "Rate on your phone"), on: paper, centre: s.Link == "" || l.upright(), most: l.growth()},
		block{s: "按键暂停使用", size: u * 2, ink: inkDark, gap: 20, alert: true},
		block{s: "The keys are out of service", size: u * 11 / 10, lines: 2, ink: inkSoft, gap: 50, spare: 1},
		block{s: s.Problem, size: u * 13 / 10, lines: 2, ink: inkDark, gap: 50, spare: 2},
		block{s: advice, size: u * 3 / 2, lines: 2, ink: inkDark},
		block{s: english, size: u * 11 / 10, lines: 2, ink: inkSoft})
}

// notice is a screen of words only.
func (l *layout) notice(body image.Rectangle, title, english, advice string, more ...string) {
	u := l.least
	blocks := []block{
		{s: title, size: u * 3, ink: inkDark}, {s: english, size: u * 3 / 2, lines: 2, ink: inkSoft, gap: 120},
		{s: advice, size: u * 3 / 2, lines: 2, ink: inkDark, gap: 20},
	}
	for _, m := range more {
		blocks = append(blocks, block{s: m, size: u * 13 / 10, lines: 3, ink: inkSoft})
	}
	l.write(column{box: body, on: paper, centre: true, most: l.growth()}, blocks...)
}

// LessonStep says what a screen that teaches keys asks for.
type LessonStep int

// The steps, which are in Screen's Step.
const (
	LessonUntouched LessonStep = iota // nobody is to touch the keypad for a moment
	LessonFirst                       // the key of a level, in the first round
	LessonAgain                       // the same in the second round
	LessonSame                        // the same key once more, which was heard
)

// lesson asks whoever sets the box up for one key after the other.
func (l *layout) lesson(s Screen, body image.Rectangle) {
	said := slices.DeleteFunc(strings.Split(s.Said, "\n"), func(line string) bool { return line == "" })
	if s.Learning == 0 {
		l.notice(body, "五个键已学会", "All five keys are known", "请在管理页面核对并确认", append([]string{"Confirm them on the centre's page"}, said...)...)
		return
	}
	advice, round, english := "请按这个键", "第一遍，共两遍", "Press the key of this level: learning the keys"
	switch LessonStep(s.Step) {
	case LessonUntouched:
		l.notice(body, "请先不要碰键盘", "Do not touch the keypad", "几秒钟后，屏幕依次请您按五个键", "学习按键：正在听键盘自己发送什么")
		return
	case LessonSame:
		advice, english = "收到了，请再按一次这个键", "Heard: press the same key once more"
	case LessonAgain:
		round = "再按一遍，顺序相同"
	}
	l.notice(body, s.Learning.Chinese(), "", advice, append([]string{"学习按键：" + round + "，从非常满意到非常不满意", english}, said...)...)
}

// waiting shows under which code a box waits to be accepted. It is read aloud and typed, so it stands in two groups.
func (l *layout) waiting(s Screen, body image.Rectangle) {
	u, half := l.least, (len(s.Code)+1)/2
	code := block{s: s.Code[:half] + " " + s.Code[half:], size: u * 3, ink: inkDark, gap: 25}
	advice := block{s: "请核对管理页面显示的四位数字与此相同", size: u, lines: 2, ink: inkDark, gap: 20, spare: 1}
	blocks := []block{
		{s: "等待登记", size: u * 3 / 2, ink: inkDark}, {s: "Waiting to be accepted", size: u, ink: inkSoft, gap: 40},
		{s: "配对码 Code", size: u, ink: inkSoft, gap: 5}, code,
		{s: "核对码 Check digits", size: u, ink: inkSoft, gap: 5}, {s: s.Digits, size: u * 5 / 2, ink: inkDark, gap: 30},
		advice, {s: s.Device, size: u, ink: inkSoft},
	}
	if l.upright() { // the code stays large above its picture
		blocks = []block{{s: "等待登记", size: u * 3 / 2, ink: inkDark, gap: 10}, code, {s: "核对码 " + s.Digits, size: u * 2, ink: inkDark, gap: 10},
			advice}
	}
	l.write(column{box: l.code(s, body, "管理员扫码登记", "Scan to accept"), on: paper, centre: true, most: l.growth()}, blocks...)
}
