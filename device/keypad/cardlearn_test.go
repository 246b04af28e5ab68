package keypad

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestLearnCards(t *testing.T) {
	for name, c := range map[string]struct {
		cards   []string
		printed string
		want    string // in the profile
		numbers []string
	}{
		"STX, CR LF, ETX": {[]string{"\x020012345678\r\n\x03", "\x020012349999\r\n\x03"}, "", `layout = "02 key*10=30-39 0d 0a 03"`,
			[]string{"0012345678", "0012349999"}},
		"one card": {[]string{"\x020012345678\r\n\x03"}, "", `layout = "02 key*10=30-39 0d 0a 03"`, []string{"0012345678"}},
		"three numbers": {[]string{"0012345678,190,24910\r\n", "0009334109,142,28\r\n"}, "",
			`layout = "text*10=30-39 2c skip*1-20=30-39 2c skip*1-20=30-39 0d 0a"`, []string{"0012345678", "0009334109"}},
		"the second of three": {[]string{"0012345678,19012,24910\r\n", "0009334109,14299,28\r\n"}, "19012", `2c text*5=30-39 2c`,
			[]string{"19012", "14299"}},
		"without an end":   {[]string{"0012345678", "0009334109"}, "", "gap = \"50ms\"", []string{"0012345678", "0009334109"}},
		"different widths": {[]string{"12345678\r", "9334109\r"}, "", "text*4-20=30-39 0d", []string{"12345678", "9334109"}},
		"LRC behind ETX":   {[]string{"\x021234\x03\x05", "\x025679\x03\x0c"}, "", "02 key*4=30-39 03 xor8(0:)", []string{"1234", "5679"}},
		"the xor in digits": {[]string{"\x020A0065ABCD09\x03", "\x020A0065ABCE0A\x03"}, "", "pairxor8(1:) 03",
			[]string{"0006663117", "0006663118"}},
		"binary": {[]string{"\x02\x0a\x02\x06\x00\x8e\x6d\x5d\xb0\x03", "\x02\x0a\x02\x2e\x00\xb6\xd7\xb5\xf2\x03"}, "",
			"A copy of the built-in profile card-packet", []string{"0009334109", "0011982773"}},
		"binary, low first": {[]string{"\xaa\x5d\x6d\x8e\x00\x55", "\xaa\x5d\x6e\x8f\x00\x55"}, "0009334109",
			"key*3 00 55\"\ncode = \"decimal-low\"\ndigits = 10", []string{"0009334109", "0009399901"}},
		"binary, of one batch": {[]string{"\xaa\x01\x00\x8e\x6d\x5d\x55", "\xaa\x01\x00\x8e\x6d\x5e\x55"}, "", `layout = "aa 01 key*4 55"`,
			[]string{"0009334109", "0009334110"}},
		"a magnetic stripe": {[]string{";1234567890=99121010000?\r\n", ";1234567891=99121010000?\r\n"}, "",
			`"3b text*10=30-39 3d skip*1-20=30-39 3f 0d 0a"`, []string{"1234567890", "1234567891"}},
		"one in brackets": {[]string{"[0012345678]\r\n"}, "", `"5b text*10=30-39 5d 0d 0a"`, []string{"0012345678"}},
		"stars, no line":  {[]string{"*0012345678#", "*0009334109#"}, "", `"2a text*10=30-39 23"`, []string{"0012345678", "0009334109"}},
		"pairs of digits": {[]string{"04:a3:22:b1\r\n", "04:a3:23:b1\r\n"}, "", `"text*4-32=30-39|41-5a|61-7a|3a 0d 0a"`,
			[]string{"04:a3:22:b1", "04:a3:23:b1"}},
		"pairs of one card": {[]string{"04 A3 22 B1\r\n"}, "", `"text*4-32=30-39|41-5a|61-7a|20 0d 0a"`, []string{"04A322B1"}},
		"words before it": {[]string{"Card No.:0012345678\r\n", "Card No.:0009334109\r\n"}, "", `3a text*10=30-39 0d 0a`,
			[]string{"0012345678", "0009334109"}},
		"filled up with blanks": {[]string{"   12345678\r\n", "    9334109\r\n"}, "", `"text*11=20|30-39 0d 0a"`,
			[]string{"12345678", "9334109"}},
		"filled up, one card": {[]string{"\x02  12345678\x03"}, "", `"02 key*10=20|30-39 03"`, []string{"12345678"}},
		"in columns": {[]string{"0012345678\t190\t24910\r\n", "0009334109\t142\t28061\r\n"}, "",
			`"text*10=30-39 09 skip*1-20=30-39 09 skip*1-20=30-39 0d 0a"`, []string{"0012345678", "0009334109"}},
		"in two lines": {[]string{"CARD\r\n0012345678\r\n", "CARD\r\n0009334109\r\n"}, "", `"43 41 52 44 0d 0a text*10=30-39 0d 0a"`,
			[]string{"0012345678", "0009334109"}},
		"words, one card": {[]string{"UID: 04A322B1\r\n"}, "", `3a 20 text*8=30-39|41-46 0d 0a`, []string{"04A322B1"}},
		"Chinese before it": {[]string{"卡号0012345678\r\n", "卡号0009334109\r\n"}, "", `"e5 8d a1 e5 8f b7 key*10=30-39 0d 0a"`,
			[]string{"0012345678", "0009334109"}},
		"the time before it": {[]string{"2026-11-26 08:01 0012345678\r\n", "2026-11-26 08:02 0009334109\r\n"}, "",
			`"skip*1-20=30-39 2d skip*1-20=30-39 2d`, []string{"0012345678", "0009334109"}},
		"letters around it": {[]string{"ID0012345678E\r\n", "ID0009334109E\r\n"}, "12345678", `"49 44 text*10=30-39 45 0d 0a"`,
			[]string{"0012345678", "0009334109"}},
		"two parts, printed": {[]string{"142,28061\r\n", "142,28062\r\n"}, "14228061", `"text*4-32=30-39|41-5a|61-7a|2c 0d 0a"`,
			[]string{"142,28061", "142,28062"}},
		"small xor in digits": {[]string{"\x020a0065abcd09\r\n\x03", "\x020a0065abce0a\r\n\x03"}, "0006663117", `pairxor8(1:) 0d 0a 03`,
			[]string{"0006663117", "0006663118"}},
		"hex, printed decimal": {[]string{"0A008E6D5D\r\n", "0A008E6D5E\r\n"}, "0009334109", "decimal-hex", []string{"0009334109", "0009334110"}},
	} {
		t.Run(name, func(t *testing.T) {
			var cards [][]byte
			for _, s := range c.cards {
				cards = append(cards, []byte(s))
			}
			l, err := LearnCards("hall", line9600, cards, c.printed, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(l.Text, c.want) {
				t.Errorf("%s is not in\n%s", c.want, l.Text)
			}
			if diff := cmp.Diff(c.numbers, l.Numbers); diff != "" {
				t.Errorf("numbers (-want +got):\n%s", diff)
			}
		})
	}
	for name, c := range map[string]struct {
		cards         []string
		printed, want string
	}{
		"one binary card":      {[]string{"\xaa\x01\x02\x03\x04\x55"}, "", "not understood"},
		"another number":       {[]string{"0012345678\r\n", "0009334109\r\n"}, "777", "the number 777 was not found"},
		"too short":            {[]string{"12"}, "", "of card 1 came 2 bytes"},
		"of different lengths": {[]string{"\xaa\x01\x02\x03\x04\x55", "\xaa\x01\x02\x55"}, "", "not understood"},
	} {
		t.Run(name, func(t *testing.T) {
			var cards [][]byte
			for _, s := range c.cards {
				cards = append(cards, []byte(s))
			}
			if l, err := LearnCards("hall", line9600, cards, c.printed, 0); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q\n%s", err, c.want, l.Text)
			}
		})
	}
	l, err := LearnCards("hall", line9600, [][]byte{[]byte("0012345678\r\n")}, "", 3*time.Second)
	if err != nil || l.Profile.Away != 4500*time.Millisecond {
		t.Errorf("a card that is sent every 3 s: %v\n%s", err, l.Text)
	}
}

