package keypad

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"haochaping/internal/cli"
	"haochaping/internal/tomlfile"
)

// checker turns a file into a profile and collects what is wrong with it.
type checker struct {
	lines tomlfile.Lines
	errs  []error
}

func (c *checker) err() error { return errors.Join(c.errs...) }

func (c *checker) bad(key, zh, en string, args ...any) {
	c.errs = append(c.errs, c.lines.Errorf(key, zh, en, args...))
}

func (c *checker) profile(f file) *Profile {
	p := &Profile{Name: f.Name, About: f.About, Line: f.Line, prompts: make(map[Prompt][]byte)}
	if f.Name == "" {
		c.bad("name", "没有写；请给这种键盘起个名字", "missing; write a name for this kind of keypad")
	}
	if !slices.Contains(Bauds(), f.Line.Baud) {
		c.bad("line.baud", "不能是 %d；可写 %v", "%d is not allowed; allowed are %v", f.Line.Baud, Bauds())
	}
	if f.Line.DataBits != 7 && f.Line.DataBits != 8 {
		c.bad("line.data_bits", "不能是 %d；可写 7 和 8", "%d is not allowed; allowed are 7 and 8", f.Line.DataBits)
	}
	if !slices.Contains([]string{"none", "even", "odd"}, f.Line.Parity) {
		c.bad("line.parity", "不能是 %q；可写 none、even 和 odd", "%q is not allowed; allowed are none, even and odd", f.Line.Parity)
	}
	if f.Line.StopBits != 1 && f.Line.StopBits != 2 {
		c.bad("line.stop_bits", "不能是 %d；可写 1 和 2", "%d is not allowed; allowed are 1 and 2", f.Line.StopBits)
	}
	p.Gap = c.duration("gap", f.Gap, 20*time.Millisecond, 10*time.Second)
	p.Away = c.duration("away", f.Away, 200*time.Millisecond, 30*time.Second)
	if f.Repeat != "" {
		p.Repeat = c.duration("repeat", f.Repeat, 20*time.Millisecond, 2*time.Second)
	}
	if len(f.Frame) == 0 {
		c.bad("frame", "没有写；请用 [[frame]] 和 layout 描述键盘发送的内容",
			"there is none; describe what the keypad sends as [[frame]] with a layout")
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
		c.bad(key, "不能是 %q；可写 %s 至 %s", "%q is not allowed; allowed are %s to %s", s, low, high)
	}
	return d
}

func (c *checker) frame(at string, ff fileFrame) frame {
	f := frame{kind: ff.Kind, code: ff.Code, keys: ff.Keys}
	if f.kind == "" {
		f.kind = Key
	}
	if !slices.Contains([]Kind{Key, Release, Card, Heartbeat, Ignored}, f.kind) {
		c.bad(at+".kind", "不能是 %q；可写 key、release、card、heartbeat 和 ignore",
			"%q is not allowed; allowed are key, release, card, heartbeat and ignore", f.kind)
	}
	if ff.Every != "" && f.kind != Heartbeat {
		c.bad(at+".every", "只有心跳会自行到来；请写 kind = \"heartbeat\"", "only a heartbeat comes by itself; write kind = \"heartbeat\"")
	}
	l, err := parseLayout(ff.Layout)
	if err == nil {
		err = l.checkInput(f.kind)
	}
	if err != nil {
		c.bad(at+".layout", "%v", "%v", err)
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
		c.bad(at+".digits", "不能是 %d；可写 1 至 20，用于卡的十进制号码",
			"%d is not allowed; allowed are 1 to 20, for a card's decimal number", f.digits)
	}
	if ff.Answer != "" {
		f.answer = c.output(at+".answer", ff.Answer, l)
	}
	for _, p := range l {
		if p.kind == named && !slices.ContainsFunc(f.answer, func(q part) bool { return q.name == p.name }) {
			c.bad(at+".layout", "%q：没有应答重复它；请写它可能的字节，如 80-ff，若它表示按键则写 key",
				"%q: no answer repeats it; write the bytes that it may be, as 80-ff, or key if it says which key it is", p.name)
		}
	}
	if (f.kind == Key || f.kind == Release) && len(c.errs) == 0 {
		for _, k := range ff.Keys {
			if err := f.checkKey(k); err != nil {
				c.bad(at+".keys", "%q：%v", "%q: %v", k, err)
			}
		}
	}
	if f.of = ff.Of; f.of != nil && (f.kind != Release || len(f.of) != len(f.keys)) {
		c.bad(at+".of", "个数不对；松开帧的 keys 有几个就写几个，说明各是哪个键的松开",
			"their number is wrong; write as many as there are keys of a release: which key each is the release of")
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
			c.bad(at+".code", "%s 用于 1 至 8 字节的键；请写 hex 或 text", "%s is for keys of 1 to 8 bytes; use hex or text", f.code)
		}
	case codeDecimalHex:
		if field.max > 16 || f.kind != Card {
			c.bad(at+".code", "decimal-hex 用于 1 至 16 个十六进制数字的卡；请写 text", "decimal-hex is for cards of 1 to 16 hex digits; use text")
		}
	case codeText:
		if field.set.overlaps(unprintable()) {
			c.bad(at+".code", "text 用于可显示的字节；请限定它们，如 key=30-39，或写 hex",
				"text is for keys of printable bytes; limit them, as key=30-39, or use hex")
		}
	default:
		c.bad(at+".code", "不能是 %q；可写 hex、decimal、decimal-low、decimal-hex 和 text",
			"%q is not allowed; allowed are hex, decimal, decimal-low, decimal-hex and text", f.code)
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
				c.bad(at, "%v", "%v", err)
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
					return cli.Error("不知道 text 到哪里结束；请在其后写一个它不会含有的字节，如 text 0d，或在其前写长度，如 len text",
						"the end of text is not known; write after it a byte that it cannot contain, as text 0d, or its length before it, as len text")
				}
			}
			varying = varying || p.kind != key
		case length:
			lengths++
			if l.textAfter(i).kind != text {
				return cli.Error("len 是其后 text 的长度，而后面没有 text；帧长固定时请把长度写成一个字节",
					"len is the length of the text that follows, and there is none; in a frame that is always equally long, write the length as a byte")
			}
		case named:
			if seen[p.name] {
				return cli.Errorf("%s 写了两次；请另起一个名字", "%s stands twice; give one another name", p.name)
			}
			seen[p.name] = true
		case check:
			if p.to > size {
				return cli.Errorf("%s 所校验的字节在它之后；请写它之前的字节，如 (1:)", "%s is over bytes that stand after it; write those before it, as (1:)", p.sum.name)
			}
			if p.from >= size {
				return cli.Errorf("%s 没有可校验的字节；请写它之前的字节，如 (0:)", "%s is over no byte; write those before it, as (0:)", p.sum.name)
			}
			if varying && p.to != 0 {
				return cli.Errorf("text 之后不能用 %[1]s(%[2]d:%[3]d)；请写 (%[2]d:)", "after text %[1]s(%[2]d:%[3]d) is not understood; write (%[2]d:)",
					p.sum.name, p.from, p.to)
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
		return cli.Errorf("一帧最长 %d 字节；至多可以 %d", "the frame has up to %d bytes; allowed are %d", longest, maxFrame)
	case lengths > 1:
		return cli.Error("len 写了两次；请删去一个", "len stands twice; leave one out")
	case fields > 1, fields == 0 && (kind == Key || kind == Card):
		return cli.Errorf("表示按键的部分有 %d 个；key 或 text 只写一次", "%d parts say which key it is; write key or text exactly once", fields)
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
			c.bad(at, "有一帧以 text 开头，其他帧却不同；请都以 text 开头，并以同一字节结尾，否则干扰之后分不清帧的开头",
				"one frame begins with text, and others do not; let all do so and end with the same byte, since after garbage nobody could tell "+
					"where one begins")
			return
		}
		if last.kind != fixed || f.overlaps(last.set) {
			c.bad(at, "以 text 开头的帧没有明确的结尾；请以 text 不会含有的字节结尾，如 text 0d",
				"a frame that begins with text has no clear end; end it with a byte that the text cannot contain, as text 0d")
			return
		}
		p.lineUp, p.ends = true, last.set
	}
}

