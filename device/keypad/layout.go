package keypad

import (
	"errors"
	"strconv"
	"strings"

	"haochaping/internal/cli"
)

// Bounds of a layout.
const (
	maxFrame = 256 // bytes
	maxParts = 64
)

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(b byte)     { s[b>>6] |= 1 << (b & 63) }
func (s byteSet) has(b byte) bool { return s[b>>6]>>(b&63)&1 == 1 }
func (s byteSet) overlaps(o byteSet) bool {
	for i := range s {
		if s[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

// only returns the set's byte if it has exactly one.
func (s byteSet) only() (byte, bool) {
	found, n := byte(0), 0
	for b := range 256 {
		if s.has(byte(b)) {
			found, n = byte(b), n+1
		}
	}
	return found, n == 1
}

// partKind says what a part of a layout is.
type partKind uint8

const (
	fixed partKind = iota // a byte of the set
	named                 // a byte of the set that answers repeat
	key                   // bytes of the set that are the key
	text                  // the same, of varying number
	skip                  // bytes of the set that say nothing, of varying number
	length
	check
)

// part is one part of a layout.
type part struct {
	kind     partKind
	name     string // of a named part
	set      byteSet
	min, max int // number of bytes
	plus     int // of a length: what it says beyond the number of bytes of text
	sum      checksum
	from, to int // the checksum's bytes; to is 0 for all before it
}

// layout is what a frame consists of.
type layout []part

// parseLayout reads a layout; an answer or prompt, which is a layout to be written, has no keys to be found.
func parseLayout(s string) (layout, error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return nil, cli.Error("是空的；请描述键盘发送的内容", "it is empty; describe what the keypad sends")
	}
	var l layout
	for _, w := range words {
		parts, err := parsePart(w)
		if err != nil {
			return nil, cli.Errorf("%q：%v", "%q: %v", w, err)
		}
		l = append(l, parts...)
		if len(l) > maxParts {
			return nil, cli.Errorf("部分太多；至多 %d 个", "there are too many parts; allowed are %d", maxParts)
		}
	}
	return l, nil
}

func parsePart(w string) ([]part, error) {
	if len(w) >= 3 && w[0] == '\'' && w[len(w)-1] == '\'' {
		var all []part
		for _, c := range []byte(w[1 : len(w)-1]) {
			if c <= ' ' || c > '~' {
				return nil, cli.Error("引号中有其他字符；只写可显示的 ASCII，空格写作 20",
					"there are other characters between the quotes; write printable ASCII alone, and a blank as 20")
			}
			p := part{kind: fixed, min: 1, max: 1}
			p.set.add(c)
			all = append(all, p)
		}
		return all, nil
	}
	if set, err := parseSet(w); err == nil {
		return []part{{kind: fixed, set: set, min: 1, max: 1}}, nil
	}
	if p, ok, err := parseChecksum(w); ok || err != nil {
		return []part{p}, err
	}
	if w == "len" || strings.HasPrefix(w, "len+") {
		p := part{kind: length, min: 1, max: 1}
		if rest, ok := strings.CutPrefix(w, "len+"); ok {
			n, err := strconv.Atoi(rest)
			if err != nil || n < 1 || n > 255 {
				return nil, cli.Error("不能这样加；请写 len+1 至 len+255", "it is no such number; write len+1 to len+255")
			}
			p.plus = n
		}
		return []part{p}, nil
	}
	p, err := parseField(w)
	return []part{p}, err
}

// parseField reads key, text, or a name of the profile's own.
func parseField(w string) (part, error) {
	head, setText, limited := strings.Cut(w, "=")
	name, count, counted := strings.Cut(head, "*")
	p := part{kind: named, name: name, min: 1, max: 1}
	all := "any"
	switch name {
	case "key":
		p.kind = key
	case "text":
		p.kind, p.max, all = text, 64, "20-7e"
	case "skip":
		p.kind, p.max, all = skip, 64, "20-7e"
	default:
		if !isName(name) {
			return part{}, cli.Error("看不懂；一个字节写两个十六进制数字，docs/keypads.md 列出各种部分",
				"not understood; a byte has two hex digits, and docs/keypads.md lists the parts that there are")
		}
	}
	if !limited {
		setText = all
	}
	set, err := parseSet(setText)
	if err != nil {
		return part{}, err
	}
	p.set = set
	if !counted {
		return p, nil
	}
	low, high, both := strings.Cut(count, "-")
	if !both {
		high = low
	}
	p.min, err = strconv.Atoi(low)
	if err != nil || p.kind == named || both && p.kind == key {
		return part{}, cli.Error("星号后面不对；请写一个数，如 key*2，text 和 skip 也可写范围，如 text*1-16",
			"what follows the star is wrong; write a number, as key*2, or for text and skip a range, as text*1-16")
	}
	if p.max, err = strconv.Atoi(high); err != nil || p.min < 1 || p.max < p.min || p.max > 128 {
		return part{}, cli.Error("个数不对；可写 1 至 128 字节，小的在前", "the number is wrong; allowed are 1 to 128 bytes, the smaller number first")
	}
	return p, nil
}

func isName(s string) bool {
	for i, c := range s {
		if (c < 'a' || c > 'z') && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return len(s) > 2
}

// parseSet reads "any", "eol", or bytes and ranges in hex, joined by bars.
func parseSet(s string) (byteSet, error) {
	var set byteSet
	switch s {
	case "any":
		return byteSet{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}, nil
	case "eol":
		s = "0d|0a"
	}
	for _, item := range strings.Split(s, "|") {
		low, high, both := strings.Cut(item, "-")
		if !both {
			high = low
		}
		a, err1 := hexByte(low)
		b, err2 := hexByte(high)
		if err1 != nil || err2 != nil || a > b {
			return byteSet{}, cli.Errorf("%q 不是字节或范围；请写成 31、31-35 或 0d|0a",
				"%q is no byte and no range; write as 31, 31-35 or 0d|0a", item)
		}
		for c := int(a); c <= int(b); c++ {
			set.add(byte(c))
		}
	}
	return set, nil
}

func hexByte(s string) (byte, error) {
	if len(s) != 2 {
		return 0, errors.New("not two digits")
	}
	n, err := strconv.ParseUint(s, 16, 8)
	return byte(n), err
}

// parseChecksum reads "sum8", "sum8(1:)" or "sum8(1:4)"; ok is false if w names no checksum.
func parseChecksum(w string) (p part, ok bool, err error) {
	name, span, spanned := strings.Cut(w, "(")
	c, ok := checksumNamed(name)
	if !ok {
		return part{}, false, nil
	}
	p = part{kind: check, sum: c, min: c.size, max: c.size}
	if !spanned {
		return p, true, nil
	}
	inner, closed := strings.CutSuffix(span, ")")
	from, to, colon := strings.Cut(inner, ":")
	bad := cli.Error("所校验的字节写得不对；写 (1:) 是从第二个起，(1:4) 是第二至第四个",
		"the bytes that it is over are written wrongly; write (1:), from the second on, or (1:4), the second to the fourth")
	if !closed || !colon {
		return part{}, true, bad
	}
	if p.from, err = strconv.Atoi(from); err != nil || p.from < 0 || p.from >= maxFrame {
		return part{}, true, bad
	}
	if to == "" {
		return p, true, nil
	}
	if p.to, err = strconv.Atoi(to); err != nil || p.to <= p.from || p.to >= maxFrame {
		return part{}, true, bad
	}
	return p, true, nil
}
