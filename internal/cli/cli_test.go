package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os/exec"
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
			if err := Parse(f, args); err != nil {
				return err
			}
			_, err := io.WriteString(stdout, name+" "+strings.Join(f.Args(), " ")+"\n")
			return err
		}
	}
	p := Program{Name: "tool", Version: "v1", About: condition.Text{ZH: "工具", EN: "a tool"}, Examples: []string{"tool look -json"}, Stdout: stdout, Stderr: stderr,
		Commands: []Command{{Name: "look", Summary: condition.Text{ZH: "看", EN: "look at it"}, Verbs: []string{"once"}, Examples: []string{"tool look once"}, Run: does("look")}}}
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
		{"", false, "tool look once", 0}, {"help", false, "工具\na tool", 0}, {"-h", true, "without a command", 0}, {"--help", true, "tool look once", 0},
		{"help look", false, "tool look once", 0}, {"look -h", false, "-json", 0}, {"look --help", true, "示例 / examples", 0}, {"-file x -h", true, "without a command", 0},
		{"version", false, "tool v1\n", 0}, {"--version", true, "tool v1\n", 0}, {"-version", false, "tool v1\n", 0},
		{"look -json a", false, "look a\n", 0}, {"", true, "main \n", 0}, {"-json", true, "main \n", 0},
		{"look -colour", false, "", ExitUsage}, {"colour", true, "", ExitUsage}, {"help colour", false, "", ExitUsage}, {"-colour", true, "", ExitUsage},
		{"completion fish", false, "", ExitUsage},
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

// The shells take the scripts, and bash completes commands, their verbs and flags by them.
func TestCompletion(t *testing.T) {
	script := func(shell string) string {
		var out bytes.Buffer
		if err := trial(&out, io.Discard, true).Run(t.Context(), []string{"completion", shell}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if zsh := script("zsh"); !strings.HasPrefix(zsh, "#compdef tool\n") || !strings.Contains(zsh, "'look:look at it'") || !strings.Contains(zsh, "look) compadd -- once -file -json ;;") {
		t.Errorf("for zsh:\n%s", zsh)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not there")
	}
	for line, want := range map[string]string{"tool l": "look", "tool look on": "once", "tool look -j": "-json", "tool -f": "-file", "tool help l": "look"} {
		words := strings.Fields(line)
		ask := script("bash") + "\nCOMP_WORDS=(" + line + "); COMP_CWORD=" + string(rune('0'+len(words)-1)) + "; _tool; echo \"${COMPREPLY[*]}\"\n"
		got, err := exec.CommandContext(t.Context(), bash, "--norc", "-c", ask).CombinedOutput()
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s: %q, %v, want %q", line, got, err, want)
		}
	}
}
