package display

import (
	"cmp"
	"slices"
	"strings"
)

// wordBreak stands between the words of a label, and is not seen.
const wordBreak = '\u200b'

// label sets a text in at most some lines of a width. Where its words are told apart it is broken between them, as evenly as that
// allows, and in the middle of one only where there is no room else. split is how many lines end so.
func (t *typesetter) label(s string, size, width, lines int) (p paragraph, split int) {
	if !strings.ContainsRune(s, wordBreak) {
		return t.paragraph(s, size, width, lines), 0
	}
	text, ends := wordsOf(s)
	b := breaker{at: t.advances(text, size), ends: ends, width: width}
	best, ok := b.best(lines)
	if !ok {
		return t.paragraph(s, size, width, lines), len(ends)
	}
	from := 0
	for _, to := range best.breaks {
		l := t.whole(string(text[from:to]), size, b.at[len(text)]+size)
		p.lines, p.width, from = append(p.lines, l.lines...), max(p.width, l.width), to
	}
	return p, best.split
}

// wordsOf returns a label without what stands between its words, and after how many characters each word ends.
func wordsOf(s string) (text []rune, ends []int) {
	for word := range strings.SplitSeq(s, string(wordBreak)) {
		text = append(text, []rune(clean(word))...)
		ends = append(ends, len(text))
	}
	return text, ends
}

// advances returns how far each character of a text stands from its beginning, and last how long it is, in pixels.
func (t *typesetter) advances(text []rune, size int) []int {
	out := make([]int, len(text)+1)
	for _, run := range t.shape(text, size) {
		for _, g := range run.Glyphs {
			out[g.TextIndex()+1] += g.Advance.Ceil()
		}
	}
	for i := range text {
		out[i+1] += out[i]
	}
	return out
}

// breaker breaks a label. It is a value that tests look at.
type breaker struct {
	at    []int // of each character, and last of the end
	ends  []int // of the words
	width int   // of a line
}

// broken is a label in lines.
type broken struct {
	breaks []int // where each line ends
	split  int   // lines that end in the middle of a word
	lone   int   // characters that stand alone in a line
	uneven int   // the sum of the squares of what the lines leave free
}

func (b broken) better(o broken) bool {
	return cmp.Or(cmp.Compare(b.split, o.split), cmp.Compare(b.lone, o.lone), cmp.Compare(b.uneven, o.uneven)) < 0
}

// best returns the best way to break the label into at most some lines, ok being false if there is none. Lines that are not needed to
// keep words whole are not used.
func (b breaker) best(lines int) (best broken, ok bool) {
	n := len(b.at) - 1
	ways := make([]*broken, n+1) // of what stands before each character, in so many lines as were looked at
	ways[0] = &broken{}
	for range lines {
		next := make([]*broken, n+1)
		for from, before := range ways {
			if before == nil {
				continue
			}
			for to := from + 1; to <= n && b.at[to]-b.at[from] <= b.width; to++ {
				free := b.width - (b.at[to] - b.at[from])
				way := broken{append(slices.Clone(before.breaks), to), before.split, before.lone, before.uneven + free*free}
				if !slices.Contains(b.ends, to) {
					way.split++
				}
				if to-from == 1 && n > 1 {
					way.lone++
				}
				if next[to] == nil || !next[to].better(way) {
					next[to] = &way
				}
			}
		}
		if all := next[n]; all != nil && (!ok || cmp.Or(cmp.Compare(all.split, best.split), cmp.Compare(all.lone, best.lone)) < 0) {
			best, ok = *all, true
		}
		ways = next
	}
	return best, ok
}
