// Package tomlfile reads the configuration files of our programs, so that every complaint names the line, the field and
// what is allowed instead.
//
// It works around go-toml, which since 2.4 does not ask types whose underlying type is a string to check their values:
// such checks are the programs', after Decode, and Lines says where the values stand.
package tomlfile

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"haochaping/internal/cli"
)

// Lines are the lines of the fields that a file sets, by their dotted names. Those of the tables of a list have their place
// in it besides, counted from 0, as in "frame[1].layout" and "keys.map[1]".
type Lines map[string]int

// Text returns a file's text without the mark that some editors put before it. What is not UTF-8 is an error with its line: such editors
// write Chinese in other ways if they are not asked.
func Text(b []byte) ([]byte, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if at := bytes.IndexByte(b, 0); at >= 0 && utf8.Valid(b) {
		return nil, newFault(1+bytes.Count(b[:at], []byte("\n")), "", cli.Error("有空字节，文件已损坏（可能因断电），或不是 UTF-8 编码；请重新写入或恢复备份",
			"there are bytes 0 in it: the file is damaged, perhaps by a power cut, or is not UTF-8; write it anew or restore it"))
	}
	for n, line := range bytes.Split(b, []byte("\n")) {
		if !utf8.Valid(line) {
			return nil, newFault(n+1, "", cli.Error("不是 UTF-8 编码；请在编辑器中另存为 UTF-8", "it is not UTF-8; save the file as UTF-8"))
		}
	}
	return b, nil
}

// Decode reads a file over what v holds already. Errors refer to where the file is described, as "ratingd -print-config".
func Decode(b []byte, v any, described string) (Lines, error) {
	b, err := Text(b)
	if err != nil {
		return nil, err
	}
	dec := toml.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return nil, explain(err, b, described)
	}
	return index(b), nil
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

// Described returns a documented file in a language. A line of comment begins with "# " and a word, and is Chinese if it has punctuation of
// Chinese; what else begins with # is an example.
func Described(text string, l cli.Lang) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		comment := strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "#  ")
		chinese := strings.ContainsAny(line, "，。：；（）、“”")
		if comment && l != cli.Both && chinese != (l == cli.Chinese) {
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}
