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
		return Usage(fmt.Sprintf("写 %s completion bash 或 zsh", p.Name), fmt.Sprintf("write %s completion bash or zsh", p.Name))
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

// flagsOf returns the flags that a command, or its verb, names when it is asked for help, and those of each command.
func flagsOf(ctx context.Context, run Run, verb ...string) []string {
	out := []string{"-help", "-lang"}
	if run == nil {
		return out
	}
	var b bytes.Buffer
	_ = run(ctx, append(verb, "-h"), &b, &b) // flag.ErrHelp or nothing
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

// choice is what may follow some words.
type choice struct {
	after string // a command, or a command and its verb, as a shell's pattern
	words []string
}

// choices returns what may follow the commands and their verbs, the verbs first.
func (p Program) choices(ctx context.Context) []choice {
	var verbs, out []choice
	for _, c := range append(p.Commands, own()...) {
		words := append(append([]string{}, c.Verbs...), flagsOf(ctx, c.Run)...)
		if c.Name == "help" {
			words = nil
			for _, c := range p.Commands {
				words = append(words, c.Name)
			}
		}
		out = append(out, choice{c.Name + `\ *`, words})
		for _, v := range c.Verbs {
			if c.Run != nil {
				verbs = append(verbs, choice{c.Name + `\ ` + v, flagsOf(ctx, c.Run, v)})
			}
		}
	}
	return append(verbs, out...)
}

func (p Program) bash(ctx context.Context) string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, `# Completion of %[1]s for bash, printed by "%[1]s completion bash".
_%[1]s() {
  local current="${COMP_WORDS[COMP_CWORD]}" words="" second=""
  if [ "$COMP_CWORD" -gt 2 ]; then
    second="${COMP_WORDS[2]}"
  fi
  if [ "${COMP_WORDS[COMP_CWORD-1]}" = -lang ]; then
    words="zh en both"
  elif [ "$COMP_CWORD" -eq 1 ]; then
    words="%[2]s"
  else
    case "${COMP_WORDS[1]} $second" in
`, p.Name, strings.Join(p.names(ctx), " "))
	for _, c := range p.choices(ctx) {
		_, _ = fmt.Fprintf(&b, "      %s) words=\"%s\" ;;\n", c.after, strings.Join(c.words, " "))
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
	_, _ = fmt.Fprintf(&b, `#compdef %[1]s
# Completion of %[1]s for zsh, printed by "%[1]s completion zsh".
_%[1]s() {
  local second=""
  if (( CURRENT > 3 )); then
    second=$words[3]
  fi
  if [[ $words[CURRENT-1] == -lang ]]; then
    compadd -- zh en both
    return
  fi
  if (( CURRENT == 2 )); then
    local -a commands
    commands=(
`, p.Name)
	for _, c := range append(p.Commands, own()...) {
		_, _ = fmt.Fprintf(&b, "      '%s:%s'\n", c.Name, strings.ReplaceAll(LangOf(ctx).Text(c.Summary), "'", `'\''`))
	}
	_, _ = fmt.Fprintf(&b, `    )
    _describe command commands
    compadd -- %s
    return
  fi
  case "$words[2] $second" in
`, strings.Join(flagsOf(ctx, p.Main), " "))
	for _, c := range p.choices(ctx) {
		_, _ = fmt.Fprintf(&b, "    %s) compadd -- %s ;;\n", c.after, strings.Join(c.words, " "))
	}
	_, _ = fmt.Fprintf(&b, `  esac
  _files
}
if [ "$funcstack[1]" = _%[1]s ]; then
  _%[1]s "$@"
else
  compdef _%[1]s %[1]s
fi
`, p.Name)
	return b.String()
}
