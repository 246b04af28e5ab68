package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"haochaping/internal/condition"
)

// Lang is the language that a program speaks. JSON, records and names are the same in each.
type Lang string

// The languages. Without -lang a program speaks both, the Chinese first.
const (
	Both    Lang = "both"
	Chinese Lang = "zh"
	English Lang = "en"
)

// Say returns a sentence.
func (l Lang) Say(zh, en string) string {
	switch {
	case l == Chinese || zh == en:
		return zh
	case l == English:
		return en
	}
	return zh + " / " + en
}

// Text returns a text.
func (l Lang) Text(t condition.Text) string { return l.Say(t.ZH, t.EN) }

// Written returns what is written in both languages with a slash between, as a keypad's profile says what it is about.
func (l Lang) Written(text string) string {
	zh, en, both := strings.Cut(text, " / ")
	if !both || !strings.ContainsFunc(zh, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return text
	}
	return l.Say(zh, en)
}

// Head returns the head of a table: a line for each language.
func (l Lang) Head(zh, en string) string {
	return strings.TrimSuffix(l.lines(condition.Text{ZH: zh, EN: en}, ""), "\n")
}

// Error returns what an error says. What has no words in the language stays as it is.
func (l Lang) Error(err error) string {
	text := err.Error()
	replace := func(said, inLang string) { text = strings.ReplaceAll(text, said, inLang) }
	each(err, replace, func(err error) (string, bool) {
		switch e := err.(type) {
		case *worded:
			return e.in(l), true
		case speaker:
			return l.Say(e.Words()), true
		}
		return "", false
	})
	// What the system says comes last: it may stand within words that were replaced.
	each(err, replace, func(err error) (string, bool) {
		zh := ofSystem(err)
		return zh, zh != "" && l == Chinese
	})
	return text
}

// speaker is an error with words in both languages, also one of a package that does not know this one.
type speaker interface{ Words() (zh, en string) }

// each calls f for what an error and those in it say and how that is said by in, the outer ones first.
func each(err error, f func(said, inLang string), in func(error) (string, bool)) {
	if words, ok := in(err); ok {
		f(err.Error(), words)
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			each(inner, f, in)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			each(inner, f, in)
		}
	}
}

// ofSystem returns in Chinese what the system itself says of a failure, empty for what it does not.
func ofSystem(err error) string {
	switch err {
	case syscall.ENOENT, fs.ErrNotExist:
		return "没有这个文件或文件夹"
	case syscall.EACCES, fs.ErrPermission:
		return "权限不足"
	case syscall.EPERM:
		return "不允许这样做"
	case syscall.EEXIST, fs.ErrExist:
		return "已经存在"
	case syscall.EISDIR:
		return "是文件夹"
	case syscall.ENOTDIR:
		return "不是文件夹"
	case syscall.ENOSPC:
		return "磁盘已满"
	case syscall.EROFS:
		return "文件系统只读"
	case syscall.EBUSY:
		return "正被使用"
	case syscall.ENXIO, syscall.ENODEV:
		return "没有这个设备"
	case syscall.EIO:
		return "读写出错"
	case syscall.EINVAL:
		return "参数不对"
	case syscall.ECONNREFUSED:
		return "对方没有在监听"
	case syscall.ECONNRESET, syscall.EPIPE:
		return "连接被对方断开"
	case syscall.EHOSTUNREACH, syscall.ENETUNREACH:
		return "到不了对方"
	case syscall.ETIMEDOUT, os.ErrDeadlineExceeded, context.DeadlineExceeded:
		return "没有及时得到回答"
	case syscall.EADDRINUSE:
		return "地址已被占用"
	case syscall.EADDRNOTAVAIL:
		return "本机没有这个地址"
	case io.EOF, io.ErrUnexpectedEOF:
		return "内容中断"
	case exec.ErrNotFound:
		return "没有安装这个程序"
	}
	return ""
}

// worded is an error in both languages.
type worded struct {
	text  condition.Text
	cause error // may be nil
}