// TestAnEndingIsNoChecksum learns a reader whose ending is by chance the sum of what stands before it on each card: the ending of another
// card is the same.
func TestAnEndingIsNoChecksum(t *testing.T) {
	var cards [][]byte
	for n := 10_000_000; len(cards) < 3; n += 7919 {
		b := fmt.Appendf(nil, "\x02%d", n)
		last := byte(256 + '\n' - '\r')
		for _, c := range b[1:] {
			last -= c
		}
		if b = append(b, last, '\r', '\n'); letters([]byte{last}) {
			cards = append(cards, b)
		}
	}
	l, err := LearnCards("hall", line9600, cards, "", 0)
	if err != nil || strings.Contains(l.About, "checksum") || !strings.Contains(l.Text, "0d 0a") {
		t.Errorf("% x: %v, %s\n%s", cards, err, l.About, l.Text)
	}
}

// reader is a card reader of the kinds that are learnt.
type reader struct {
	frame func(number string) []byte
	any   *rapid.Generator[string]
	sum   bool
}

func anyReader(t *rapid.T) reader {
	head := rapid.SampledFrom([]string{"", "\x02", "\x02", "\x01\x02"}).Draw(t, "head")
	tail := rapid.SampledFrom([]string{"", "\r", "\n", "\r\n", "\x03", "\r\n\x03", "\r\x03"}).Draw(t, "tail")
	set := rapid.SampledFrom([]string{"0-9", "0-9A-F", "0-9a-zA-Z"}).Draw(t, "set")
	low := rapid.IntRange(6, 12).Draw(t, "low")
	high := low
	if tail != "" && rapid.Bool().Draw(t, "varies") {
		high = low + 3
	}
	second := ""
	if tail != "" && rapid.Bool().Draw(t, "second number") {
		second = rapid.StringMatching(`[,;:/][0-9]{1,4}`).Draw(t, "second")
	}
	sum := checksum{}
	after := rapid.Bool().Draw(t, "after the tail")
	if head != "" && tail != "" && low == high && second == "" && rapid.Bool().Draw(t, "checked") {
		sum = rapid.SampledFrom(checksums()[:8]).Draw(t, "checksum")
	}
	return reader{any: rapid.StringMatching(fmt.Sprintf("[%s]{%d,%d}", set, low, high)), sum: sum.of != nil,
		frame: func(number string) []byte {
			b := []byte(head + number + second)
			if sum.of == nil {
				return append(b, tail...)
			}
			if after {
				b = append(b, tail...)
			}
			b = append(b, sum.of(b[1:])...)
			if !after {
				b = append(b, tail...)
			}
			return b
		}}
}

