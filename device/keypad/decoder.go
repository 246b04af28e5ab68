package keypad

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Read is what a frame said.
type Read struct {
	Kind   Kind
	Code   string // the key, as keys.map names it, or the card's number; empty for the release of whatever key is down
	Answer []byte // to be written back; nil if none
}

// Decoder reads a keypad's bytes. It keeps at most one frame's bytes. It is not safe for concurrent use.
type Decoder struct {
	p   *Profile
	buf []byte
	// Garbage is the number of bytes that belonged to no frame.
	Garbage uint64
	skip    bool // up to the end of the line
}

// NewDecoder returns a decoder of a profile's frames.
func (p *Profile) NewDecoder() *Decoder { return &Decoder{p: p} }

// Shortest returns the number of bytes of the profile's shortest frame.
func (p *Profile) Shortest() int {
	shortest := maxFrame
	for _, f := range p.frames {
		n := 0
		for _, part := range f.layout {
			n += part.min
		}
		shortest = min(shortest, n)
	}
	return shortest
}

// Feed takes bytes in pieces of any size and returns the frames that they complete.
func (d *Decoder) Feed(b []byte) []Read {
	var all []Read
	for _, c := range b { // one at a time, so that the buffer never holds more than one frame
		d.buf = append(d.buf, c)
		for len(d.buf) > 0 {
			if d.skip {
				d.skip = !d.p.endsLine(d.buf[0])
				d.drop(1, true)
				continue
			}
			r, n, wait := d.next()
			if wait {
				break
			}
			if n == 0 {
				d.skip = d.p.lineUp && !d.p.endsLine(d.buf[0])
				d.drop(1, !d.p.endsLine(d.buf[0]))
				continue
			}
			if r.matters() {
				all = append(all, r)
			}
			d.drop(n, false)
		}
	}
	return all
}

// matters reports whether anybody must hear of what was read.
func (r Read) matters() bool {
	switch r.Kind {
	case Key, Card:
		return r.Code != ""
	case Release:
		return true
	}
	return r.Answer != nil
}

// Reset forgets the beginning of a frame, as after a silence.
func (d *Decoder) Reset() {
	d.Garbage += uint64(len(d.buf))
	d.buf, d.skip = d.buf[:0], false
}

func (d *Decoder) drop(n int, garbage bool) {
	if garbage {
		d.Garbage += uint64(n)
	}
	d.buf = d.buf[:copy(d.buf, d.buf[n:])]
}

// next looks at the beginning of what is kept: for a frame of n bytes, for the beginning of one, or for neither, n being 0.
// The first frame of the profile that is not contradicted decides, so that it makes no difference in which pieces bytes come.
func (d *Decoder) next() (r Read, n int, wait bool) {
	for i := range d.p.frames {
		f := &d.p.frames[i]
		m, verdict := f.layout.match(d.buf)
		if verdict == partial {
			return Read{}, 0, true
		}
		if verdict == whole && f.allows(m.code(f)) {
			r := Read{Kind: f.kind, Code: f.keyOf(m.code(f))}
			if f.answer != nil {
				r.Answer = f.answer.compose(m.fields)
			}
			return r, m.n, false
		}
	}
	return Read{}, 0, false
}

type verdict uint8

const (
	contradicted verdict = iota
	partial
	whole
)

// match is a frame that was found.
type match struct {
	n      int
	key    []byte
	fields map[string]byte
}

// match compares the beginning of b with the layout.
func (l layout) match(b []byte) (match, verdict) {
	m := match{}
	textLen := -1
	for i, p := range l {
		rest := b[m.n:]
		if p.kind == text || p.kind == skip {
			known := textLen
			if p.kind == skip {
				known = -1
			}
			n, v := p.textLength(rest, known)
			if v != whole {
				return m, v
			}
			if p.kind == text {
				m.key = rest[:n]
			}
			m.n += n
			continue
		}
		if p.kind != check {
			for _, c := range rest[:min(p.min, len(rest))] {
				if !p.allowsByte(c) {
					return m, contradicted
				}
			}
		}
		if len(rest) < p.min {
			return m, partial
		}
		switch p.kind {
		case check:
			to := p.to
			if to == 0 {
				to = m.n
			}
			if !p.sum.fits(b[p.from:to], rest[:p.min]) {
				return m, contradicted
			}
		case key:
			m.key = rest[:p.min]
		case named:
			if m.fields == nil {
				m.fields = make(map[string]byte)
			}
			m.fields[p.name] = rest[0]
		case length:
			textLen = int(rest[0]) - p.plus
			if t := l.textAfter(i); textLen < t.min || textLen > t.max {
				return m, contradicted
			}
		}
		m.n += p.min
	}
	return m, whole
}

func (p part) allowsByte(c byte) bool { return p.kind == length || p.set.has(c) }

// textAfter returns the text that a length is about.
func (l layout) textAfter(i int) part {
	for _, p := range l[i:] {
		if p.kind == text {
			return p
		}
	}
	return part{} // validated away
}

// textLength returns how many of b's first bytes are the text: n if that is known, else as many as the set allows.
func (p part) textLength(b []byte, n int) (int, verdict) {
	limit := p.max
	if n >= 0 {
		limit = n
	}
	i := 0
	for i < len(b) && i < limit && p.set.has(b[i]) {
		i++
	}
	switch {
	case i == len(b) && i < limit:
		return 0, partial
	case n >= 0 && i < n, i < p.min:
		return 0, contradicted
	}
	return i, whole
}

// code returns what keys.map calls the key, or the number of the card; nothing if the frame has neither.
func (m match) code(f *frame) string {
	if m.key == nil {
		return ""
	}
	switch f.code {
	case codeText:
		if f.kind == Card { // lists of cards have no blanks in a number
			return string(bytes.ReplaceAll(m.key, []byte(" "), nil))
		}
		return string(bytes.TrimSpace(m.key))
	case codeHex:
		return "0x" + hex.EncodeToString(m.key)
	}
	n, ok := f.code.number(m.key)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%0*d", f.digits, n)
}

// number returns the number that the bytes of a key stand for, false if they stand for none.
func (c codeForm) number(b []byte) (uint64, bool) {
	if c == codeDecimalHex {
		n, err := strconv.ParseUint(string(b), 16, 64)
		return n, err == nil
	}
	n := uint64(0)
	for i := range b {
		at := i
		if c == codeDecimalLow {
			at = len(b) - 1 - i
		}
		n = n<<8 | uint64(b[at])
	}
	return n, true
}

// compose returns the bytes of an answer or a prompt.
func (l layout) compose(fields map[string]byte) []byte {
	var out []byte
	for _, p := range l {
		switch p.kind {
		case named:
			out = append(out, fields[p.name])
		case check:
			to := p.to
			if to == 0 {
				to = len(out)
			}
			out = append(out, p.sum.of(out[p.from:to])...)
		default:
			c, _ := p.set.only()
			out = append(out, c)
		}
	}
	return out
}
