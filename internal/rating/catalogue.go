package rating

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	strict "github.com/go-json-experiment/json"
)

//go:embed reasons.json
var builtInReasons []byte

// Bounds of a catalogue of reasons.
const (
	// KeyReasons is how many reasons of each level a box offers on its keys. The fifth key skips.
	KeyReasons = 4
	// MaxReasonText is the greatest length of a reason in characters, MaxKeyText that of one that stands above a key.
	MaxReasonText = 30
	MaxKeyText    = 18
)

// ReasonSet says how much of a catalogue a phone offers.
type ReasonSet string

// The sets of reasons. A hall chooses one of them and may not add or remove single reasons.
const (
	CoreReasons     ReasonSet = "core"     // three reasons a level
	ExtendedReasons ReasonSet = "extended" // eight reasons a level
)

// CatalogueReason is one answer to why somebody was satisfied or not (evalDetail).
type CatalogueReason struct {
	Code  string    `json:"code"`
	Level Level     `json:"level"`         // that it explains; it is offered with no other
	Set   ReasonSet `json:"set"`           // the smallest set that it is in
	Key   int       `json:"key,omitempty"` // its place on the box's keys, 1 to KeyReasons from the left; 0 on phones only
	Text  string    `json:"text"`
	// Aspect is what of article 9 it is about, empty where the catalogue does not say it.
	Aspect Aspect `json:"aspect,omitempty"`
	// Words are those of the text, apart by spaces: where a line above a key may end. It may end anywhere if empty.
	Words string `json:"words,omitempty"`
}

// Aspect is one of the things that are rated (article 9).
type Aspect string

// The aspects.
const (
	Matters     Aspect = "matters"     // 服务事项管理
	Process     Aspect = "process"     // 办事流程
	Conduct     Aspect = "conduct"     // 服务规范
	Efficiency  Aspect = "efficiency"  // 服务效率
	Convenience Aspect = "convenience" // 平台的便捷性、完善性、便民度
	Attitude    Aspect = "attitude"    // 工作人员的服务态度、业务能力、服务水平
)

// Aspects returns all aspects in the order of article 9.
func Aspects() []Aspect {
	return []Aspect{Matters, Process, Conduct, Efficiency, Convenience, Attitude}
}

// Chinese returns the aspect in the words of article 9.
func (a Aspect) Chinese() string {
	return map[Aspect]string{Matters: "服务事项管理", Process: "办事流程", Conduct: "服务规范", Efficiency: "服务效率",
		Convenience: "平台便捷完善便民", Attitude: "态度、能力与水平"}[a]
}

// Label returns the text with zero-width spaces between its words.
func (r CatalogueReason) Label() string {
	if r.Words == "" {
		return r.Text
	}
	return strings.ReplaceAll(r.Words, " ", "\u200b")
}

// Catalogue is the catalogue of reasons that box and phone share. It is not changed after ParseCatalogue.
type Catalogue struct {
	Version uint32            `json:"version"` // grows with each change of the catalogue
	Reasons []CatalogueReason `json:"reasons"`
}

// BuiltInCatalogue returns the catalogue that holds where none is configured.
func BuiltInCatalogue() (Catalogue, error) {
	c, err := ParseCatalogue(builtInReasons)
	if err != nil {
		return Catalogue{}, fmt.Errorf("built-in %w", err)
	}
	return c, nil
}

// ParseCatalogue reads and checks a catalogue's file.
func ParseCatalogue(b []byte) (Catalogue, error) {
	var c Catalogue
	if err := strict.Unmarshal(b, &c, strict.RejectUnknownMembers(true)); err != nil {
		return Catalogue{}, tell("原因目录写得不对（%v）；对照 docs/reasons.md 改正", "catalogue of reasons: %v; correct it by docs/reasons.md", err)
	}
	if err := c.Check(); err != nil {
		return Catalogue{}, tell("原因目录：%v", "catalogue of reasons: %v", err)
	}
	return c, nil
}

