package display

import (
	"image"
	"strings"

	"haochaping/internal/rating"
)

// rows returns the body without the tiles, and the tiles' place, which is the same on all screens that have them.
func (l *layout) rows(body image.Rectangle) (top, tiles image.Rectangle) {
	h := body.Dy() * 43 / 100
	if l.upright() {
		h = min(body.Dy()*38/100, max(body.Dx()*52/100, 8*lineHeight(l.least))) // a bar has room for reasons in many lines
	}
	return image.Rect(body.Min.X, body.Min.Y, body.Max.X, body.Max.Y-h-l.pad), image.Rect(body.Min.X, body.Max.Y-h, body.Max.X, body.Max.Y)
}

// places returns where what belongs to the five keys stands, and a line above that for all of them, which is empty where each place
// has room for words in English.
func (l *layout) places(box image.Rectangle) (places [5]image.Rectangle, legend image.Rectangle) {
	gap := max(4, l.pad*2/3)
	width := (box.Dx() - 4*gap) / 5
	if !l.wordsFit(width - 2*inset(width)) {
		legend = image.Rect(box.Min.X, box.Min.Y, box.Max.X, box.Min.Y+lineHeight(l.least))
		box.Min.Y = legend.Max.Y
	}
	for i := range places {
		x := box.Min.X + i*(width+gap)
		places[i] = image.Rect(x, box.Min.Y, x+width, box.Max.Y)
	}
	return places, legend
}

// inset is how far the contents of a key's place keep from its edge.
func inset(width int) int { return max(3, width/24) }

// row lays out the five levels as the keys are. Where the English words do not fit the tiles, only those of both ends stand above
// them.
func (l *layout) row(s Screen, box image.Rectangle, chosen rating.Level) {
	places, legend := l.places(box)
	if !legend.Empty() {
		first := column{box: legend, on: paper}
		last := first
		last.box.Min.X = last.box.Max.X - l.typesetter.paragraph(s.Order[4].English(), l.least, legend.Dx()/2, 1).width
		first.box.Max.X = last.box.Min.X
		l.write(first, block{s: s.Order[0].English(), size: l.least, ink: inkSoft})
		l.write(last, block{s: s.Order[4].English(), size: l.least, ink: inkSoft})
	}
	width := places[0].Dx()
	chinese, lines := l.chineseSize(width-2*inset(width), box.Dy())
	feet := l.englishLines(width - 2*inset(width))
	for i, level := range s.Order {
		t := tile{box: places[i], level: level, chosen: level == chosen && chosen != 0}
		in := t.box.Inset(inset(width))
		if legend.Empty() {
			foot := image.Rect(in.Min.X, in.Max.Y-feet*lineHeight(l.least), in.Max.X, in.Max.Y)
			l.write(column{box: foot, on: card, centre: true, top: true}, block{s: level.English(), size: l.least, lines: feet, ink: inkSoft})
			in.Max.Y = foot.Min.Y
		}
		words := image.Rect(in.Min.X, in.Max.Y-lines*lineHeight(chinese), in.Max.X, in.Max.Y)
		l.write(column{box: words, on: card, centre: true}, block{s: chineseLines(level, lines), size: chinese, lines: lines, ink: inkDark})
		in.Max.Y = words.Min.Y
		l.faceAndDigit(&t, in)
		l.tiles = append(l.tiles, t)
	}
}

// chineseLines lets the longer words break after 非常 and 基本 where there are two lines.
func chineseLines(level rating.Level, lines int) string {
	if lines == 1 {
		return level.Chinese()
	}
	for _, first := range []string{"非常", "基本"} {
		if rest, ok := strings.CutPrefix(level.Chinese(), first); ok {
			return first + " " + rest
		}
	}
	return level.Chinese()
}

// chineseSize returns the size and lines of the levels' words in a tile.
func (l *layout) chineseSize(width, height int) (size, lines int) {
	const longest = 5 // characters
	if one := width / longest; one >= l.least {
		return min(one, max(l.least, height*19/100)), 1
	}
	return max(l.least, min(width/3, height*17/100)), 2
}

// englishLines returns how many lines the English words need in a tile, where each of them fits it.
func (l *layout) englishLines(width int) (lines int) {
	for _, level := range rating.Levels() {
		lines = max(lines, len(l.typesetter.whole(level.English(), l.least, width).lines))
	}
	return lines
}

