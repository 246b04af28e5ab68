package tomlfile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/pelletier/go-toml/v2"

	"haochaping/internal/cli"
)

// explain turns the decoder's errors into Faults that an administrator can act on.
func explain(err error, b []byte, described string) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var all []error
		for _, e := range unknown.Errors {
			line, _ := e.Position()
			all = append(all, newFault(line, strings.Join(e.Key(), "."), cli.Errorf("没有这个字段；%s 列出全部",
				"unknown; %s lists what there is", described)))
		}
		return errors.Join(all...)
	}
	var bad *toml.DecodeError
	if !errors.As(err, &bad) {
		return err
	}
	line, _ := bad.Position()
	said := strings.TrimPrefix(bad.Error(), "toml: ")
	key := strings.Join(bad.Key(), ".")
	// The words of a type of our own come through the decoder as text.
	if zh, en, own := strings.Cut(said, " / "); own && strings.Contains(zh, "；") {
		return newFault(line, key, cli.Error(zh, en))
	}
	if kinds := regexp.MustCompile(`^cannot decode TOML (\w+) into .*?(\w+)$`).FindStringSubmatch(said); kinds != nil {
		said = fmt.Sprintf("it is of the wrong type, %s where %s is wanted", kinds[1], kinds[2])
	}
	zh, en := "；写法见 "+described, "; "+described+" shows how it is written"
	if wideZH, wideEN := misspelt(b, line); wideZH != "" {
		zh, en = wideZH, wideEN
	}
	return newFault(line, key, cli.Error(inChinese(said)+zh, said+en))
}

// misspelt says in both languages that a line has a character which no line may have outside of quotes and comments, and which an editor
// shows much like another, or not at all; empty if it has none.
func misspelt(b []byte, line int) (zh, en string) {
	lines := bytes.Split(b, []byte("\n"))
	if line < 1 || line > len(lines) {
		return "", ""
	}
	at, r := foreign(string(lines[line-1]))
	switch {
	case at == 0:
		return "", ""
	case unicode.IsSpace(r) || unicode.Is(unicode.Cf, r): // which an editor shows as a space, or not at all
		return fmt.Sprintf("；第 %d 个字符是看不出的 %U，请删去或改为普通空格", at, r),
			fmt.Sprintf("; its character %d is %U, which cannot be seen: delete it, or write an ordinary space", at, r)
	}
	return fmt.Sprintf("；第 %d 个字符 %c 是全角的，引号外的标点、空格、数字和字母请用半角", at, r),
		fmt.Sprintf("; its character %d is %c: outside of quotes write \" , = spaces, digits and letters as in English", at, r)
}

// foreign returns the first character of a line outside of quotes and comments that is none of ASCII, counted from 1; 0 if there is none.
func foreign(line string) (at int, r rune) {
	quote, escaped := rune(0), false
	for _, r := range line {
		at++
		switch {
		case escaped:
			escaped = false
		case quote != 0:
			escaped = r == '\\' && quote == '"'
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case r == '#':
			return 0, 0
		case r > unicode.MaxASCII:
			return at, r
		}
	}
	return 0, 0
}

// inChinese says what the decoder complains of. The first that matches is told.
func inChinese(said string) string {
	for _, c := range []struct{ said, zh string }{
		{`^expected newline but got (.+)`, "这里应当换行，却是 $1"},
		{`^invalid character at start of key: (.+)`, "字段名不能以 $1 开头"},
		{`^expected key but`, "没有写字段名"},
		{`^expected '=' after key`, "字段名之后没有等号"},
		{`^expected '\]+' to close`, "表名之后没有 ]"},
		{`^unexpected character U\+000[AD]`, "等号之后没有值"},
		{`^unexpected character (.+) at start of value`, "值不能以 $1 开头，文字要加引号"},
		{`^expected value`, "等号之后没有值"},
		{`^(expected keyword|strings must be quoted)`, "文字要加引号，是否写作 true 或 false"},
		{`^(array is incomplete|expected ',' or '\]')`, "列表没有写完，或两个值之间没有逗号"},
		{`^(inline table is incomplete|expected ',' or '\}'|unexpected comma)`, "花括号没有写完，或其中的逗号不对"},
		{`nterminated|not terminated|cannot have new lines|too many quotes`, "引号没有成对"},
		{`escape`, "反斜杠之后的写法不对，反斜杠本身写作 \\\\"},
		{`control character|carriage return|invalid UTF-8`, "有看不见的控制字符"},
		{`of the wrong type, (\w+) where (\w+)`, "值的类型不对，是 $1，应为 $2"},
		{`^cannot (store|decode|reach)`, "值的类型不对"},
		{`too large|cannot be stored|overflow`, "数太大或太小"},
		{`leading zero|digit|number|radix|exponent`, "数的写法不对"},
		{`date|time|hour|minute|second`, "日期或时间的写法不对"},
		{`^key (\S+) (is|already|should)`, "$1 写了两次，或前面已作他用"},
		{`^table (\S+) already`, "表 $1 写了两次"},
		{`nested`, "括号套得太深"},
	} {
		pattern := regexp.MustCompile(c.said)
		if at := pattern.FindStringSubmatchIndex(said); at != nil {
			return string(pattern.ExpandString(nil, c.zh, said, at))
		}
	}
	return "写法不符合 TOML"
}
