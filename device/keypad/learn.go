package keypad

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"haochaping/internal/cli"
)

// maxLearnt bounds the frames that are learnt, in bytes.
const maxLearnt = 64

// Learnt is a profile that was found out.
type Learnt struct {
	Profile *Profile
	Text    string    // the profile as it is to be written to a file
	Codes   [5]string // what keys.map calls the five keys, in the order in which they were given
	About   string    // what was recognised, for people
	// Ordered reports whether the keys' codes go up or down from the first to the last, or have no order at all. Keys whose codes go
	// up and down may have been pressed in a wrong order.
	Ordered bool
	// Releases reports whether the keypad says when a key is let go; Repeat is after which time a key that is held sends again, 0
	// if none did; Beats is how many things come by themselves.
	Releases bool
	Repeat   time.Duration
	Beats    int
}

// Learn finds out a profile from what a keypad was heard to send. It reads exactly the five keys: what the keypad may send besides
// is nobody's level. What does not tell five keys apart for certain is refused, with what to do.
func Learn(name string, line Line, o Observed) (Learnt, error) {
	for i, b := range o.Sent {
		if len(b) == 0 || len(b) > maxLearnt {
			return Learnt{}, cli.Errorf("第 %d 个键发来 %d 字节，只认 1 至 %d 字节；若不停发送，则速率不对（-scan）",
				"key %d sent %d bytes, where 1 to %d are understood; if it sends without pause, the speed is wrong (-scan)", i+1, len(b),
				maxLearnt)
		}
		for j, other := range o.Sent[:i] {
			if bytes.Equal(b, other) {
				return Learnt{}, cli.Errorf("第 %d 和第 %d 个键都发送 % x，无法区分；若不是同一个键按了两次，须用厂家的程序设置键盘",
					"keys %d and %d both send % x, so that nobody can tell them apart; if not the same key was pressed twice, the keypad must be set up "+
						"by its maker's program", j+1, i+1, b)
			}
		}
	}
	if err := o.turned(); err != nil {
		return Learnt{}, err
	}
	// What a keypad sends besides may not go with its keys in one profile. The keys are read without it too: what is not
	// understood is no key.
	only := o
	only.Released, only.Beats = [5][]byte{}, nil
	withReleases, withBeats := only, only
	withReleases.Released, withBeats.Beats = o.Released, o.Beats
	all := []Observed{o, withReleases, withBeats, only}
	if slices.ContainsFunc(o.Released[:], func(b []byte) bool { return b == nil }) {
		all = all[2:]
	}
	var why error
	for _, part := range all {
		var l Learnt
		if l, why = part.learn(name, line); why == nil {
			why = l.proveNoKey(o)
		}
		if why == nil {
			return l, nil
		}
	}
	return Learnt{}, why
}

// turned reports keys of which one was taken for its own release: as if 'A' were a press and 'a' its release, but 'b' a press
// and 'B' its release.
func (o Observed) turned() error {
	ups, fromStart, fromEnd := 0, true, true // where all keys differ from their releases in the same
	for i, sent := range o.Sent {
		back := o.Released[i]
		if len(back) != len(sent) {
			return nil
		}
		fromStart = fromStart && turn(sent, back, 0) == turn(o.Sent[0], o.Released[0], 0)
		fromEnd = fromEnd && turn(sent, back, len(sent)) == turn(o.Sent[0], o.Released[0], len(o.Sent[0]))
		if bytes.Compare(back, sent) > 0 {
			ups++
		}
	}
	if ups == 0 || ups == len(o.Sent) || !fromStart && !fromEnd {
		return nil
	}
	return cli.Error("有的键松开时发送的内容被当成了按下时的；请重新学习键盘，每键短按，线路安静之后再按下一个",
		"for some keys what they send when they are let go was taken for what they send when they are pressed; "+
			"learn the keypad again, and press each key shortly and not before the line is silent")
}

// turn says in which bytes two frames of one length differ, counted from a byte of them, and how.
func turn(a, b []byte, from int) string {
	var all []string
	for i := range a {
		if a[i] != b[i] {
			all = append(all, fmt.Sprintf("%d:%02x", i-from, a[i]^b[i]))
		}
	}
	return strings.Join(all, " ")
}

// learn finds out the profile of what was heard.
func (o Observed) learn(name string, line Line) (Learnt, error) {
	g, err := guessAny(o.Sent)
	if err != nil {
		return Learnt{}, err
	}
	out := Learnt{About: g.about.String(), Codes: g.codes(), Ordered: g.ordered(), Repeat: o.Repeat, Beats: len(o.Beats)}
	t := draft{name: name, line: line, observed: o, keys: g, codes: out.Codes}
	if o.Released[0] != nil {
		if t.released, err = guessReleases(o.Released); err != nil {
			return Learnt{}, err
		}
		out.Releases = true
	}
	out.Text = t.toml()
	if out.Profile, err = Parse([]byte(out.Text)); err != nil {
		return Learnt{}, cli.Because(err, "看不懂识别所得的描述；请连同上面显示的字节报告此事",
			"the profile that was found out is not understood; please report this with "+
				"the bytes shown above")
	}
	return out, errors.Join(out.prove(o.Sent), out.proveReleases(o))
}

