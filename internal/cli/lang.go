package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

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

// Head returns the head of a table: a line for each language.
func (l Lang) Head(zh, en string) string {
	return strings.TrimSuffix(l.lines(condition.Text{ZH: zh, EN: en}, ""), "\n")
}

// Error returns what an error says. What has no words in the language stays as it is.
func (l Lang) Error(err error) string {
	text := err.Error()
	each(err, func(w *worded) { text = strings.ReplaceAll(text, w.Error(), w.in(l)) })
	return text
}

// each calls f for what an error and those in it have in two languages, the outer ones first.
func each(err error, f func(*worded)) {
	if w, ok := err.(*worded); ok {
		f(w)
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			each(inner, f)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			each(inner, f)
		}
	}
}

// worded is an error in both languages.
type worded struct {
	text  condition.Text
	cause error // may be nil
}

// Error returns an error in both languages.
func Error(zh, en string) error { return &worded{text: condition.Text{ZH: zh, EN: en}} }

// Errorf returns an error in both languages, whose formats take the same arguments.
func Errorf(zh, en string, args ...any) error {
	return Error(fmt.Sprintf(zh, args...), fmt.Sprintf(en, args...))
}

// Because returns an error in both languages with its cause.
func Because(cause error, zh, en string) error { return &worded{condition.Text{ZH: zh, EN: en}, cause} }

func (w *worded) Error() string { return w.in(Both) }
func (w *worded) Unwrap() error { return w.cause }

func (w *worded) in(l Lang) string {
	text := l.Text(w.text)
	if w.cause != nil {
		text += ": " + l.Error(w.cause)
	}
	return text
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
