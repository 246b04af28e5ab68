package account

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestCheckPassword(t *testing.T) {
	for _, bad := range []string{"", "short", "12345678901", "13893112345678", "1990-01-01 1990", "password1234", "P@ssw0rd2026!",
		"Woaini1314520", "woaini5201314", "wangwei19900101",
		"Lanzhou@20260101", "1qaz2wsx3edc4rfv", "qwertyuiop123", "abcabcabcabc", "aaaaaaaaaaaa", "zhengwudating123", "Haochaping2026",
		"asdfghjkl;123", "abcdefghijkl",
		"liqiang13800001111", "li.qiang2026", strings.Repeat("é", MostPassword+1), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if err := CheckPassword(bad, "li.qiang", "李强"); !errors.Is(err, ErrPassword) {
			t.Errorf("%q is taken: %v", bad, err)
		}
	}
	for _, good := range []string{"correct horse battery staple", "门口的槐树今年开得早了三天", "vK7#pq!mZ2wL", "the tram to Xigu leaves late",
		"  spaces stay inside it  "} {
		if err := CheckPassword(good, "li.qiang", "李强"); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

// The list is sorted, so that each of its words is found by halving.
func TestEachCommonPasswordIsFound(t *testing.T) {
	all := strings.Split(strings.TrimSuffix(common, "\n"), "\n")
	if len(all) < 3000 || !slices.IsSorted(all) {
		t.Fatalf("%d words, sorted: %v; want 3,000 at least", len(all), slices.IsSorted(all))
	}
	for _, w := range all {
		if w != fold(w) || !isCommon(w) {
			t.Errorf("%q is not found", w)
		}
	}
	for _, w := range []string{"", "zzzzzzzzz~", " ", "notinanylist9"} {
		if isCommon(w) {
			t.Errorf("%q is found", w)
		}
	}
}
