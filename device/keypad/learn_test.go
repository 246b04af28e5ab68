package keypad

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var line9600 = Line{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1}

func each(f func(i byte) []byte) (sent [5][]byte) {
	for i := range sent {
		sent[i] = f(byte(i))
	}
	return sent
}

func TestLearn(t *testing.T) {
	for name, c := range map[string]struct {
		frame        func(i byte) []byte
		layout, code string
	}{
		"one byte":    {func(i byte) []byte { return []byte{0x11 + i} }, "key", "0x11"},
		"digit":       {func(i byte) []byte { return []byte{'5' - i} }, "key=30-39|41-5a|61-7a", "5"},
		"line":        {func(i byte) []byte { return []byte(fmt.Sprintf("S%d\r\n", i)) }, "53 key=30-39|41-5a|61-7a 0d 0a", "0"},
		"words":       {func(i byte) []byte { return []byte(strings.Repeat(string('a'+rune(i)), int(i)+1) + "\n") }, "text*1-5=20-7e 0a", "a"},
		"with blanks": {func(i byte) []byte { return []byte(string('a'+rune(i)) + " key"[:i] + "\n") }, "text*1-5=20-7e 0a", "a"},
		"Chinese": {func(i byte) []byte { return append(bytes.Repeat([]byte{0xb0 + i, 0xa1}, int(i)+1), "\r\n"...) },
			"text*2-10=20-7e|80-ff 0d 0a", "0xb0a1"},
		"xor":         {func(i byte) []byte { return []byte{0xaa, 0x02, i, 0xa8 ^ i, 0x55} }, "aa 02 key xor8 55", "0x00"},
		"xor from 1":  {func(i byte) []byte { return []byte{0xaa, 0x02, i, 2 ^ i, 0x55} }, "aa 02 key xor8(1:) 55", "0x00"},
		"sum of some": {func(i byte) []byte { return []byte{0x68, 0x81, i, 0x16, 0x81 + i} }, "68 81 key 16 sum8(1:3)", "0x00"},
		"modbus": {func(i byte) []byte { b := []byte{1, 3, 2, 0, i}; c := crc16(b); return append(b, byte(c), byte(c>>8)) },
			"01 03 02 00 key crc16le", "0x00"},
		"unknown sum": {func(i byte) []byte { return []byte{0xaa, i, 0x0d, 37*i + 11} }, "aa key*3", "0x000d0b"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := Learn("hall", line9600, Observed{Sent: each(c.frame)})
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("layout = %q\n", c.layout); !strings.Contains(l.Text, want) || l.Codes[0] != c.code {
				t.Errorf("code %q, want %q; want %s in\n%s", l.Codes[0], c.code, want, l.Text)
			}
		})
	}
}

func TestLearnRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		frame func(i byte) []byte
		want  string
	}{
		"two alike":   {func(i byte) []byte { return []byte{i / 2} }, "keys 1 and 2 both send 00"},
		"a lost byte": {func(i byte) []byte { return append(bytes.Repeat([]byte("x"), int(i)+1), 10) }, "no beginning of their own"},
		"nothing":     {func(i byte) []byte { return make([]byte, i) }, "key 1 sent 0 bytes"},
		"unequal":     {func(i byte) []byte { return append(bytes.Repeat([]byte{7}, int(i)), 1) }, "different lengths"},
		"overlapping": {func(i byte) []byte {
			return [][]byte{{0, 255, 255}, {255, 255, 0}, {1, 255, 254}, {2, 255, 253}, {3, 255, 252}}[i]
		}, "no beginning of their own"},
		"without an end": {func(i byte) []byte { return bytes.Repeat([]byte("x"), int(i)+1) }, "different lengths"},
	} {
		t.Run(name, func(t *testing.T) {
			if l, err := Learn("hall", line9600, Observed{Sent: each(c.frame)}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q\n%s", err, c.want, l.Text)
			}
		})
	}
}