// Check reports the first reason why a catalogue could not be offered for every level alike.
func (c Catalogue) Check() error {
	if c.Version == 0 {
		return tell("version 是 0；第一版写 1", "version is 0; the first is 1")
	}
	codes, keys, offered := make(map[string]bool), make(map[Level][KeyReasons]bool), make(map[Level]int)
	for _, r := range c.Reasons {
		if err := r.check(); err != nil {
			return tell("原因 %q：%v", "reason %q: %v", r.Code, err)
		}
		if codes[r.Code] {
			return tell("原因 %q：代码写了两次；请改一个", "reason %q: the code stands twice; change one", r.Code)
		}
		codes[r.Code] = true
		if offered[r.Level]++; offered[r.Level] > MaxReasons {
			return tell("级别 %[1]d 的原因太多；至多 %[2]d 个", "level %[1]d has more than %[2]d reasons; leave some out", r.Level, MaxReasons)
		}
		if r.Key == 0 {
			continue
		}
		taken := keys[r.Level]
		if taken[r.Key-1] {
			return tell("原因 %[1]q：级别 %[2]d 的另一个已用键 %[3]d；请改一个", "reason %[1]q: another one of level %[2]d has key %[3]d; change one", r.Code,
				r.Level, r.Key)
		}
		taken[r.Key-1] = true
		keys[r.Level] = taken
	}
	for _, l := range Levels() {
		if keys[l] != [KeyReasons]bool{true, true, true, true} {
			return tell("级别 %[1]d 没有写全；键 1 至 %[2]d 各写一个原因", "level %[1]d is not whole; the keys 1 to %[2]d need a reason each", l, KeyReasons)
		}
	}
	return nil
}

func (r CatalogueReason) check() error {
	switch {
	case r.Code == "":
		return tell("没有代码；请写 code", "the code is missing; write code")
	case !r.Level.Valid():
		return tell("级别不能是 %d；可写 1 至 5（第十条）", "level %d is not allowed; allowed are 1 to 5 (article 10)", r.Level)
	case r.Set != CoreReasons && r.Set != ExtendedReasons:
		return tell("set 不能是 %q；可写 %s 或 %s", "set %q is not allowed; want %s or %s", r.Set, CoreReasons, ExtendedReasons)
	case r.Key < 0 || r.Key > KeyReasons:
		return tell("key 不能是 %d；可写 1 至 %d，或不写", "key %d is not allowed; want 1 to %d, or none", r.Key, KeyReasons)
	case r.Aspect != "" && !slices.Contains(Aspects(), r.Aspect):
		return tell("aspect 不能是 %q；可写 %q（第九条）", "aspect %q is none of article 9's; write one of %q", r.Aspect, Aspects())
	case r.Text == "":
		return tell("没有文字；请写 text", "the text is missing; write text")
	case r.Words != "" && strings.ReplaceAll(r.Words, " ", "") != r.Text:
		return tell("words %q 与 text 不同；请写同样的文字，词间加空格", "words %q: they are another text; write the same with spaces between the words", r.Words)
	}
	longest := MaxReasonText
	if r.Key > 0 {
		longest = MaxKeyText
	}
	if err := firstError(checkCode("code", r.Code), checkText("text", r.Text, longest)); err != nil {
		return tell("code 或 text 不对（%[1]v）；code 至多 %[2]d 个 ASCII 字符，text 至多 %[3]d 个字",
			"%[1]v; code has at most %[2]d characters of ASCII, text at most %[3]d",
			err, MaxCode, longest)
	}
	return nil
}

// Limit returns the catalogue with what a set offers.
func (c Catalogue) Limit(set ReasonSet) Catalogue {
	out := Catalogue{Version: c.Version}
	for _, r := range c.Reasons {
		if set == ExtendedReasons || r.Set == CoreReasons {
			out.Reasons = append(out.Reasons, r)
		}
	}
	return out
}

// Of returns the reasons that are offered with a level.
func (c Catalogue) Of(l Level) []CatalogueReason {
	var out []CatalogueReason
	for _, r := range c.Reasons {
		if r.Level == l {
			out = append(out, r)
		}
	}
	return out
}

// OnKeys returns the reasons that a box offers with a level, from the left key on.
func (c Catalogue) OnKeys(l Level) (out [KeyReasons]CatalogueReason) {
	for _, r := range c.Reasons {
		if r.Level == l && r.Key > 0 {
			out[r.Key-1] = r
		}
	}
	return out
}

// Find returns the reason with a code.
func (c Catalogue) Find(code string) (CatalogueReason, bool) {
	for _, r := range c.Reasons {
		if r.Code == code {
			return r, true
		}
	}
	return CatalogueReason{}, false
}
