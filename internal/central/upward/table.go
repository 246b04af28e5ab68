package upward

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"haochaping/internal/cli"
	"haochaping/internal/rating"
)

//go:embed tables/*.json
var builtIn embed.FS

// Table is what a province's interface is like: data, and no code. docs/upward.md describes its file field by field.
type Table struct {
	Name    string `json:"name"`
	Title   string `json:"title"`   // for people
	Assumed bool   `json:"assumed"` // the interface's text was not at hand: pages and log say so
	Source  string `json:"source"`  // where this is from

	// Paths are appended to the address: of services, empty where the interface has none, of evaluations, and of asking what is still
	// there, empty where nobody can ask.
	Paths struct {
		Service    string `json:"service"`
		Evaluation string `json:"evaluation"`
		Check      string `json:"check"`
	} `json:"paths"`
	Service    []Field `json:"service"`
	Evaluation []Field `json:"evaluation"`
	// Codes are the outside's codes of our words, by source.
	Codes map[Source]map[string]string `json:"codes"`

	Time      string `json:"time"`      // layout of times in Asia/Shanghai, as package time has it
	Separator string `json:"separator"` // between reasons
	MaxText   int    `json:"max_text"`  // characters of a citizen's text, 0: as many as there are
	Bare      Bare   `json:"bare_bad"`
	NoCase    string `json:"no_case"` // what becomes of visits without a case: "own" number, or "omit"
	Answers   struct {
		Accepted  []string `json:"accepted"`   // it was taken
		Already   []string `json:"already"`    // it was there
		NoService []string `json:"no_service"` // an evaluation came before its service
		NotThere  []string `json:"not_there"`  // of what is withdrawn, or asked for
		Later     []string `json:"later"`      // come again
		Whole     bool     `json:"whole"`      // an answer without results is about all of the batch
	} `json:"answers"`
}

// Bare says what becomes of a bad evaluation without reason and text, which some systems refuse.
type Bare struct {
	WaitMinutes int               `json:"wait_minutes"` // for reasons, from when it came
	Reasons     map[string]string `json:"reasons"`      // code of "none was given" by level, empty: it goes bare
}

// Field is a field outside. It has a source or a value that is always the same.
type Field struct {
	Name  string `json:"name"`
	From  Source `json:"from,omitempty"`
	Value string `json:"value,omitempty"`
	Empty bool   `json:"empty,omitempty"` // it is there also where nothing is known; else it is left out
}

// Source is what of a record a field can say. There is none for who the applicant is.
type Source string

// coded returns the sources whose words have codes, with these words.
func coded() map[Source][]string {
	channels := []string{string(rating.Keypad), string(rating.Phone), string(defaultChannel)}
	for _, c := range rating.Channels() {
		channels = append(channels, string(c))
	}
	return map[Source][]string{
		"satisfaction": {"5", "4", "3", "2", "1"}, "channel": channels, "status": {accepted, completed}, "default": {"yes", "no"},
		"effective": {"yes", "no"}, "operation": {"put", "withdraw"},
		"subject": {string(rating.StaffSubject), string(rating.MatterSubject)},
		"applicant": {"", string(rating.NaturalPerson), string(rating.Enterprise), string(rating.Institution), string(rating.Association),
			string(rating.Unincorporated), string(rating.Authority), string(rating.OtherApplicant)},
	}
}

// ofEvaluations are the sources that services do not have.
func ofEvaluations() []Source {
	return []Source{"satisfaction", "channel", "default", "reasons", "text", "time"}
}

// Sources returns all sources, in the order of their names.
func Sources() []Source {
	all := append(ofEvaluations(), "id", "version", "project", "area", "task", "task_item", "task_name", "unit", "staff", "staff_name",
		"service_number", "service_name", "service_time")
	for s := range coded() {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	slices.Sort(all)
	return all
}

// BuiltIn returns the names of the tables that are built in.
func BuiltIn() []string {
	all, err := builtIn.ReadDir("tables")
	if err != nil {
		panic(err) // it is in the program
	}
	var names []string
	for _, f := range all {
		names = append(names, strings.TrimSuffix(f.Name(), ".json"))
	}
	return names
}

// Text returns the file of a table: a built-in one by its name, else that of a path.
func Text(name string) ([]byte, error) {
	if slices.Contains(BuiltIn(), name) {
		return builtIn.ReadFile("tables/" + name + ".json")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, cli.Because(err, "没有这个对照表；可写 "+strings.Join(BuiltIn(), "、")+"，或写一个文件",
			"there is no such table; it is one of "+strings.Join(BuiltIn(), ", ")+", or a file")
	}
	return text, nil
}

// Load reads a table by its name or path.
func Load(name string) (*Table, error) {
	text, err := Text(name)
	if err != nil {
		return nil, err
	}
	t, err := ParseTable(text)
	if err != nil {
		return nil, cli.Because(err, "对照表 "+name+" 写得不对；对照 docs/upward.md 改正", "the table "+name+" is wrong; correct it by docs/upward.md")
	}
	return t, nil
}

// ParseTable reads a table, and says all that is wrong with it.
func ParseTable(text []byte) (*Table, error) {
	t := new(Table)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(t); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the table")
	}
	return t, t.check()
}

