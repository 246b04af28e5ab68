package keypad

import (
	"bytes"
	"fmt"
	"haochaping/internal/cli"
	"haochaping/internal/rating"
	"slices"
	"strings"
	"time"
)

// LearntCards is a card reader's profile that was found out.
type LearntCards struct {
	Profile *Profile
	Text    string   // the profile as it is to be written to a file
	Numbers []string // of the cards that were heard, as the profile reads them
	About   string   // what was recognised, for people
	Shipped string   // the profile that is built in and reads the same, empty if none does
}

// errCards says what to do with a reader that is not understood.
var errCards = cli.Error("看不懂读卡器发送的内容；请逐张刷别的卡，仍然如此则换一个速率（-scan），或按 docs/keypads.md 手工描述",
	"what the reader sends is not understood; hold other cards to it, one at a time, and if it stays so, another speed may be right (-scan), "+
		"or the frames must be described by hand as in docs/keypads.md")

// LearnCards finds out a profile from what a reader sends of one to three cards. Printed is the number that is printed on the
// first, empty if none is or nobody knows. Repeat is after which time a card that is held is sent again, 0 if it is not known.
func LearnCards(name string, line Line, cards [][]byte, printed string, repeat time.Duration) (LearntCards, error) {
	if len(cards) == 0 {
		return LearntCards{}, cli.Error("没有收到卡；请刷卡", "no card was heard; hold one to the reader")
	}
	for i, b := range cards {
		if len(b) < 4 || len(b) > maxLearnt {
			return LearntCards{}, cli.Errorf("第 %d 张卡发来 %d 字节，只认 4 至 %d 字节；读卡器若不停发送，则速率不对（-scan）",
				"of card %d came %d bytes, where 4 to %d are understood; if the reader sends without pause, the speed is wrong (-scan)", i+1, len(b),
				maxLearnt)
		}
	}
	if l, ok := shippedReads(cards, printed); ok {
		return l, nil
	}
	for _, d := range cardDrafts(cards, printed) {
		d.name, d.line, d.repeat, d.cards = name, line, repeat, cards
		l, err := d.learn()
		if err == nil && printed != "" && !sameNumber(l.Numbers[0], printed) {
			err = errCards
		}
		if err == nil {
			return l, nil
		}
	}
	if printed != "" {
		return LearntCards{}, cli.Errorf("第一张卡发来的内容中没有号码 %s，是不是印在另一张上；也可不写 -number 再识别",
			"the number %s was not found in what the reader sends of the first card: is it printed on another? Or leave -number away to learn "+
				"without it", printed)
	}
	return LearntCards{}, errCards
}

// sameNumber reports whether two are the same card's as people write it.
func sameNumber(a, b string) bool { return rating.CardDigits(a) == rating.CardDigits(b) }

// shippedReads returns the built-in profile that reads all cards and would notice one that is damaged.
func shippedReads(cards [][]byte, printed string) (LearntCards, bool) {
	for _, name := range Names() {
		p, text, err := Shipped(name)
		if err != nil || !p.HasCards() || p.Settle > 0 {
			continue
		}
		numbers, err := numbersOf(p, cards)
		if err != nil || printed != "" && !sameNumber(numbers[0], printed) {
			continue
		}
		return LearntCards{Profile: p, Text: "# 内置描述 " + name + " 的副本。\n# A copy of the built-in profile " + name + ".\n" + text,
			Numbers: numbers, About: p.About,
			Shipped: name}, true
	}
	return LearntCards{}, false
}

// numbersOf reads each card by itself and all in a row, of which no two are the same.
func numbersOf(p *Profile, cards [][]byte) (numbers []string, err error) {
	row := p.NewDecoder()
	for i, b := range cards {
		alone := p.NewDecoder().Feed(b)
		if len(alone) != 1 || alone[0].Kind != Card || slices.Contains(numbers, alone[0].Code) {
			return nil, cli.Errorf("第 %[2]d 张卡的 % [1]x 会读成 %[3]v", "% [1]x of card %[2]d would be read as %[3]v", b, i+1, alone)
		}
		if again := row.Feed(b); len(again) != 1 || again[0].Code != alone[0].Code {
			return nil, cli.Errorf("第 %[2]d 张卡的 % [1]x 在其他卡之后会读成 %[3]v", "% [1]x of card %[2]d would be read as %[3]v after others", b, i+1, again)
		}
		numbers = append(numbers, alone[0].Code)
	}
	return numbers, nil
}

// cardDraft is a profile that may be the reader's.
type cardDraft struct {
	name   string
	line   Line
	repeat time.Duration
	cards  [][]byte

	parts  []string
	code   codeForm
	digits int
	open   bool // nothing ends the number: only a silence does
	about  said
}

