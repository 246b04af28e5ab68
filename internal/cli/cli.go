// Package cli is how the product's three programs are asked: help, versions, commands and their errors are alike in all of them, and
// the completion of shells comes from the same table.
//
// Help and versions are what was asked for and go to standard output. Who asks wrongly gets one line and a hint on standard error, and
// status 2.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"haochaping/internal/condition"
)

// ExitUsage is the status on arguments that are not understood.
const ExitUsage = 2

// UsageError is an error in what was asked for.
type UsageError struct{ Err error }

// Error says what is wrong.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns it.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef returns a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Status returns the status for an error that a program does not know better: 0, 1, or ExitUsage.
func Status(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(*UsageError)):
		return ExitUsage
	}
	return 1
}

// Parse parses flags. Help is printed where the flags' output is, and is flag.ErrHelp; what is not understood is a UsageError, of
// which nothing is printed.
func Parse(f *flag.FlagSet, args []string) error {
	usage, out := f.Usage, f.Output()
	f.Usage = func() {}
	f.SetOutput(io.Discard)
	err := f.Parse(args)
	f.Usage = usage
	f.SetOutput(out)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, flag.ErrHelp):
		return &UsageError{err}
	case usage != nil:
		usage()
	default:
		f.PrintDefaults()
	}
	return flag.ErrHelp
}

// Run does one thing. Stderr is for people.
type Run func(ctx context.Context, args []string, stdout, stderr io.Writer) error

// Command is one thing that a program does, with what help and completion say of it.
type Command struct {
	Name     string
	Summary  condition.Text
	Verbs    []string // that follow the name, as add and list
	Examples []string // whole lines
	Run      Run
}

// Program is a program with its commands.
type Program struct {
	Name     string
	Version  string
	About    condition.Text
	Examples []string
	Commands []Command
	Main     Run // what it does without a command; nil: it prints help
	Stdout   io.Writer
	Stderr   io.Writer
}

// Run does what the arguments say.
func (p Program) Run(ctx context.Context, args []string) error {
	if len(args) == 0 && p.Main != nil {
		return p.Main(ctx, args, p.Stdout, p.Stderr)
	}
	first := ""
	if len(args) > 0 {
		first = args[0]
	}
	switch first {
	case "", "-h", "-help", "--help":
		return p.help(ctx, nil)
	case "help":
		return p.help(ctx, args[1:])
	case "version", "-version", "--version":
		_, err := fmt.Fprintln(p.Stdout, p.Name, p.Version)
		return err
	case "completion":
		return p.completion(ctx, args[1:])
	}
	if c, ok := p.find(first); ok {
		if slices.ContainsFunc(args[1:], isHelp) {
			return p.help(ctx, args[:1])
		}
		return ignoreHelp(c.Run(ctx, args[1:], p.Stdout, p.Stderr))
	}
	if p.Main != nil && strings.HasPrefix(first, "-") {
		if slices.ContainsFunc(args, isHelp) {
			return p.help(ctx, nil)
		}
		return p.Main(ctx, args, p.Stdout, p.Stderr)
	}
	return Usagef("没有 %q 这个命令；%s help 列出全部 / there is no command %q; %s help lists all", first, p.Name, first, p.Name)
}

func (p Program) find(name string) (Command, bool) {
	i := slices.IndexFunc(p.Commands, func(c Command) bool { return c.Name == name })
	if i < 0 {
		return Command{}, false
	}
	return p.Commands[i], true
}

func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

// ignoreHelp makes a request for help no failure.
func ignoreHelp(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}

// help prints what the program does, or one of its commands.
func (p Program) help(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return p.overview(ctx)
	}
	c, ok := p.find(args[0])
	if !ok {
		return Usagef("没有 %q 这个命令；%s help 列出全部 / there is no command %q; %s help lists all", args[0], p.Name, args[0], p.Name)
	}
	_, err := fmt.Fprintf(p.Stdout, "%s %s：%s\n%s\n\n", p.Name, c.Name, c.Summary.ZH, c.Summary.EN)
	if err == nil {
		err = ignoreHelp(c.Run(ctx, []string{"-h"}, p.Stdout, p.Stdout))
	}
	return errors.Join(err, p.examples(c.Examples))
}

func (p Program) overview(ctx context.Context) error {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s %s\n%s\n%s\n\n", p.Name, p.Version, p.About.ZH, p.About.EN)
	for _, c := range append(p.Commands, own()...) {
		name := c.Name
		if len(c.Verbs) > 0 {
			name += " " + strings.Join(c.Verbs, "|")
		}
		_, _ = fmt.Fprintf(&b, "  %s %s\n      %s\n      %s\n", p.Name, name, c.Summary.ZH, c.Summary.EN)
	}
	_, _ = fmt.Fprintf(&b, "\n%s help COMMAND 说明一个命令 / tells more of a command\n", p.Name)
	if _, err := io.WriteString(p.Stdout, b.String()); err != nil {
		return err
	}
	if p.Main != nil {
		if _, err := io.WriteString(p.Stdout, "\n不带命令时 / without a command:\n"); err != nil {
			return err
		}
		if err := ignoreHelp(p.Main(ctx, []string{"-h"}, p.Stdout, p.Stdout)); err != nil {
			return err
		}
	}
	return p.examples(p.Examples)
}

func (p Program) examples(all []string) error {
	if len(all) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(p.Stdout, "\n示例 / examples:\n  %s\n", strings.Join(all, "\n  "))
	return err
}

// own returns the commands that each program has by this package.
func own() []Command {
	return []Command{
		{Name: "help", Summary: condition.Text{ZH: "打印说明", EN: "print what there is"}},
		{Name: "version", Summary: condition.Text{ZH: "打印版本", EN: "print the version"}},
		{Name: "completion", Verbs: []string{"bash", "zsh"}, Summary: condition.Text{ZH: "打印命令补全脚本", EN: "print the shell's completion"}},
	}
}
