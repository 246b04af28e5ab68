package keypad

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// field is a part of a line of text, as each card has it.
type field struct {
	text  []string
	comma byte // that follows it; 0 after the last
	fixed bool // it is the same on every card, though only one was heard
}

// isComma reports whether a character separates what stands in a line, or frames it, as in ;0012345678? and [0012345678].
func isComma(c byte) bool { return !letters([]byte{c}) }

// fields takes the text apart, nil if the cards' texts differ in their kind.
func (f framing) fields() (all []field) {
	for i, b := range f.body {
		n := 0
		for {
			at := slices.IndexFunc(b, isComma)
			text, comma := b, byte(0)
			if at >= 0 {
				text, comma, b = b[:at], b[at], b[at+1:]
			}
			switch {
			case i == 0:
				all = append(all, field{comma: comma})
			case n == len(all) || all[n].comma != comma:
				return nil
			}
			all[n].text = append(all[n].text, string(text))
			n++
			if comma == 0 {
				break
			}
		}
		if n != len(all) {
			return nil
		}
	}
	return all
}

// set returns which bytes the field may have, and their name.
func (f field) set() (set string, name said) {
	all := strings.Join(f.text, "")
	for _, s := range []struct {
		set  string
		name said
	}{
		{"30-39", said{"数字", "digits"}}, {"30-39|41-46", hexDigits()}, {"30-39|61-66", hexDigits()},
		{"30-39|41-5a|61-7a", said{"数字和字母", "digits and letters"}},
	} {
		of, err := parseSet(s.set)
		if err == nil && !slices.ContainsFunc([]byte(all), func(c byte) bool { return !of.has(c) }) {
			return s.set, s.name
		}
	}
	return "", said{}
}

// width returns the least and the greatest number of characters.
func (f field) width() (low, high int) {
	low = len(f.text[0])
	for _, s := range f.text {
		low, high = min(low, len(s)), max(high, len(s))
	}
	return low, high
}

// constant reports whether the field says nothing of the card. One of digits alone may do so on other cards, or on another day.
func (f field) constant() bool {
	if f.fixed || f.text[0] == "" {
		return f.same()
	}
	return len(f.text) > 1 && f.same() && strings.Trim(f.text[0], "0123456789") != ""
}

// same reports whether all cards have the same there.
func (f field) same() bool {
	return !slices.ContainsFunc(f.text, func(s string) bool { return s != f.text[0] })
}

// without returns a field's parts where its middle is the number that is printed on the first card: what stands before and behind it
// on every card, as of a reader that writes ID0012345678. It returns nil if it has no such parts.
func (f field) without(printed string) (parts []field) {
	digits := strings.TrimLeft(printed, "0")
	at := strings.Index(f.text[0], digits)
	if digits == "" || at < 0 {
		return nil
	}
	end := at + len(digits)
	for at > 0 && f.text[0][at-1] == '0' {
		at--
	}
	behind := len(f.text[0]) - end
	all := []field{{fixed: true}, {}, {fixed: true, comma: f.comma}}
	for _, s := range f.text {
		if len(s) < at+leastNumber+behind {
			return nil
		}
		all[0].text = append(all[0].text, s[:at])
		all[1].text = append(all[1].text, s[at:len(s)-behind])
		all[2].text = append(all[2].text, s[len(s)-behind:])
	}
	if !all[0].same() || !all[2].same() || slices.ContainsFunc(all[1].text, func(s string) bool { return len(s) != len(all[1].text[0]) }) {
		return nil
	}
	return all
}

// Bounds of the numbers in a line, in characters.
const (
	leastNumber = 4
	mostNumber  = 20
	mostWhole   = 32 // with what stands between its parts
)

// textDrafts returns the profiles for text in which one field is the number: the one that is printed on the card, else the
// longest.
func (f framing) textDrafts(printed string) (all []cardDraft) {
	if d, ok := f.paddedDraft(); ok {
		all = append(all, d)
	}
	fields := f.fields()
	best := -1
	for i, g := range fields {
		set, _ := g.set()
		low, high := g.width()
		switch {
		case set == "" || low < leastNumber || high > mostNumber || len(g.text) > 1 && g.same():
		case printed != "" && !sameNumber(g.text[0], printed):
		case best < 0 || low > len(fields[best].text[0]):
			best = i
		}
	}
	if best >= 0 {
		all = append(all, f.textDraft(fields, best))
	}
	if d, ok := f.wholeDraft(fields, printed); ok {
		all = append(all, d)
	}
	if printed == "" {
		return all
	}
	for i, g := range fields {
		if parts := g.without(printed); parts != nil && best < 0 {
			all = append(all, f.textDraft(slices.Concat(fields[:i], parts, fields[i+1:]), i+1))
		}
	}
	if len(fields) == 1 {
		all = append(all, f.hexDrafts(fields[0], printed)...)
	}
	return all
}

