package account

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Passwords that many people choose, in small letters and sorted, one a line.
//
//go:embed common.txt
var common string

// Bounds of a password, in characters.
const (
	LeastPassword = 12
	MostPassword  = 128
)

// ErrPassword says why a password cannot be taken.
var ErrPassword = errors.New("密码不能用 (this password cannot be taken)")

// CheckPassword reports why a password is too easily guessed. Length is all that is asked for: no kind of character is mandatory and none
// forbidden. What many people choose is refused, however it is lengthened by digits, signs or repetition, and so is the person's own name.
func CheckPassword(password, login, name string) error {
	n := utf8.RuneCountInString(password)
	folded := fold(password)
	switch {
	case !utf8.ValidString(password):
		return fmt.Errorf("%w: 不是文字 (no text)", ErrPassword)
	case n < LeastPassword:
		return fmt.Errorf("%w: 至少 %d 个字符，可以用一句话 (at least %d characters; a sentence will do)", ErrPassword, LeastPassword, LeastPassword)
	case n > MostPassword:
		return fmt.Errorf("%w: 至多 %d 个字符 (at most %d characters)", ErrPassword, MostPassword, MostPassword)
	case strings.Trim(folded, "0123456789 .-/") == "":
		return fmt.Errorf("%w: 只有数字，如电话、生日、证件号 (digits only, as of a telephone or a birthday)", ErrPassword)
	}
	for _, own := range []string{fold(login), fold(name)} {
		if utf8.RuneCountInString(own) >= 2 && strings.Contains(folded, own) &&
			utf8.RuneCountInString(strings.ReplaceAll(folded, own, "")) < LeastPassword-4 {
			return fmt.Errorf("%w: 主要是登录名或姓名 (mostly the name)", ErrPassword)
		}
	}
	if guessable(folded) {
		return fmt.Errorf("%w: 太常见，容易被猜到 (many people choose it)", ErrPassword)
	}
	return nil
}

// fold returns a text as the list of common ones has it: small letters, and letters for the signs that stand for them.
func fold(s string) string {
	return strings.NewReplacer("@", "a", "$", "s", "!", "i").Replace(strings.ToLower(strings.TrimSpace(s)))
}

// guessable reports whether a folded password is made of few parts that many people choose, of runs, or of one part again and again.
func guessable(s string) bool {
	if isCommon(s) || period(s) < len([]rune(s))/2 {
		return true
	}
	// What is left without common words, runs of keys or digits, and dates, must still be hard to guess.
	left := len([]rune(s))
	for rest := []rune(s); len(rest) > 0; {
		n := commonPrefix(rest)
		if n == 0 {
			rest = rest[1:]
			continue
		}
		left -= n - 1 // a common part counts as one character
		rest = rest[n:]
	}
	return left < LeastPassword/2
}

// commonPrefix returns how many characters at the beginning belong together for whoever guesses.
func commonPrefix(s []rune) int {
	for n := len(s); n >= 4; n-- {
		if isCommon(string(s[:n])) {
			return n
		}
	}
	n := 0
	for n < len(s) && unicode.IsDigit(s[n]) {
		n++
	}
	if n >= 3 {
		return n // a number: a date, a telephone, a year
	}
	for _, step := range []rune{0, 1, -1} {
		n = 1
		for n < len(s) && s[n] == s[n-1]+step {
			n++
		}
		if n >= 3 {
			return n
		}
	}
	return 0
}

// period returns after how many characters a text repeats itself.
func period(s string) int {
	r := []rune(s)
	for n := 1; n < len(r); n++ {
		if slices.Equal(r[n:], r[:len(r)-n]) {
			return n
		}
	}
	return len(r)
}

// isCommon looks a word up by halving the list, whose lines are sorted and all ended.
func isCommon(word string) bool {
	low, high := 0, len(common) // of the bytes in which its line may begin
	for low < high {
		begin := (low + high) / 2
		begin = low + strings.LastIndexByte(common[low:begin], '\n') + 1
		end := begin + strings.IndexByte(common[begin:], '\n')
		switch line := common[begin:end]; {
		case line == word:
			return true
		case line < word:
			low = min(end+1, len(common))
		default:
			high = begin
		}
	}
	return false
}
