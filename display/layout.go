package display

import (
	"cmp"
	"image"
	"image/color"
	"math"
	"slices"

	"haochaping/internal/rating"
)

// text is a text in its place.
type text struct {
	paragraph
	s      string
	size   int
	box    image.Rectangle
	ink    color.RGBA
	on     color.RGBA // what it stands on
	centre bool
}

// tile is one level's place. Face and digit are their places in it.
type tile struct {
	box    image.Rectangle
	level  rating.Level
	chosen bool
	face   image.Rectangle
	digit  text
}

// layout is where everything on a screen goes. It is a value that tests look at.
type layout struct {
	typesetter *typesetter
	size       image.Point
	least      int // the smallest size of a text
	pad        int
	modules    int // along a side of the QR code with its quiet zone

	head    image.Rectangle
	mark    image.Rectangle // the offline mark
	letGo   image.Rectangle // the field of the word that a key must be let go
	texts   []text
	tiles   []tile
	choices []choice
	qr      image.Rectangle // the QR code with its quiet zone
	icon    image.Rectangle // a check mark
	alert   image.Rectangle // a coloured field behind a warning
	photo   image.Rectangle // of the person at the window

	swatches []swatch // fields of one colour, each over those before it
}

// leastText returns the smallest size of a text in pixels: 3.5 mm on a panel of 7 inches, which is 24 pixels of 1024×600. On the
// smallest panels it is what still shows a character's strokes, and on one that is a bar it is by its shorter side.
func leastText(size image.Point) int {
	const perDiagonal, perSide = 3.5 / (7 * 25.4), 0.05
	least := math.Hypot(float64(size.X), float64(size.Y)) * perDiagonal
	return max(14, int(math.Ceil(min(least, float64(min(size.X, size.Y))*perSide))))
}

// arrange lays out a screen. The same screen, size and fonts give the same layout. modules is how many the QR code has with its quiet
// zone, 0 if there is none.
func arrange(t *typesetter, s Screen, size image.Point, modules int) layout {
	l := layout{typesetter: t, size: size, least: leastText(size), pad: max(8, min(size.X, size.Y)/32), modules: modules}
	if s.State == TestPicture {
		l.testPicture(s)
		return l
	}
	l.header(s)
	body := image.Rect(l.pad, l.head.Max.Y+l.pad, size.X-l.pad, size.Y-l.pad)
	switch s.State {
	case Asking:
		l.asking(s, body)
	case Thanks:
		l.thanks(s, body)
	case Explaining:
		l.reasons(s, body)
	case Fault:
		l.fault(s, body)
	case Enrolling:
		if s.Code != "" {
			l.waiting(s, body)
			break
		}
		l.notice(body, "评价器尚未登记", "Not enrolled yet", "请管理员在中心登记本机，核对下列编号和指纹", s.Device, s.Fingerprint)
	case Learning:
		l.lesson(s, body)
	case Paused:
		l.notice(body, "暂停服务", "Service paused", "请稍候，或到其他窗口办理", "Please wait, or use another window")
	case Closed:
		l.notice(body, "本窗口暂未开放", "This window is closed", "请到其他窗口办理，或稍候", "Please use another window, or wait")
	case Idle:
		l.idle(s, body)
	default:
		l.notice(body, "正在启动", "Starting", "请稍候", "Please wait")
	}
	return l
}

// upright reports whether the screen is higher than wide.
func (l *layout) upright() bool { return l.size.Y > l.size.X }

// block is a text in a column of them. Its size is what it would like to be: the column shrinks all of its blocks together.
type block struct {
	s     string
	size  int
	lines int // at most; 0 is one
	floor int // below which what is spare is left out rather than it gets smaller, unless its place is narrow; 0 for the smallest
	ink   color.RGBA
	gap   int  // below it, in percent of its size
	spare int  // the higher is left out first where there is no room; 0 never is
	alert bool // it stands on the coloured field of a warning
}

// column is a place for blocks.
type column struct {
	box    image.Rectangle
	on     color.RGBA
	centre bool // each line in the middle of the breadth
	top    bool // the blocks begin at the top, else they stand in the middle
	most   int  // how large the blocks may be of what they would like to be, in percent; 0 for 100
}