// paddedDraft returns the profile for numbers that blanks before or behind them fill up to one width.
func (f framing) paddedDraft() (d cardDraft, ok bool) {
	var numbers field
	filled := false
	for _, b := range f.body {
		number := strings.Trim(string(b), " ")
		filled = filled || len(number) < len(b)
		if len(b) != len(f.body[0]) || len(number) < leastNumber {
			return d, false
		}
		numbers.text = append(numbers.text, number)
	}
	set, name := numbers.set()
	if !filled || set == "" || f.sum != nil {
		return d, false
	}
	word, width := "text", len(f.body[0])
	if len(f.head) > 0 || len(f.tail) == 0 {
		word = "key"
	}
	d = cardDraft{code: codeText, open: len(f.tail) == 0,
		about: name.number("至多 %d 个%s的卡号，以空格补足。", "Cards' numbers of up to %d %s, filled up with blanks.", width)}
	d.parts = append(hexBytes(f.head), fmt.Sprintf("%s*%d=20|%s", word, width, set))
	d.parts = append(d.parts, f.ending()...)
	return d, true
}

// wholeDraft returns the profile for text that is the number as a whole, with what stands between its parts: pairs of hex digits, as
// 04:A3:22:B1, or the number that is printed on the card.
func (f framing) wholeDraft(fields []field, printed string) (d cardDraft, ok bool) {
	if len(fields) < 2 || f.sum != nil {
		return d, false
	}
	used := []string{"30-39", "41-5a", "61-7a"}
	pairs := len(fields) >= 4
	for i, g := range fields {
		set, _ := g.set()
		low, high := g.width()
		pairs = pairs && low == 2 && high == 2 && set != "" && !strings.Contains(set, "5a") && (g.comma == fields[0].comma || i == len(fields)-1)
		if c := fmt.Sprintf("%02x", g.comma); g.comma != 0 && !slices.Contains(used, c) {
			used = append(used, c)
		}
	}
	low, high := field{text: texts(f.body)}.width()
	if low < leastNumber || high > mostWhole || low != high && len(f.tail) == 0 {
		return d, false
	}
	if printed == "" && !pairs || printed != "" && !sameNumber(string(f.body[0]), printed) {
		return d, false
	}
	word, size := "text", fmt.Sprintf("%d-%d", leastNumber, mostWhole)
	if len(f.tail) == 0 {
		word, size = "key", strconv.Itoa(high)
	}
	d = cardDraft{code: codeText, open: len(f.tail) == 0, about: said{"卡号，连同各部分之间的符号。",
		"Cards' numbers with what stands between their parts."}}
	d.parts = append(hexBytes(f.head), fmt.Sprintf("%s*%s=%s", word, size, strings.Join(used, "|")))
	d.parts = append(d.parts, f.ending()...)
	return d, true
}

func texts(all [][]byte) (out []string) {
	for _, b := range all {
		out = append(out, string(b))
	}
	return out
}

// textDraft returns the profile for text in which a field is the number.
func (f framing) textDraft(fields []field, number int) cardDraft {
	d := cardDraft{code: codeText, open: len(f.tail) == 0 && f.sum == nil}
	d.parts = hexBytes(f.head)
	for i, g := range fields {
		set, name := g.set()
		if i == number && f.sum != nil && strings.HasPrefix(f.sum.name, "pair") {
			set, name = "30-39|41-46", hexDigits()
		}
		low, high := g.width()
		ends := g.comma != 0 || len(f.tail) > 0 && (f.sum == nil || f.after)
		switch {
		case i == number && (low == high || !ends):
			word := "key"
			if len(f.head) == 0 && ends { // the end of a longer number is none
				word = "text"
			}
			d.parts = append(d.parts, fmt.Sprintf("%s*%d=%s", word, high, set))
			d.about = name.number("%d 个%s的卡号。", "Cards' numbers of %d %s.", high)
		case i == number:
			d.parts = append(d.parts, fmt.Sprintf("text*%d-%d=%s", leastNumber, mostNumber, set))
			d.about = name.number("至多 %d 个%s的卡号。", "Cards' numbers of up to %d %s.", mostNumber)
		case g.constant():
			d.parts = append(d.parts, hexBytes([]byte(g.text[0]))...)
		case ends && len(f.tail) > 0:
			d.parts = append(d.parts, "skip*1-20="+set)
		default:
			d.parts = append(d.parts, slices.Repeat([]string{set}, high)...)
		}
		if g.comma != 0 {
			d.parts = append(d.parts, fmt.Sprintf("%02x", g.comma))
		}
	}
	if len(fields) > 1 {
		d.about = d.about.and("一行 %d 项中卡号是第 %d 项。", "Of the %d fields in a line the number is field %d.", len(fields), number+1)
	}
	d.parts = append(d.parts, f.ending()...)
	d.about = f.checked(d.about)
	return d
}

// ending returns the parts that follow the text.
func (f framing) ending() []string {
	tail := hexBytes(f.tail)
	switch {
	case f.sum == nil:
		return tail
	case f.after:
		return append(tail, f.sum.text)
	}
	return append([]string{f.sum.text}, tail...)
}

