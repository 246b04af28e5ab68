package clitest

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"haochaping/internal/cli"
	"haochaping/internal/tomlfile"
)

// Comments fails where a documented configuration does not say each thing in Chinese and then in English, and where one of the languages by
// itself has the other's words, or other values.
func Comments(t *testing.T, text string) {
	t.Helper()
	comment := regexp.MustCompile(`^# \S`)
	var zh, en []string
	for line := range strings.Lines(text + "\nend = 1\n") {
		switch spoken := comment.MatchString(line); {
		case spoken && strings.ContainsAny(line, "，。：；（）、“”"):
			if zh = append(zh, line); len(en) > 0 {
				t.Errorf("Chinese follows English: %s", line)
			}
		case spoken:
			en = append(en, line)
		default:
			if (len(zh) == 0) != (len(en) == 0) {
				t.Errorf("one language is missing before %s: %q, %q", line, zh, en)
			}
			if len(zh) > 0 {
				OneTongue(t, strings.Join(zh, ""), strings.Join(en, ""))
			}
			zh, en = nil, nil
		}
	}
	var all [3]map[string]any
	for i, l := range []cli.Lang{cli.Both, cli.Chinese, cli.English} {
		if err := toml.NewDecoder(bytes.NewReader([]byte(tomlfile.Described(text, l)))).Decode(&all[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(all[0], all[1]) || !reflect.DeepEqual(all[0], all[2]) {
		t.Errorf("the values are not the same in each language: %v, %v and %v", all[0], all[1], all[2])
	}
}

// Example fails where a configuration that is shipped is none any more when its commented lines are taken in, or has words of one language
// alone.
func Example(t *testing.T, text string, parse func(string) error) {
	t.Helper()
	head, _, _ := strings.Cut(text, "\n#d") // the prose before the first field
	head, _, _ = strings.Cut(head, "\n#broker")
	zh, en, both := strings.Cut(head, "\n# Configuration of ")
	if !both {
		t.Fatal("it does not begin in Chinese and then in English")
	}
	OneTongue(t, zh, en)
	for _, m := range regexp.MustCompile(`(?m)^#[a-z].*?  +# (.*)$`).FindAllStringSubmatch(text, -1) {
		said, english, both := strings.Cut(m[1], " / ")
		if !both {
			t.Errorf("in one language alone: %s", m[1])
		}
		OneTongue(t, said, english)
	}
	if err := parse(regexp.MustCompile(`(?m)^#([a-z\]]|  \{)`).ReplaceAllString(text, "$1")); err != nil {
		t.Error(err)
	}
}
