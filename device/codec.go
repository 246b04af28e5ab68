package device

import (
	"bytes"
	"fmt"
	"strconv"
)

// Codec reads a keypad's bytes. Feed takes bytes in pieces of any size and returns the keys that they complete, with what
// is to be answered to the keypad; after garbage it finds the next frame. It is not safe for concurrent use.
type Codec interface {
	Feed(b []byte) []Frame
}

// Frame is one key that a keypad has sent.
type Frame struct {
	Code   Code
	Answer []byte // to be written back; nil if none
}

// NewCodec returns the codec of a format: byte, line or slz.
func NewCodec(format string) (Codec, error) {
	switch format {
	case "byte":
		return ByteCodec{}, nil
	case "line":
		return new(LineCodec), nil
	case "slz":
		return new(SLZCodec), nil
	}
	return nil, fmt.Errorf("serial format %q is unknown; there are byte, line and slz", format)
}

// ByteCodec reads one byte a key. The code is "0x31".
type ByteCodec struct{}

// Feed implements Codec.
func (ByteCodec) Feed(b []byte) []Frame {
	var all []Frame
	for _, c := range b {
		all = append(all, Frame{Code: Code(fmt.Sprintf("0x%02x", c))})
	}
	return all
}

// maxLine is the greatest length of a line in bytes.
const maxLine = 64

// LineCodec reads one line of printable ASCII a key, ended by CR, LF or both. The code is the line. A line that is too long
// or not printable is dropped whole.
type LineCodec struct {
	line []byte
	bad  bool
}

// Feed implements Codec.
func (l *LineCodec) Feed(b []byte) []Frame {
	var all []Frame
	for _, c := range b {
		switch {
		case c == '\r' || c == '\n':
			if line := bytes.TrimSpace(l.line); !l.bad && len(line) > 0 {
				all = append(all, Frame{Code: Code(line)})
			}
			l.line, l.bad = l.line[:0], false
		case l.bad:
		case c < ' ' || c > '~' || len(l.line) == maxLine:
			l.line, l.bad = l.line[:0], true
		default:
			l.line = append(l.line, c)
		}
	}
	return all
}

// SLZCodec reads the frames of the SLZ bus, 9600 8N1:
//
//	[FF] 68 03 03 68 AD 11 GG CS 16
//
// with the address AD of an evaluator (0x80 and above) and the grade GG from 0 to 4; the code is the grade. Certain are the
// positions of AD, GG, the leading FF 68 and the final 16 (FIELD notes of existing keypads); the lengths, 11 and CS are
// inferred, so CS is not checked. Each frame is answered with 68 02 02 68 AD 01 CS 16, CS being AD+01.
type SLZCodec struct {
	buf []byte
}

// slzFrame is the length of a frame without its leading FF.
const slzFrame = 9

// Feed implements Codec.
func (s *SLZCodec) Feed(b []byte) []Frame {
	var all []Frame
	s.buf = append(s.buf, b...)
	for {
		i := bytes.IndexByte(s.buf, 0x68)
		if i < 0 {
			s.buf = s.buf[:0]
			return all
		}
		s.buf = s.buf[i:]
		if len(s.buf) < slzFrame {
			if !slzBegins(s.buf) {
				s.buf = s.buf[1:]
				continue
			}
			return all
		}
		f := s.buf[:slzFrame]
		if !slzBegins(f) || f[8] != 0x16 {
			s.buf = s.buf[1:]
			continue
		}
		ad, grade := f[4], f[6]
		all = append(all, Frame{Code: Code(strconv.Itoa(int(grade))), Answer: slzAnswer(ad)})
		s.buf = s.buf[slzFrame:]
	}
}

// slzBegins reports whether b, which begins with 68, can be the beginning of a frame.
func slzBegins(b []byte) bool {
	for i, c := range b {
		ok := true
		switch i {
		case 1, 2:
			ok = c == 0x03
		case 3:
			ok = c == 0x68
		case 4:
			ok = c >= 0x80
		case 5:
			ok = c == 0x11
		case 6:
			ok = c <= 4
		}
		if !ok {
			return false
		}
	}
	return true
}

func slzAnswer(ad byte) []byte {
	return []byte{0x68, 0x02, 0x02, 0x68, ad, 0x01, ad + 1, 0x16}
}
