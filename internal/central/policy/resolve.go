package policy

import "time"

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
}

// Held is what holds of a setting.
type Held struct {
	Kind
	Value   string
	Level   Level
	Setting *Setting // the policy's, nil: it says nothing
	// Refused is what this centre wanted and may not have, with why; nil: nothing.
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
				h = s.resolve(h, choices, local[k.Name])
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
