package tomlfile

import (
	"encoding/json"
	"fmt"
	"io"

	"haochaping/internal/cli"
	"haochaping/internal/condition"
)

// Fault is what is wrong with a configuration, or with what it names, as people read it and as programs do.
type Fault struct {
	Line  int            `json:"line,omitempty"`  // 0: of no line
	Field string         `json:"field,omitempty"` // by its dotted name; empty: of no field
	What  condition.Text `json:"what"`
	Do    condition.Text `json:"do"`
	Stops bool           `json:"stops"` // the program does not start with it
	cause error
}

// Report takes what is wrong with a field, as Lines.Errorf does.
type Report func(key, zh, en string, args ...any)

// Errorf returns a Fault of a field. Each format says what is wrong and, behind a semicolon, what to do. Both take the same arguments.
func (l Lines) Errorf(key, zh, en string, args ...any) error {
	return l.Fault(key, cli.Errorf(zh, en, args...))
}

// Fault returns what is wrong with a field, or with the file that it names.
func (l Lines) Fault(key string, err error) error {
	if f, ok := err.(*Fault); ok && f.Field != "" {
		key, err = f.Field, f.cause
	}
	return newFault(l[key], key, err)
}

func newFault(line int, key string, err error) *Fault {
	f := &Fault{Line: line, Field: key, cause: err}
	f.What.ZH, f.Do.ZH = cli.Chinese.Part(cli.Chinese.Error(err))
	f.What.EN, f.Do.EN = cli.English.Part(cli.English.Error(err))
	if do := cli.HintOf(err); do != (condition.Text{}) {
		f.What, f.Do = condition.Text{ZH: cli.Chinese.Error(err), EN: cli.English.Error(err)}, do
	}
	if f.What.ZH == f.What.EN { // a library's words
		f.What.ZH, f.What.EN = "不能使用（"+f.What.ZH+"）", "it cannot be used ("+f.What.EN+")"
	}
	if f.Do.ZH == "" || f.Do.EN == "" {
		f.Do = condition.Text{ZH: "请改正它，或在配置中另写", EN: "mend it, or write another one into the configuration"}
	}
	return f
}

// Error says where it is and what is wrong, in both languages.
func (f *Fault) Error() string { return cli.Both.Say(f.Words()) }

// Words says so in each language.
func (f *Fault) Words() (zh, en string) {
	if f.Line > 0 {
		zh, en = fmt.Sprintf("第 %d 行：", f.Line), fmt.Sprintf("line %d: ", f.Line)
	}
	if f.Field != "" {
		zh, en = zh+f.Field+"：", en+f.Field+": "
	}
	return zh + f.What.ZH + "；" + f.Do.ZH, en + f.What.EN + "; " + f.Do.EN
}

// Unwrap returns why.
func (f *Fault) Unwrap() error { return f.cause }

// Faults returns what an error holds, with what is no Fault by itself as one of no field. Stops says what it means for the program.
func Faults(err error, stops bool) (all []Fault) {
	if err == nil {
		return nil
	}
	if each(err, func(f *Fault) {
		one := *f
		one.Stops = stops
		all = append(all, one)
	}) {
		return all
	}
	f := newFault(0, "", err)
	f.Stops = stops
	return []Fault{*f}
}

// Verdict is what a program says of its configuration, as programs read it.
type Verdict struct {
	OK     bool    `json:"ok"`
	File   string  `json:"file"` // empty: none was read
	Faults []Fault `json:"faults"`
}

// Judge writes a Verdict as JSON.
func Judge(w io.Writer, file string, faults []Fault) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(Verdict{len(faults) == 0, file, append([]Fault{}, faults...)})
}

// each calls f for the Faults in an error, and for what is beside them. It reports whether it met one.
func each(err error, f func(*Fault)) (met bool) {
	if fault, ok := err.(*Fault); ok {
		f(fault)
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return e.Unwrap() != nil && each(e.Unwrap(), f)
	case interface{ Unwrap() []error }:
		var beside []error
		for _, inner := range e.Unwrap() {
			if each(inner, f) {
				met = true
			} else {
				beside = append(beside, inner)
			}
		}
		for _, b := range beside {
			if met {
				f(newFault(0, "", b))
			}
		}
	}
	return met
}
