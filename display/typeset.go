package display

import (
	"cmp"
	"slices"
	"strings"

	"github.com/go-text/typesetting/di"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/language"
	"github.com/go-text/typesetting/shaping"
	"golang.org/x/image/math/fixed"
)

// typesetter chooses fonts, shapes and breaks texts into lines, and keeps what it has made of them. It is not safe for
// concurrent use.
type typesetter struct {
	fonts     *Fonts
	faces     map[*font.Font]*font.Face
	first     *font.Face // for what no font has
	segmenter shaping.Segmenter
	shaper    shaping.HarfbuzzShaper
	wrapper   shaping.LineWrapper
	set       map[setKey]paragraph
	glyphs    map[glyphKey]glyph
}

// setKey is what a paragraph depends on.
type setKey struct {
	s           string
	size, width int
	lines       int // at most, 0 for as many as it needs
}

// paragraph is a text in lines.
type paragraph struct {
	lines []setLine
	width int // of the widest line
	cut   bool
}

// setLine is a line of shaped text. Ascent and descent are those of a line of its size, or more where its characters are higher.
type setLine struct {
	text            []rune
	runs            []shaping.Output // from left to right
	width           int
	ascent, descent int
}

func (l setLine) height() int { return l.ascent + l.descent }

// height is that of all lines.
func (p paragraph) height() (h int) {
	for _, l := range p.lines {
		h += l.height()
	}
	return h
}

// The bounds of what is kept: a screen has some twenty texts of some hundred different characters, and is tried at several sizes.
const (
	mostSet    = 600
	mostGlyphs = 1000
)

func newTypesetter(f *Fonts) *typesetter {
	t := &typesetter{fonts: f, faces: make(map[*font.Font]*font.Face), set: make(map[setKey]paragraph), glyphs: make(map[glyphKey]glyph)}
	f.each(func(first *font.Font) bool {
		t.first = font.NewFace(first)
		t.faces[first] = t.first
		return true
	})
	return t
}

// ResolveFace implements shaping.Fontmap: the face of the first font that has r. What none has is drawn as missing.
func (t *typesetter) ResolveFace(r rune) *font.Face {
	if _, ok := t.first.NominalGlyph(r); ok {
		return t.first
	}
	f := t.fonts.with(r)
	if f == nil {
		return t.first
	}
	face, ok := t.faces[f]
	if !ok {
		face = font.NewFace(f)
		t.faces[f] = face
	}
	return face
}

// lineHeight is the height of a line of Chinese for its size.
func lineHeight(size int) int { return ascent(size) + descent(size) }

func ascent(size int) int  { return (size*103 + 99) / 100 }
func descent(size int) int { return (size*27 + 99) / 100 }

// paragraph sets a text of a size in at most some lines of a width. What does not fit is cut out of its middle: the end
// of a matter's name says what is special about it.
func (t *typesetter) paragraph(s string, size, width, lines int) paragraph {
	if p := t.whole(s, size, width); len(p.lines) <= lines && p.width <= width {
		return p
	}
	return t.keep(setKey{s, size, width, lines}, func(text []rune) paragraph { return t.shortened(text, size, width, lines) })
}

// whole sets a text in as many lines as it needs.
func (t *typesetter) whole(s string, size, width int) paragraph {
	return t.keep(setKey{s, size, width, 0}, func(text []rune) paragraph { return t.even(text, size, width) })
}

// unbounded is a width in pixels that no text reaches.
const unbounded = 1 << 20

// fit sets a text of at most a size in at most some lines, and returns the size that it has. It takes a line less where that makes it
// hardly smaller.
func (t *typesetter) fit(s string, size, least, width, lines int) (paragraph, int) {
	long := t.whole(s, least, unbounded).width // how long it is in one line
	for n := 1; n <= lines; n++ {
		floor := max(least, size*8/10)
		if n == lines {
			floor = least
		}
		for try := max(size, floor); ; try = max(floor, try*93/100) {
			if long*try/least <= n*(width+least) { // else it is not worth breaking
				if p := t.whole(s, try, width); len(p.lines) <= n && p.width <= width {
					return p, try
				}
			}
			if try == floor {
				break
			}
		}
	}
	return t.paragraph(s, least, width, lines), least
}

// keep makes a paragraph, or finds it made.
func (t *typesetter) keep(key setKey, set func(text []rune) paragraph) paragraph {
	if p, ok := t.set[key]; ok {
		return p
	}
	if len(t.set) >= mostSet {
		clear(t.set)
	}
	p := set([]rune(clean(key.s)))
	t.set[key] = p
	return p
}

