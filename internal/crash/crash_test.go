package crash

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestContain(t *testing.T) {
	var none []int
	for name, c := range map[string]struct {
		f    func() error
		want string // in the error, empty for none
		is   error
		died bool
	}{
		"in order": {f: func() error { return nil }},
		"an error": {f: func() error { return io.EOF }, want: "EOF", is: io.EOF},
		"a panic":  {f: func() error { panic("lost") }, want: "a fault of the program: lost", died: true},
		"an index": {f: func() error { _ = none[len(none)]; return nil }, want: "index out of range", died: true},
		"of an error": {f: func() error { panic(fmt.Errorf("read: %w", io.ErrUnexpectedEOF)) }, want: "read: unexpected EOF",
			is: io.ErrUnexpectedEOF, died: true},
	} {
		t.Run(name, func(t *testing.T) {
			err := Contain(c.f)
			switch {
			case err == nil && c.want == "":
			case err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is):
				t.Errorf("error %v, want %q", err, c.want)
			}
			if stack := StackOf(fmt.Errorf("part: %w", err)); strings.Contains(stack, "crash_test.go") != c.died {
				t.Errorf("stack %q", stack)
			}
		})
	}
}
