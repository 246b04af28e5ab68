package keypad

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// checksum is an algorithm over some bytes of a frame.
type checksum struct {
	name string
	size int // in bytes
	of   func([]byte) []byte
}

// checksums are all that a layout can name. Learning tries them in this order.
func checksums() []checksum {
	return []checksum{
		{"xor8", 1, func(b []byte) []byte { return []byte{xor(b)} }},
		{"sum8", 1, func(b []byte) []byte { return []byte{sum(b)} }},
		{"lrc", 1, func(b []byte) []byte { return []byte{-sum(b)} }},
		{"comp8", 1, func(b []byte) []byte { return []byte{^sum(b)} }},
		{"crc16le", 2, func(b []byte) []byte { c := crc16(b); return []byte{byte(c), byte(c >> 8)} }},
		{"crc16be", 2, func(b []byte) []byte { c := crc16(b); return []byte{byte(c >> 8), byte(c)} }},
		{"hexxor8", 2, func(b []byte) []byte { return []byte(fmt.Sprintf("%02X", xor(b))) }},
		{"hexsum8", 2, func(b []byte) []byte { return []byte(fmt.Sprintf("%02X", sum(b))) }},
		{"pairxor8", 2, func(b []byte) []byte {
			raw, err := hex.DecodeString(string(b))
			if err != nil || len(raw) == 0 {
				return nil // equal to no two digits
			}
			return []byte(fmt.Sprintf("%02X", xor(raw)))
		}},
	}
}

// fits reports whether these are the checksum of something. Hex digits may be large or small.
func (c checksum) fits(b, is []byte) bool {
	if strings.HasPrefix(c.name, "hex") || strings.HasPrefix(c.name, "pair") {
		return bytes.EqualFold(c.of(b), is)
	}
	return bytes.Equal(c.of(b), is)
}

func checksumNamed(name string) (checksum, bool) {
	all := checksums()
	i := slices.IndexFunc(all, func(c checksum) bool { return c.name == name })
	if i < 0 {
		return checksum{}, false
	}
	return all[i], true
}

func xor(b []byte) (x byte) {
	for _, c := range b {
		x ^= c
	}
	return x
}

func sum(b []byte) (s byte) {
	for _, c := range b {
		s += c
	}
	return s
}

// crc16 is the CRC of Modbus over serial line V1.02, appendix B: polynomial A001 reflected, beginning with FFFF.
func crc16(b []byte) uint16 {
	crc := uint16(0xffff)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			low := crc & 1
			crc >>= 1
			if low == 1 {
				crc ^= 0xa001
			}
		}
	}
	return crc
}
