package display

import (
	"image"
	"image/color"
	"strings"

	"haochaping/internal/rating"
)

// The palette. Text has a contrast of at least 7:1 against what it stands on, and the tiles' colours are told apart by
// people with any common kind of colour blindness (after Okabe and Ito, 2008); nothing is said by colour alone.
var (
	paper   = color.RGBA{0xf4, 0xf6, 0xf8, 0xff}
	card    = color.RGBA{0xff, 0xff, 0xff, 0xff}
	inkDark = color.RGBA{0x16, 0x20, 0x2b, 0xff}
	inkSoft = color.RGBA{0x3d, 0x4a, 0x57, 0xff}
	band    = color.RGBA{0x0b, 0x35, 0x5c, 0xff}
	line    = color.RGBA{0xc9, 0xd2, 0xda, 0xff}
	warning = color.RGBA{0xff, 0xd9, 0x66, 0xff}
)

// skin returns the colour of a level's face.
func skin(l rating.Level) color.RGBA {
	switch l {
	case rating.VerySatisfied:
		return color.RGBA{0x00, 0xb0, 0x80, 0xff}
	case rating.Satisfied:
		return color.RGBA{0x56, 0xb4, 0xe9, 0xff}
	case rating.FairlySatisfied:
		return color.RGBA{0xf0, 0xe4, 0x42, 0xff}
	case rating.Dissatisfied:
		return color.RGBA{0xe6, 0x9f, 0x00, 0xff}
	}
	return color.RGBA{0xe0, 0x6c, 0x1e, 0xff}
}

// mood returns how a level's mouth is bent.
func mood(l rating.Level) float64 { return (float64(l) - 3) / 2 }

// text is a line of text in its place. Size is what it would like to be; it shrinks to half of that to fit its box and
// is then cut.
type text struct {
	s      string
	box    image.Rectangle
	size   int
	ink    color.RGBA
	on     color.RGBA // what it stands on
	centre bool
}

// tile is one level's place.
type tile struct {
	box    image.Rectangle
	level  rating.Level
	chosen bool
}

// layout is where everything on a screen goes. It is a value that tests look at.
type layout struct {
	size    image.Point
	head    image.Rectangle
	mark    image.Rectangle // the offline mark
	texts   []text
	tiles   []tile
	choices []choice
	qr      image.Rectangle // the QR code with its quiet zone
	icon    image.Rectangle // a check mark
	alert   image.Rectangle // a coloured field behind a warning
	photo   image.Rectangle // of the person at the window
}

// arrange lays out a screen. It is pure.
func arrange(s Screen, size image.Point) layout {
	l := layout{size: size}
	w, h := size.X, size.Y
	pad := max(8, min(w, h)/30)
	head := max(40, h*12/100)
	if h > w {
		head = max(40, h*8/100)
	}
	l.head = image.Rect(0, 0, w, head)
	l.header(s, pad)
	body := image.Rect(pad, head+pad, w-pad, h-pad)
	switch s.State {
	case Asking:
		l.asking(s, body, pad)
	case Thanks:
		l.thanks(s, body, pad)
	case Explaining:
		l.reasons(s, body, pad)
	case Fault:
		l.fault(s, body, pad)
	case Enrolling:
		l.notice(body, "评价器尚未登记", "Not enrolled yet", "请管理员在中心登记本机，核对下列编号和指纹", s.Device+"    "+s.Fingerprint)
	case Paused:
		l.notice(body, "暂停服务", "Service paused", "请稍候，或到其他窗口办理", "Please wait, or use another window")
	case Closed:
		l.notice(body, "本窗口暂未开放", "This window is closed", "请到其他窗口办理，或稍候", "Please use another window, or wait")
	case Idle:
		l.notice(l.takePhoto(s, body, pad), "欢迎办理业务", "Welcome", "办理完成后，请您对服务作出评价", "You may rate the service when it is done")
	default:
		l.notice(body, "正在启动", "Starting", "请稍候", "Please wait")
	}
	return l
}

func (l *layout) add(s string, box image.Rectangle, size int, ink, on color.RGBA, centre bool) {
	if s != "" {
		l.texts = append(l.texts, text{s, box, size, ink, on, centre})
	}
}

