package device

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func codes(frames []Frame) (all []Code) {
	for _, f := range frames {
		all = append(all, f.Code)
	}
	return all
}

func slz(grade byte) []byte { return []byte{0xff, 0x68, 3, 3, 0x68, 0x81, 0x11, grade, 0x99, 0x16} }

func TestCodecs(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		in     []byte
		want   []Code
	}{
		"bytes":             {"byte", []byte("1\x00\xff"), []Code{"0x31", "0x00", "0xff"}},
		"lines":             {"line", []byte("S1\r\nS2\r\rS3\n\n S4 \n"), []Code{"S1", "S2", "S3", "S4"}},
		"line with garbage": {"line", []byte("\x80S1\nS2\n"), []Code{"S2"}},
		"line too long":     {"line", append(bytes.Repeat([]byte("x"), 65), "\nS2\n"...), []Code{"S2"}},
		"slz":               {"slz", append(slz(0), slz(4)...), []Code{"0", "4"}},
		"slz without FF":    {"slz", slz(2)[1:], []Code{"2"}},
		"slz after garbage": {"slz", append([]byte{0x68, 0x68, 3, 3, 0x68, 0x16, 0xff, 0x68}, slz(3)...), []Code{"3"}},
		"slz cut off":       {"slz", append(slz(1)[:7], slz(3)...), []Code{"3"}},
		"slz grade":         {"slz", slz(5), nil},
		"slz address":       {"slz", []byte{0x68, 3, 3, 0x68, 0x7f, 0x11, 1, 0, 0x16}, nil},
		"slz no end":        {"slz", append(slz(1)[:9], 0x17), nil},
	} {
		t.Run(name, func(t *testing.T) {
			codec, err := NewCodec(c.format)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, codes(codec.Feed(c.in))); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := NewCodec("morse"); err == nil {
		t.Error("an unknown format was accepted")
	}
}

func TestSLZAnswer(t *testing.T) {
	got := new(SLZCodec).Feed(slz(1))
	if want := []byte{0x68, 2, 2, 0x68, 0x81, 1, 0x82, 0x16}; len(got) != 1 || !bytes.Equal(got[0].Answer, want) {
		t.Errorf("answers %+v, want % x", got, want)
	}
}

// TestPiecesMakeNoDifference feeds the same bytes whole and in pieces.
func TestPiecesMakeNoDifference(t *testing.T) {
	for _, format := range []string{"byte", "line", "slz"} {
		t.Run(format, rapid.MakeCheck(func(t *rapid.T) {
			piece := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 12), rapid.Map(rapid.ByteRange(0, 4), slz), rapid.Just([]byte("S1\r\n")))
			pieces := rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces")
			whole, _ := NewCodec(format)
			parts, _ := NewCodec(format)
			var got []Code
			all := bytes.Join(pieces, nil)
			for b := all; len(b) > 0; {
				n := rapid.IntRange(1, len(b)).Draw(t, "cut")
				got = append(got, codes(parts.Feed(b[:n]))...)
				b = b[n:]
			}
			if diff := cmp.Diff(codes(whole.Feed(all)), got); diff != "" {
				t.Fatalf("keys (-whole +pieces):\n%s", diff)
			}
		}))
	}
}

// TestAFrameIsFoundAfterGarbage holds what a codec promises: after garbage and one frame that garbage may have spoilt, the
// next frame is read.
func TestAFrameIsFoundAfterGarbage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		garbage := rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "garbage")
		grade := rapid.ByteRange(0, 4).Draw(t, "grade")
		in := append(append(append([]byte(nil), garbage...), slz(grade)...), slz(grade)...)
		got := codes(new(SLZCodec).Feed(in))
		if len(got) == 0 || got[len(got)-1] != Code(fmt.Sprint(grade)) {
			t.Fatalf("keys %v, want the last to be %d", got, grade)
		}
	})
}

func FuzzSLZ(f *testing.F) {
	f.Add(slz(3))
	f.Add([]byte{0x68, 0x68, 0x68})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := new(SLZCodec)
		for _, frame := range c.Feed(b) {
			if frame.Code < "0" || frame.Code > "4" || len(frame.Code) != 1 || len(frame.Answer) != 8 {
				t.Errorf("frame %+v", frame)
			}
		}
		if len(c.buf) >= slzFrame {
			t.Errorf("%d bytes are kept", len(c.buf))
		}
	})
}

func FuzzLine(f *testing.F) {
	f.Add([]byte("S1\r\nxx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := new(LineCodec)
		for _, frame := range c.Feed(b) {
			if len(frame.Code) == 0 || len(frame.Code) > maxLine {
				t.Errorf("frame %q", frame.Code)
			}
		}
		if len(c.line) > maxLine {
			t.Errorf("%d bytes are kept", len(c.line))
		}
	})
}
