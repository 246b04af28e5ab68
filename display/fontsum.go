package display

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// errDamaged is what a font's own sums show.
var errDamaged = errors.New("it is damaged or cut off")

// checkSums compares the tables of a font, or of the face of a collection with a number, with the sums that the file holds of them. A
// damaged font can keep who shapes with it busy for ever.
func checkSums(file io.ReaderAt, face int) error {
	start := int64(0)
	head, err := bytesAt(file, 0, 12)
	if err == nil && string(head[:4]) == "ttcf" {
		var at []byte
		if at, err = bytesAt(file, 12+4*int64(face), 4); err == nil {
			start = int64(binary.BigEndian.Uint32(at))
			head, err = bytesAt(file, start, 12)
		}
	}
	if err != nil {
		return err
	}
	for i := range int64(binary.BigEndian.Uint16(head[4:])) {
		entry, err := bytesAt(file, start+12+16*i, 16)
		if err != nil {
			return err
		}
		name := string(entry[:4])
		want, at, length := binary.BigEndian.Uint32(entry[4:]), binary.BigEndian.Uint32(entry[8:]), binary.BigEndian.Uint32(entry[12:])
		sum, err := tableSum(io.NewSectionReader(file, int64(at), int64(length)), int64(length), name == "head")
		if err != nil || sum != want {
			return fmt.Errorf("%w: table %q", errDamaged, name)
		}
	}
	return nil
}

func bytesAt(file io.ReaderAt, at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := file.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return b, nil
}

// tableSum adds up a table's words. That of head leaves out the sum of the whole file, which is in it.
func tableSum(table io.Reader, length int64, head bool) (sum uint32, err error) {
	block := make([]byte, 64<<10)
	for at := int64(0); at < length; at += int64(len(block)) {
		n, err := io.ReadFull(table, block[:min(int64(len(block)), length-at)])
		if err != nil {
			return 0, err
		}
		if head && at == 0 && n >= 12 {
			clear(block[8:12])
		}
		clear(block[n:])
		for words := block[:(n+3)&^3]; len(words) >= 4; words = words[4:] {
			sum += binary.BigEndian.Uint32(words)
		}
	}
	return sum, nil
}