// header says where the citizen is and who serves.
func (l *layout) header(s Screen, pad int) {
	h := l.head.Dy()
	right := l.head.Max.X - pad
	if s.Offline {
		size := max(12, h*30/100)
		l.mark = image.Rect(right-size*8, h/2-size, right, h/2+size)
		l.add("离线 Offline", l.mark.Inset(size/4), size, inkDark, warning, true)
		right = l.mark.Min.X - pad
	}
	staff := strings.TrimSpace(s.StaffName + "  " + s.StaffID)
	split := right
	if staff != "" || s.Department != "" {
		split = pad + (right-pad)*60/100
		box := image.Rect(split+pad, 0, right, h)
		if staff == "" || s.Department == "" {
			l.add(staff+s.Department, middle(box, h*34/100), h*34/100, card, band, false)
		} else {
			l.add(staff, image.Rect(box.Min.X, h*8/100, box.Max.X, h*54/100), h*34/100, card, band, false)
			l.add(s.Department, image.Rect(box.Min.X, h*55/100, box.Max.X, h*95/100), h*26/100, card, band, false)
		}
	}
	box := image.Rect(pad, 0, split, h)
	if s.Hall == "" || s.Window == "" {
		l.add(s.Hall+s.Window, middle(box, h*40/100), h*40/100, card, band, false)
		return
	}
	l.add(s.Window, image.Rect(box.Min.X, h*6/100, box.Max.X, h*58/100), h*40/100, card, band, false)
	l.add(s.Hall, image.Rect(box.Min.X, h*58/100, box.Max.X, h*96/100), h*26/100, card, band, false)
}

// middle returns the line of the given text size in the middle of a box's height.
func middle(box image.Rectangle, size int) image.Rectangle {
	top := box.Min.Y + (box.Dy()-lineHeight(size))/2
	return image.Rect(box.Min.X, top, box.Max.X, top+lineHeight(size))
}

// row lays out the five levels as the keys are.
func (l *layout) row(s Screen, box image.Rectangle, pad int, chosen rating.Level) {
	gap := max(4, pad*2/3)
	width := (box.Dx() - 4*gap) / 5
	for i, level := range s.Order {
		x := box.Min.X + i*(width+gap)
		t := image.Rect(x, box.Min.Y, x+width, box.Max.Y)
		l.tiles = append(l.tiles, tile{t, level, level == chosen && chosen != 0})
		in := t.Inset(max(3, pad/4))
		h := in.Dy()
		l.add(level.Chinese(), image.Rect(in.Min.X, in.Min.Y+h*60/100, in.Max.X, in.Min.Y+h*82/100), min(h*17/100, width*19/100), inkDark, card, true)
		l.add(level.English(), image.Rect(in.Min.X, in.Min.Y+h*83/100, in.Max.X, in.Max.Y), min(h*10/100, width*11/100), inkSoft, card, true)
	}
}

// rows returns the body without the tiles, and the tiles' place.
func rows(body image.Rectangle, pad int) (top, tiles image.Rectangle) {
	h := min(body.Dy()*42/100, body.Dx()*30/100)
	return image.Rect(body.Min.X, body.Min.Y, body.Max.X, body.Max.Y-h-pad), image.Rect(body.Min.X, body.Max.Y-h, body.Max.X, body.Max.Y)
}

func (l *layout) asking(s Screen, body image.Rectangle, pad int) {
	top, tiles := rows(body, pad)
	l.row(s, tiles, pad, 0)
	words := l.takePhoto(s, l.code(s, top, pad), pad)
	question, english := "请您对本次服务进行评价", "Please rate the service you received"
	if s.Subject == rating.MatterSubject {
		question, english = "请您对所办事项进行评价", "Please rate how your matter was handled"
	}
	h := words.Dy()
	big := min(h*20/100, words.Dx()/11)
	y := words.Min.Y + h*4/100
	next := func(s string, size int, ink color.RGBA, gap int) {
		if s == "" {
			return
		}
		size = max(size, 11)
		l.add(s, image.Rect(words.Min.X, y, words.Max.X, y+lineHeight(size)), size, ink, paper, false)
		y += lineHeight(size) + gap
	}
	step := ""
	if s.Steps > 1 {
		step = "第 " + digit(s.Step) + " 项，共 " + digit(s.Steps) + " 项    " + digit(s.Step) + " of " + digit(s.Steps)
	}
	next(step, big*45/100, inkSoft, 0)
	next(question, big, inkDark, 0)
	next(english, big/2, inkSoft, big/4)
	if s.Subject == rating.MatterSubject {
		next(s.Matter, big*60/100, inkDark, big/8)
	}
	if s.AskAgain {
		size := max(big*55/100, 16)
		l.alert = image.Rect(words.Min.X, y, words.Max.X, y+lineHeight(size)+lineHeight(size*7/10)+size/2)
		in := l.alert.Inset(size / 4)
		l.add("请只按一个键", image.Rect(in.Min.X, in.Min.Y, in.Max.X, in.Min.Y+lineHeight(size)), size, inkDark, warning, true)
		l.add("Please press one key only", image.Rect(in.Min.X, in.Min.Y+lineHeight(size), in.Max.X, in.Max.Y), size*7/10, inkDark, warning, true)
		return
	}
	next("请按下方对应的按键，自愿评价", big*55/100, inkSoft, 0)
	next("Press the key below your answer; rating is voluntary", big*40/100, inkSoft, 0)
}

