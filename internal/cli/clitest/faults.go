package clitest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"haochaping/internal/cli"
	"haochaping/internal/tomlfile"
)

// han is what no English text has, but for the names of the levels.
var (
	han    = regexp.MustCompile(`\p{Han}`)
	levels = regexp.MustCompile(`非常不满意|非常满意|不满意|基本满意|满意|中文|好差评`)
)

// Faults fails for what errors say in another language than the one that is asked for, or without what to do, and for each text of a
// fault in some files of this package's folder that none of the errors says: one that is new needs a case that brings it about.
func Faults(t *testing.T, brought []error, files ...string) {
	t.Helper()
	var english []string
	for _, err := range brought {
		for _, f := range tomlfile.Faults(err, true) {
			zh, en := f.What.ZH+"；"+f.Do.ZH, f.What.EN+"; "+f.Do.EN
			if f.Do.ZH == "" || f.Do.EN == "" {
				t.Errorf("it is not said what to do: %s / %s", zh, en)
			}
			OneTongue(t, zh, en)
			english = append(english, cli.English.Error(err), en)
		}
	}
	said := strings.Join(english, "\n")
	for _, text := range texts(t, files) {
		if !han.MatchString(text.zh) || han.MatchString(levels.ReplaceAllString(text.en, "")) {
			t.Errorf("%s: %q and %q are not Chinese and English", text.at, text.zh, text.en)
		}
		if !pattern(text.en).MatchString(said) {
			t.Errorf("%s: nothing here brings about %q", text.at, text.en)
		}
	}
}

// OneTongue fails where a text in Chinese has a sentence in English, or the other way round. What is quoted is somebody's own.
func OneTongue(t *testing.T, zh, en string) {
	t.Helper()
	quoted := regexp.MustCompile(`"(?:[^"\\]|\\.)*"|（[^）]*）|\([^)]*\)`)
	if left := command.ReplaceAllString(quoted.ReplaceAllString(zh, ""), ""); sentence.MatchString(left) || !han.MatchString(zh) {
		t.Errorf("in Chinese it says %q", zh)
	}
	if left := levels.ReplaceAllString(quoted.ReplaceAllString(en, ""), ""); han.MatchString(left) {
		t.Errorf("in English it says %q", en)
	}
}

type bothTexts struct{ at, zh, en string }

// texts returns what files say in both languages: two texts in a row of one call, of which the first is Chinese. Those that only hold the
// words of another are left out.
func texts(t *testing.T, files []string) (all []bothTexts) {
	t.Helper()
	for _, name := range files {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, filepath.Clean(name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			for i := range len(call.Args) - 1 {
				zh, is := literal(call.Args[i])
				en, too := literal(call.Args[i+1])
				if is && too && han.MatchString(zh) && strings.Trim(en, "%v:; ") != "" {
					all = append(all, bothTexts{set.Position(call.Pos()).String(), zh, en})
				}
			}
			return true
		})
	}
	return all
}

// literal returns a text that is written in one piece or in several.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		a, is := literal(e.X)
		b, too := literal(e.Y)
		for _, part := range []struct {
			known bool
			text  *string
		}{{is, &a}, {too, &b}} {
			if !part.known {
				*part.text = "%v"
			}
		}
		return a + b, e.Op == token.ADD && (is || too)
	}
	return "", false
}

// pattern matches what a format prints, with a cause before what to do.
func pattern(format string) *regexp.Regexp {
	if what, do := cli.English.Part(format); do != "" {
		format = what + "%v; " + do
	}
	verb := regexp.MustCompile(`%(?:\[\d\])?[a-z0-9]*[a-zA-Z]`)
	parts := verb.Split(format, -1)
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile(strings.Join(parts, ".*"))
}
