package tomlfile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"haochaping/internal/cli"
	"haochaping/internal/condition"
	"haochaping/internal/tomlfile"
)

func TestFaultsAreFoundInAnError(t *testing.T) {
	lines := tomlfile.Lines{"a.b": 3}
	err := fmt.Errorf("configuration: %w", errors.Join(
		lines.Errorf("a.b", "不能是 %q；可写 1", "%q is not allowed; allowed is 1", "x；y; z"),
		lines.Fault("c", errors.New("tls: no certificate")),
		errors.New("a stranger's words")))
	mend := condition.Text{ZH: "请改正它，或在配置中另写", EN: "mend it, or write another one into the configuration"}
	want := []tomlfile.Fault{
		{Line: 3, Field: "a.b", What: condition.Text{ZH: `不能是 "x；y; z"`, EN: `"x；y; z" is not allowed`},
			Do: condition.Text{ZH: "可写 1", EN: "allowed is 1"}, Stops: true},
		{Field: "c", What: condition.Text{ZH: "不能使用（tls: no certificate）", EN: "it cannot be used (tls: no certificate)"}, Do: mend, Stops: true},
		{What: condition.Text{ZH: "不能使用（a stranger's words）", EN: "it cannot be used (a stranger's words)"}, Do: mend, Stops: true},
	}
	if diff := cmp.Diff(want, tomlfile.Faults(err, true), cmpopts.IgnoreUnexported(tomlfile.Fault{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if tomlfile.Faults(nil, true) != nil {
		t.Error("there is a fault in no error")
	}
	if got := cli.English.Error(err); !strings.HasPrefix(got,
		"configuration: line 3: a.b: \"x；y; z\" is not allowed; allowed is 1\nc: it cannot be used") {
		t.Errorf("in English it says %q", got)
	}
}

func TestDescribedSpeaksOneLanguage(t *testing.T) {
	const text = "# 甲：一。\n# A: one.\n#a = 1\na = 2\n"
	for l, want := range map[cli.Lang]string{cli.Both: text, cli.Chinese: "# 甲：一。\n#a = 1\na = 2\n",
		cli.English: "# A: one.\n#a = 1\na = 2\n"} {
		if got := tomlfile.Described(text, l); got != want {
			t.Errorf("%s: %q", l, got)
		}
	}
}

// What TOML itself has against a file is told in Chinese, too.
func TestSyntaxIsToldInChinese(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1 2": "这里应当换行", "a": "没有等号", "[a": "没有 ]", "a = ": "没有值", "a = ?": "文字要加引号", "a = tru": "文字要加引号", "a = [1 2]": "没有逗号",
		"a = {b = 1": "花括号", "a = \"x": "引号没有成对", "a = \"\\q\"": "反斜杠", "a = \"\x01\"": "控制字符", "a = \"x\"": "类型不对，是 string，应为 int",
		"a = 99999999999999999999": "数太大", "a = 007": "数的写法", "a = 1\na = 2": "写了两次", "a = 2027-13-01": "日期",
	} {
		var v struct {
			A int `toml:"a"`
		}
		_, err := tomlfile.Decode([]byte(text+"\n"), &v, "x -print-config")
		if err == nil {
			t.Fatalf("%q is taken", text)
		}
		if zh := cli.Chinese.Error(err); !strings.Contains(zh, want) || !strings.HasPrefix(zh, "第 ") {
			t.Errorf("%q: %s, want %q (%s)", text, zh, want, cli.English.Error(err))
		}
	}
}
