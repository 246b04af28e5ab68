package display

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// clean returns a text as it is drawn. It leaves out what has no form of its own: zero-width and private characters. Controls become
// spaces. What has two ways to be written is written as the fonts have it: a letter with its mark in one, a radical that was copied from a
// PDF as the character that it looks like.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\u200c' || r == '\u200d':
			return r // they join letters of some scripts, or keep them apart
		case unicode.Is(unicode.Cc, r) || r == '\u2028' || r == '\u2029':
			return ' '
		case ignorable(r) || unicode.Is(unicode.Co, r):
			return -1
		}
		return character(r)
	}, s)
	return strings.TrimSpace(norm.NFC.String(s))
}

// ignorable reports whether a character is one that Unicode says not to show.
func ignorable(r rune) bool {
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) ||
		unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Variation_Selector, r) && (r < 0x180b || r > 0x180f)
}

// The characters that radicals look like, which programs that read a PDF take them for: those of the supplement from U+2E80 on, by
// Unicode's EquivalentUnifiedIdeograph.txt. One that has none stands for itself. Kangxi's own have a compatibility mapping.
const (
	firstRadical = 0x2e80
	likeRadicals = "⺀厂乛乚乙亻冂𠘨刀刂卜㔾小小兀尣尢𡯂巳幺彑𫜹忄心扌攵⺚旡日月" +
		"歺母民氵氺灬爫爫丬牛犭王𤴔目示礻𥫗糹纟罓罒㓁冗𦉫羊𦍌𦍋耂肀聿" +
		"肉𦥑艹艹艹虎衤覀西见角𧢲讠贝𧾷车辶辶辶邑钅長镸长门𨸏阝雨青韦" +
		"页风飞食𩙿飠饣𩠐马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟"
	firstOfKangxi = 0x2f00
	lastOfKangxi  = 0x2fd5
)

// character returns the character that a radical looks like, and any other as it is.
func character(r rune) rune {
	switch {
	case r >= firstOfKangxi && r <= lastOfKangxi:
		like := []rune(norm.NFKC.String(string(r)))
		return like[0]
	case r >= firstRadical && r < firstOfKangxi:
		if like := []rune(likeRadicals); int(r-firstRadical) < len(like) {
			return like[r-firstRadical]
		}
	}
	return r
}
