// Package cli is how the product's three programs are asked: help, versions, languages, progress, commands and their errors are alike in
// all of them, and the completion of shells comes from the same table.
//
// With -lang zh or en, anywhere among the arguments, people read one language, else both. What goes to programs is the same in each.
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

// Usage returns a UsageError in both languages.
func Usage(zh, en string) error { return &UsageError{Error(zh, en)} }

// Unexpected returns the UsageError of an argument too many.
func Unexpected(arg string) error {
	return Hint(Usage(fmt.Sprintf("多余的参数 %q", arg), fmt.Sprintf("argument %q is unexpected", arg)), "再加 -h，列出可以写什么",
		"add -h to see what there is")
}

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
		return misread(err)
	case usage != nil:
		usage()
	default:
		f.PrintDefaults()
	}
	return flag.ErrHelp
}

// misread says in both languages what package flag did not understand, and where what there is stands.
func misread(err error) error {
	text := err.Error()
	if flag, ok := strings.CutPrefix(text, "flag provided but not defined: "); ok {
		err = Error("没有 "+flag+" 这个选项", "there is no flag "+flag)
	} else if flag, ok := strings.CutPrefix(text, "flag needs an argument: "); ok {
		err = Error("选项 "+flag+" 后面没有值", "the flag "+flag+" has no value")
	} else if invalid, rest, ok := strings.Cut(text, " for "); ok && strings.HasPrefix(invalid, "invalid ") {
		_, value, _ := strings.Cut(invalid, "value ") // "invalid boolean value" of a switch
		flag, why, _ := strings.Cut(strings.TrimPrefix(rest, "flag "), ": ")
		err = Error(fmt.Sprintf("选项 %s 不能是 %s（%s）", flag, value, why), fmt.Sprintf("the flag %s cannot be %s (%s)", flag, value, why))
	}
	return Hint(&UsageError{err}, "再加 -h，列出全部选项", "add -h to see which there are")
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

// Run does what the arguments say. Its error speaks the language that they ask for.
func (p Program) Run(ctx context.Context, args []string) error {
	ctx, args, err := takeLang(ctx, args)
	if err == nil {
		err = p.run(ctx, args)
	}
	if err == nil {
		return nil
	}
	return &spoken{err, LangOf(ctx)}
}

func (p Program) run(ctx context.Context, args []string) error {
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
		if len(args) > 1 && slices.ContainsFunc(args[1:], isHelp) {
			return p.help(ctx, args[:1])
		}
		if len(args) > 1 {
			return Usage(fmt.Sprintf("version 之后不能有 %q", args[1]), fmt.Sprintf("version takes no %q", args[1]))
		}
		_, err := fmt.Fprintln(p.Stdout, p.Name, p.Version)
		return err
	case "completion":
		if slices.ContainsFunc(args, isHelp) {
			return p.help(ctx, args[:1])
		}
		return p.completion(ctx, args[1:])
	}
	if c, ok := p.find(first); ok {
		if slices.ContainsFunc(args[1:], isHelp) {
			return p.help(ctx, args[:min(len(args), 2)])
		}
		return ignoreHelp(c.Run(ctx, args[1:], p.Stdout, p.Stderr))
	}
	if p.Main != nil && strings.HasPrefix(first, "-") {
		if slices.ContainsFunc(args, isHelp) {
			return p.help(ctx, nil)
		}
		return p.Main(ctx, args, p.Stdout, p.Stderr)
	}
	return p.unknown(first)
}

func (p Program) unknown(name string) error {
	return Usage(fmt.Sprintf("没有 %q 这个命令；%s help 列出全部", name, p.Name), fmt.Sprintf("there is no command %q; %s help lists all", name, p.Name))
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
		return p.ownHelp(LangOf(ctx), args[0])
	}
	ask := []string{"-h"}
	switch {
	case len(args) < 2 || isHelp(args[1]):
	case slices.Contains(c.Verbs, args[1]):
		ask = []string{args[1], "-h"}
	case len(c.Verbs) > 0 && !strings.HasPrefix(args[1], "-"):
		return p.unknown(c.Name + " " + args[1])
	}
	lang := LangOf(ctx)
	_, err := fmt.Fprintf(p.Stdout, "%s %s\n%s\n", p.Name, strings.Join(append([]string{c.Name}, ask[:len(ask)-1]...), " "),
		lang.lines(c.Summary, ""))
	if err == nil {
		err = ignoreHelp(c.Run(ctx, ask, p.Stdout, p.Stdout))
	}
	return errors.Join(err, p.examples(lang, c.Examples))
}

// ownHelp prints what a command of this package does.
func (p Program) ownHelp(lang Lang, name string) error {
	all := own()
	i := slices.IndexFunc(all, func(c Command) bool { return c.Name == name })
	if i < 0 {
		return p.unknown(name)
	}
	use := append([]string{p.Name, name}, all[i].Examples...)
	_, err := fmt.Fprintf(p.Stdout, "%s\n%s", strings.Join(use, " "), lang.lines(all[i].Summary, ""))
	return err
}

// lines returns a text with a line for each language.
func (l Lang) lines(t condition.Text, indent string) string {
	if l == Both {
		return indent + t.ZH + "\n" + indent + t.EN + "\n"
	}
	return indent + l.Text(t) + "\n"
}

func (p Program) overview(ctx context.Context) error {
	lang := LangOf(ctx)
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "%s %s\n%s\n", p.Name, p.Version, lang.lines(p.About, ""))
	for _, c := range append(p.Commands, own()...) {
		name := c.Name
		if len(c.Verbs) > 0 {
			name += " " + strings.Join(c.Verbs, "|")
		}
		_, _ = fmt.Fprintf(&b, "  %s %s\n%s", p.Name, name, lang.lines(c.Summary, "      "))
	}
	_, _ = fmt.Fprintf(&b, "\n%s help COMMAND  %s\n", p.Name, lang.Say("说明一个命令", "tells more of a command"))
	_, _ = fmt.Fprintf(&b, "-lang zh|en|both  %s\n", lang.Say("以什么语言显示，可写在任何位置", "the language, anywhere among the arguments"))
	if p.Main != nil {
		_, _ = fmt.Fprintf(&b, "\n%s:\n", lang.Say("不带命令时", "without a command"))
	}
	if _, err := io.WriteString(p.Stdout, b.String()); err != nil {
		return err
	}
	if p.Main != nil {
		if err := ignoreHelp(p.Main(ctx, []string{"-h"}, p.Stdout, p.Stdout)); err != nil {
			return err
		}
	}
	return p.examples(lang, p.Examples)
}

func (p Program) examples(lang Lang, all []string) error {
	if len(all) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(p.Stdout, "\n%s:\n  %s\n", lang.Say("示例", "examples"), strings.Join(all, "\n  "))
	return err
}

// own returns the commands that each program has by this package.
func own() []Command {
	return []Command{
		{Name: "help", Examples: []string{"[COMMAND]"}, Summary: condition.Text{ZH: "打印说明", EN: "print what there is"}},
		{Name: "version", Summary: condition.Text{ZH: "打印版本", EN: "print the version"}},
		{Name: "completion", Verbs: []string{"bash", "zsh"}, Examples: []string{"bash|zsh"},
			Summary: condition.Text{ZH: "打印命令补全脚本", EN: "print the shell's completion"}},
	}
}
