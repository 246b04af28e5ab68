package cli

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// typed is what somebody types before Tab, and what the line is then.
var typed = map[string]string{"tool l": "tool look", "tool look on": "tool look once", "tool look -j": "tool look -json",
	"tool -f":     "tool -file",
	"tool help l": "tool help look", "tool look once -q": "tool look once -quickly", "tool look -lang b": "tool look -lang both",
	"tool look -la": "tool look -lang"}

// Both shells complete commands, their verbs and flags on a terminal by the scripts that a package installs.
func TestCompletion(t *testing.T) {
	for shell, start := range map[string][]string{"bash": {"--norc", "-i"}, "zsh": {"-f", "-i"}} {
		t.Run(shell, func(t *testing.T) {
			program, err := exec.LookPath(shell)
			if err != nil && os.Getenv("CI") == "" {
				t.Skipf("%s is missing: install the Debian package %[1]s", shell)
			}
			if err != nil {
				t.Fatal(err)
			}
			tryCompletion(t, exec.CommandContext(t.Context(), program, start...), shell)
		})
	}
}

// tryCompletion types into a shell.
func tryCompletion(t *testing.T, cmd *exec.Cmd, shell string) {
	dir := t.TempDir()
	script, err := os.Create(filepath.Join(dir, "_tool"))
	if err != nil {
		t.Fatal(err)
	}
	if err := trial(script, io.Discard, true).Run(t.Context(), []string{"completion", shell}); err != nil {
		t.Fatal(err)
	}
	if err := script.Close(); err != nil {
		t.Fatal(err)
	}
	cmd.Dir, cmd.Env = dir, []string{"TERM=dumb", "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "PS1=$ ", "LC_ALL=C.UTF-8"}
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 200})
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1024)
	go func() {
		defer close(said)
		for b := make([]byte, 4096); ; {
			n, err := terminal.Read(b)
			if n > 0 {
				said <- string(b[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = terminal.Close()
		_ = cmd.Wait()
	})
	send := func(s string) {
		if _, err := io.WriteString(terminal, s); err != nil {
			t.Fatal(err)
		}
	}
	await := func(want string) {
		t.Helper()
		limit, all := time.After(time.Minute), ""
		for !strings.Contains(all, want) {
			select {
			case s, open := <-said:
				if all += s; !open {
					t.Fatalf("the shell has ended: %q", all)
				}
			case <-limit:
				t.Fatalf("the shell says %q, want %q", all, want)
			}
		}
	}
	// The echo of what is typed has a pair of quotes in the word that is waited for.
	setup := map[string]string{"bash": ". ./_tool", "zsh": "autoload -Uz compinit && compinit -D && . ./_tool"}[shell]
	send("tool() { echo \"[$*]\"; }; " + setup + "; echo re''ady\n")
	await("ready")
	for line, want := range typed {
		send(line + "\t\n")
		await("[" + strings.TrimPrefix(want, "tool ") + "]")
	}
}
