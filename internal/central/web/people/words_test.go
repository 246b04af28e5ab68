package people

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"haochaping/internal/central/fleet"
)

// Every act that the centre writes has words: those that its sources name, and those of a box's commands.
func TestEveryActHasWords(t *testing.T) {
	var acts []string
	for _, name := range fleet.CommandNames() {
		acts = append(acts, "fleet."+name)
	}
	writes, name := regexp.MustCompile(`journal\.Act\{Do: "|\.Do, |\.do\(ctx, `), regexp.MustCompile(`"([a-z]+(\.[a-z_]+)+)"`)
	root := os.DirFS("../..") // the centre's rooms
	err := fs.WalkDir(root, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, file)
		for line := range strings.Lines(string(text)) {
			if !writes.MatchString(line) {
				continue
			}
			for _, m := range name.FindAllStringSubmatch(line, -1) {
				acts = append(acts, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, known := range []string{"account.add", "account.signin", "deadline.stop", "directory.change", "fleet.hours", "orders.rebuild"} {
		if !slices.Contains(acts, known) {
			t.Errorf("%s is not found where it is written", known)
		}
	}
	for _, do := range acts {
		if !slices.ContainsFunc(words(), func(w word) bool { return w.Do == do }) {
			t.Errorf("%s has no words", do)
		}
	}
}