func digit(n int) string { return string(rune('0' + n%10)) }

// code lays out the QR code at the right of a box and returns what is left for words.
func (l *layout) code(s Screen, box image.Rectangle, pad int) image.Rectangle {
	if s.Link == "" {
		return box
	}
	caption := max(12, box.Dy()*8/100)
	foot := lineHeight(caption) + lineHeight(caption*8/10)
	side := min(box.Dy()-foot, box.Dx()*45/100)
	l.qr = image.Rect(box.Max.X-side, box.Min.Y, box.Max.X, box.Min.Y+side)
	l.add("扫码用手机评价", image.Rect(l.qr.Min.X, l.qr.Max.Y, l.qr.Max.X, l.qr.Max.Y+lineHeight(caption)), caption, inkDark, paper, true)
	l.add("Or rate on your phone", image.Rect(l.qr.Min.X, l.qr.Max.Y+lineHeight(caption), l.qr.Max.X, l.qr.Max.Y+foot), caption*8/10, inkSoft, paper, true)
	return image.Rect(box.Min.X, box.Min.Y, l.qr.Min.X-pad, box.Max.Y)
}

func (l *layout) thanks(s Screen, body image.Rectangle, pad int) {
	top := body
	if s.Chosen != 0 {
		var tiles image.Rectangle
		top, tiles = rows(body, pad)
		l.row(s, tiles, pad, s.Chosen)
	}
	h := top.Dy()
	icon := h * 36 / 100
	l.icon = image.Rect(top.Min.X+(top.Dx()-icon)/2, top.Min.Y+h*2/100, top.Min.X+(top.Dx()+icon)/2, top.Min.Y+h*2/100+icon)
	big := min(h*17/100, top.Dx()/16)
	y := l.icon.Max.Y + h*3/100
	for _, t := range []struct {
		s    string
		size int
		ink  color.RGBA
	}{{"已记录，感谢您的评价", big, inkDark}, {"Recorded. Thank you.", big / 2, inkSoft}, {correction(s), big * 55 / 100, inkDark}, {correctionEnglish(s), big * 40 / 100, inkSoft}} {
		l.add(t.s, image.Rect(top.Min.X, y, top.Max.X, y+lineHeight(t.size)), t.size, t.ink, paper, true)
		y += lineHeight(t.size)
	}
}

func correction(s Screen) string {
	if s.Chosen == 0 {
		return ""
	}
	return "按错了？现在按其他键即可更正"
}

func correctionEnglish(s Screen) string {
	if s.Chosen == 0 {
		return ""
	}
	return "Pressed the wrong key? Press another one now"
}

func (l *layout) fault(s Screen, body image.Rectangle, pad int) {
	advice, english := "窗口恢复后即可评价，不影响您办理业务", "You may rate later; your business is not affected"
	if s.Link != "" {
		advice, english = "请扫描二维码，用手机评价", "Please scan the QR code and rate on your phone"
	}
	words := l.code(s, body, pad)
	h := words.Dy()
	big := min(h*15/100, words.Dx()/9)
	y := words.Min.Y + h*18/100
	l.alert = image.Rect(words.Min.X, y, words.Max.X, y+lineHeight(big)+big/2)
	l.add("按键暂停使用", l.alert.Inset(big/4), big, inkDark, warning, s.Link == "")
	y = l.alert.Max.Y + big/3
	for _, t := range []struct {
		s    string
		size int
		ink  color.RGBA
	}{{"The keys are out of service", big / 2, inkSoft}, {s.Problem, big * 55 / 100, inkDark}, {advice, big * 60 / 100, inkDark}, {english, big * 42 / 100, inkSoft}} {
		if t.s == "" {
			continue
		}
		l.add(t.s, image.Rect(words.Min.X, y, words.Max.X, y+lineHeight(t.size)), t.size, t.ink, paper, s.Link == "")
		y += lineHeight(t.size) + big/8
	}
}

// notice is a screen of words only.
func (l *layout) notice(body image.Rectangle, title, english, advice, more string) {
	h := body.Dy()
	big := min(h*18/100, body.Dx()/9)
	y := body.Min.Y + h*18/100
	for _, t := range []struct {
		s    string
		size int
		ink  color.RGBA
		gap  int
	}{{title, big, inkDark, 0}, {english, big / 2, inkSoft, big / 2}, {advice, big / 2, inkDark, big / 6}, {more, big * 42 / 100, inkSoft, 0}} {
		l.add(t.s, image.Rect(body.Min.X, y, body.Max.X, y+lineHeight(t.size)), t.size, t.ink, paper, true)
		y += lineHeight(t.size) + t.gap
	}
}
