package boxconfig

import (
	"bytes"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// lineIndex returns the line of each key that a valid TOML file sets, by its dotted name.
func lineIndex(b []byte) map[string]int {
	index := make(map[string]int)
	var table []string
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
			table = key
			index[strings.Join(key, ".")] = line
		case unstable.KeyValue:
			index[strings.Join(append(append([]string(nil), table...), key...), ".")] = line
		}
	}
	return index
}