// wordsFit reports whether each English word fits a tile.
func (l *layout) wordsFit(width int) bool {
	for _, level := range rating.Levels() {
		for _, word := range strings.Fields(level.English()) {
			if l.typesetter.paragraph(word, l.least, l.size.X, 1).width > width {
				return false
			}
		}
	}
	return true
}

// faceAndDigit puts the face and the number into what is left of a tile: the number beside the face, or above it in a narrow tile.
func (l *layout) faceAndDigit(t *tile, in image.Rectangle) {
	t.digit = l.digit(t.level, in)
	side := min(in.Dx()-2*(t.digit.width+l.least/3), in.Dy()*92/100)
	if below := min(in.Dx()*84/100, in.Dy()-lineHeight(l.least)); below > side {
		side = below
		in.Min.Y = t.digit.box.Max.Y
	}
	at := image.Pt(in.Min.X+(in.Dx()-side)/2, in.Min.Y+(in.Dy()-side)/2)
	t.face = image.Rectangle{Min: at, Max: at.Add(image.Pt(side, side))}
}

// digit puts a level's number into the corner of a place.
func (l *layout) digit(level rating.Level, in image.Rectangle) text {
	p := l.typesetter.paragraph(number(level), l.least, l.least*2, 1)
	box := image.Rect(0, 0, p.width, lineHeight(l.least)).Add(in.Min.Add(image.Pt(l.least/4, 0)))
	return text{paragraph: p, size: l.least, ink: inkDark, on: card, box: box}
}

func (l *layout) asking(s Screen, body image.Rectangle) {
	top, tiles := l.rows(body)
	l.row(s, tiles, 0)
	words := l.takePhoto(s, l.code(s, top, "扫码用手机评价", "Or rate on your phone"))
	question, english := s.Texts.Question.Or("请您对本次服务进行评价", "Please rate the service you received")
	if s.Subject == rating.MatterSubject {
		question, english = s.Texts.Matter.Or("请您对所办事项进行评价", "Please rate how your matter was handled")
	}
	u := l.least
	var blocks []block
	if s.Steps > 1 {
		step := "第 " + digit(s.Step) + " 项，共 " + digit(s.Steps) + " 项    " + digit(s.Step) + " of " + digit(s.Steps)
		blocks = append(blocks, block{s: step, size: u * 11 / 10, ink: inkSoft, spare: 1})
	}
	blocks = append(blocks, block{s: question, size: u * 2, floor: u * 4 / 3, ink: inkDark},
		block{s: english, size: u * 11 / 10, lines: 2, ink: inkSoft, gap: 30, spare: 2})
	if s.Subject == rating.MatterSubject {
		blocks = append(blocks, block{s: s.Matter, size: u * 3 / 2, lines: l.matterLines(s.Matter, words.Dx()), ink: inkDark, gap: 30})
	}
	if s.AskAgain {
		blocks = append(blocks, block{s: "请只按一个键", size: u * 3 / 2, ink: inkDark, alert: true},
			block{s: "Please press one key only", size: u, ink: inkDark, alert: true})
	} else {
		blocks = append(blocks, block{s: "请按下方对应的按键，自愿评价", size: u * 12 / 10, lines: 2, ink: inkSoft, spare: 3},
			block{s: "Press the key below your answer; rating is voluntary", size: u, lines: 2, ink: inkSoft, spare: 4})
	}
	next := u * 12 / 10 // the largest beside the question, which its breadth keeps from growing
	if s.Subject == rating.MatterSubject {
		next = u * 16 / 10
	}
	most := min(l.growth(), max(1, words.Dx()/len([]rune(question))*100/next))
	l.write(column{box: words, on: paper, centre: l.upright() && s.Photo == nil, most: most}, blocks...)
}

// matterLines returns in how many lines a matter may be written: three, or as many more as a long one needs where there is room for them.
func (l *layout) matterLines(matter string, width int) int {
	lines, most := 3, 4
	if 4*l.size.Y > 3*l.size.X {
		most = 6
	}
	for lines < most && l.typesetter.paragraph(matter, l.least, width, lines).cut {
		lines++
	}
	return lines
}

// growth is how much larger than usual words may be, in percent: upright screens have room.
func (l *layout) growth() int {
	if l.upright() {
		return 150
	}
	return 120
}

