package keypad

import (
	"fmt"
	"strings"
	"time"
)

// draft is a profile that was found out and is to be written.
type draft struct {
	name     string
	line     Line
	observed Observed
	keys     guess
	codes    [5]string
	released guess // without parts if the keypad does not tell
}

// toml returns the profile's text, with what was heard.
func (d draft) toml() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("# 由 ratingctl keys -learn 写出。docs/keypads.md 说明还可写什么：应答、灯、语音。\n")
	p("# Written by ratingctl keys -learn. docs/keypads.md describes what can be added: answers, lights, voice.\n")
	p("# 从非常满意到非常不满意，依次收到 / What was heard, from 非常满意 to 非常不满意:\n")
	for i, s := range d.observed.Sent {
		p("#   % x", s)
		if d.released.parts != nil {
			p(", and % x when it is let go", d.observed.Released[i])
		}
		p("\n")
	}
	if d.observed.Repeat > 0 {
		p("# A key that is held sends again every %s; that is one press.\n", d.observed.Repeat.Round(10*time.Millisecond))
	}
	if d.released.parts == nil {
		p("# It was not heard to say when a key is let go: a key that comes again within two seconds is the same press.\n")
	}
	p("name = %q\nabout = %q\n", d.name, d.keys.about.String())
	if most := d.observed.Longest; most > 0 && most <= 2*time.Second {
		p("repeat = %q # the longest that was heard; a press right after the port was opened waits for half as much again\n",
			max(most.Round(10*time.Millisecond), 20*time.Millisecond))
	}
	p("\n")
	p("[line]\nbaud = %d\ndata_bits = %d\nparity = %q\nstop_bits = %d\n\n", d.line.Baud, d.line.DataBits, d.line.Parity, d.line.StopBits)
	p("[[frame]]\nlayout = %q\ncode = %q\n", strings.Join(d.keys.parts, " "), d.keys.code())
	p("keys = [%s] # from 非常满意 to 非常不满意; nothing else is a key\n", quoted(d.codes))
	d.releases(p)
	for _, h := range d.observed.Beats {
		d.beat(p, h)
	}
	return b.String()
}

func (d draft) releases(p func(string, ...any)) {
	switch g := d.released; {
	case g.parts == nil:
	case g.common:
		p("\n# What the keypad sends when a key is let go, whichever it is.\n[[frame]]\nkind = \"release\"\nlayout = %q\n",
			strings.Join(g.parts, " "))
	default:
		p("\n# What the keys send when they are let go.\n[[frame]]\nkind = \"release\"\nlayout = %q\ncode = %q\n", strings.Join(g.parts, " "),
			g.code())
		p("keys = [%s]\nof = [%s]\n", quoted(g.codes()), quoted(d.codes))
	}
}

// beat writes what comes by itself. Among lines of text of different lengths it is one of them.
func (d draft) beat(p func(string, ...any), h Beat) {
	p("\n# It comes by itself")
	if h.Every > 0 {
		p("; when it does not, the keypad is gone")
	}
	layout, keys := h.layout(), ""
	if end := d.keys.end; d.keys.text && d.keys.head == 0 && len(h.Sample) > len(end) && strings.HasSuffix(string(h.Sample), end) {
		word := string(h.Sample[:len(h.Sample)-len(end)])
		if isText([]byte(word), end[0]) && printable([]byte(word)) {
			layout = fmt.Sprintf("text*%d=20-7e %s", len(word), fmt.Sprintf("% x", end))
			keys = fmt.Sprintf("keys = [%s]\n", tomlString(word))
		}
	}
	p(".\n[[frame]]\nkind = \"heartbeat\"\nlayout = %q\n%s", layout, keys)
	if h.Every > 0 {
		p("every = \"%ds\"\n", max((h.Every+time.Second-1)/time.Second, 1))
	}
}

func quoted(codes [5]string) string {
	var all []string
	for _, c := range codes {
		all = append(all, tomlString(c))
	}
	return strings.Join(all, ", ")
}

// tomlString quotes printable ASCII.
func tomlString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
