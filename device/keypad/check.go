package keypad

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"haochaping/internal/tomlfile"
)

// checker turns a file into a profile and collects what is wrong with it.
type checker struct {
	lines tomlfile.Lines
	errs  []error
}

func (c *checker) err() error { return errors.Join(c.errs...) }

func (c *checker) bad(key, format string, args ...any) {
	c.errs = append(c.errs, c.lines.Errorf(key, format, args...))
}

func (c *checker) profile(f file) *Profile {
	p := &Profile{Name: f.Name, About: f.About, Line: f.Line, prompts: make(map[Prompt][]byte)}
	if f.Name == "" {
		c.bad("name", "missing; write a name for this kind of keypad")
	}
	if !slices.Contains(Bauds(), f.Line.Baud) {
		c.bad("line.baud", "%d is not allowed; allowed are %v", f.Line.Baud, Bauds())
	}
	if f.Line.DataBits != 7 && f.Line.DataBits != 8 {
		c.bad("line.data_bits", "%d is not allowed; allowed are 7 and 8", f.Line.DataBits)
	}
	if !slices.Contains([]string{"none", "even", "odd"}, f.Line.Parity) {
		c.bad("line.parity", "%q is not allowed; allowed are none, even and odd", f.Line.Parity)
	}
	if f.Line.StopBits != 1 && f.Line.StopBits != 2 {
		c.bad("line.stop_bits", "%d is not allowed; allowed are 1 and 2", f.Line.StopBits)
	}
	p.Gap = c.duration("gap", f.Gap, 20*time.Millisecond, 10*time.Second)
	p.Away = c.duration("away", f.Away, 200*time.Millisecond, 30*time.Second)
	if f.Repeat != "" {
		p.Repeat = c.duration("repeat", f.Repeat, 20*time.Millisecond, 2*time.Second)
	}
	if len(f.Frame) == 0 {
		c.bad("frame", "there is none; describe what the keypad sends as [[frame]] with a layout")
	}
	for i, ff := range f.Frame {
		p.frames = append(p.frames, c.frame(fmt.Sprintf("frame[%d]", i), ff))
		if ff.Every != "" {
			p.beat = c.duration(fmt.Sprintf("frame[%d].every", i), ff.Every, time.Second, 10*time.Minute)
		}
	}
	if len(c.errs) == 0 {
		c.releases(p)
		c.lineUp(p)
	}
	if p.Settle = 20 * time.Millisecond; p.verified() {
		p.Settle = 0
	}
	if f.Settle != "" {
		p.Settle = c.duration("settle", f.Settle, 0, 100*time.Millisecond)
	}
	for m, s := range map[Prompt]string{Asking: f.Prompt.Asking, Thanks: f.Prompt.Thanks, Idle: f.Prompt.Idle, Fault: f.Prompt.Fault} {
		if s == "" {
			continue
		}
		if l := c.output("prompt."+string(m), s, nil); l != nil {
			p.prompts[m] = l.compose(nil)
		}
	}
	return p
}

func (c *checker) duration(key, s string, low, high time.Duration) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil || d < low || d > high {
		c.bad(key, "%q is not allowed; allowed are %s to %s", s, low, high)
	}
	return d
}

func (c *checker) frame(at string, ff fileFrame) frame {
	f := frame{kind: ff.Kind, code: ff.Code, keys: ff.Keys}
	if f.kind == "" {
		f.kind = Key
	}
	if !slices.Contains([]Kind{Key, Release, Card, Heartbeat, Ignored}, f.kind) {
		c.bad(at+".kind", "%q is not allowed; allowed are key, release, card, heartbeat and ignore", f.kind)
	}
	if ff.Every != "" && f.kind != Heartbeat {
		c.bad(at+".every", "only a heartbeat comes by itself; write kind = \"heartbeat\"")
	}
	l, err := parseLayout(ff.Layout)
	if err == nil {
		err = l.checkInput(f.kind)
	}
	if err != nil {
		c.bad(at+".layout", "%v", err)
		return f
	}
	f.layout = l
	if f.code == "" {
		f.code = codeHex
		if l.textAfter(0).kind == text {
			f.code = codeText
		}
	}
	c.codeOf(at, f)
	if f.digits = ff.Digits; f.digits != 0 && (f.kind != Card || f.digits < 0 || f.digits > 20 || f.code == codeHex || f.code == codeText) {
		c.bad(at+".digits", "%d is not allowed; allowed are 1 to 20, for a card's decimal number", f.digits)
	}
	if ff.Answer != "" {
		f.answer = c.output(at+".answer", ff.Answer, l)
	}
	for _, p := range l {
		if p.kind == named && !slices.ContainsFunc(f.answer, func(q part) bool { return q.name == p.name }) {
			c.bad(at+".layout", "%q: no answer repeats it; write the bytes that it may be, as 80-ff, or key if it says which key it is", p.name)
		}
	}
	if (f.kind == Key || f.kind == Release) && len(c.errs) == 0 {
		for _, k := range ff.Keys {
			if err := f.checkKey(k); err != nil {
				c.bad(at+".keys", "%q: %v", k, err)
			}
		}
	}
	if f.of = ff.Of; f.of != nil && (f.kind != Release || len(f.of) != len(f.keys)) {
		c.bad(at+".of", "write as many keys as there are in keys of a release: which key each is the release of")
	}
	return f
}

