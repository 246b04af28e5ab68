// Package keypad describes serial keypads as data: a Profile says how the line is set, which frames the keypad sends, where
// the key stands in them, what is answered and what makes the keypad light up or speak. The profiles that are shipped are
// in profiles/*.toml; a hall with another keypad adds a file of its own, by hand or from what "ratingctl keys -learn"
// writes. docs/keypads.md is the manual.
//
// # Layouts
//
// A layout is a row of parts, separated by blanks:
//
//	68  80-ff  0d|0a  any  'S1'   one byte of a set, in hex; printable characters in quotes
//	key  key*2  key=31-35         the bytes that tell the key: any one, any two, one of a set
//	text*1-16=20-7e               the key as text of 1 to 16 bytes, up to the byte that follows or as long as len says
//	skip*1-5=30-39                bytes of varying number that say nothing, up to the byte that follows
//	address=80-ff                 a byte that the answer repeats, under any name
//	len  len+2                    the number of bytes of text, or that number and 2 more
//	sum8 xor8 lrc comp8           a checksum over all bytes before it; sum8(1:) from byte 1, sum8(4:6) of bytes 4 and 5
//	crc16le crc16be               Modbus's CRC-16, two bytes, low or high byte first
//	hexxor8 hexsum8 pairxor8      two hex digits: xor8 or sum8, or xor8 of the bytes that the hex digits before it stand for
//	eol                           CR or LF, which is 0d|0a
//
// Lrc is the sum's two's complement, comp8 its one's complement. Where a layout does not fit, the reader drops one byte and
// tries again at the next: bytes before a frame do no harm. A layout that begins with text would then take the rest of a
// spoilt line for a key; there everything up to the end of the line is dropped.
//
// A frame says that a key went down, that one was let go, that the keypad is there, or a card's number (Kind).
//
// The package does no input or output, and a Decoder never takes anything for a key that its layout does not allow.
package keypad