func (d cardDraft) toml() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("# 由 ratingctl keys -learn -cards 按 %d 张卡发送的内容写出。docs/keypads.md 说明可以改什么。\n", len(d.cards))
	p("# Written by ratingctl keys -learn -cards from what the reader sent of %d cards. docs/keypads.md describes what can be changed.\n",
		len(d.cards))
	p("name = %q\nabout = %q\n", d.name, d.about.String())
	if d.open {
		p("gap = \"50ms\" # nothing but a silence says that the number is at its end\n")
	}
	if d.repeat > 0 {
		p("# A card that is held is sent again every %s; that is one event.\n", d.repeat.Round(10*time.Millisecond))
	}
	if away := 3 * d.repeat / 2; away > 2*time.Second {
		p("away = %q # a card that was not read for so long was taken away\n", min(away, 30*time.Second).Round(100*time.Millisecond))
	}
	p("\n[line]\nbaud = %d\ndata_bits = %d\nparity = %q\nstop_bits = %d\n\n", d.line.Baud, d.line.DataBits, d.line.Parity, d.line.StopBits)
	p("[[frame]]\nkind = \"card\"\nlayout = %q\ncode = %q\n", strings.Join(d.parts, " "), d.code)
	if d.digits > 0 {
		p("digits = %d\n", d.digits)
	}
	return b.String()
}

// learn reads the cards with the draft.
func (d cardDraft) learn() (LearntCards, error) {
	l := LearntCards{Text: d.toml(), About: d.about.String()}
	var err error
	if l.Profile, err = Parse([]byte(l.Text)); err != nil {
		return LearntCards{}, fmt.Errorf("%w: %w", errCards, err)
	}
	if l.Numbers, err = numbersOf(l.Profile, d.cards); err != nil {
		return LearntCards{}, fmt.Errorf("%w: %w", errCards, err)
	}
	return l, nil
}

// cardDrafts returns what the frames may be, the most certain first.
func cardDrafts(cards [][]byte, printed string) (all []cardDraft) {
	ways := framings(cards)
	for _, f := range ways {
		all = append(all, f.textDrafts(printed)...)
	}
	if len(ways) > 0 {
		return all // of text the characters that two cards share are no frame
	}
	return append(all, binaryDrafts(cards, printed)...)
}

// framing is a way to take cards' frames apart: the same bytes before and after, and perhaps a checksum.
type framing struct {
	head, tail []byte
	body       [][]byte // of each card
	sum        *found   // nil for none
	after      bool     // the checksum stands after the tail
}

// framings returns the ways in which control bytes and a checksum may frame text. Of several checksums that fit, one that stands
// by itself comes before one that might be a part of the number.
func framings(cards [][]byte) (all []framing) {
	head := controls(cards[0])
	for _, b := range cards {
		if !bytes.HasPrefix(b, head) || len(controls(b)) != len(head) {
			return nil
		}
	}
	for _, c := range checksums() {
		for _, after := range []bool{true, false} {
			for from := range len(head) + 1 {
				if f, ok := framed(cards, head, &c, from, after); ok && len(cards) > 1 {
					all = append(all, f)
				}
			}
		}
	}
	if f, ok := framed(cards, head, nil, 0, false); ok {
		all = append(all, f)
	}
	return all
}

// controls returns what something begins with that is no character of ASCII.
func controls(b []byte) []byte {
	n := 0
	for n < len(b) && (b[n] < ' ' || b[n] > '~') {
		n++
	}
	return b[:n]
}

// framed takes the cards' frames apart, false if they are not of that kind.
func framed(cards [][]byte, head []byte, sum *checksum, from int, after bool) (framing, bool) {
	f := framing{head: head, after: after}
	size := 0
	if sum != nil {
		size = sum.size
		f.sum = &found{*sum, fmt.Sprintf("%s(%d:)", sum.name, from)}
	}
	behind, before := 0, size // of the tail
	if after {
		behind, before = size, 0
	}
	f.tail = ending(cards, len(head), behind)
	if after && len(f.tail) == 0 {
		return framing{}, false
	}
	digits := !after && size == 1 // a digit may be the sum of others by chance
	same := sum != nil            // and what all cards end with is of the reader, though it be the sum of a number and its checksum
	for _, b := range cards {
		start := len(b) - size // of the checksum
		if !after {
			start -= len(f.tail)
		}
		stop := len(b) - behind - len(f.tail) - before // of the text
		if stop < len(head)+4 || !isLines(b[len(head):stop]) {
			return framing{}, false
		}
		if sum != nil && !sum.fits(b[from:start], b[start:start+size]) {
			return framing{}, false
		}
		f.body = append(f.body, b[len(head):stop])
		digits = digits && letters(b[start:start+size])
		same = same && bytes.Equal(b[start:start+size], cards[0][len(cards[0])-(len(b)-start):][:size])
	}
	return f, !digits && !same
}

// ending returns the control bytes that all cards' frames end with, but for some bytes behind them.
func ending(cards [][]byte, head, behind int) (tail []byte) {
	for n := 1; ; n++ {
		at := len(cards[0]) - behind - n
		if at <= head || cards[0][at] >= ' ' || slices.ContainsFunc(cards, func(b []byte) bool {
			at := len(b) - behind - n
			return at <= head || b[at] != cards[0][len(cards[0])-behind-n]
		}) {
			return cards[0][at+1 : at+n]
		}
	}
}

// isLines reports whether this is text, also in several lines or columns.
func isLines(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return (c < ' ' || c > '~') && !strings.ContainsRune("\t\r\n", rune(c)) })
}

func printable(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c < ' ' || c > '~' })
}
