package main

import (
	"os"
	"os/exec"
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
	names := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(page), -1)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if out, err := exec.Command("grep", "-rqE", "--include=*_test.go", "^func "+name+`\(`, "../../internal", "../../deploy", "..").
			CombinedOutput(); err != nil {
			t.Errorf("there is no %s: %v %s", name, err, out)
		}
	}
}
