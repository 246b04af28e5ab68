package keypad

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func shipped(t testing.TB, name string) *Profile {
	t.Helper()
	p, _, err := Shipped(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parsed(t testing.TB, text string) *Profile {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return p
}

func codes(all []Read) (codes []string) {
	for _, r := range all {
		codes = append(codes, r.Code)
	}
	return codes
}

func slz(grade byte) []byte { return []byte{0xff, 0x68, 3, 3, 0x68, 0x81, 0x11, grade, 0x99, 0x16} }

func TestShippedProfiles(t *testing.T) {
	for name, c := range map[string]struct {
		profile string
		in      []byte
		want    []string
	}{
		"bytes":             {"byte", []byte("1\x00\xff"), []string{"0x31", "0x00", "0xff"}},
		"lines":             {"line", []byte("S1\r\nS2\r\rS3\n\n S4 \n"), []string{"S1", "S2", "S3", "S4"}},
		"line with garbage": {"line", []byte("\x80S1\nS2\n"), []string{"S2"}},
		"garbage in a line": {"line", []byte("S1\x80S3\nS2\n"), []string{"S2"}},
		"line too long":     {"line", append(bytes.Repeat([]byte("x"), 65), "\nS2\n"...), []string{"S2"}},
		"longest line":      {"line", append(bytes.Repeat([]byte("x"), 64), '\n'), []string{strings.Repeat("x", 64)}},
		"slz":               {"slz", append(slz(0), slz(4)...), []string{"0", "4"}},
		"slz without FF":    {"slz", slz(2)[1:], []string{"2"}},
		"slz after garbage": {"slz", append([]byte{0x68, 0x68, 3, 3, 0x68, 0x16, 0xff, 0x68}, slz(3)...), []string{"3"}},
		"slz cut off":       {"slz", append(slz(1)[:7], slz(3)...), []string{"3"}},
		"slz grade":         {"slz", slz(5), nil},
		"slz address":       {"slz", []byte{0x68, 3, 3, 0x68, 0x7f, 0x11, 1, 0, 0x16}, nil},
		"slz no end":        {"slz", append(slz(1)[:9], 0x17), nil},
		"card":              {"card-line", []byte("0012345\r\n"), []string{"0012345"}},
		"RDM6300":           {"card-stx", []byte("\x020A0065ABCD89\x03"), []string{"0A0065ABCD89"}},
		"ID-12":             {"card-stx", []byte("\x020A0065ABCD89\r\n\x03"), []string{"0A0065ABCD89"}},
		"ten digits in STX": {"card-stx", []byte("\x020012345678\r\n\x03"), []string{"0012345678"}},
		"three numbers":     {"card-list", []byte("0012345678,190,24910\r\n0009334109,142,28\n"), []string{"0012345678", "0009334109"}},
		"not three numbers": {"card-list", []byte("0012345678,190\r\n0009334109,142,28,1\n"), nil},
		"packet":            {"card-packet", []byte{2, 10, 2, 6, 0, 0x8e, 0x6d, 0x5d, 0xb0, 3}, []string{"0009334109"}},
		"packet, damaged":   {"card-packet", []byte{2, 10, 2, 6, 0, 0x8e, 0x6d, 0x5c, 0xb0, 3}, nil},
		"packet, held": {"card-packet", []byte{2, 10, 2, 0x2e, 0, 0xb6, 0xd7, 0xb5, 0xf2, 3, 2, 10, 2, 0x2e, 0, 0xb6, 0xd7, 0xb5, 0xf2, 3},
			[]string{"0011982773", "0011982773"}},
		"printed":          {"card-rdm6300", []byte("\x024500C5D1E9B8\x03"), []string{"0012964329"}},
		"printed, damaged": {"card-rdm6300", []byte("\x024500C5D1E8B8\x03"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, codes(shipped(t, c.profile).NewDecoder().Feed(c.in))); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
	for _, name := range Names() {
		if p := shipped(t, name); p.Name != name {
			t.Errorf("the profile in %s.toml calls itself %s", name, p.Name)
		}
	}
	if _, _, err := Shipped("morse"); err == nil || !strings.Contains(err.Error(), "slz") {
		t.Errorf("unknown profile: %v, want the names that there are", err)
	}
}

func TestAnswer(t *testing.T) {
	got := shipped(t, "slz").NewDecoder().Feed(slz(1))
	if want := []byte{0x68, 2, 2, 0x68, 0x81, 1, 0x82, 0x16}; len(got) != 1 || !bytes.Equal(got[0].Answer, want) {
		t.Errorf("answers %+v, want % x", got, want)
	}
}

// The values are known from elsewhere: Modbus's from its specification's example, xor and LRC worked out by hand.
func TestChecksums(t *testing.T) {
	for _, c := range []struct {
		layout string
		frame  []byte
	}{
		{"02 key*2 hexxor8(1:)", []byte("\x021203")},
		{"02 key*2 hexsum8(1:)", []byte("\x021263")},
		{"02 key*4 pairxor8(1:)", []byte("\x023A053F")},
		{"02 key crc16le", []byte{0x02, 0x07, 0x41, 0x12}},
		{"02 key crc16be", []byte{0x02, 0x07, 0x12, 0x41}},
		{"aa key 03 xor8", []byte{0xaa, 0x31, 0x03, 0x98}},
		{"aa key 03 xor8(1:)", []byte{0xaa, 0x31, 0x03, 0x32}},
		{"aa key 03 xor8(1:2)", []byte{0xaa, 0x31, 0x03, 0x31}},
		{"aa key 03 sum8", []byte{0xaa, 0x31, 0x03, 0xde}},
		{"aa key 03 lrc", []byte{0xaa, 0x31, 0x03, 0x22}},
		{"aa key 03 comp8", []byte{0xaa, 0x31, 0x03, 0x21}},
		{"aa len+1 text*1-4=30-39 sum8", []byte{0xaa, 3, 0x31, 0x32, 0x10}},
	} {
		p := parsed(t, fmt.Sprintf("name = \"x\"\n[[frame]]\nlayout = %q\ncode = \"hex\"\n", c.layout))
		if got := p.NewDecoder().Feed(c.frame); len(got) != 1 {
			t.Errorf("%s: % x is not read", c.layout, c.frame)
		}
		for i := range c.frame {
			broken := bytes.Clone(c.frame)
			broken[i] ^= 0x04
			if got := p.NewDecoder().Feed(broken); len(got) != 0 && c.layout != "aa key 03 xor8(1:2)" {
				t.Errorf("%s: % x is read as %v", c.layout, broken, got)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	const head = "name = \"x\"\n[[frame]]\nlayout = \"key\"\n[[frame]]\n"
	for text, want := range map[string]string{
		"":                                                "name: missing",
		"name = \"x\"\n":                                  "frame: there is none",
		"name = \"x\"\nspeed = 3\n":                       "line 2: speed: unknown",
		head + "layout = \"key zz\"":                      "line 5: frame[1].layout: \"zz\": not understood",
		head + "layout = \"kee key\"":                     "line 5: frame[1].layout: \"kee\": no answer repeats it",
		head + "layout = \"68\"":                          "line 5: frame[1].layout: 0 parts say which key it is",
		head + "layout = \"key key\"":                     "line 5: frame[1].layout: 2 parts say which key it is",
		head + "layout = \"01 text\"":                     "the end of text is not known",
		head + "layout = \"01 text 31":                    "line 5",
		head + "layout = \"text 0d\"":                     "one frame begins with text, and others do not",
		head + "layout = \"xor8 key\"":                    "xor8 is over no byte",
		head + "layout = \"key xor8(0:3)\"":               "over bytes that stand after it",
		head + "layout = \"key xor8(2)\"":                 "the bytes that it is over are written wrongly",
		head + "layout = \"len key\"":                     "there is none",
		head + "layout = \"01 text*1-999 0d\"":            "allowed are 1 to 128 bytes",
		head + "layout = \"key\"\nkind = \"door\"":        "line 6: frame[1].kind: \"door\"",
		head + "layout = \"key\"\ncode = \"text\"":        "line 6: frame[1].code: text is for keys of printable bytes",
		head + "layout = \"key\"\nanswer = \"address\"":   "line 6: frame[1].answer: address is no part",
		head + "layout = \"key\"\nanswer = \"30-39\"":     "what is sent is not known",
		head + "layout = \"key\"\nkeys = [\"1\"]":         "line 6: frame[1].keys: \"1\": it is not hex; write \"0x31\"",
		head + "layout = \"key\"\n[line]\nbaud = 9":       "line 7: line.baud: 9 is not allowed",
		head + "layout = \"key\"\n[line]\nparity = \"x\"": "line 7: line.parity",
		head + "layout = \"key\"\n[prompt]\nidle = \"k\"": "line 7: prompt.idle: \"k\": not understood",
		"name = \"x\"\ngap = \"1h\"":                      "line 2: gap: \"1h\" is not allowed; allowed are 20ms to 10s",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngives %v, want %s", text, err, want)
		}
	}
}

func TestCheckKey(t *testing.T) {
	for _, c := range []struct{ profile, key, want string }{
		{"byte", "0x31", ""},
		{"byte", "1", `it is not hex; write "0x31" if the keypad sends the character "1"`},
		{"byte", "0x3A", "small letters"},
		{"byte", "0x3132", "a key has 1 to 1"},
		{"line", "S1", ""},
		{"line", "满意", "does not allow the byte"},
		{"slz", "4", ""},
		{"slz", "5", "does not allow the byte 05"},
		{"slz", "0x04", "decimal number"},
		{"slz", "04", "decimal number"},
		{"card-line", "0x31", "has no keys"},
	} {
		err := shipped(t, c.profile).CheckKey(c.key)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, key %q: %v, want %q", c.profile, c.key, err, c.want)
		}
	}
}

func TestSettleDefaults(t *testing.T) {
	for layout, want := range map[string]time.Duration{"key": 20 * time.Millisecond, "aa key sum8": 0, "01 02 key 03": 0,
		"01 02 key 30-31": 20 * time.Millisecond} {
		if got := parsed(t, "name=\"x\"\n[[frame]]\nlayout=\""+layout+"\"\n").Settle; got != want {
			t.Errorf("%s settles in %s, want %s", layout, got, want)
		}
	}
}

// TestPiecesMakeNoDifference feeds the same bytes whole and in pieces.
func TestPiecesMakeNoDifference(t *testing.T) {
	for _, name := range Names() {
		p := shipped(t, name)
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			piece := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 12), rapid.Map(rapid.ByteRange(0, 4), slz),
				rapid.Just([]byte("S01\r\n")), rapid.Just([]byte("\x020A0065ABCD89\r\n\x03")))
			all := bytes.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), nil)
			parts := p.NewDecoder()
			var got []string
			for b := all; len(b) > 0; {
				n := rapid.IntRange(1, len(b)).Draw(t, "cut")
				got = append(got, codes(parts.Feed(b[:n]))...)
				b = b[n:]
			}
			if diff := cmp.Diff(codes(p.NewDecoder().Feed(all)), got); diff != "" {
				t.Fatalf("keys (-whole +pieces):\n%s", diff)
			}
		}))
	}
}