// TestARandomReaderIsLearnt learns random readers of text from a few cards, and reads others with what was learnt: each is the
// number that the reader sent, or with a checksum nothing if a byte was changed on its way.
func TestARandomReaderIsLearnt(t *testing.T) {
	learnt, refused := 0, make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		r := anyReader(t)
		numbers := rapid.SliceOfNDistinct(r.any, 3, 3, rapid.ID[string]).Draw(t, "learnt")
		var cards [][]byte
		for _, n := range numbers {
			cards = append(cards, r.frame(n))
		}
		l, err := LearnCards("hall", line9600, cards, "", 0)
		if err != nil {
			refused[regexp.MustCompile(`[0-9]+`).ReplaceAllString(err.Error(), "…")[:40]]++
			return
		}
		if r.sum && !strings.Contains(l.About, "checksum") {
			return // by chance it was a letter of each card, and is taken for a part of the number
		}
		learnt++
		set := byteSet{}
		for _, c := range strings.Join(numbers, "") {
			set.add(byte(c))
		}
		for range 20 {
			n := r.any.Draw(t, "number")
			b := r.frame(n)
			got := codes(l.Profile.NewDecoder().Feed(b))
			if l.Shipped != "" {
				continue // it reads the number that is printed
			}
			// A letter where all cards that were learnt had digits, or another width than they had, is not read, rather than read as
			// something else.
			strange := slices.ContainsFunc([]byte(n), func(c byte) bool { return !set.has(c) }) ||
				!slices.ContainsFunc(numbers, func(o string) bool { return len(o) == len(n) })
			if !slices.Equal(got, []string{n}) && (len(got) > 0 || !strange) {
				t.Fatalf("% x reads as %q, want %q\n%s", b, got, n, l.Text)
			}
			if !r.sum {
				continue
			}
			damaged := bytes.Clone(b)
			damaged[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			if got := codes(l.Profile.NewDecoder().Feed(damaged)); len(got) > 0 && !slices.Equal(got, []string{n}) {
				t.Fatalf("% x, which is damaged, reads as %q\n%s", damaged, got, l.Text)
			}
		}
	})
	t.Logf("%d were learnt; refused: %v", learnt, refused)
	if learnt == 0 {
		t.Error("none was learnt")
	}
}

// FuzzLearnCards learns foreign bytes: whatever is learnt reads the cards that it was learnt from.
func FuzzLearnCards(f *testing.F) {
	f.Add([]byte("\x020012345678\r\n\x03"), []byte("\x020012349999\r\n\x03"), "0012345678")
	f.Add([]byte("\x02\x0a\x02\x06\x00\x8e\x6d\x5d\xb0\x03"), []byte("\x02\x0a\x02\x2e\x00\xb6\xd7\xb5\xf2\x03"), "")
	f.Add([]byte("0012345678,190,24910\r\n"), []byte("0009334109,142,28\r\n"), "190")
	f.Fuzz(func(t *testing.T, a, b []byte, printed string) {
		c := NewCardLearner(1)
		for i, s := range [][]byte{a, b} {
			if _, err := c.Burst(s, time.Duration(i)*time.Second); err != nil {
				return
			}
		}
		l, err := LearnCards("hall", line9600, c.Samples(), printed, c.Repeat())
		if err != nil {
			return
		}
		for i, s := range c.Samples() {
			if got := codes(l.Profile.NewDecoder().Feed(s)); !slices.Equal(got, []string{l.Numbers[i]}) {
				t.Errorf("% x reads as %q, want %q\n%s", s, got, l.Numbers[i], l.Text)
			}
		}
	})
}
