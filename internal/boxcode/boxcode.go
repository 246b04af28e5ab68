package boxcode

import (
	"fmt"
	"strings"
)

const (
	// Letters are those of a code. There are no vowels, so that no code is a word.
	Letters = "BCDFGHJKLMNPQRSTVWXZ"
	// Length is how many letters a code has.
	Length = 8
	// Lamps is how many lamps tell a code. No row of letters or digits is longer.
	Lamps = 5

	digits = "0123456789"
	// flashes is by how many lamps a code is told.
	flashes = 2 * Length
	// group is how many flashes stand together.
	group = 4
)

// Flashes returns the lamps that tell a code, from 1 on the left, two for each letter.
func Flashes(code string) ([]int, error) { return tell(code, Letters, "letter of a code") }

// DigitFlashes returns the lamps that tell check digits, two for each.
func DigitFlashes(check string) ([]int, error) { return tell(check, digits, "digit") }

func tell(text, alphabet, what string) ([]int, error) {
	var all []int
	for _, c := range text {
		i := strings.IndexRune(alphabet, c)
		if i < 0 {
			return nil, fmt.Errorf("%q is no %s", c, what)
		}
		all = append(all, 1+i/Lamps, 1+i%Lamps)
	}
	return all, nil
}

// Grouped writes flashes as people write them down: four, a space, four.
func Grouped(all []int) string {
	var b strings.Builder
	for i, lamp := range all {
		if i > 0 && i%group == 0 {
			b.WriteByte(' ')
		}
		fmt.Fprint(&b, lamp)
	}
	return b.String()
}

// Clean returns a code as it is kept, of one that was typed: in groups, in small letters, by the numbers of lamps. What is no code comes
// out as none.
func Clean(typed string) string {
	text := squeeze(typed)
	if !ByLamps(text) {
		return text
	}
	code := make([]byte, 0, Length)
	for i := 0; i < flashes; i += 2 {
		place := int(text[i]-'1')*Lamps + int(text[i+1]-'1')
		if place >= len(Letters) {
			return text
		}
		code = append(code, Letters[place])
	}
	return string(code)
}

// ByLamps reports whether what was typed is as long as a code that was read from lamps, and has nothing but their numbers.
func ByLamps(typed string) bool {
	text := squeeze(typed)
	return len(text) == flashes && strings.Trim(text, "12345") == ""
}

// Split returns the codes that were typed one after another, as they were typed. Between two stands a comma, a line's end, or a space
// behind a whole one; other spaces stand within one.
func Split(typed string) (all []string) {
	for _, part := range strings.FieldsFunc(typed, func(c rune) bool { return strings.ContainsRune("\r\n,;，；、", c) }) {
		var begun []string
		end := func() {
			if len(begun) > 0 {
				all = append(all, strings.Join(begun, " "))
			}
			begun = nil
		}
		for _, word := range strings.Fields(part) {
			if whole(word) {
				end()
			}
			if begun = append(begun, word); whole(strings.Join(begun, "")) {
				end()
			}
		}
		end()
	}
	return all
}

// whole reports whether what was typed is as long as a code.
func whole(typed string) bool {
	text := squeeze(typed)
	return ByLamps(text) || len(text) == Length && strings.Trim(text, Letters) == ""
}

// squeeze returns what was typed in capital letters of ASCII where there are such, without spaces and hyphens.
func squeeze(typed string) string {
	const wide = '！' - '!' // how far the letters that a Chinese keyboard writes are from those of ASCII
	return strings.Map(func(c rune) rune {
		if c >= '！' && c <= '～' {
			c -= wide
		}
		if c == ' ' || c == '\t' || c == '　' || c == '-' {
			return -1
		}
		return c
	}, strings.ToUpper(typed))
}
