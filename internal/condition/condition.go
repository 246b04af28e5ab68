// Package condition says how a part of a box is, once for all who tell of it: status, doctor, health report, metrics, the watchdog's
// log, the screen's mark and the centre's page.
//
// Each trouble has a code that stays the same, and its words: what is seen, what it means, and what to do, in Chinese and in English.
// Codes begin with the part, and docs/operations.md lists them: a test compares both. The package looks at nothing itself.
package condition

import (
	"strings"
	"unicode"
)

// Text is a sentence for people, in Chinese and in English.
type Text struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// With returns the text with more about it. What comes in both languages, as "中文 / English", is told in each by itself.
func (t Text) With(detail string) Text {
	if detail == "" {
		return t
	}
	han := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	if zh, en, both := strings.Cut(detail, " / "); both && strings.ContainsFunc(zh, han) && !strings.ContainsFunc(en, han) {
		return Text{t.ZH + "：" + zh, t.EN + ": " + en}
	}
	return Text{t.ZH + "：" + detail, t.EN + ": " + detail}
}

// Level is how much a trouble asks for.
type Level string

// The levels. The empty one is that of a part that is well.
const (
	Note Level = "note" // worth an eye; it may be over by itself
	Ill  Level = "ill"  // needs a hand
)

// Code names a trouble for programs. The empty one is that of a part that is well.
type Code string

// What is too little.
const (
	LeastFree       = 64 << 20 // bytes, some 100,000 records: a state folder with less room needs a hand
	LateCertificate = 30       // days before its end: a certificate should be replaced
)

// Kind is a trouble that a part may have.
type Kind struct {
	Code  Code
	Level Level
	What  Text // what is seen
	Means Text // what it means for the window or the centre
	Do    Text // the way out
}

// Part returns the part that has the trouble.
func (k Kind) Part() string {
	part, _, _ := strings.Cut(string(k.Code), ".")
	return part
}

// The endings of the codes that each part may have.
const hangs, unseen = ".hangs", ".unseen"

// Find returns what a code means, false for one that this program does not know.
func Find(c Code) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Code == c {
			return k, true
		}
	}
	for ending, what := range map[string]func(part string) Finding{hangs: Hangs, unseen: cannotBeSeen} {
		if part, ok := strings.CutSuffix(string(c), ending); ok && part != "" {
			f := what(part)
			return Kind{c, f.Level, f.What, f.Means, f.Do}, true
		}
	}
	return Kind{Code: c, Level: Ill, What: Text{string(c), string(c)}}, false
}

// Finding is what a look at a part has found.
type Finding struct {
	Code  Code  // empty: it is well
	Level Level // empty likewise
	What  Text
	Means Text
	Do    Text // what to do about it, empty if that goes without saying
}

// OK reports whether the part is well.
func (f Finding) OK() bool { return f.Code == "" }

// Well returns the finding of a part that is well.
func Well(zh, en string) Finding { return Finding{What: Text{zh, en}} }

// Of returns the finding of a trouble, with what was seen of it.
func Of(c Code, detail string) Finding {
	k, _ := Find(c)
	return Finding{k.Code, k.Level, k.What.With(detail), k.Means, k.Do}
}

// Because returns the finding of a trouble with its cause, which may be nil.
func Because(c Code, why error) Finding {
	if why == nil {
		return Of(c, "")
	}
	return Of(c, why.Error())
}

// Hangs returns the finding of a part that does not answer. Its code is the part's name with ".hangs".
func Hangs(part string) Finding {
	return Finding{Code(part + hangs), Ill, Text{"没有响应，服务将自动重启", "it hangs; the service manager will start the box anew"},
		Text{"窗口可能不能评价", "the window may not be served"},
		Text{"等待自动重启；半分钟后仍如此，systemctl restart ratingd", "wait for the restart; after half a minute, systemctl restart ratingd"}}
}

// Unseen returns the finding of a part at which a look has failed. Its code is the part's name with ".unseen".
func Unseen(part string, why error) Finding {
	f := cannotBeSeen(part)
	f.What = f.What.With(why.Error())
	return f
}

func cannotBeSeen(part string) Finding {
	f := Hangs(part)
	f.Code, f.What = Code(part+unseen), Text{"无法查看", "it cannot be looked at"}
	return f
}

// Kinds returns all troubles, part by part, in the order in which a box is looked at.
func Kinds() []Kind {
	var out []Kind
	for _, some := range [][]Kind{window(), link(), machine(), extras()} {
		out = append(out, some...)
	}
	return out
}