func digit(n int) string { return string(rune('0' + n%10)) }

// leastModule is how many pixels a side a module of the QR code has at least where words could do with its place.
const leastModule = 3

// code lays out the QR code at the right of a box, or at its foot on an upright screen, and returns what is left for words.
func (l *layout) code(s Screen, box image.Rectangle, caption, english string) image.Rectangle {
	if s.Link == "" || l.modules == 0 {
		return box
	}
	line := lineHeight(l.least)
	room, breadth := box.Dy(), box.Dx()*45/100
	if l.upright() {
		room, breadth = box.Dy()*58/100, box.Dx()*80/100
		// A matter needs the height more than the code does, at each question of its visit.
		if less := box.Dy() * 47 / 100; s.State == Asking && clean(s.Matter) != "" && less-line >= leastModule*l.modules {
			room = less
		}
	}
	// The English line must not make the modules smaller than they can be.
	foot := 2 * line
	if min(room-line, breadth)/l.modules > min(room-foot, breadth)/l.modules {
		foot = line
	}
	side := max(1, min(room-foot, breadth)/l.modules) * l.modules
	wide := max(side, l.typesetter.paragraph(caption, l.least, breadth, 1).width)
	if foot > line {
		wide = max(wide, l.typesetter.paragraph(english, l.least, breadth, 1).width)
	}
	rest := box
	at := image.Rect(box.Max.X-wide, box.Min.Y, box.Max.X, box.Min.Y+side+foot)
	if l.upright() {
		at = image.Rect(box.Min.X, box.Max.Y-side-foot, box.Max.X, box.Max.Y)
		rest.Max.Y = at.Min.Y - l.pad
	} else {
		at = at.Add(image.Pt(0, (box.Dy()-at.Dy())/2))
		rest.Max.X = at.Min.X - l.pad
	}
	l.qr = image.Rect(at.Min.X+(at.Dx()-side)/2, at.Min.Y, at.Min.X+(at.Dx()-side)/2+side, at.Min.Y+side)
	words := column{box: image.Rect(at.Min.X, at.Min.Y+side, at.Max.X, at.Min.Y+side+line), on: paper, centre: true}
	l.write(words, block{s: caption, size: l.least, ink: inkDark})
	if foot > line {
		words.box = words.box.Add(image.Pt(0, line))
		l.write(words, block{s: english, size: l.least, ink: inkSoft})
	}
	return rest
}

func (l *layout) thanks(s Screen, body image.Rectangle) {
	top, u := body, l.least
	words := column{on: paper, centre: true, most: l.growth()}
	recorded, english := s.Texts.Thanks.Or("已记录，感谢您的评价", "Recorded. Thank you.")
	blocks := []block{{s: recorded, size: u * 2, ink: inkDark}, {s: english, size: u * 11 / 10, ink: inkSoft}}
	if s.Chosen != 0 {
		var tiles image.Rectangle
		top, tiles = l.rows(body)
		l.row(s, tiles, s.Chosen)
		blocks[1].gap = 40
		blocks = append(blocks, block{s: "按错了？现在按其他键即可更正", size: u * 17 / 10, ink: inkDark},
			block{s: "Pressed the wrong key? Press another one now", size: u * 11 / 10, lines: 2, ink: inkSoft})
	}
	if s.Chosen != 0 && !l.upright() { // beside the words, which need the height
		side := top.Dy() * 55 / 100
		l.icon = image.Rect(0, 0, side, side).Add(image.Pt(top.Min.X+l.pad, top.Min.Y+(top.Dy()-side)/2))
		words.box = image.Rect(l.icon.Max.X+l.pad, top.Min.Y, top.Max.X, top.Max.Y)
	} else {
		side := min(top.Dy()*30/100, top.Dx()*40/100)
		l.icon = image.Rect(0, 0, side, side).Add(image.Pt(top.Min.X+(top.Dx()-side)/2, top.Min.Y+top.Dy()*8/100))
		words.box = image.Rect(top.Min.X, l.icon.Max.Y+l.pad, top.Max.X, top.Max.Y)
		if words.top = s.Chosen == 0; words.top {
			l.icon, words.box.Min.Y = l.icon.Add(image.Pt(0, top.Dy()/10)), words.box.Min.Y+top.Dy()/10
		}
	}
	l.write(words, blocks...)
}