// codeOf checks that what stands for the key can be read as the frame says.
func (c *checker) codeOf(at string, f frame) {
	field := f.layout.keyPart()
	switch f.code {
	case codeHex:
	case codeDecimal, codeDecimalLow:
		if field.max > 8 {
			c.bad(at+".code", "%s is for keys of 1 to 8 bytes; use hex or text", f.code)
		}
	case codeDecimalHex:
		if field.max > 16 || f.kind != Card {
			c.bad(at+".code", "decimal-hex is for cards of 1 to 16 hex digits; use text")
		}
	case codeText:
		if field.set.overlaps(unprintable()) {
			c.bad(at+".code", "text is for keys of printable bytes; limit them, as key=30-39, or use hex")
		}
	default:
		c.bad(at+".code", "%q is not allowed; allowed are hex, decimal, decimal-low, decimal-hex and text", f.code)
	}
}

// releases checks that what is released are keys.
func (c *checker) releases(p *Profile) {
	for i, f := range p.frames {
		if f.kind != Release || f.layout.keyPart().kind == fixed {
			continue
		}
		at, of := fmt.Sprintf("frame[%d].of", i), f.of
		if of == nil {
			at, of = fmt.Sprintf("frame[%d].keys", i), f.keys
		}
		for _, k := range of {
			if err := p.CheckKey(k); err != nil {
				c.bad(at, "%v", err)
			}
		}
	}
}

func unprintable() (s byteSet) {
	for b := range 256 {
		if b < ' ' || b > '~' {
			s.add(byte(b))
		}
	}
	return s
}

// keyPart returns the part that says which key it is, or the card's number.
func (l layout) keyPart() part {
	i := slices.IndexFunc(l, func(p part) bool { return p.kind == key || p.kind == text })
	if i < 0 {
		return part{}
	}
	return l[i]
}

// checkInput reports what makes a layout unreadable.
func (l layout) checkInput(kind Kind) error {
	size, fields, lengths, varying := 0, 0, 0, false
	seen := make(map[string]bool)
	for i, p := range l {
		switch p.kind {
		case key, text, skip:
			if p.kind != skip {
				fields++
			}
			if p.kind == skip || p.kind == text && lengths == 0 {
				if i+1 == len(l) || l[i+1].kind != fixed || l[i+1].set.overlaps(p.set) {
					return errors.New("the end of text is not known: write after it a byte that it cannot contain, as text 0d, or its length before it, " +
						"as len text")
				}
			}
			varying = varying || p.kind != key
		case length:
			lengths++
			if l.textAfter(i).kind != text {
				return errors.New("len is the length of the text that follows, and there is none; in a frame that is always equally long, write the " +
					"length as a byte")
			}
		case named:
			if seen[p.name] {
				return fmt.Errorf("%s stands twice", p.name)
			}
			seen[p.name] = true
		case check:
			if p.to > size {
				return fmt.Errorf("%s is over bytes that stand after it", p.sum.name)
			}
			if p.from >= size {
				return fmt.Errorf("%s is over no byte", p.sum.name)
			}
			if varying && p.to != 0 {
				return fmt.Errorf("%s(%d:%d): after text only (%d:) is understood", p.sum.name, p.from, p.to, p.from)
			}
		}
		size += p.min
	}
	longest := 0
	for _, p := range l {
		longest += p.max
	}
	switch {
	case longest > maxFrame:
		return fmt.Errorf("the frame has up to %d bytes; allowed are %d", longest, maxFrame)
	case lengths > 1:
		return errors.New("len stands twice")
	case fields > 1, fields == 0 && (kind == Key || kind == Card):
		return fmt.Errorf("%d parts say which key it is; write key or text exactly once", fields)
	}
	return nil
}