// even breaks a text into as few lines as it needs, and those as evenly as that allows.
func (t *typesetter) even(text []rune, size, width int) paragraph {
	runs := t.shape(text, size)
	p := t.wrap(text, runs, size, width)
	if len(p.lines) < 2 {
		return p
	}
	for low, high := width/len(p.lines), width; high-low > size/2; {
		try := (low + high) / 2
		if q := t.wrap(text, runs, size, try); len(q.lines) == len(p.lines) && q.width <= try {
			p, high = q, try
		} else {
			low = try
		}
	}
	return p
}

// shortened keeps the end of a text, as much as its beginning as fits besides, and puts … between them.
func (t *typesetter) shortened(text []rune, size, width, lines int) paragraph {
	tail := min(len(text)/2, max(ending(text), min(8, lines*width/size/3)))
	var best paragraph
	for low, high := 0, len(text)-tail; low <= high; {
		head := (low + high) / 2
		shown := slices.Concat(text[:head], []rune{'…'}, text[len(text)-tail:])
		if p := t.wrap(shown, t.shape(shown, size), size, width); len(p.lines) <= lines && p.width <= width {
			best, low = p, head+1
		} else {
			high = head - 1
		}
	}
	if best.lines == nil && tail > 1 {
		return t.shortened(text[len(text)-tail:], size, width, lines)
	}
	best.cut = true
	return best
}

// ending returns how many characters at the end belong together: what stands in brackets there, if that is short.
func ending(text []rune) int {
	if len(text) == 0 || !strings.ContainsRune("）)】]", text[len(text)-1]) {
		return 0
	}
	for i := len(text) - 1; i >= 0 && len(text)-i <= 16; i-- {
		if strings.ContainsRune("（(【[", text[i]) {
			return len(text) - i
		}
	}
	return 0
}

// shape chooses fonts for a text and shapes it. A font whose numbers lead the shaper astray is forgotten, and its characters are
// looked for in the others.
func (t *typesetter) shape(text []rune, size int) (runs []shaping.Output) {
	if len(text) == 0 {
		return nil
	}
	for _, in := range t.segmenter.Split(shaping.Input{
		Text: text, RunEnd: len(text), Direction: di.DirectionLTR, Size: fixed.I(size), Language: language.NewLanguage("zh-cn"),
	}, t) {
		run, ok := t.shapeRun(in)
		if !ok {
			return t.shape(text, size)
		}
		runs = append(runs, run)
	}
	return runs
}

// shapeRun shapes what has one font. ok is false if the font was forgotten.
func (t *typesetter) shapeRun(in shaping.Input) (out shaping.Output, ok bool) {
	defer func() {
		if fault := recover(); fault != nil {
			if in.Face == t.first {
				panic(fault)
			}
			t.fonts.drop(in.Face.Font)
			t.shaper = shaping.HarfbuzzShaper{}
		}
	}()
	out = t.shaper.Shape(in)
	for i := range out.Glyphs {
		if g := &out.Glyphs[i]; g.GlyphID == 0 {
			room := in.Size // so that the box of what is missing does not lie on what follows
			if i > 0 && out.Glyphs[i-1].TextIndex() == g.TextIndex() {
				room = 0 // a mark, whose box would cover its letter
			}
			out.Advance += room - g.Advance
			g.Advance = room
		}
	}
	return out, true
}

// wrap breaks a shaped text into lines of a width.
func (t *typesetter) wrap(text []rune, runs []shaping.Output, size, width int) paragraph {
	if len(runs) == 0 {
		return paragraph{}
	}
	// The wrapper takes the breadth away from spaces at a line's end.
	own := slices.Clone(runs)
	for i := range own {
		own[i].Glyphs = slices.Clone(own[i].Glyphs)
	}
	lines, _ := t.wrapper.WrapParagraph(shaping.WrapConfig{Direction: di.DirectionLTR}, max(width, 1), text, shaping.NewSliceIterator(own))
	var p paragraph
	for _, l := range lines {
		set := setLine{text: text, runs: slices.Clone(l), ascent: ascent(size), descent: descent(size)}
		slices.SortFunc(set.runs, func(a, b shaping.Output) int { return cmp.Compare(a.VisualIndex, b.VisualIndex) })
		var advance fixed.Int26_6
		for _, r := range set.runs {
			advance += r.Advance
			set.ascent = max(set.ascent, r.GlyphBounds.Ascent.Ceil())
			set.descent = max(set.descent, (-r.GlyphBounds.Descent).Ceil())
		}
		set.width = advance.Ceil()
		p.lines, p.width = append(p.lines, set), max(p.width, set.width)
	}
	return p
}
