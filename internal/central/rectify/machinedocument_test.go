package rectify

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDocument holds the diagram and tables of the document to the code.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begins)
	_, after, ok2 := strings.Cut(rest, ends)
	if !ok || !ok2 {
		t.Fatalf("%s lacks its marks", document)
	}
	want := before + begins + generated() + ends + after
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Errorf("%s is not what the code does; go test -run TestDocument -update\n%s", document, diff)
	}
}

// generated draws the machine.
func generated() string {
	var b strings.Builder
	b.WriteString("\n```mermaid\nstateDiagram-v2\n")
	for _, s := range States() {
		fmt.Fprintf(&b, "    state \"%s\" as %s\n", s.Chinese(), s)
	}
	fmt.Fprintf(&b, "    [*] --> %s\n", Waiting)
	for _, x := range Transitions() {
		if x.From == x.To {
			continue
		}
		a, _ := x.Do.About()
		label := a.Chinese
		if x.When != "" {
			label += "（" + x.When + "）"
		}
		fmt.Fprintf(&b, "    %s --> %s: %s\n", x.From, x.To, label)
	}
	b.WriteString("```\n\n| deed | 操作 | by | article | words | in | leads to |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, d := range Deeds() {
		var from, to []string
		for _, x := range Transitions() {
			if x.Do != d.Do {
				continue
			}
			if f := x.From.Chinese(); !slices.Contains(from, f) {
				from = append(from, f)
			}
			end := x.To.Chinese()
			if x.From == x.To {
				end = "–"
			}
			if x.When != "" {
				end += "（" + x.When + "）"
			}
			if !slices.Contains(to, end) {
				to = append(to, end)
			}
		}
		words := "–"
		if d.Words {
			words = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %d | %s | %s | %s |\n", d.Do, d.Chinese, d.By, d.Article, words, strings.Join(from, "、"),
			strings.Join(to, "、"))
	}
	b.WriteString("\n")
	return b.String()
}
