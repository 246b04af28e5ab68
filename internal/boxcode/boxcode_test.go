package boxcode_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/boxcode"
)

// TestACodeComesBackFromItsLamps: every code is told by sixteen flashes of five lamps, of which it comes again
// however they are typed.
func TestACodeComesBackFromItsLamps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringOfN(rapid.SampledFrom([]rune(boxcode.Letters)), boxcode.Length, boxcode.Length, -1).Draw(t, "code")
		all, err := boxcode.Flashes(code)
		if err != nil || len(all) != 16 {
			t.Fatalf("%s is told by %v, %v", code, all, err)
		}
		for i, lamp := range all {
			if most := 4 + i%2; lamp < 1 || lamp > most {
				t.Fatalf("flash %d of %s is of lamp %d, there are %d", i+1, code, lamp, most)
			}
		}
		typed := boxcode.Grouped(all)
		wide := strings.Map(func(c rune) rune {
			if c == ' ' {
				return '　'
			}
			return c - '1' + '１'
		}, typed)
		for _, s := range []string{typed, strings.ReplaceAll(typed, " ", ""), strings.ReplaceAll(typed, " ", "-"), wide} {
			if got := boxcode.Clean(s); got != code || !boxcode.ByLamps(s) {
				t.Fatalf("%q is the code %q, by lamps: %t; want %s", s, got, boxcode.ByLamps(s), code)
			}
		}
		for _, s := range []string{code, strings.ToLower(code), code[:4] + " " + code[4:]} {
			if got := boxcode.Clean(s); got != code || boxcode.ByLamps(s) {
				t.Fatalf("%q is the code %q, by lamps: %t; want %s", s, got, boxcode.ByLamps(s), code)
			}
		}
	})
}

// TestOtherLampsAreAnotherCode: no two codes are told alike, also where one flash is misread.
func TestOtherLampsAreAnotherCode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.StringOfN(rapid.SampledFrom([]rune(boxcode.Letters)), boxcode.Length, boxcode.Length, -1).Draw(t, "code")
		all, err := boxcode.Flashes(code)
		if err != nil {
			t.Fatal(err)
		}
		i := rapid.IntRange(0, len(all)-1).Draw(t, "misread")
		all[i] = (all[i]+rapid.IntRange(0, 3).Draw(t, "by"))%boxcode.Lamps + 1
		if got := boxcode.Clean(boxcode.Grouped(all)); got == code {
			t.Fatalf("%v is %s, too", all, code)
		}
	})
}

// TestTheTable holds what the documents print.
func TestTheTable(t *testing.T) {
	all, err := boxcode.Flashes("BGMTCLXZ")
	if got := boxcode.Grouped(all); err != nil || got != "1115 2541 1224 4445" {
		t.Errorf("BGMTCLXZ is told as %s, %v", got, err)
	}
	if all, err = boxcode.DigitFlashes("0459"); err != nil || boxcode.Grouped(all) != "1115 2125" {
		t.Errorf("0459 is told as %v, %v", all, err)
	}
	for _, s := range []string{"BCDA", "BCD1", "bcdf"} {
		if all, err := boxcode.Flashes(s); err == nil {
			t.Errorf("%s is told as %v", s, all)
		}
	}
	for _, s := range []string{"5111 1111 1111 1111", "1111 1111 1111 111", "1111 1111 1111 1116"} { // no row 5, too short, no lamp 6
		if got := boxcode.Clean(s); strings.Trim(got, boxcode.Letters) == "" {
			t.Errorf("%s is the code %s", s, got)
		}
	}
}

func TestSplit(t *testing.T) {
	for typed, want := range map[string][]string{
		"":                                  nil,
		" , ,":                              nil,
		"BCDFGHJK":                          {"BCDFGHJK"},
		"bcdf ghjk":                         {"bcdf ghjk"},
		"BCDF GHJK LMNP QRST":               {"BCDF GHJK", "LMNP QRST"},
		"BCDFGHJK LMNPQRST, XXXX XXXX":      {"BCDFGHJK", "LMNPQRST", "XXXX XXXX"},
		"BCDFGHJK、LMNPQRST\nXXXXXXXX":       {"BCDFGHJK", "LMNPQRST", "XXXXXXXX"},
		"BCD GHJK LMNPQRST":                 {"BCD GHJK", "LMNPQRST"}, // a letter is missing, and spoils one code only
		"1121 3141 1234 4445":               {"1121 3141 1234 4445"},
		"1121314112344445 1111111111111111": {"1121314112344445", "1111111111111111"},
		"1 1 2 1 3 1 4 1 1 2 3 4 4 4 4 5":   {"1 1 2 1 3 1 4 1 1 2 3 4 4 4 4 5"},
		"1121 3141 1234 4445 BCDFGHJK":      {"1121 3141 1234 4445", "BCDFGHJK"},
		"１１２１　３１４１　１２３４　４４４５，BCDFGHJK": {"１１２１ ３１４１ １２３４ ４４４５", "BCDFGHJK"},
	} {
		if diff := cmp.Diff(want, boxcode.Split(typed)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", typed, diff)
		}
	}
}

// FuzzClean: whatever is typed, a code comes out as itself, and no other thing as a code of another length.
func FuzzClean(f *testing.F) {
	f.Add("bcdf ghjk")
	f.Add("1121 3141 1234 4445")
	f.Fuzz(func(t *testing.T, typed string) {
		code := boxcode.Clean(typed)
		if again := boxcode.Clean(code); again != code {
			t.Errorf("%q is %q, which is %q", typed, code, again)
		}
		if boxcode.ByLamps(code) && !boxcode.ByLamps(typed) {
			t.Errorf("%q became the lamps %q", typed, code)
		}
		for _, s := range boxcode.Split(typed) {
			if s == "" {
				t.Errorf("%q has an empty code", typed)
			}
		}
	})
}
