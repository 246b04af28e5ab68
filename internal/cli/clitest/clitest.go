// Package clitest holds what is asked of the command lines of all three programs.
package clitest

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"
	"testing"

	"haochaping/internal/cli"
)

// sentence is prose in English: names of commands, flags and fields are no four plain words in a row.
var sentence = regexp.MustCompile(`\b[a-z]+ [a-z]+ [a-z]+ [a-z]+\b`)

// command is what may stand in a text of either language: a line of a shell, or what is quoted.
var command = regexp.MustCompile(`(?m)"[^"]*"|（(?:ratingctl|centrald|ratingd) [^）]*）|^ *\S*(?:ratingctl|centrald|ratingd) .*?(?:  +|$)`)

// OneLanguage asks a program for the help of all its commands, and fails where it is not in the one language that was asked for.
func OneLanguage(t *testing.T, program func(stdout, stderr io.Writer) cli.Program) {
	t.Helper()
	var all [][]string
	for _, c := range program(nil, nil).Commands {
		all = append(all, []string{c.Name})
		for _, v := range c.Verbs {
			all = append(all, []string{c.Name, v})
		}
	}
	for _, words := range append(all, nil) {
		for lang, foreign := range map[string]*regexp.Regexp{"en": regexp.MustCompile(`\p{Han}`), "zh": sentence} {
			var out bytes.Buffer
			args := append(append([]string{"help"}, words...), "-lang", lang)
			if err := program(&out, &out).Run(context.Background(), args); err != nil {
				t.Errorf("%s: %v", strings.Join(args, " "), err)
			}
			text, _, _ := strings.Cut(out.String(), map[string]string{"en": "\nexamples:\n", "zh": "\n示例:\n"}[lang])
			if text = command.ReplaceAllString(strings.ReplaceAll(text, "我的账号 (my account)", ""), ""); foreign.MatchString(text) {
				t.Errorf("%s has %q:\n%s", strings.Join(args, " "), foreign.FindString(text), text)
			}
		}
	}
}