// guessAny finds the layout of what five keys send.
func guessAny(sent [5][]byte) (guess, error) {
	if slices.ContainsFunc(sent[:], func(b []byte) bool { return len(b) != len(sent[0]) }) {
		return guessText(sent)
	}
	return guessFixed(sent), nil
}

// guessReleases finds the layout of releases, which may be one for all keys.
func guessReleases(released [5][]byte) (guess, error) {
	equal := 0
	for i, b := range released {
		for _, other := range released[:i] {
			if bytes.Equal(b, other) {
				equal++
			}
		}
	}
	switch equal {
	case 0:
		return guessAny(released)
	case len(released) * (len(released) - 1) / 2:
		return guess{parts: strings.Fields(fmt.Sprintf("% x", released[0])), common: true}, nil
	}
	return guess{}, cli.Error("有的键松开时发送的内容相同", "what some keys send when they are let go is the same")
}

// ErrOverlap says that a byte that is lost would turn one key into another.
var ErrOverlap = cli.Error("帧没有自己的开头", "the frames have no beginning of their own")

// prove reads what the keys sent with what was learnt: each by itself, all in a row, and after the rest of a frame whose
// beginning was lost, which must not turn a key into another.
func (l Learnt) prove(sent [5][]byte) error {
	for i, rest := range sent {
		for cut := 1; cut < len(rest); cut++ {
			for j, b := range sent {
				got := keysOf(l.Profile.NewDecoder().Feed(slices.Concat(rest[cut:], b, b)))
				if len(got) == 0 || slices.ContainsFunc(got, func(code string) bool { return code != l.Codes[j] }) {
					return fmt.Errorf("%w: %w", ErrOverlap, cli.Errorf("线路上丢失第 %[2]d 个键的 %[1]d 字节，第 %[3]d 个键（% [4]x）就会读成别的键；"+
						"请把键盘设为首字节固定的帧，或换一个键盘",
						"if %[1]d bytes of key %[2]d were lost on the cable, key %[3]d (% [4]x) would be read as another; "+
							"set the keypad to frames with a fixed first byte, or use another one", cut, i+1, j+1, b))
				}
			}
		}
	}
	row := l.Profile.NewDecoder()
	for i, b := range sent {
		for _, d := range []*Decoder{l.Profile.NewDecoder(), row} {
			if got := d.Feed(b); len(got) != 1 || got[0].Kind != Key || got[0].Code != l.Codes[i] {
				return cli.Errorf("第 %[2]d 个键的 % [1]x 会读成 %[3]v，帧有重叠；请再按每个键，中间停顿，仍然如此则按 docs/keypads.md 手工描述",
					"% [1]x of key %[2]d would be read as %[3]v: the frames overlap; press each key again, with a pause between, and "+
						"if it stays so, describe the frames by hand as in docs/keypads.md", b, i+1, got)
			}
		}
	}
	return nil
}

// keysOf returns the keys among what was read.
func keysOf(all []Read) (codes []string) {
	for _, r := range all {
		if r.Kind == Key {
			codes = append(codes, r.Code)
		}
	}
	return codes
}

// proveReleases reads what keys send when they are let go, whole and without its beginning, which is then no other key.
func (l Learnt) proveReleases(o Observed) error {
	for i, b := range o.Released {
		if b == nil {
			return nil // the profile does not know any
		}
		want := Read{Kind: Release, Code: l.Codes[i]}
		if bytes.Equal(b, o.Released[(i+1)%len(o.Released)]) {
			want.Code = ""
		}
		if got := l.Profile.NewDecoder().Feed(b); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			return cli.Errorf("第 %[2]d 个键松开时的 % [1]x 会读成 %[3]v", "% [1]x, which key %[2]d sends when it is let go, would be read as %[3]v", b,
				i+1, got)
		}
		for cut := 1; cut < len(b); cut++ {
			if slices.ContainsFunc(keysOf(l.Profile.NewDecoder().Feed(b[cut:])), func(code string) bool { return code != l.Codes[i] }) {
				return fmt.Errorf("%w: %w", ErrOverlap, cli.Errorf("松键丢失 %d 字节后剩下的会读成别的键",
					"what is left of a release that lost %d bytes would be another key", cut))
			}
		}
	}
	return nil
}

// proveNoKey reads what the keypad was heard to send besides: it is no press of any key, whether the profile knows it or not.
func (l Learnt) proveNoKey(o Observed) error {
	for i, b := range o.Released {
		if keys := keysOf(l.Profile.NewDecoder().Feed(b)); len(keys) > 0 {
			return fmt.Errorf("%w: %w", ErrOverlap, cli.Errorf("第 %[2]d 个键松开时的 % [1]x 会读成 %[3]v",
				"% [1]x, which key %[2]d sends when it is let go, would be read as %[3]v", b, i+1, keys))
		}
	}
	for _, h := range o.Beats {
		for cut := range h.Sample {
			if got := l.Profile.NewDecoder().Feed(h.Sample[cut:]); len(got) != 0 {
				return fmt.Errorf("%w: %w", ErrOverlap, cli.Errorf("自行到来的 % x 会读成 %v", "% x, which comes by itself, would be read as %v",
					h.Sample[cut:], got))
			}
		}
	}
	return nil
}
