package display

import (
	"image"

	"haochaping/internal/rating"
)

// choice is what a key stands for while reasons are asked for. It has the place of the key's level on the question's screen, and
// its number, so that the finger finds the same key.
type choice struct {
	box   image.Rectangle
	digit text // the number of the key's level
}

// skip is what the fifth key stands for.
const skip, skipEnglish = "其他 跳过", "Skip"

// reasons lays out the reasons of an answer, or the thanks once all has been said. Neither says which level was chosen.
func (l *layout) reasons(s Screen, body image.Rectangle) {
	if s.Reasons == [rating.KeyReasons]string{} {
		l.notice(body, "感谢您的评价", "Thank you", "您的评价已记录", "Your rating is recorded")
		return
	}
	top, keys := l.rows(body)
	places, _ := l.places(keys)
	words := append(s.Reasons[:], skip)
	rooms := make([]image.Rectangle, len(words))
	for i, level := range s.Order {
		in := places[i].Inset(inset(places[i].Dx()))
		c := choice{places[i], l.digit(level, in)}
		l.choices = append(l.choices, c)
		rooms[i] = image.Rect(in.Min.X, c.digit.box.Max.Y, in.Max.X, in.Max.Y)
	}
	size := l.evenSize(words, rooms[0].Size())
	for i, w := range words {
		room := rooms[i]
		if i == rating.KeyReasons {
			foot := image.Rect(room.Min.X, room.Max.Y-lineHeight(l.least), room.Max.X, room.Max.Y)
			l.write(column{box: foot, on: card, centre: true}, block{s: skipEnglish, size: l.least, ink: inkSoft})
			room.Max.Y = foot.Min.Y
		}
		p, _ := l.typesetter.label(w, size, room.Dx(), max(1, room.Dy()/lineHeight(size)))
		l.texts = append(l.texts, text{paragraph: p, s: w, size: size, box: room, ink: inkDark, on: card, centre: true})
	}
	l.reasonsQuestion(s, top)
}

// evenSize returns the largest size at which each of some labels fits a room whole, without breaking a word, so that none stands out.
func (l *layout) evenSize(words []string, room image.Point) int {
	size := max(l.least, room.X/4)
	for _, w := range words {
		for size > l.least {
			p, split := l.typesetter.label(w, size, room.X, max(1, room.Y/lineHeight(size)))
			if split == 0 && !p.cut && p.height() <= room.Y && p.width <= room.X {
				break
			}
			size = max(l.least, size*93/100)
		}
	}
	return size
}

// reasonsQuestion says above the keys what is asked.
func (l *layout) reasonsQuestion(s Screen, top image.Rectangle) {
	u := l.least
	about, english := "对"+s.Subject.Chinese()+"的评价", "the service"
	if s.Subject == rating.MatterSubject {
		english = "how your matter was handled"
	}
	if s.Steps > 1 {
		about += "    " + digit(s.Step) + " / " + digit(s.Steps)
	}
	blocks := []block{{s: about, size: u * 11 / 10, ink: inkSoft, spare: 2}}
	if s.Subject == rating.MatterSubject {
		blocks = append(blocks, block{s: s.Matter, size: u * 12 / 10, lines: 2, ink: inkDark, spare: 1})
	}
	blocks = append(blocks, block{s: "主要原因是？", size: u * 2, ink: inkDark},
		block{s: "What was the main reason for your rating of " + english + "?", size: u, lines: 2, ink: inkSoft, gap: 30})
	if s.AskAgain {
		blocks = append(blocks, block{s: "请只按一个键", size: u * 3 / 2, ink: inkDark, alert: true},
			block{s: "Please press one key only", size: u, ink: inkDark, alert: true})
	} else {
		blocks = append(blocks, block{s: "评价已记录。可按键选择一项，也可跳过或不选", size: u * 13 / 10, lines: 2, ink: inkDark},
			block{s: "Recorded. Press a key, or the last one to skip; optional", size: u, lines: 2, ink: inkSoft, spare: 3})
	}
	l.write(column{box: top, on: paper, centre: true, most: l.growth()}, blocks...)
}

// drawChoice draws the field of a reason and its number; the words are among the texts.
func (r *Renderer) drawChoice(dst *image.RGBA, c choice) {
	radius, width := float64(c.box.Dx())/14, max(1, c.box.Dx()/80)
	roundBox(dst, c.box, radius, edge)
	roundBox(dst, c.box.Inset(width), radius-float64(width)/2, card)
	r.text(dst, c.digit)
}
