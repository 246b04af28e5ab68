package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// completion prints the script by which a shell completes the program's commands and flags.
func (p Program) completion(ctx context.Context, args []string) error {
	if len(args) != 1 || args[0] != "bash" && args[0] != "zsh" {
		return Usagef("写 %[1]s completion bash 或 zsh / write %[1]s completion bash or zsh", p.Name)
	}
	script := p.bash
	if args[0] == "zsh" {
		script = p.zsh
	}
	_, err := io.WriteString(p.Stdout, script(ctx))
	return err
}

// flagLine is a flag in the help of a set of flags.
var flagLine = regexp.MustCompile(`(?m)^  (-[a-z][a-z0-9-]*)`)

// flagsOf returns the flags that a command names when it is asked for help.
func flagsOf(ctx context.Context, run Run) []string {
	if run == nil {
		return nil
	}
	var b bytes.Buffer
	_ = run(ctx, []string{"-h"}, &b, &b) // flag.ErrHelp or nothing
	var out []string
	for _, m := range flagLine.FindAllStringSubmatch(b.String(), -1) {
		out = append(out, m[1])
	}
	return out
}

// names returns the words that may come first.
func (p Program) names(ctx context.Context) []string {
	var out []string
	for _, c := range append(p.Commands, own()...) {
		out = append(out, c.Name)
	}
	return append(out, flagsOf(ctx, p.Main)...)
}

// after returns the words that may follow a command.
func (p Program) after(ctx context.Context, c Command) []string {
	if c.Name == "help" {
		var out []string
		for _, c := range p.Commands {
			out = append(out, c.Name)
		}
		return out
	}
	return append(append([]string{}, c.Verbs...), flagsOf(ctx, c.Run)...)
}

func (p Program) bash(ctx context.Context) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, `# Completion of %[1]s for bash, printed by "%[1]s completion bash".
_%[1]s() {
  local current="${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="%[2]s"
  else
    case "${COMP_WORDS[1]}" in
`, p.Name, strings.Join(p.names(ctx), " "))
	for _, c := range append(p.Commands, own()...) {
		_, _ = fmt.Fprintf(&b, "      %s) words=\"%s\" ;;\n", c.Name, strings.Join(p.after(ctx, c), " "))
	}
	_, _ = fmt.Fprintf(&b, `    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  if [ "${#COMPREPLY[@]}" -eq 0 ]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -o filenames -F _%[1]s %[1]s
`, p.Name)
	return b.String()
}

func (p Program) zsh(ctx context.Context) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "#compdef %[1]s\n# Completion of %[1]s for zsh, printed by \"%[1]s completion zsh\".\n_%[1]s() {\n  if (( CURRENT == 2 )); then\n    local -a commands\n    commands=(\n", p.Name)
	for _, c := range append(p.Commands, own()...) {
		_, _ = fmt.Fprintf(&b, "      '%s:%s'\n", c.Name, strings.ReplaceAll(c.Summary.EN, "'", `'\''`))
	}
	_, _ = fmt.Fprintf(&b, "    )\n    _describe command commands\n    compadd -- %s\n    return\n  fi\n  case $words[2] in\n", strings.Join(flagsOf(ctx, p.Main), " "))
	for _, c := range append(p.Commands, own()...) {
		_, _ = fmt.Fprintf(&b, "    %s) compadd -- %s ;;\n", c.Name, strings.Join(p.after(ctx, c), " "))
	}
	_, _ = fmt.Fprintf(&b, "  esac\n  _files\n}\n_%[1]s \"$@\"\n", p.Name)
	return b.String()
}
