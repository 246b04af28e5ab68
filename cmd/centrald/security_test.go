package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSecurityPage compares docs/security.md with the numbers of the standard, and the names of tests with the code. Each point of levels 1
// and 2 of the chapters on validation, authentication, sessions and authorization has a line, and one of level 3 says so.
func TestSecurityPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	standard, err := os.ReadFile("testdata/asvs-5.0.txt")
	if err != nil {
		t.Fatal(err)
	}
	level := make(map[string]string)
	for line := range strings.Lines(string(standard)) {
		if n, l, ok := strings.Cut(strings.TrimSpace(line), " "); ok && n != "#" {
			level[n] = l
		}
	}
	point := regexp.MustCompile(`\b\d+\.\d+\.\d+\b`)
	seen := make(map[string]bool)
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !point.MatchString(cells[1]) {
			continue
		}
		for _, n := range point.FindAllString(cells[1], -1) {
			if seen[n] {
				t.Errorf("%s stands twice", n)
			}
			seen[n] = true
			switch l := level[n]; {
			case l == "":
				t.Errorf("the standard has no %s", n)
			case (l == "3") != strings.Contains(cells[1], "(level 3)"):
				t.Errorf("%s is of level %s", n, l)
			}
		}
	}
	for n, l := range level {
		if chapter, _, _ := strings.Cut(n, "."); l != "3" && slices.Contains([]string{"2", "6", "7", "8"}, chapter) && !seen[n] {
			t.Errorf("%s of level %s has no line", n, l)
		}
	}
	folders, names := testFolders(t), 0
	word := regexp.MustCompile("`([\\w./-]+)`|\\b(Test[A-Z]\\w+)")
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(line, "|")
		folder := "internal/central/directory/account"
		for _, m := range word.FindAllStringSubmatch(cells[len(cells)-2], -1) {
			if m[2] == "" {
				folder = m[1]
				continue
			}
			names++
			if !slices.ContainsFunc(folders[m[2]], func(f string) bool { return strings.HasSuffix(f, "/"+folder) }) {
				t.Errorf("%s has no %s", folder, m[2])
			}
		}
	}
	if names < 100 {
		t.Errorf("only %d names of tests were found", names)
	}
}