// output reads what is to be sent: an answer to a frame of layout in, or a prompt.
func (c *checker) output(at, s string, in layout) layout {
	l, err := parseLayout(s)
	if err != nil {
		c.bad(at, "%v", "%v", err)
		return nil
	}
	size := 0
	for _, p := range l {
		switch p.kind {
		case named:
			if !slices.ContainsFunc(in, func(q part) bool { return q.kind == named && q.name == p.name }) {
				c.bad(at, "%s 不是这一帧的 layout 中可重复的部分；请写其中的名字",
					"%s is no part of the frame's layout that could be repeated; write a name of it", p.name)
				return nil
			}
		case check:
			if p.from >= size || p.to > size {
				c.bad(at, "%s 所校验的字节不在它之前；请写它之前的字节，如 (1:)", "%s is over bytes that are not before it; write those before it, as (1:)",
					p.sum.name)
				return nil
			}
		case fixed:
			if _, ok := p.set.only(); !ok {
				c.bad(at, "要发送的字节不明确；请写单个字节", "what is sent is not known; write single bytes")
				return nil
			}
		default:
			c.bad(at, "只能发送字节、校验和与 layout 中自定的名字；请给该字节起名，如 grade=00-04",
				"what is sent has bytes, checksums, and names of the layout's own; name the byte instead, as grade=00-04")
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
			return cli.Error("不是十进制数；请写不带前导零的数，如 \"3\"",
				"it is no decimal number; write one without leading zeros, as \"3\"")
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
				return cli.Errorf("不是十六进制；键盘若发送字符 %[2]q，请写 \"0x%[1]x\"",
					"it is not hex; write \"0x%[1]x\" if the keypad sends the character %[2]q", code, code)
			}
			return err
		}
	}
	if len(raw) < field.min || len(raw) > field.max {
		return cli.Errorf("字节数不对；一个键有 %[1]d 至 %[2]d 字节", "the number of bytes is wrong; a key has %[1]d to %[2]d", field.min, field.max)
	}
	for _, c := range raw {
		if !field.set.has(c) {
			return cli.Errorf("layout 的键中没有字节 %02x；请写它允许的", "the layout does not allow the byte %02x in a key; write one that it does", c)
		}
	}
	if !f.allows(code) {
		return cli.Errorf("不是这一帧的键；有 %q", "it is none of the frame's keys; there are %q", f.keys)
	}
	return nil
}

// hexCode reads "0x31", in lower case.
func hexCode(s string) ([]byte, error) {
	bad := cli.Error("不是十六进制；请用小写字母写，如 \"0x31\"", "it is not hex; write the byte with small letters, as \"0x31\"")
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
