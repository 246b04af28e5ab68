package intake

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"haochaping/internal/rating"
)

// Reply is what a short message says in answer to a request for a rating.
type Reply struct {
	Level rating.Level // 0: it says none
	Text  string       // what is said besides the level
	Stop  bool         // no more messages are wanted; with a level both are meant, "5 TD"
	// Ask says that the message is ambiguous: it is answered once with a question, and never guessed.
	Ask bool
}

// levelWords returns the words of the levels, the longer before those that they contain.
func levelWords() []rating.Level {
	return []rating.Level{rating.VeryDissatisfied, rating.VerySatisfied, rating.FairlySatisfied, rating.Dissatisfied, rating.Satisfied}
}

// ParseReply reads a reply (评价人可通过电话按键或回复短信进行评价, article 13). A level stands at the beginning: a digit or the words of article 10, alone or
// before a sign or a space and what else the citizen says. A message that begins with none, or that names another level too, is ambiguous.
func ParseReply(message string) Reply {
	text := strings.TrimSpace(narrow(message))
	if stops(text) {
		return Reply{Stop: true}
	}
	level, rest, ok := leading(text)
	if !ok {
		return Reply{Ask: true}
	}
	rest = strings.TrimFunc(rest, mark)
	for again, more, ok := leading(rest); ok && again == level; again, more, ok = leading(rest) { // "5 非常满意", "非常满意 5分"
		rest = strings.TrimFunc(more, mark)
	}
	if stops(rest) {
		return Reply{Level: level, Stop: true}
	}
	if contradicts(level, rest) || utf8.RuneCountInString(rest) > rating.MaxText {
		return Reply{Ask: true}
	}
	return Reply{Level: level, Text: rest}
}

// judges reports whether a message that was read so says in words whether somebody is satisfied. A digit says it in answer to a scale
// alone.
func (r Reply) judges(message string) bool {
	text := strings.TrimSpace(narrow(message))
	return r.Level != 0 && text != "" && (text[0] < '1' || text[0] > '5')
}

// stops reports whether a text says that no more messages are wanted, and nothing else: "TD", "退订TD".
func stops(text string) bool {
	rest := strings.ToUpper(strings.TrimFunc(text, mark))
	said := false
	for more := true; more && rest != ""; said = said || more {
		more = false
		for _, word := range []string{"TD", "T", "STOP", "退订", "取消"} {
			if after, ok := strings.CutPrefix(rest, word); ok {
				rest, more = strings.TrimLeftFunc(after, mark), true
				break
			}
		}
	}
	return said && rest == ""
}

// leading returns the level with which a text begins, and what follows it.
func leading(text string) (rating.Level, string, bool) {
	if text != "" && text[0] >= '1' && text[0] <= '5' {
		rest := strings.TrimPrefix(text[1:], "分")
		r, _ := utf8.DecodeRuneInString(rest)
		if counts(rest) {
			return 0, "", false // "4:30", "2 小时"
		}
		if rest == "" || mark(r) || strings.HasPrefix(rest, rating.Level(text[0]-'0').Chinese()) {
			return rating.Level(text[0] - '0'), rest, true
		}
		return 0, "", false // "5点", "12"
	}
	for _, l := range levelWords() {
		if rest, ok := strings.CutPrefix(text, l.Chinese()); ok {
			r, _ := utf8.DecodeRuneInString(rest)
			if rest == "" || mark(r) || r >= '1' && r <= '5' {
				return l, rest, true
			}
			return 0, "", false // "满意度", "不满意吗"
		}
	}
	return 0, "", false
}

// units are what people count, as they begin what stands behind a number. Words that begin with one and count nothing are none.
func units() []string {
	return []string{"小时", "钟头", "分钟", "刻钟", "秒", "点钟", "点半", "点多", "天", "月", "周", "星期", "年", "岁",
		"次", "遍", "趟", "号", "元", "块", "万", "倍", "楼", "层", "件", "个", "人", "位"}
}

// counts reports whether a digit with this behind it is part of a number, or counts something: "4:30", "2-3天", "2 小时". It is no level then.
func counts(rest string) bool {
	after := strings.TrimLeftFunc(rest, mark)
	between := rest[:len(rest)-len(after)]
	switch {
	case between == "" || after == "":
		return false
	case after[0] >= '0' && after[0] <= '9':
		return !strings.ContainsFunc(between, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("。!?;", r) })
	case strings.TrimSpace(between) != "":
		return false
	}
	return slices.ContainsFunc(units(), func(u string) bool { return strings.HasPrefix(after, u) })
}

// contradicts reports whether a text names another level than the one before it: by its words, or by a digit alone.
func contradicts(level rating.Level, rest string) bool {
	for _, l := range levelWords() {
		if strings.Contains(rest, l.Chinese()) {
			if l != level {
				return true
			}
			rest = strings.ReplaceAll(rest, l.Chinese(), " ")
		}
	}
	for _, word := range strings.FieldsFunc(rest, mark) {
		if len(word) == 1 && word[0] >= '0' && word[0] <= '9' && rating.Level(word[0]-'0') != level {
			return true
		}
	}
	return false
}

// mark reports whether r parts words: a space, a sign, or what carries no meaning.
func mark(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// narrow writes full-width letters and digits, as phones type them in Chinese, as ASCII, and leaves out what cannot be read.
func narrow(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～':
			return r - '！' + '!'
		case r == '　':
			return ' '
		case r == utf8.RuneError || unicode.Is(unicode.Cf, r) || unicode.IsControl(r) && !unicode.IsSpace(r):
			return -1
		}
		return r
	}, s)
}
