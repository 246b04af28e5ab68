package keypad

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"haochaping/internal/cli"
)

// guess is a layout that was found out.
type guess struct {
	parts  []string
	keys   [5][]byte
	text   bool // keys are of varying length
	common bool // there is one frame for all keys
	about  said
	head   int    // of text: how many bytes stand before it
	end    string // of text: what stands after it
}

// codes returns what the keys are called.
func (g guess) codes() (codes [5]string) {
	for i, k := range g.keys {
		codes[i] = (match{key: k}).code(&frame{code: g.code()})
	}
	return codes
}

// code returns how the keys are named best: those of letters and digits as such.
func (g guess) code() codeForm {
	if slices.ContainsFunc(g.keys[:], func(k []byte) bool { return !g.text && !letters(k) || g.text && !printable(k) }) {
		return codeHex
	}
	return codeText
}

// letters reports whether these are digits and letters.
func letters(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') })
}

// ordered reports whether the keys go up or down, or are of different lengths.
func (g guess) ordered() bool {
	up, down := true, true
	for i, k := range g.keys[1:] {
		before := g.keys[i]
		if len(k) != len(before) {
			return true
		}
		up, down = up && bytes.Compare(before, k) < 0, down && bytes.Compare(before, k) > 0
	}
	return up || down
}

// guessFixed finds the layout of frames of one length.
func guessFixed(sent [5][]byte) guess {
	var differ []int
	for i := range sent[0] {
		if slices.ContainsFunc(sent[1:], func(b []byte) bool { return b[i] != sent[0][i] }) {
			differ = append(differ, i)
		}
	}
	first, last := differ[0], differ[len(differ)-1]
	sum, at := findChecksum(sent[:], differ)
	if sum != nil {
		rest := slices.DeleteFunc(slices.Clone(differ), func(i int) bool { return i >= at })
		last = rest[len(rest)-1]
	}
	g := guess{about: say("每帧 %d 字节。", "Frames of %d bytes.", len(sent[0]))}
	switch {
	case sum != nil:
		g.about = say("每帧 %d 字节，校验和 %s 在第 %d 字节（从 0 数起）。",
			"Frames of %d bytes with the checksum %s at byte %d, counted from 0.", len(sent[0]), sum.text, at)
	case len(sent[0]) == 1:
		g.about = said{"每键一个字节。", "One byte a key."}
	case last > first:
		g.about = g.about.and("第 %d 至 %d 字节（从 0 数起）表示按键；其中没有已知的校验和，按原样比较。",
			"The bytes %d to %d, counted from 0, tell the key; none of them is a checksum that is known here, so that they are compared as they "+
				"are.", first, last)
	}
	for i := range g.keys {
		g.keys[i] = sent[i][first : last+1]
	}
	for i := 0; i < len(sent[0]); i++ {
		switch {
		case i == first:
			word := "key"
			if last > first {
				word = fmt.Sprintf("key*%d", last-first+1)
			}
			if g.code() == codeText {
				word += "=30-39|41-5a|61-7a"
			}
			g.parts = append(g.parts, word)
			i = last
		case sum != nil && i == at:
			g.parts = append(g.parts, sum.text)
			i += sum.size - 1
		default:
			g.parts = append(g.parts, fmt.Sprintf("%02x", sent[0][i]))
		}
	}
	return g
}

// found is a checksum and over which bytes it is, as a layout writes it.
type found struct {
	checksum
	text string
}

// findChecksum finds a checksum among the bytes that differ, over all those before it that differ. Several may fit the five
// frames; since nothing but these is ever accepted, each of them serves as well as another. The widest range is tried first.
func findChecksum(sent [][]byte, differ []int) (*found, int) {
	for _, c := range checksums() {
		last := differ[len(differ)-1]
		for at := last; at > last-c.size && at > differ[0]; at-- {
			if at+c.size > len(sent[0]) {
				continue
			}
			inner := 0 // the last byte that differs before the checksum
			for _, i := range differ {
				if i < at {
					inner = i
				}
			}
			for to := at; to > inner; to-- {
				for from := 0; from <= differ[0]; from++ {
					if slices.ContainsFunc(sent, func(b []byte) bool { return !c.fits(b[from:to], b[at:at+c.size]) }) {
						continue
					}
					text := c.name
					switch {
					case to < at:
						text = fmt.Sprintf("%s(%d:%d)", c.name, from, to)
					case from > 0:
						text = fmt.Sprintf("%s(%d:)", c.name, from)
					}
					return &found{c, text}, at
				}
			}
		}
	}
	return nil, 0
}

// guessText finds the layout of frames of different lengths: text between a common beginning and a common end.
func guessText(sent [5][]byte) (guess, error) {
	head, tail := len(sent[0]), len(sent[0])
	shortest := len(sent[0])
	for _, b := range sent[1:] {
		shortest = min(shortest, len(b))
		n := 0
		for n < min(head, len(b)) && b[n] == sent[0][n] {
			n++
		}
		head = n
		n = 0
		for n < min(tail, len(b)) && b[len(b)-1-n] == sent[0][len(sent[0])-1-n] {
			n++
		}
		tail = n
	}
	advice := cli.Error("各键发送的帧长度不同，分不清在哪里结束；请再按每个键一次，中间停顿，仍然如此则换一个速率（-scan），或按 docs/keypads.md 手工描述",
		"the keys sent frames of different lengths, of which nobody can tell where they end; press each key again, once and with a pause, and "+
			"if it stays so, another speed may be right (-scan), or describe the frames by hand as in docs/keypads.md")
	// The end begins with a byte that no text contains; the beginning leaves at least one byte of text.
	for ; tail > 0; tail-- {
		end := sent[0][len(sent[0])-tail]
		h := min(head, shortest-tail-1)
		if h < 0 || slices.ContainsFunc(sent[:], func(b []byte) bool { return !isText(b[h:len(b)-tail], end) }) {
			continue
		}
		return textGuess(sent, h, tail), nil
	}
	return guess{}, advice
}

// isText reports whether these may be the words of a key, also Chinese ones in whatever encoding, before a byte that ends them.
func isText(b []byte, end byte) bool {
	for _, c := range b {
		if c < ' ' || c == 0x7f || c == end {
			return false
		}
	}
	return true
}

func textGuess(sent [5][]byte, head, tail int) guess {
	g := guess{text: true, about: said{"长度不同的文字。", "Text of different lengths."}, head: head, end: string(sent[0][len(sent[0])-tail:])}
	low, high := len(sent[0]), 0
	var used byteSet
	for i, b := range sent {
		g.keys[i] = b[head : len(b)-tail]
		low, high = min(low, len(g.keys[i])), max(high, len(g.keys[i]))
		for _, c := range g.keys[i] {
			used.add(c)
		}
	}
	var set []string
	for c := range 256 {
		if used.has(byte(c)) {
			set = append(set, fmt.Sprintf("%02x", c))
		}
	}
	end := sent[0][len(sent[0])-tail:]
	if end[0] < ' ' {
		set = []string{"20-7e"}
		if g.code() == codeHex {
			set = append(set, "80-ff")
		}
	}
	for _, c := range sent[0][:head] {
		g.parts = append(g.parts, fmt.Sprintf("%02x", c))
	}
	g.parts = append(g.parts, fmt.Sprintf("text*%d-%d=%s", low, high, strings.Join(set, "|")))
	for _, c := range end {
		g.parts = append(g.parts, fmt.Sprintf("%02x", c))
	}
	return g
}
