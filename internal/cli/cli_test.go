package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"strings"
	"testing"

	"haochaping/internal/condition"
)

// trial is a program with one command, which says what it was asked.
func trial(stdout, stderr io.Writer, main bool) Program {
	does := func(name string) Run {
		return func(_ context.Context, args []string, stdout, stderr io.Writer) error {
			f := flag.NewFlagSet(name, flag.ContinueOnError)
			f.SetOutput(stderr)
			f.Bool("json", false, "as JSON")
			f.String("file", "", "a `file`")
			if len(args) > 0 && args[0] == "once" {
				f.Bool("quickly", false, "with haste")
				args = args[1:]
				name += " once"
			}
			if err := Parse(f, args); err != nil {
				return err
			}
			_, err := io.WriteString(stdout, name+" "+strings.Join(f.Args(), " ")+"\n")
			return err
		}
	}
	p := Program{Name: "tool", Version: "v1", About: condition.Text{ZH: "工具", EN: "a tool"}, Examples: []string{"tool look -json"},
		Stdout: stdout, Stderr: stderr,
		Commands: []Command{{Name: "look", Summary: condition.Text{ZH: "看", EN: "look at it"}, Verbs: []string{"once"},
			Examples: []string{"tool look once"}, Run: does("look")},
			{Name: "fail", Summary: condition.Text{ZH: "失败", EN: "fail"}, Run: func(context.Context, []string, io.Writer, io.Writer) error {
				cause := Because(errors.New("no such file"), "打不开", "it cannot be opened")
				return Hint(errors.Join(Because(cause, "看不到", "it cannot be seen"), errors.New("a / b")), "去看", "look there")
			}}}}
	if main {
		p.Main = does("main")
	}
	return p
}

// Help and versions are asked for in many ways, go to standard output, and are no failure. What is not understood is status 2 and
// prints nothing there.
func TestHabits(t *testing.T) {
	for _, c := range []struct {
		args   string
		main   bool
		want   string // on standard output
		status int
	}{
		{"", false, "tool look once", 0}, {"help", false, "工具\na tool", 0}, {"-h", true, "without a command", 0},
		{"--help", true, "tool look once", 0},
		{"help look", false, "tool look once", 0}, {"look -h", false, "-json", 0}, {"look --help", true, "示例 / examples", 0},
		{"-file x -h", true, "without a command", 0},
		{"version", false, "tool v1\n", 0}, {"--version", true, "tool v1\n", 0}, {"-version", false, "tool v1\n", 0},
		{"look -json a", false, "look a\n", 0}, {"", true, "main \n", 0}, {"-json", true, "main \n", 0},
		{"help help", false, "打印说明\nprint what there is", 0}, {"help version", true, "tool version\n", 0},
		{"help completion", false, "bash|zsh", 0}, {"completion -h", false, "bash|zsh", 0},
		{"completion fish", false, "", ExitUsage}, {"look -file", false, "", ExitUsage}, {"look -json=maybe", false, "", ExitUsage},
		{"look -colour", false, "", ExitUsage}, {"colour", true, "", ExitUsage}, {"help colour", false, "", ExitUsage},
		{"help look colour", false, "", ExitUsage},
		{"-colour", true, "", ExitUsage},
		{"completion fish", false, "", ExitUsage}, {"look once -h", false, "-quickly", 0},
		{"help look once", false, "tool look once\n看\nlook at it\n", 0},
		{"-lang zh help", false, "tool look once\n      看\n  tool fail", 0}, {"look -lang=en -json a", false, "look a\n", 0},
		{"look -lang fr", false, "", ExitUsage},
		{"look -- -lang zh", false, "look -lang zh\n", 0},
	} {
		var out, said bytes.Buffer
		err := trial(&out, &said, c.main).Run(t.Context(), strings.Fields(c.args))
		if got := Status(err); got != c.status || !strings.Contains(out.String(), c.want) || c.want == "" && out.Len() > 0 || said.Len() > 0 {
			t.Errorf("tool %s: status %d, want %d, %v\n%s\non standard error: %s", c.args, got, c.status, err, out.String(), said.String())
		}
	}
	if Status(errors.New("no")) != 1 || Status(nil) != 0 {
		t.Error("another failure has another status")
	}
}

// What went wrong is said in the language that was asked for, with its causes, and what has no words in it stays.
func TestErrorsSpeakTheLanguage(t *testing.T) {
	for lang, want := range map[string]string{
		"both": "tool: 看不到 / it cannot be seen: 打不开 / it cannot be opened: no such file\na / b\n处理 / hint: 去看 / look there\n",
		"zh":   "tool: 看不到: 打不开: no such file\na / b\n处理: 去看\n",
		"en":   "tool: it cannot be seen: it cannot be opened: no such file\na / b\nhint: look there\n",
	} {
		var said bytes.Buffer
		err := trial(io.Discard, io.Discard, false).Run(t.Context(), []string{"fail", "-lang", lang})
		Report(&said, "tool", err)
		if got := said.String(); got != want {
			t.Errorf("in %s: %q, want %q", lang, got, want)
		}
	}
}

// What package flag does not understand is said in both languages, with where to look.
func TestFlagsThatAreMisread(t *testing.T) {
	for args, want := range map[string]string{
		"look -colour":     "没有 -colour 这个选项 / there is no flag -colour",
		"look -file":       "选项 -file 后面没有值 / the flag -file has no value",
		"look -json=maybe": "选项 -json 不能是 \"maybe\"（parse error） / the flag -json cannot be",
	} {
		err := trial(io.Discard, io.Discard, false).Run(context.Background(), strings.Fields(args))
		if err == nil || !strings.Contains(err.Error(), want) || HintOf(err).EN == "" {
			t.Errorf("%s: %v, want %q and a hint", args, err, want)
		}
	}
}

// The head of a table is a line for each language that was asked for.
func TestHead(t *testing.T) {
	for lang, want := range map[Lang]string{Both: "编号\t名称\nID\tNAME", Chinese: "编号\t名称", English: "ID\tNAME"} {
		if got := lang.Head("编号\t名称", "ID\tNAME"); got != want {
			t.Errorf("in %s it is %q, want %q", lang, got, want)
		}
	}
}
