package policy

import (
	"fmt"
	"strings"
	"time"
)

// Level says who has set a value.
type Level string

// The levels.
const (
	Above Level = "above" // the policy
	Here  Level = "here"  // chosen on this centre's page, within the policy's bounds
	File  Level = "file"  // centrald.toml or the program's default, within the bounds or where no policy says anything
)

// Chinese returns the level's name.
func (l Level) Chinese() string {
	return map[Level]string{Above: "上级规定", Here: "本级选定", File: "本中心配置"}[l]
}

// Local is what this centre wants of a setting.
type Local struct {
	Value string
	Set   bool // the file sets it; else it is the program's default
	// NoLink says that no address can be filled in here: a text with one waits, and this centre's own goes out.
	NoLink bool
}

// Held is what holds of a setting.
type Held struct {
	Kind
	Value   string
	Level   Level
	Setting *Setting // the policy's, nil: it says nothing
	// Refused is why something does not hold that this centre wanted, or the policy; nil: nothing.
	Refused error
	Wanted  string
	Wants   Level // where it says so
}

// Resolve works out what holds of each setting. d is the policy that holds, nil: none does. A choice that is not allowed any more, and a
// file that contradicts, give way to the policy and are named.
func Resolve(d *Document, choices map[Name]string, local map[Name]Local) []Held {
	var all []Held
	for _, k := range Kinds() {
		h := Held{Kind: k, Value: local[k.Name].Value, Level: File}
		if d != nil {
			if s, ok := d.Setting(k.Name); ok {
				h = s.resolve(h, choices, local[k.Name]).withoutLink(local[k.Name])
			}
		}
		all = append(all, h)
	}
	return all
}

func (s Setting) resolve(h Held, choices map[Name]string, file Local) Held {
	h.Setting, h.Value, h.Level = &s, s.Value, Above
	try := func(value string, l Level) bool {
		err := s.May(value)
		switch {
		case err == nil:
			h.Value, h.Level = value, l
		case value != s.Value && h.Refused == nil:
			h.Refused, h.Wanted, h.Wants = err, value, l
		}
		return err == nil
	}
	if chosen, ok := choices[s.Name]; ok && try(chosen, Here) {
		return h
	}
	if file.Set {
		try(file.Value, File)
	}
	return h
}

// withoutLink returns what holds where no address can be filled in.
func (h Held) withoutLink(file Local) Held {
	if !file.NoLink || !strings.Contains(h.Value, Link) {
		return h
	}
	h.Refused = refuse(fmt.Sprintf("“%s”有 {link}，而本中心没有设置 rate.base，地址无处可填；设置之前仍用本中心的文字", h.ZH),
		fmt.Sprintf("%s has {link}, and no rate.base is set here; until then this centre's own words go out", h.Name))
	h.Wanted, h.Wants, h.Value, h.Level = h.Value, h.Level, file.Value, File
	return h
}

// Holding returns the policy that holds at a moment, of those that are known: the one with the greatest number whose first day has come.
// Nil: none does yet.
func Holding(all []Taken, now time.Time) *Taken {
	var held *Taken
	for i, t := range all {
		if t.Document.From <= dayOf(now) && (held == nil || t.Document.Number > held.Document.Number) {
			held = &all[i]
		}
	}
	return held
}
