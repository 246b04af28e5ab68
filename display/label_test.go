package display

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

// linesOf returns what stands in each line.
func linesOf(p paragraph) (all []string) {
	for _, l := range p.lines {
		line := ""
		for _, r := range l.runs {
			line += string(l.text[r.Runes.Offset : r.Runes.Offset+r.Runes.Count])
		}
		all = append(all, line)
	}
	return all
}

func TestLabelsBreakBetweenWords(t *testing.T) {
	ts := newTypesetter(fonts(t))
	for _, c := range []struct {
		words        string
		width, lines int // the width in characters
		want         string
		split        int
	}{
		{"服务 热情 效率高", 3, 6, "服务/热情/效率高", 0},
		{"服务 热情 效率高", 4, 6, "服务热情/效率高", 0},
		{"服务 热情 效率高", 7, 6, "服务热情效率高", 0},
		{"服务 热情 效率高", 2, 6, "服务/热情/效率/高", 1},
		{"不用 提交 证明", 3, 6, "不用/提交/证明", 0},
		{"不用 提交 证明", 3, 2, "不用提/交证明", 1},
		{"一窗 受理 一次 办结", 4, 6, "一窗受理/一次办结", 0},
		{"多头跑 窗口 和部门", 3, 6, "多头跑/窗口/和部门", 0},
	} {
		p, split := ts.label(strings.ReplaceAll(c.words, " ", string(wordBreak)), 24, 24*c.width+2, c.lines)
		if got := strings.Join(linesOf(p), "/"); got != c.want || split != c.split || p.width > 24*c.width+2 {
			t.Errorf("%s in %d: %s, %d broken, %d wide; want %s, %d", c.words, c.width, got, split, p.width, c.want, c.split)
		}
	}
	if p, split := ts.label("其他 跳过", 24, 60, 3); split != 0 || len(p.lines) != 2 {
		t.Errorf("without words: %v, %d", linesOf(p), split)
	}
}

// Whatever the words and the room, a label keeps its characters and their order, or is cut as other texts are; no line is wider than
// the room.
func TestLabelsKeepTheirCharacters(t *testing.T) {
	ts := newTypesetter(fonts(t))
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("服务热情效率高一窗受理1A，")), 1, 5, -1), 1, 8).Draw(t, "words")
		width, lines := rapid.IntRange(10, 300).Draw(t, "width"), rapid.IntRange(1, 9).Draw(t, "lines")
		s := strings.Join(words, string(wordBreak))
		p, split := ts.label(s, 24, width, lines)
		text, ends := wordsOf(s)
		if got := strings.Join(linesOf(p), ""); !p.cut && got != string(text) {
			t.Fatalf("%q is set as %q", string(text), got)
		}
		if len(p.lines) > lines || !p.cut && p.width > width {
			t.Fatalf("%d lines, %d wide", len(p.lines), p.width)
		}
		if fewest := filled(ts.advances(text, 24), ends, width); len(words) > 1 && fewest <= lines && split > 0 {
			t.Fatalf("%q in %d: %q", words, width, linesOf(p))
		}
	})
}

// filled returns how many lines words need that are filled one after the other, far too many where one is wider than a line.
func filled(at, ends []int, width int) (lines int) {
	begin, from := 0, 0
	for lines = 1; len(ends) > 0; ends = ends[1:] {
		end := ends[0]
		if at[end]-at[from] > width {
			return 1 << 20
		}
		if at[end]-at[begin] > width {
			begin = from
			lines++
		}
		from = end
	}
	return lines
}

// TestReasonsKeepTheirWords looks at the built-in catalogue above the keys of each size of screen: no word is broken where the words
// fit below one another, and no character stands alone in a line.
func TestReasonsKeepTheirWords(t *testing.T) {
	r := renderer(t)
	for _, size := range sizes {
		for _, level := range rating.Levels() {
			s := Screen{State: Explaining, Subject: rating.StaffSubject, Order: rating.Levels(), Step: 1, Steps: 1, Reasons: reasonsOf(t, level)}
			l := arrange(r.typesetter, s, size, 0)
			for _, x := range l.texts {
				if !slices.Contains(s.Reasons[:], x.s) {
					continue
				}
				most := max(1, x.box.Dy()/lineHeight(x.size))
				_, split := r.typesetter.label(x.s, x.size, x.box.Dx(), most)
				lone := slices.ContainsFunc(linesOf(x.paragraph), func(line string) bool { return len([]rune(line)) == 1 })
				text, ends := wordsOf(x.s)
				if fits := filled(r.typesetter.advances(text, x.size), ends, x.box.Dx()) <= most; lone || fits && split > 0 || split > 2 {
					t.Errorf("%v: %q of %d: %q breaks %d words", size, x.s, x.size, linesOf(x.paragraph), split)
				}
			}
		}
	}
}
