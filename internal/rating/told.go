package rating

import (
	"fmt"
	"slices"
)

// told is an error in Chinese and in English, for whoever wrote a file.
type told struct{ zh, en string }

// tell returns one whose formats take the same arguments. Each says what is wrong and, behind a semicolon, what to do.
func tell(zh, en string, args ...any) error {
	inZH, inEN := slices.Clone(args), slices.Clone(args)
	for i, a := range args {
		if t, ok := a.(*told); ok {
			inZH[i], inEN[i] = t.zh, t.en
		}
	}
	return &told{fmt.Sprintf(zh, inZH...), fmt.Sprintf(en, inEN...)}
}

func (t *told) Error() string { return t.zh + " / " + t.en }

// Words returns it in each language.
func (t *told) Words() (zh, en string) { return t.zh, t.en }
