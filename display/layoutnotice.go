package display

import "image"

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
		blocks = append(blocks, block{s: m, size: u * 13 / 10, lines: 2, ink: inkSoft})
	}
	l.write(column{box: body, on: paper, centre: true, most: l.growth()}, blocks...)
}