// TestAFrameIsFoundAfterGarbage holds what a decoder promises: after garbage and one frame that garbage may have spoilt,
// the next frame is read.
func TestAFrameIsFoundAfterGarbage(t *testing.T) {
	p := shipped(t, "slz")
	rapid.Check(t, func(t *rapid.T) {
		garbage := rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "garbage")
		grade := rapid.ByteRange(0, 4).Draw(t, "grade")
		got := codes(p.NewDecoder().Feed(bytes.Join([][]byte{garbage, slz(grade), slz(grade)}, nil)))
		if len(got) == 0 || got[len(got)-1] != fmt.Sprint(grade) {
			t.Fatalf("keys %v, want the last to be %d", got, grade)
		}
	})
}

// FuzzDecoders feeds foreign bytes to every shipped profile: whatever is read is a key that keys.map could name, and no
// more than a frame is kept.
func FuzzDecoders(f *testing.F) {
	f.Add(slz(3))
	f.Add([]byte("S1\r\nxx"))
	f.Add([]byte("\x020A0065ABCD89\r\n\x03S01E"))
	f.Add([]byte{0x68, 0x68, 0x68})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range Names() {
			p := shipped(t, name)
			d := p.NewDecoder()
			for _, r := range d.Feed(b) {
				if err := p.CheckKey(r.Code); r.Kind == Key && err != nil {
					t.Errorf("profile %s: %v", name, err)
				}
			}
			if len(d.buf) > maxFrame {
				t.Errorf("profile %s: %d bytes are kept", name, len(d.buf))
			}
		}
	})
}

// FuzzParse feeds foreign bytes to the reader of profiles, and what it accepts to the decoder.
func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		_, text, err := Shipped(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, []byte("S01E\r\n"))
	}
	f.Add("name='x'\n[[frame]]\nlayout='aa len+2 text*1-9 xor8(1:) crc16le'\n", []byte{0xaa, 3, '1'})
	f.Fuzz(func(t *testing.T, text string, b []byte) {
		p, err := Parse([]byte(text))
		if err != nil {
			return
		}
		d := p.NewDecoder()
		d.Feed(b)
		if len(d.buf) > maxFrame {
			t.Errorf("%d bytes are kept", len(d.buf))
		}
	})
}
