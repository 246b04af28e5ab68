package clitest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"haochaping/internal/cli"
)

// code is what a document sets apart for a shell: a line that is indented by four, or what stands in backquotes.
var code = regexp.MustCompile("(?m)^ {4,}[^\\n]+$|`[^`\\n]+`")

// flagLine is a flag in the help of a command.
var flagLine = regexp.MustCompile(`(?m)^  (-[a-z][a-z0-9-]*)`)

// Documents looks in all documents below a folder for commands of a program, and fails for a command, a verb or a flag that it lacks.
func Documents(t *testing.T, root string, program func(stdout, stderr io.Writer) cli.Program) {
	t.Helper()
	p := program(nil, nil)
	call := regexp.MustCompile(`(?:^|[|;&(]|-- |[A-Z]=\S+ ) *` + p.Name + ` +((?:[^|;#>&)]|\|[a-z])+)`)
	found := 0
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{".git", "build", "node_modules"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		// The changes tell of what is gone; what was tried, of what failed.
		if filepath.Ext(path) != ".md" || slices.Contains([]string{"CHANGELOG.md", "tried.md"}, d.Name()) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, part := range code.FindAllString(string(text), -1) {
			for _, m := range call.FindAllStringSubmatch(strings.Trim(part, "` "), -1) {
				line := strings.Fields(m[1])
				if len(line) == 0 {
					continue
				}
				found++
				if err := known(program, line); err != nil {
					t.Errorf("%s: %s %s: %v", path, p.Name, strings.TrimSpace(m[1]), err)
				}
			}
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("%d commands of %s were found, %v", found, p.Name, err)
	}
}

// word is what may be a command or its verb: neither a file nor a value.
var word = regexp.MustCompile(`^[a-z][a-z-]*$`)

// known says what a program lacks of a command line.
func known(program func(stdout, stderr io.Writer) cli.Program, line []string) error {
	p := program(nil, nil)
	ask := []string{"help"}
	if word.MatchString(line[0]) {
		i := slices.IndexFunc(p.Commands, func(c cli.Command) bool { return c.Name == line[0] })
		if i < 0 {
			if slices.Contains([]string{"help", "version", "completion"}, line[0]) {
				return nil
			}
			return fmt.Errorf("there is no such command")
		}
		ask = append(ask, line[0])
		if verbs := p.Commands[i].Verbs; len(verbs) > 0 && len(line) > 1 && word.MatchString(line[1]) {
			if !slices.Contains(verbs, line[1]) {
				return fmt.Errorf("there is no such verb")
			}
			ask = append(ask, line[1])
		}
	}
	var out bytes.Buffer
	if err := program(&out, &out).Run(context.Background(), ask); err != nil {
		return err
	}
	flags := []string{"-lang", "-h", "-version"}
	for _, m := range flagLine.FindAllStringSubmatch(out.String(), -1) {
		flags = append(flags, m[1])
	}
	for _, w := range line {
		name, _, _ := strings.Cut(strings.Trim(w, `"'[]()…,.:`), "=")
		if regexp.MustCompile(`^-[a-z]`).MatchString(name) && !slices.Contains(flags, name) {
			return fmt.Errorf("there is no flag %s", name)
		}
	}
	return nil
}
