package rating

import (
	"regexp"
	"testing"
)

func TestEveryLevelHasAFaceOfItsOwn(t *testing.T) {
	path := regexp.MustCompile(`^(M( -?[0-9.]+){2}( l( -?[0-9.]+){2}| q( -?[0-9.]+){4}| c( -?[0-9.]+){6}| z)+ ?)*$`)
	seen := make(map[string]Level)
	for _, l := range Levels() {
		f := l.Face()
		if !path.MatchString(f.Lines) || !path.MatchString(f.Filled) || f.Lines == "" {
			t.Errorf("%v: %q and %q are not paths as described", l, f.Lines, f.Filled)
		}
		if other, ok := seen[f.Lines]; ok {
			t.Errorf("%v and %v have the same lines", l, other)
		}
		seen[f.Lines] = l
	}
}
