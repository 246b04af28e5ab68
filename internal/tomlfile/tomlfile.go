// Package tomlfile reads the configuration files of our programs, so that every complaint names the line, the field and
// what is allowed instead.
//
// It works around go-toml, which since 2.4 does not ask types whose underlying type is a string to check their values:
// such checks are the programs', after Decode, and Lines says where the values stand.
package tomlfile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"haochaping/internal/cli"
)

// Lines are the lines of the fields that a file sets, by their dotted names. Those of the tables of a list have their place
// in it besides, counted from 0, as in "frame[1].layout" and "keys.map[1]".
type Lines map[string]int

// Errorf returns an error about a field, which begins with its line if the file sets it. A format of two lines is Chinese and then English,
// with the same arguments.
func (l Lines) Errorf(key, format string, args ...any) error {
	zh, en, both := strings.Cut(format, "\n")
	lineZH, line := "", ""
	if n, ok := l[key]; ok {
		lineZH, line = fmt.Sprintf("第 %d 行：", n), fmt.Sprintf("line %d: ", n)
	}
	if !both {
		return errors.New(line + key + ": " + fmt.Sprintf(format, args...))
	}
	return cli.Error(lineZH+key+"："+fmt.Sprintf(zh, args...), line+key+": "+fmt.Sprintf(en, args...))
}

// Text returns a file's text without the mark that some editors put before it. What is not UTF-8 is an error with its line: such editors
// write Chinese in other ways if they are not asked.
func Text(b []byte) ([]byte, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if at := bytes.IndexByte(b, 0); at >= 0 && utf8.Valid(b) {
		return nil, cli.Errorf("第 %d 行：有空字节，文件已损坏（可能因断电），或不是 UTF-8 编码；请重新写入或恢复备份",
			"line %d: there are bytes 0 in it: the file is damaged, perhaps by a power cut, or is not UTF-8; write it anew or restore it",
			1+bytes.Count(b[:at], []byte("\n")))
	}
	for n, line := range bytes.Split(b, []byte("\n")) {
		if !utf8.Valid(line) {
			return nil, cli.Errorf("第 %d 行：不是 UTF-8 编码，请在编辑器中另存为 UTF-8", "line %d: it is not UTF-8; save the file as UTF-8", n+1)
		}
	}
	return b, nil
}

// Decode reads a file over what v holds already. A field that v does not have is an error that refers to the program's
// -print-config.
func Decode(b []byte, v any, program string) (Lines, error) {
	b, err := Text(b)
	if err != nil {
		return nil, err
	}
	dec := toml.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return nil, explain(err, b, program)
	}
	return index(b), nil
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

// explain turns the decoder's errors into lines that an administrator can act on.
func explain(err error, b []byte, program string) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var all []error
		for _, e := range unknown.Errors {
			line, _ := e.Position()
			all = append(all, cli.Errorf("第 %d 行：没有 %s 这个字段；%s -print-config 列出全部",
				"line %d: %s is unknown; %s -print-config lists what there is", line, strings.Join(e.Key(), "."), program))
		}
		return errors.Join(all...)
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, _ := bad.Position()
		what := strings.TrimPrefix(bad.Error(), "toml: ")
		if key := strings.Join(bad.Key(), "."); key != "" {
			what = key + ": " + what
		}
		zh, en := misspelt(b, line)
		return cli.Error(fmt.Sprintf("第 %d 行：%s%s", line, what, zh), fmt.Sprintf("line %d: %s%s", line, what, en))
	}
	return err
}

// index returns the line of each key of a valid file.
func index(b []byte) Lines {
	lines := make(Lines)
	var table []string
	place := ""                   // of the table in its list, as "frame[1]"
	count := make(map[string]int) // of tables in each list
	p := unstable.Parser{}
	p.Reset(b)
	for p.NextExpression() {
		e := p.Expression()
		var key []string
		line := 0
		for it := e.Key(); it.Next(); {
			n := it.Node()
			key = append(key, string(n.Data))
			line = 1 + bytes.Count(b[:n.Raw.Offset], []byte("\n"))
		}
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table, place = key, ""
			name := strings.Join(key, ".")
			lines[name] = line
			if e.Kind == unstable.ArrayTable {
				place = fmt.Sprintf("%s[%d]", name, count[name])
				count[name]++
				lines[place] = line
			}
		case unstable.KeyValue:
			name := strings.Join(append(append([]string(nil), table...), key...), ".")
			lines[name] = line
			if place != "" {
				lines[place+"."+strings.Join(key, ".")] = line
			}
			elements(b, e.Value(), name, line, lines)
		}
	}
	return lines
}

// elements notes the lines of a list's inline tables, which begin where their first key stands.
func elements(b []byte, list *unstable.Node, name string, line int, lines Lines) {
	if list.Kind != unstable.Array {
		return
	}
	i := 0
	for it := list.Children(); it.Next(); i++ {
		at := line
		if n := it.Node(); n.Kind == unstable.InlineTable {
			fields := n.Children()
			if fields.Next() {
				if k := fields.Node().Key(); k.Next() {
					at = 1 + bytes.Count(b[:k.Node().Raw.Offset], []byte("\n"))
				}
			}
		}
		lines[fmt.Sprintf("%s[%d]", name, i)] = at
	}
}