// Error returns an error in both languages.
func Error(zh, en string) error { return &worded{text: condition.Text{ZH: zh, EN: en}} }

// Errorf returns an error in both languages, whose formats take the same arguments. An error among these speaks the format's language.
func Errorf(zh, en string, args ...any) error {
	return Error(fmt.Sprintf(zh, Chinese.args(args)...), fmt.Sprintf(en, English.args(args)...))
}

func (l Lang) args(args []any) []any {
	args = slices.Clone(args)
	for i, a := range args {
		if err, ok := a.(error); ok {
			args[i] = l.Error(err)
		}
	}
	return args
}

// Because returns an error in both languages with its cause.
func Because(cause error, zh, en string) error { return &worded{condition.Text{ZH: zh, EN: en}, cause} }

func (w *worded) Error() string { return w.in(Both) }
func (w *worded) Unwrap() error { return w.cause }

func (w *worded) in(l Lang) string {
	if w.cause == nil {
		return l.Text(w.text)
	}
	what, do := l.Part(l.Text(w.text))
	if do != "" {
		do = l.Say("；", "; ") + do
	}
	if l == Both {
		what, do = l.Text(w.text), ""
	}
	return what + ": " + l.Error(w.cause) + do
}

// Part parts what is wrong from what to do, which a text in one language has behind a semicolon. What is quoted may hold one.
func (l Lang) Part(text string) (what, do string) {
	sign, quoted := l.Say("；", "; "), false
	for i := range text {
		if text[i] == '"' && (i == 0 || text[i-1] != '\\') {
			quoted = !quoted
		}
		if !quoted && strings.HasPrefix(text[i:], sign) {
			return text[:i], text[i+len(sign):]
		}
	}
	return text, ""
}

// hinted is an error with what to do about it.
type hinted struct {
	err  error
	hint condition.Text
}

// Hint returns the error with what to do about it.
func Hint(err error, zh, en string) error { return &hinted{err, condition.Text{ZH: zh, EN: en}} }

// HintOf returns what to do about an error, which is empty if nobody knows.
func HintOf(err error) condition.Text {
	if h := new(hinted); errors.As(err, &h) {
		return h.hint
	}
	return condition.Text{}
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }

// spoken is an error in the language that was asked for.
type spoken struct {
	err  error
	lang Lang
}

func (s *spoken) Error() string { return s.lang.Error(s.err) }
func (s *spoken) Unwrap() error { return s.err }

// Report prints why a program failed, and what to do if that is known, in the language that it was asked for.
func Report(stderr io.Writer, name string, err error) {
	lang := Both
	if s := new(spoken); errors.As(err, &s) {
		lang = s.lang
	}
	_, _ = fmt.Fprintf(stderr, "%s: %s\n", name, lang.Error(err)) // the status tells it too
	if hint := HintOf(err); hint != (condition.Text{}) {
		_, _ = fmt.Fprintf(stderr, "%s: %s\n", lang.Say("处理", "hint"), lang.Text(hint))
	}
}

// langKey is the key of a language in a context.
type langKey struct{}

// LangOf returns the language that was asked for.
func LangOf(ctx context.Context) Lang {
	if l, ok := ctx.Value(langKey{}).(Lang); ok {
		return l
	}
	return Both
}

// takeLang returns the arguments without -lang, and the context with what it asks for.
func takeLang(ctx context.Context, args []string) (context.Context, []string, error) {
	var rest []string
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		switch {
		case args[i] == "--":
			return ctx, append(rest, args[i:]...), nil
		case name != "-lang" && name != "--lang":
			rest = append(rest, args[i])
			continue
		case !joined && i+1 < len(args):
			i++
			value = args[i]
		}
		l := Lang(value)
		if l != Both && l != Chinese && l != English {
			return ctx, nil, &UsageError{Error(fmt.Sprintf("-lang 是 zh、en 或 both，不是 %q", value),
				fmt.Sprintf("-lang is zh, en or both, and not %q", value))}
		}
		ctx = context.WithValue(ctx, langKey{}, l)
	}
	return ctx, rest, nil
}