// overlap reports whether the end of a frame with what may follow it holds a frame that was not sent.
func overlap(sent [5][]byte) bool {
	for _, a := range sent {
		for cut := 1; cut < len(a); cut++ {
			for j, b := range sent {
				row := slices.Concat(a[cut:], b, b)
				for k, c := range sent {
					if k != j && bytes.Contains(row, c) || k == j && bytes.Index(row, c) < len(a)-cut {
						return true
					}
				}
			}
		}
	}
	return false
}

// anyKeypad draws a keypad within the language: what its five keys send.
func anyKeypad(t *rapid.T) [5][]byte {
	head := rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "head")
	mid := rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "mid")
	tail := rapid.SampledFrom([][]byte{nil, {0x16}, {'\r'}, {'\n'}, {'\r', '\n'}, {0x03}}).Draw(t, "tail")
	width := rapid.IntRange(1, 3).Draw(t, "width")
	distinct := rapid.SliceOfNDistinct(rapid.SliceOfN(rapid.Byte(), width, width), 5, 5, func(b []byte) string { return string(b) }).
		Draw(t, "keys")
	sum := rapid.SampledFrom(append(checksums(), checksum{})).Draw(t, "checksum")
	from := rapid.IntRange(0, len(head)).Draw(t, "from")
	after := rapid.Bool().Draw(t, "checksum after tail")
	return each(func(i byte) []byte {
		b := slices.Concat(head, distinct[i], mid)
		if after {
			b = append(b, tail...)
		}
		if sum.of != nil {
			b = append(b, sum.of(b[from:])...)
		}
		if !after {
			b = append(b, tail...)
		}
		return b
	})
}

// anyWords draws a keypad that sends words of different lengths.
func anyWords(t *rapid.T) [5][]byte {
	end := rapid.SampledFrom([]string{"\r", "\n", "\r\n", ";", "\x03"}).Draw(t, "end")
	head := rapid.SampledFrom([]string{"", "\x02", "K=", "key "}).Draw(t, "head")
	words := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-zA-Z0-9=+/.-]{1,12}`), 5, 5, rapid.ID[string]).Draw(t, "words")
	return each(func(i byte) []byte { return []byte(head + words[i] + end) })
}

// TestLearntKeypadReadsItsFiveKeysAndNoOther is what learning promises, for every keypad within the language: each key is
// read, also among noise, and whatever else is read contains what one of the keys sends.
func TestLearntKeypadReadsItsFiveKeysAndNoOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := rapid.OneOf(rapid.Custom(anyKeypad), rapid.Custom(anyWords)).Draw(t, "sent")
		l, err := Learn("hall", line9600, Observed{Sent: sent})
		if errors.Is(err, ErrOverlap) && overlap(sent) {
			t.Skip("refused, as it must be")
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
		for i, b := range sent {
			if err := l.Profile.CheckKey(l.Codes[i]); err != nil {
				t.Fatal(err)
			}
			d := l.Profile.NewDecoder()
			if got := codes(d.Feed(b)); !slices.Equal(got, []string{l.Codes[i]}) {
				t.Fatalf("key %d reads as %q, want %q", i, got, l.Codes[i])
			}
		}
		foreign := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 40), rapid.Custom(func(t *rapid.T) []byte {
			b := bytes.Clone(rapid.SampledFrom(sent[:]).Draw(t, "frame"))
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= rapid.ByteRange(1, 255).Draw(t, "flip")
			return b
		})).Draw(t, "foreign")
		d := l.Profile.NewDecoder()
		for _, r := range d.Feed(foreign) {
			i := slices.Index(l.Codes[:], r.Code)
			if i < 0 || !bytes.Contains(foreign, sent[i]) {
				t.Fatalf("% x reads as %q\n%s", foreign, r.Code, l.Text)
			}
		}
		// After the foreign bytes, and a frame that they may have spoilt, the keys are read.
		i := rapid.IntRange(0, 4).Draw(t, "key")
		got := codes(d.Feed(append(bytes.Clone(sent[i]), sent[i]...)))
		if len(got) == 0 || got[len(got)-1] != l.Codes[i] {
			t.Fatalf("after % x, % x twice reads as %q, want %q at the end\n%s", foreign, sent[i], got, l.Codes[i], l.Text)
		}
	})
}