// write puts blocks into a column, as large as all of them fit whole.
func (l *layout) write(c column, blocks ...block) {
	kept := blocks[:0:0]
	for _, b := range blocks {
		if clean(b.s) != "" {
			kept = append(kept, b)
		}
	}
	for len(kept) > 0 {
		const smallest, step = 30, 10
		for scale := max(cmp.Or(c.most, 100), smallest); scale >= smallest; scale -= step {
			texts, height, whole := l.stack(c, kept, scale)
			if height <= c.box.Dy() && (whole || scale-step < smallest) || len(kept) == 1 && scale-step < smallest {
				l.settle(c, kept, texts, height)
				return
			}
		}
		out := 0
		for i, b := range kept {
			if b.spare >= kept[out].spare {
				out = i
			}
		}
		if floors := slices.IndexFunc(kept, func(b block) bool { return b.floor > 0 }); kept[out].spare == 0 && floors >= 0 {
			kept[floors].floor = 0 // rather than that what matters is left out
			continue
		}
		if longest := longestOf(kept); kept[out].spare == 0 && kept[longest].lines > 1 {
			kept[longest].lines-- // it is cut in its middle instead
			continue
		}
		kept = append(kept[:out:out], kept[out+1:]...)
	}
}

// longestOf returns which block may have the most lines.
func longestOf(blocks []block) (longest int) {
	for i, b := range blocks {
		if b.lines > blocks[longest].lines {
			longest = i
		}
	}
	return longest
}

// stack sets blocks below one another from the column's top. Whole is false if a text had to be cut.
func (l *layout) stack(c column, blocks []block, scale int) (texts []text, height int, whole bool) {
	whole = true
	inner := c.box.Dx()
	for i, b := range blocks {
		width := inner
		if b.alert {
			width -= b.size * scale / 100
		}
		p, size := l.typesetter.fit(b.s, max(l.least, b.floor, b.size*scale/100), l.least, width, max(1, b.lines))
		whole = whole && !p.cut
		if b.alert && (i == 0 || !blocks[i-1].alert) {
			height += size / 4
		}
		texts = append(texts, text{paragraph: p, s: b.s, size: size, ink: b.ink, on: c.on, centre: c.centre,
			box: image.Rect(c.box.Min.X, height, c.box.Max.X, height+p.height())})
		height += p.height()
		if b.alert && (i == len(blocks)-1 || !blocks[i+1].alert) {
			height += size / 4
		}
		if i < len(blocks)-1 {
			height += size * b.gap / 100
		}
	}
	return texts, height, whole
}

// settle puts stacked blocks where they belong in their column.
func (l *layout) settle(c column, blocks []block, texts []text, height int) {
	down := c.box.Min.Y
	if !c.top {
		down += (c.box.Dy() - height) / 2
	}
	for i, t := range texts {
		t.box = t.box.Add(image.Pt(0, down))
		if blocks[i].alert {
			t.on, t.centre = warning, true
			l.alert = l.alert.Union(t.box.Inset(-t.size / 4).Intersect(c.box))
		}
		l.texts = append(l.texts, t)
	}
}

// header says where the citizen is and who serves. The mark of a box without connection, or with a key that is stuck, has its place at
// all times, so that nothing moves when it appears.
func (l *layout) header(s Screen) {
	unit, top := l.least, l.pad/2
	free := image.Rect(l.pad, top, l.size.X-l.pad, top)
	markWidth := l.typesetter.paragraph("Offline", unit, l.size.X, 1).width + unit/2
	mark := image.Rect(free.Max.X-markWidth, top, free.Max.X, top+2*lineHeight(unit))
	if zh, en := s.marked(); zh != "" {
		l.mark = mark
		l.write(column{box: mark, on: warning, centre: true}, block{s: zh, size: unit, ink: inkDark}, block{s: en, size: unit, ink: inkDark})
	}
	left := image.Rect(free.Min.X, top, mark.Min.X-l.pad, top)
	var bottom int
	switch {
	case l.upright():
		bottom = l.place(left, s)
		staff := l.staff(s, free.Dx())
		if room := free.Dx() * 2 / 3; clean(s.Department) != "" && !l.fits(staff+"  "+s.Department, free.Dx()) {
			staff = l.staff(s, room)
			staff += "  " + l.short(s.Department, free.Dx()-l.width(staff)-unit)
		} else {
			staff += "  " + s.Department
		}
		bottom = l.line(image.Rect(free.Min.X, bottom, free.Max.X, bottom), unit, staff)
	case clean(s.StaffName+s.StaffID+s.Department) == "":
		bottom = l.place(left, s)
	default:
		right := left
		right.Min.X += left.Dx() * 56 / 100
		left.Max.X = right.Min.X - l.pad
		bottom = max(l.place(left, s), l.lines(right, l.staff(s, right.Dx()), s.Department))
	}
	l.head = image.Rect(0, 0, l.size.X, bottom+top)
}