// lineUp finds out whether garbage must be dropped up to the end of a line.
func (c *checker) lineUp(p *Profile) {
	begins := func(f frame) bool { return f.layout[0].kind == text || f.layout[0].kind == skip }
	for i, f := range p.frames {
		if !begins(f) {
			continue
		}
		at := fmt.Sprintf("frame[%d].layout", i)
		last := f.layout[len(f.layout)-1]
		if slices.ContainsFunc(p.frames, func(o frame) bool { return !begins(o) || o.layout[len(o.layout)-1].set != last.set }) {
			c.bad(at, "beside a frame that begins with text all must, and end with the same byte: after garbage nobody could else tell where one "+
				"begins")
			return
		}
		if last.kind != fixed || f.overlaps(last.set) {
			c.bad(at, "a frame that begins with text must end with a byte that the text cannot contain, as text 0d")
			return
		}
		p.lineUp, p.ends = true, last.set
	}
}

// output reads what is to be sent: an answer to a frame of layout in, or a prompt.
func (c *checker) output(at, s string, in layout) layout {
	l, err := parseLayout(s)
	if err != nil {
		c.bad(at, "%v", err)
		return nil
	}
	size := 0
	for _, p := range l {
		switch p.kind {
		case named:
			if !slices.ContainsFunc(in, func(q part) bool { return q.kind == named && q.name == p.name }) {
				c.bad(at, "%s is no part of the frame's layout that could be repeated", p.name)
				return nil
			}
		case check:
			if p.from >= size || p.to > size {
				c.bad(at, "%s is over bytes that are not before it", p.sum.name)
				return nil
			}
		case fixed:
			if _, ok := p.set.only(); !ok {
				c.bad(at, "what is sent must be known: write single bytes")
				return nil
			}
		default:
			c.bad(at, "what is sent has bytes, checksums, and names of the layout's own; name the byte instead, as grade=00-04")
			return nil
		}
		size += p.min
	}
	return l
}

// overlaps reports whether the text of a line may hold one of these bytes.
func (f frame) overlaps(ends byteSet) bool {
	return slices.ContainsFunc(f.layout[:len(f.layout)-1], func(p part) bool { return p.kind != check && p.set.overlaps(ends) })
}

// checkKey reports whether the frame can carry a key, and if not, what to write instead.
func (f *frame) checkKey(code string) error {
	field := f.layout.keyPart()
	var raw []byte
	switch f.code {
	case codeDecimal, codeDecimalLow:
		n, err := strconv.ParseUint(code, 10, 8*min(field.min, 8))
		if err != nil || strconv.FormatUint(n, 10) != code {
			return errors.New("write the key's value as a decimal number without leading zeros, as \"3\"")
		}
		raw = make([]byte, field.min)
		for i := range raw {
			raw[len(raw)-1-i] = byte(n >> (8 * i))
		}
		if f.code == codeDecimalLow {
			slices.Reverse(raw)
		}
	case codeText:
		raw = []byte(code)
	default:
		var err error
		if raw, err = hexCode(code); err != nil {
			if len(code) == field.min {
				return fmt.Errorf("write the byte in hex, as \"0x%x\" if the keypad sends the character %q", code, code)
			}
			return err
		}
	}
	if len(raw) < field.min || len(raw) > field.max {
		return fmt.Errorf("a key has %s", plural(field.min, field.max))
	}
	for _, c := range raw {
		if !field.set.has(c) {
			return fmt.Errorf("the layout does not allow the byte %02x in a key", c)
		}
	}
	if !f.allows(code) {
		return fmt.Errorf("it is none of the frame's keys %q", f.keys)
	}
	return nil
}

func plural(low, high int) string {
	switch {
	case low != high:
		return fmt.Sprintf("%d to %d bytes", low, high)
	case low == 1:
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", low)
}

// hexCode reads "0x31", in lower case.
func hexCode(s string) ([]byte, error) {
	bad := errors.New("write the byte in hex with small letters, as \"0x31\"")
	if len(s) < 4 || len(s)%2 != 0 || s[:2] != "0x" {
		return nil, bad
	}
	var out []byte
	for i := 2; i < len(s); i += 2 {
		b, err := hexByte(s[i : i+2])
		if err != nil || fmt.Sprintf("%02x", b) != s[i:i+2] {
			return nil, bad
		}
		out = append(out, b)
	}
	return out, nil
}
