package rating

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// MaxDeviceID is the greatest length of a DeviceID in bytes: twelve characters of a 38-letter alphabet fit 64 bits, and
// 64 bits are what the rating link has room for.
const MaxDeviceID = 12

// DeviceID names a box (评价器). It is 1 to 12 characters of 0-9, a-z and '-', neither beginning nor ending with '-', short
// enough to stand on a label and safe in an MQTT topic.
type DeviceID string

const deviceAlphabet = "-0123456789abcdefghijklmnopqrstuvwxyz"

// ParseDeviceID checks s and returns it as a DeviceID.
func ParseDeviceID(s string) (DeviceID, error) {
	if s == "" || len(s) > MaxDeviceID {
		return "", tell("评价器名称不能是 %q；请写 1 至 %d 个字符，0-9、a-z 和 '-'", "device %q: want 1 to %d characters of 0-9, a-z and '-'", s, MaxDeviceID)
	}
	for i := range len(s) {
		if deviceDigit(s[i]) == 0 {
			return "", tell("评价器名称不能是 %q，其中有 %q；可写 0-9、a-z 和 '-'", "device %q: character %q is not one of 0-9, a-z and '-'", s, s[i])
		}
	}
	if s[0] == '-' || s[len(s)-1] == '-' {
		return "", tell("评价器名称不能是 %q；不能以 '-' 开头或结尾", "device %q: must not begin or end with '-'", s)
	}
	return DeviceID(s), nil
}

// deviceDigit returns 1 to 37 for a character of the alphabet and 0 for any other byte.
func deviceDigit(c byte) uint64 {
	for i := range len(deviceAlphabet) {
		if deviceAlphabet[i] == c {
			return uint64(i) + 1
		}
	}
	return 0
}

// Pack returns d as a number, the form in which the rating link carries it. Different devices have different numbers.
// It returns 0 for a DeviceID that ParseDeviceID would refuse.
func (d DeviceID) Pack() uint64 {
	if _, err := ParseDeviceID(string(d)); err != nil {
		return 0
	}
	var n uint64
	for i := range MaxDeviceID {
		n *= 38
		if i < len(d) {
			n += deviceDigit(d[i])
		}
	}
	return n
}

// UnpackDeviceID is the inverse of Pack. It refuses every number that Pack does not return.
func UnpackDeviceID(n uint64) (DeviceID, error) {
	packed := n
	var b [MaxDeviceID]byte
	length := 0
	for i := MaxDeviceID - 1; i >= 0; i-- {
		digit := n % 38
		n /= 38
		if digit > 0 {
			b[i] = deviceAlphabet[digit-1]
			if length == 0 {
				length = i + 1
			}
		}
	}
	d := DeviceID(b[:length])
	if packed == 0 || n != 0 || d.Pack() != packed {
		return "", fmt.Errorf("packed device %d: no such device", packed)
	}
	return d, nil
}

// MarshalText refuses a DeviceID that ParseDeviceID would refuse.
func (d DeviceID) MarshalText() ([]byte, error) {
	_, err := ParseDeviceID(string(d))
	return []byte(d), err
}

// UnmarshalText is ParseDeviceID.
func (d *DeviceID) UnmarshalText(b []byte) error {
	v, err := ParseDeviceID(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// VisitID names a visit. It is 64 random bits, written as 16 hexadecimal digits; 0 is no visit.
type VisitID uint64

// Epoch names one store file of a device. It is 64 random bits, drawn when the file is created and written as 16
// hexadecimal digits, so that a box with a new storage card is never mistaken for one that repeats old numbers.
type Epoch uint64

var errZeroID = errors.New("the identifier is zero")

// NewVisitID draws a VisitID from random, usually crypto/rand.Reader.
func NewVisitID(random io.Reader) (VisitID, error) {
	n, err := randomID(random)
	return VisitID(n), err
}

// NewEpoch draws an Epoch from random, usually crypto/rand.Reader.
func NewEpoch(random io.Reader) (Epoch, error) {
	n, err := randomID(random)
	return Epoch(n), err
}

func randomID(random io.Reader) (uint64, error) {
	var b [8]byte
	for {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return 0, fmt.Errorf("draw an identifier: %w", err)
		}
		if n := binary.BigEndian.Uint64(b[:]); n != 0 {
			return n, nil
		}
	}
}

func (v VisitID) String() string { return fmt.Sprintf("%016x", uint64(v)) }
func (e Epoch) String() string   { return fmt.Sprintf("%016x", uint64(e)) }

// ParseVisitID reads the 16 hexadecimal digits that String writes.
func ParseVisitID(s string) (VisitID, error) {
	var v VisitID
	err := v.UnmarshalText([]byte(s))
	return v, err
}

// ParseEpoch reads the 16 hexadecimal digits that String writes.
func ParseEpoch(s string) (Epoch, error) {
	var e Epoch
	err := e.UnmarshalText([]byte(s))
	return e, err
}

// MarshalText refuses the zero VisitID.
func (v VisitID) MarshalText() ([]byte, error) { return marshalID(uint64(v)) }

// MarshalText refuses the zero Epoch.
func (e Epoch) MarshalText() ([]byte, error) { return marshalID(uint64(e)) }

// UnmarshalText is ParseVisitID.
func (v *VisitID) UnmarshalText(b []byte) error {
	n, err := unmarshalID(b)
	if err != nil {
		return fmt.Errorf("visit %q: %w", b, err)
	}
	*v = VisitID(n)
	return nil
}

// UnmarshalText is ParseEpoch.
func (e *Epoch) UnmarshalText(b []byte) error {
	n, err := unmarshalID(b)
	if err != nil {
		return fmt.Errorf("epoch %q: %w", b, err)
	}
	*e = Epoch(n)
	return nil
}

func marshalID(n uint64) ([]byte, error) {
	if n == 0 {
		return nil, errZeroID
	}
	return fmt.Appendf(nil, "%016x", n), nil
}

func unmarshalID(b []byte) (uint64, error) {
	var raw [8]byte
	if len(b) != 16 {
		return 0, errors.New("want 16 hexadecimal digits")
	}
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return 0, errors.New("want 16 lower-case hexadecimal digits")
		}
	}
	if _, err := hex.Decode(raw[:], b); err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint64(raw[:])
	if n == 0 {
		return 0, errZeroID
	}
	return n, nil
}

// Hash is the SHA-256 of a record's bytes, written as 43 characters of unpadded base64url.
type Hash [sha256.Size]byte

// HashOf returns the hash of a record's bytes, which is the Prev of the record that follows it.
func HashOf(record []byte) Hash { return sha256.Sum256(record) }

// Genesis returns the Prev of a log's first record. It depends on the device and the epoch, so that the beginning of one
// log cannot be grafted onto another.
func Genesis(d DeviceID, e Epoch) Hash {
	return sha256.Sum256(fmt.Appendf(nil, "hcp/1 genesis\n%s\n%s\n", d, e))
}

func (h Hash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// MarshalText returns the 43 characters that String returns.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText writes and nothing else: a spelling with other trailing bits is refused.
func (h *Hash) UnmarshalText(b []byte) error {
	var v Hash
	if len(b) != base64.RawURLEncoding.EncodedLen(len(v)) {
		return fmt.Errorf("hash %q: want 43 characters of base64url", b)
	}
	n, err := base64.RawURLEncoding.Strict().Decode(v[:], b)
	if err != nil {
		return fmt.Errorf("hash %q: %w", b, err)
	}
	if n != len(v) { // the decoder passes over line breaks
		return fmt.Errorf("hash %q: want 43 characters of base64url", b)
	}
	*h = v
	return nil
}