// hexDrafts returns the profiles for text that holds the printed number as hex digits, in the middle of others.
func (f framing) hexDrafts(g field, printed string) (all []cardDraft) {
	set, name := g.set()
	low, high := g.width()
	if low != high || name.en == "digits and letters" || set == "" {
		return nil
	}
	if set == "30-39" {
		set = "30-39|41-46"
	}
	for n := min(16, high); n >= leastNumber; n-- {
		for at := 0; at+n <= high; at++ {
			v, ok := codeDecimalHex.number([]byte(g.text[0][at : at+n]))
			if !ok || !sameNumber(strconv.FormatUint(v, 10), printed) {
				continue
			}
			d := cardDraft{code: codeDecimalHex, digits: digitsOf(printed), open: len(f.tail) == 0 && f.sum == nil,
				about: f.checked(say("卡号是第 %d 至 %d 个十六进制数字（共 %d 个，从 0 数起）。",
					"Cards' numbers as the hex digits %d to %d of %d, counted from 0.", at, at+n-1, high))}
			d.parts = append(hexBytes(f.head), slices.Repeat([]string{set}, at)...)
			d.parts = append(d.parts, fmt.Sprintf("key*%d=%s", n, set))
			d.parts = append(append(d.parts, slices.Repeat([]string{set}, high-at-n)...), f.ending()...)
			all = append(all, d)
		}
	}
	return all
}

// digitsOf returns how many digits a printed number has, 0 where none stands for nothing.
func digitsOf(printed string) int {
	if strings.HasPrefix(printed, "0") {
		return min(len(printed), 20)
	}
	return 0
}

// hexBytes returns bytes as a layout's parts.
func hexBytes(b []byte) []string { return strings.Fields(fmt.Sprintf("% x", b)) }

// binaryDrafts returns the profiles for frames of one length whose number is no text.
func binaryDrafts(cards [][]byte, printed string) (all []cardDraft) {
	if slices.ContainsFunc(cards, func(b []byte) bool { return len(b) != len(cards[0]) }) {
		return nil
	}
	var differ []int
	for i := range cards[0] {
		if slices.ContainsFunc(cards, func(b []byte) bool { return b[i] != cards[0][i] }) {
			differ = append(differ, i)
		}
	}
	if len(differ) == 0 {
		return nil // one card tells nothing
	}
	sum, at := findChecksum(cards, differ)
	end := len(cards[0])
	if sum != nil {
		end = at
		differ = slices.DeleteFunc(differ, func(i int) bool { return i >= at })
	}
	f := binary{cards[0], differ[0], differ[len(differ)-1], end, sum}
	if printed == "" {
		from := min(f.first, max(f.last-3, 1))
		if sum != nil {
			from = min(from, 3) // what differs from card to card may stand anywhere behind a beginning, a length and a kind
		}
		return []cardDraft{f.draft(from, f.last+1, "", "")}
	}
	for n := 8; n >= 2; n-- {
		for from := 0; from+n <= end; from++ {
			for _, form := range []codeForm{codeDecimal, codeDecimalLow} {
				if v, ok := form.number(cards[0][from : from+n]); ok && from <= f.last && from+n > f.first &&
					sameNumber(strconv.FormatUint(v, 10), printed) {
					all = append(all, f.draft(from, from+n, form, printed))
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b cardDraft) int { return len(b.parts) - len(a.parts) }) // the shortest number first
	return all
}

// binary is what is known of binary frames.
type binary struct {
	sample      []byte
	first, last int // of the bytes that differ before the checksum
	end         int // of what may be the number
	sum         *found
}

// draft returns the profile in which the bytes from one to before another are the number. Where a checksum tells a frame, what
// stands between its beginning and the number may be anything: it is of the card too, as a batch.
func (f binary) draft(from, to int, form codeForm, printed string) cardDraft {
	d := cardDraft{code: cmp.Or(form, codeHex), digits: digitsOf(printed), open: f.sum == nil && f.last+1 == len(f.sample),
		about: say("每帧 %d 字节，第 %d 至 %d 字节（从 0 数起）是卡号。",
			"Frames of %d bytes, of which %d to %d, counted from 0, are the number.", len(f.sample), from, to-1)}
	if form == "" && to-from == 4 {
		d.code, d.digits = codeDecimal, 10
	}
	if f.sum != nil {
		d.about = d.about.and("核对校验和 %s。", "The checksum %s is compared.", f.sum.text)
	}
	for i := 0; i < len(f.sample); i++ {
		switch {
		case i == from:
			d.parts = append(d.parts, fmt.Sprintf("key*%d", to-from))
			i = to - 1
		case f.sum != nil && i == f.end:
			d.parts = append(d.parts, f.sum.text)
			i += f.sum.size - 1
		case i >= f.first && i <= f.last, f.sum != nil && i > 2 && i < from:
			d.parts = append(d.parts, "any")
		default:
			d.parts = append(d.parts, fmt.Sprintf("%02x", f.sample[i]))
		}
	}
	return d
}
