package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"

	"haochaping/internal/condition"
)

// Words is what a flag means, in both languages. Each may have the name of the flag's value in backquotes.
func Words(zh, en string) string { return zh + "\n" + en }

// Describe lets a set of flags say what they are for and what each means, in the language that is asked for.
func Describe(ctx context.Context, f *flag.FlagSet, about condition.Text) {
	LangOf(ctx).Describe(f, about)
}

// Describe lets a set of flags say what they are for and what each means.
func (l Lang) Describe(f *flag.FlagSet, about condition.Text) {
	f.Usage = func() {
		var b strings.Builder
		if about != (condition.Text{}) {
			_, _ = fmt.Fprintf(&b, "%s\n", l.lines(condition.Text{ZH: strings.TrimSpace(about.ZH) + "\n", EN: strings.TrimSpace(about.EN)}, ""))
		}
		f.VisitAll(func(g *flag.Flag) { b.WriteString(l.flag(g)) })
		_, _ = io.WriteString(f.Output(), b.String()) // who does not read it loses nothing
	}
}

// flag returns what a flag means, as package flag prints it.
func (l Lang) flag(g *flag.Flag) string {
	zh, en, ok := strings.Cut(g.Usage, "\n")
	if !ok {
		en = zh
	}
	nameZH, zh := flag.UnquoteUsage(&flag.Flag{Name: g.Name, Value: g.Value, Usage: zh})
	nameEN, en := flag.UnquoteUsage(&flag.Flag{Name: g.Name, Value: g.Value, Usage: en})
	if word := map[string]string{"string": "文字", "int": "数", "uint": "数", "duration": "时长", "value": "值"}[nameZH]; word != "" {
		nameZH = word
	}
	if v := g.DefValue; v != "" && v != "0" && v != "0s" && v != "false" {
		if get, ok := g.Value.(flag.Getter); ok {
			if _, text := get.Get().(string); text {
				v = fmt.Sprintf("%q", v)
			}
		}
		zh, en = zh+"（默认 "+v+"）", en+" (default "+v+")"
	}
	head := "  -" + g.Name
	if name := l.Say(nameZH, nameEN); name != "" {
		head += " " + name
	}
	return head + "\n" + l.lines(condition.Text{ZH: zh, EN: en}, "    \t")
}