// staff names who serves in a line of a width, with their number: what is too long of the name is left out before the number is.
func (l *layout) staff(s Screen, width int) string {
	if s.StaffID == "" {
		return s.StaffName
	}
	number := "工号 " + s.StaffID
	if all := s.StaffName + "  " + number; l.fits(all, width) {
		return all
	}
	gap := l.least
	number = l.short(number, max(width*2/3, width-gap-l.width(s.StaffName)))
	return l.short(s.StaffName, width-gap-l.width(number)) + "  " + number
}

// width is how wide a text is in a line of the smallest size.
func (l *layout) width(s string) int { return l.typesetter.whole(s, l.least, unbounded).width }

// fits reports whether a text can stand in a line of a width.
func (l *layout) fits(s string, width int) bool { return l.width(s) <= width }

// short returns as much of a text as a line of a width can hold.
func (l *layout) short(s string, width int) string {
	if l.fits(s, width) {
		return s
	}
	if p := l.typesetter.paragraph(s, l.least, width, 1); len(p.lines) > 0 {
		return string(p.lines[0].text)
	}
	return ""
}

// place says where the citizen is, and returns where that ends. What to do about a key that counts for nothing stands there for a while,
// so that the question keeps its place.
func (l *layout) place(at image.Rectangle, s Screen) (bottom int) {
	before := len(l.texts)
	bottom = l.lines(at, s.Window, s.Hall)
	if s.LetGo && s.State == Asking {
		l.texts = l.texts[:before]
		l.letGo = image.Rect(at.Min.X, at.Min.Y, at.Max.X, bottom)
		l.write(column{box: l.letGo, on: warning, centre: true}, block{s: "请松开按键，稍等两秒再按", size: l.least * 4 / 3, ink: inkDark},
			block{s: "Let go, wait 2 s, press again", size: l.least, ink: inkDark})
	}
	return bottom
}

// marked returns the two lines of the mark in the header, empty for none.
func (s Screen) marked() (first, second string) {
	switch {
	case s.Offline && s.StuckKey:
		return "离线", "键卡住"
	case s.Offline:
		return "离线", "Offline"
	case s.StuckKey:
		return "键卡住", "Stuck"
	}
	return "", ""
}

// lines writes a large line and a smaller one below it into the header, and returns where they end. An empty one keeps its place.
func (l *layout) lines(at image.Rectangle, first, second string) (bottom int) {
	at.Min.Y = l.line(at, l.least*4/3, first)
	return l.line(at, l.least, second)
}

// line writes a line of at most a size from the top of a box, and returns where it ends.
func (l *layout) line(at image.Rectangle, size int, s string) (bottom int) {
	p, fits := l.typesetter.fit(s, size, l.least, at.Dx(), 1)
	at.Max.Y = at.Min.Y + max(lineHeight(size), p.height())
	if len(p.lines) > 0 {
		l.texts = append(l.texts, text{paragraph: p, s: s, size: fits, ink: card, on: band, box: at})
	}
	return at.Max.Y
}

// takePhoto takes the photo's place from the left of a box, and returns what is left.
func (l *layout) takePhoto(s Screen, box image.Rectangle) image.Rectangle {
	if s.Photo == nil {
		return box
	}
	if l.upright() && s.State == Idle {
		h := box.Dy() * 40 / 100
		l.photo = image.Rect(0, 0, h*4/5, h).Add(image.Pt(box.Min.X+(box.Dx()-h*4/5)/2, box.Min.Y+l.pad))
		box.Min.Y = l.photo.Max.Y + l.pad
		return box
	}
	share := 30                               // percent of the breadth
	if l.upright() && clean(s.Matter) != "" { // which needs the breadth
		share = 22
	}
	h := min(box.Dy()*90/100, box.Dx()*share/100*5/4)
	top := box.Min.Y + (box.Dy()-h)/2
	l.photo = image.Rect(box.Min.X, top, box.Min.X+h*4/5, top+h)
	box.Min.X = l.photo.Max.X + l.pad
	return box
}