func (t *Table) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if t.Name == "" || t.Title == "" || t.Source == "" {
		bad("name, title and source are mandatory: nobody else says what this is")
	}
	if t.Paths.Evaluation == "" || len(t.Evaluation) == 0 || (t.Paths.Service == "") != (len(t.Service) == 0) {
		bad("paths and fields go together, and evaluations are mandatory")
	}
	used := make(map[Source]bool)
	t.checkFields(t.Service, "service", ofEvaluations(), used, bad)
	t.checkFields(t.Evaluation, "evaluation", nil, used, bad)
	for _, s := range slices.Sorted(maps.Keys(coded())) {
		for _, word := range coded()[s] {
			if _, ok := t.Codes[s][word]; used[s] && !ok && word != "" {
				bad("codes.%s has no code for %q", s, word)
			}
		}
	}
	for _, s := range slices.Sorted(maps.Keys(t.Codes)) {
		for _, word := range slices.Sorted(maps.Keys(t.Codes[s])) {
			if !slices.Contains(coded()[s], word) {
				bad("codes.%s: %q is not one of %q", s, word, coded()[s])
			}
		}
	}
	now := time.Date(2026, 11, 27, 13, 4, 59, 0, time.UTC)
	if back, err := time.Parse(t.Time, now.Format(t.Time)); err != nil || !back.Equal(now) {
		bad("time: the layout %q loses something; write it as 2006-01-02 15:04:05", t.Time)
	}
	if t.Separator == "" || t.MaxText < 0 || t.Bare.WaitMinutes < 0 || t.Bare.WaitMinutes > mostWait {
		bad("separator is mandatory, max_text 0 or more, bare_bad.wait_minutes 0 to %d", mostWait)
	}
	for level := range t.Bare.Reasons {
		if level != "1" && level != "2" {
			bad("bare_bad.reasons: %q is no bad level; these are 1 and 2", level)
		}
	}
	if t.NoCase != "own" && t.NoCase != "omit" {
		bad("no_case is own or omit")
	}
	t.checkAnswers(bad)
	return errors.Join(errs...)
}

// mostWait bounds for how many minutes reasons are waited for: three days.
const mostWait = 3 * 24 * 60

func (t *Table) checkFields(all []Field, kind string, not []Source, used map[Source]bool, bad func(string, ...any)) {
	names := make(map[string]bool)
	known := Sources()
	for _, f := range all {
		switch {
		case f.Name == "" || names[f.Name]:
			bad("%s: the field %q has no name, or one that is there already", kind, f.Name)
		case (f.From == "") == (f.Value == ""):
			bad("%s: %s has a source (from) or a value, one of them", kind, f.Name)
		case f.From != "" && (!slices.Contains(known, f.From) || slices.Contains(not, f.From)):
			bad("%s: %s: nothing is known as %q; what may be sent is %q", kind, f.Name, f.From, known)
		}
		names[f.Name], used[f.From] = true, true
	}
	if len(all) == 0 {
		return
	}
	for _, s := range []Source{"id", "version", "operation"} {
		if !slices.ContainsFunc(all, func(f Field) bool { return f.From == s }) {
			bad("%s: no field says the %s, without which what is doubled or withdrawn could not be told", kind, s)
		}
	}
}

func (t *Table) checkAnswers(bad func(string, ...any)) {
	a := t.Answers
	said := make(map[string]bool)
	for _, code := range slices.Concat(a.Accepted, a.Already, a.NoService, a.NotThere, a.Later) {
		if code == "" || said[code] {
			bad("answers: the code %q is empty, or there twice", code)
		}
		said[code] = true
	}
	if len(a.Accepted) == 0 {
		bad("answers.accepted is empty: nothing would ever be accepted")
	}
}

// services reports whether services go up too.
func (t *Table) services() bool { return t.Paths.Service != "" }
