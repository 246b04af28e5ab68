package keypad

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxLearnt bounds the frames that are learnt, in bytes.
const maxLearnt = 64

// Learnt is a profile that was found out.
type Learnt struct {
	Profile *Profile
	Text    string    // the profile as it is to be written to a file
	Codes   [5]string // what keys.map calls the five keys, in the order in which they were given
	About   string    // what was recognised, for people
}

// Learn finds out a profile from what each of five keys sends. It reads exactly these five frames: what the keypad may send
// besides is nobody's level. What does not tell five keys apart for certain is refused, with what to do.
func Learn(name string, line Line, sent [5][]byte) (Learnt, error) {
	for i, b := range sent {
		if len(b) == 0 || len(b) > maxLearnt {
			return Learnt{}, fmt.Errorf("key %d sent %d bytes; 1 to %d are understood. If it sends without pause, the speed is wrong", i+1, len(b), maxLearnt)
		}
		for j, other := range sent[:i] {
			if bytes.Equal(b, other) {
				return Learnt{}, fmt.Errorf("keys %d and %d both send % x, so that nobody can tell them apart; "+
					"was the same key pressed twice? If not, the keypad must be set up by its maker's program", j+1, i+1, b)
			}
		}
	}
	var g guess
	var err error
	if same := slices.IndexFunc(sent[:], func(b []byte) bool { return len(b) != len(sent[0]) }) < 0; same {
		g = guessFixed(sent)
	} else if g, err = guessText(sent); err != nil {
		return Learnt{}, err
	}
	out := Learnt{About: g.about}
	for i, k := range g.keys {
		out.Codes[i] = (match{key: k}).code(&frame{code: g.code()})
	}
	out.Text = g.toml(name, line, out.Codes)
	if out.Profile, err = Parse([]byte(out.Text)); err != nil {
		return Learnt{}, fmt.Errorf("the profile that was found out is not understood; please report this with the bytes shown above: %w", err)
	}
	return out, out.prove(sent)
}

// ErrOverlap says that a byte that is lost would turn one key into another.
var ErrOverlap = errors.New("the frames have no beginning of their own")

// prove reads what the keys sent with what was learnt: each by itself, all in a row, and after the rest of a frame whose
// beginning was lost, which must not turn a key into another.
func (l Learnt) prove(sent [5][]byte) error {
	for i, rest := range sent {
		for cut := 1; cut < len(rest); cut++ {
			for j, b := range sent {
				got := l.Profile.NewDecoder().Feed(slices.Concat(rest[cut:], b, b))
				if len(got) == 0 || slices.ContainsFunc(got, func(r Read) bool { return r.Code != l.Codes[j] }) {
					return fmt.Errorf("%w: if %d bytes of key %d were lost on the cable, key %d (% x) would be read as another; "+
						"set the keypad to frames with a fixed first byte, or use another one", ErrOverlap, cut, i+1, j+1, b)
				}
			}
		}
	}
	row := l.Profile.NewDecoder()
	for i, b := range sent {
		for _, d := range []*Decoder{l.Profile.NewDecoder(), row} {
			if got := d.Feed(b); len(got) != 1 || got[0].Code != l.Codes[i] {
				return fmt.Errorf("% x of key %d would be read as %v: the frames overlap. Press each key again, with a pause between; "+
					"if it stays so, describe the frames by hand as in docs/keypads.md", b, i+1, got)
			}
		}
	}
	return nil
}

// guess is a layout that was found out.
type guess struct {
	parts []string
	keys  [5][]byte
	text  bool // keys are of varying length
	about string
}

// code returns how the keys are named best: those of letters and digits as such.
func (g guess) code() codeForm {
	for _, k := range g.keys {
		for _, c := range k {
			if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !g.text {
				return codeHex
			}
		}
	}
	return codeText
}

func (g guess) toml(name string, line Line, codes [5]string) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("# Written by ratingctl keys -learn. docs/keypads.md describes what can be added: answers, lights, voice.\n")
	p("name = %q\nabout = %q\n\n", name, g.about)
	p("[line]\nbaud = %d\ndata_bits = %d\nparity = %q\nstop_bits = %d\n\n", line.Baud, line.DataBits, line.Parity, line.StopBits)
	p("[[frame]]\nlayout = %q\ncode = %q\nkeys = [", strings.Join(g.parts, " "), g.code())
	for i, c := range codes {
		if i > 0 {
			p(", ")
		}
		p("%s", tomlString(c))
	}
	p("] # from 非常满意 to 非常不满意; nothing else is a key\n")
	return b.String()
}

// tomlString quotes printable ASCII.
func tomlString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
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
	sum, at := findChecksum(sent, differ)
	if sum != nil {
		rest := slices.DeleteFunc(slices.Clone(differ), func(i int) bool { return i >= at })
		last = rest[len(rest)-1]
	}
	g := guess{about: fmt.Sprintf("Frames of %d bytes.", len(sent[0]))}
	switch {
	case sum != nil:
		g.about = fmt.Sprintf("Frames of %d bytes with the checksum %s at byte %d, counted from 0.", len(sent[0]), sum.text, at)
	case len(sent[0]) == 1:
		g.about = "One byte a key."
	case last > first:
		g.about += fmt.Sprintf(" The bytes %d to %d, counted from 0, tell the key; none of them is a checksum that is known here, so that they are compared as they are.", first, last)
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
func findChecksum(sent [5][]byte, differ []int) (*found, int) {
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
					if slices.ContainsFunc(sent[:], func(b []byte) bool { return !bytes.Equal(c.of(b[from:to]), b[at:at+c.size]) }) {
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
	advice := errors.New("the keys sent frames of different lengths, of which nobody can tell where they end. Press each key again, once and with a pause; " +
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

func isText(b []byte, end byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' || c == end {
			return false
		}
	}
	return true
}

func textGuess(sent [5][]byte, head, tail int) guess {
	g := guess{text: true, about: "Text of different lengths."}
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
		set = []string{"21-7e"}
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
