package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// article is the text of an article, and how much of it lines of the page have quoted.
type article struct {
	text   string
	quoted []bool // by byte
}

// quote marks what a line quotes, whose parts are divided by "…", and reports whether the article has it.
func (a *article) quote(line string) bool {
	at, begin := 0, -1
	for part := range strings.SplitSeq(line, "…") {
		i := strings.Index(a.text[at:], part)
		if i < 0 {
			return false
		}
		if at += i; begin < 0 {
			begin = at
		}
		at += len(part)
	}
	for i := max(begin, 0); i < at; i++ {
		a.quoted[i] = true
	}
	return true
}

// left returns the first sentence of which nothing is quoted, empty if there is none.
func (a *article) left() string {
	at := 0
	for s := range strings.SplitAfterSeq(a.text, "。") {
		seen := s == ""
		for i := range len(s) {
			seen = seen || a.quoted[at+i]
		}
		if !seen {
			return s
		}
		at += len(s)
	}
	return ""
}

// testFolders returns the folders of the module that have a test, by the test's name.
func testFolders(t *testing.T) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	name := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, root := range []string{"../../internal", "../../deploy", "../../cmd", "../../device", "../../display", "../../qrcode",
		"../../store",
		"../../sync"} {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range name.FindAllSubmatch(text, -1) {
				all[string(m[1])] = append(all[string(m[1])], filepath.Dir(path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// runs reports whether a folder's tests have a part of that name.
func runs(t *testing.T, folder, part string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), strconv.Quote(part)) {
			return true
		}
	}
	return false
}

// TestRegulationPage compares docs/regulation.md with the regulation: each sentence of the 26 articles has a line, each line quotes its
// article, and says what it is met by and a test that there is, or that it is for people, or missing.
func TestRegulationPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/regulation.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/regulation.txt")
	if err != nil {
		t.Fatal(err)
	}
	var articles []*article
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		articles = append(articles, &article{line, make([]bool, len(line))})
	}
	if len(articles) != 26 {
		t.Fatalf("the regulation has %d articles", len(articles))
	}
	folders := testFolders(t)
	named := regexp.MustCompile("`(\\w+)\\.((?:Test|Fuzz)[\\w/*]+)`")
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			continue
		}
		sentence, met, tests := strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3]), strings.TrimSpace(cells[4])
		if n < 1 || n > len(articles) || !articles[n-1].quote(sentence) {
			t.Errorf("article %d has no %q", n, sentence)
		}
		found := named.FindAllStringSubmatch(tests, -1)
		if len(found) == 0 && tests != "the same" && met != "–" && !strings.HasPrefix(met, "*not yet*") {
			t.Errorf("article %d: %q has no test", n, sentence)
		}
		for _, m := range found {
			if !hasTest(t, folders, m[1], m[2]) {
				t.Errorf("article %d: there is no %s.%s", n, m[1], m[2])
			}
		}
	}
	for i, a := range articles {
		if s := a.left(); s != "" {
			t.Errorf("article %d: no line for %q", i+1, s)
		}
	}
}

// hasTest reports whether a package has a test, and the parts of it that the name says; * stands for any.
func hasTest(t *testing.T, folders map[string][]string, pkg, name string) bool {
	t.Helper()
	parts := strings.Split(name, "/")
	if begin, ok := strings.CutSuffix(parts[0], "*"); ok {
		for n, all := range folders {
			for _, f := range all {
				if strings.HasPrefix(n, begin) && filepath.Base(f) == pkg {
					return true
				}
			}
		}
		return false
	}
	for _, f := range folders[parts[0]] {
		if filepath.Base(f) != pkg {
			continue
		}
		there := true
		for _, part := range parts[1:] {
			there = there && (part == "*" || runs(t, f, part))
		}
		if there {
			return true
		}
	}
	return false
}
