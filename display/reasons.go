package display

import (
	"image"
	"image/color"

	"haochaping/internal/rating"
)

// choice is what a key stands for while reasons are asked for. It has the place of the key's level on the question's screen, and
// its number, so that the finger finds the same key.
type choice struct {
	box   image.Rectangle
	level rating.Level // whose number it bears
}

// skipWords are those of the fifth key.
var skipWords = []string{"其他", "跳过"}

// reasons lays out the reasons of an answer, or the thanks once all has been said. Neither says which level was chosen.
func (l *layout) reasons(s Screen, body image.Rectangle, pad int) {
	if s.Reasons == [rating.KeyReasons]string{} {
		l.notice(body, "感谢您的评价", "Thank you", "您的评价已记录", "Your rating is recorded")
		return
	}
	top, keys := rows(body, pad)
	words := [5][]string{rating.KeyReasons: skipWords}
	gap := max(4, pad*2/3)
	width := (keys.Dx() - 4*gap) / 5
	head, inset := keys.Dy()*20/100, max(3, pad/4)
	room := image.Pt(width-2*inset, keys.Dy()-head-inset)
	size := room.Y
	for i, reason := range s.Reasons {
		words[i] = breakEvenly(reason, room)
		size = min(size, sizeOf(words[i], room))
	}
	for i, level := range s.Order {
		x := keys.Min.X + i*(width+gap)
		c := choice{image.Rect(x, keys.Min.Y, x+width, keys.Max.Y), level}
		l.choices = append(l.choices, c)
		y := c.box.Min.Y + head + (room.Y-len(words[i])*lineHeight(size))/2
		for _, line := range words[i] {
			l.add(line, image.Rect(x+inset, y, x+width-inset, y+lineHeight(size)), size, inkDark, card, true)
			y += lineHeight(size)
		}
	}
	l.reasonsQuestion(s, top)
}

// reasonsQuestion says above the keys what is asked.
func (l *layout) reasonsQuestion(s Screen, top image.Rectangle) {
	h := top.Dy()
	big := min(h*18/100, top.Dx()/16)
	y := top.Min.Y + h*6/100
	next := func(s string, size int, ink, on color.RGBA) {
		if s == "" {
			return
		}
		size = max(size, 11)
		l.add(s, image.Rect(top.Min.X, y, top.Max.X, y+lineHeight(size)), size, ink, on, true)
		y += lineHeight(size)
	}
	about, aboutEnglish := "对"+s.Subject.Chinese()+"的评价", "the service"
	if s.Subject == rating.MatterSubject {
		aboutEnglish = "how your matter was handled"
	}
	if s.Steps > 1 {
		about += "    " + digit(s.Step) + " / " + digit(s.Steps)
	}
	next(about, big*50/100, inkSoft, paper)
	if s.Subject == rating.MatterSubject {
		next(s.Matter, big*50/100, inkSoft, paper)
	}
	next("主要原因是？", big, inkDark, paper)
	next("What was the main reason for your rating of "+aboutEnglish+"?", big*45/100, inkSoft, paper)
	y += big / 4
	if s.AskAgain {
		l.alert = image.Rect(top.Min.X+top.Dx()/5, y, top.Max.X-top.Dx()/5, y+lineHeight(big*55/100)+lineHeight(big*40/100))
		next("请只按一个键", big*55/100, inkDark, warning)
		next("Please press one key only", big*40/100, inkDark, warning)
		return
	}
	next("评价已记录。可按键选择一项，也可跳过或不选", big*55/100, inkDark, paper)
	next("Recorded. Press a key, or the last one to skip; optional", big*40/100, inkSoft, paper)
}

// breakEvenly breaks a reason into lines of about the same length, as few as let it be large.
func breakEvenly(s string, room image.Point) (best []string) {
	r := []rune(s)
	for lines := 1; lines <= min(4, len(r)); lines++ {
		var broken []string
		for i := range lines {
			broken = append(broken, string(r[i*len(r)/lines:(i+1)*len(r)/lines]))
		}
		if best == nil || sizeOf(broken, room) > sizeOf(best, room) {
			best = broken
		}
	}
	return best
}

// sizeOf returns the text size at which lines of full-width characters fit a room.
func sizeOf(lines []string, room image.Point) int {
	longest := 1
	for _, line := range lines {
		longest = max(longest, len([]rune(line)))
	}
	return min(room.X*96/100/longest, room.Y*10/13/max(1, len(lines)))
}

// drawChoices draws the fields of the reasons and their numbers; the words are among the texts.
func (r *Renderer) drawChoices(dst *image.RGBA, l layout) {
	for _, c := range l.choices {
		radius, width := float64(c.box.Dx())/14, max(1, c.box.Dx()/80)
		roundBox(dst, c.box, radius, line)
		roundBox(dst, c.box.Inset(width), radius-float64(width)/2, card)
		digits := max(11, c.box.Dy()*13/100)
		r.faces(digits).draw(dst, number(c.level), c.box.Min.Add(image.Pt(c.box.Dx()*8/100, c.box.Dy()*4/100)), digits, image.NewUniform(inkDark))
	}
}
