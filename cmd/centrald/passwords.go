package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"haochaping/internal/rating"
)

// passwords is a file with a line for each box, or each business system: its name and the SHA-256 of its password in hexadecimal digits.
// Lines that begin with # are comments. A plain hash suffices because the passwords are drawn at random and not chosen by people.
type passwords struct {
	path string
	log  *slog.Logger
}

// allow reports whether a box may log in. It reads the file at each login, which is rare, so that a box that was just added
// need not wait for a restart. A file that cannot be read lets nobody in.
func (p passwords) allow(d rating.DeviceID, password string) bool {
	known, err := p.read()
	if err != nil {
		p.log.Error("no box can log in to the broker", "error", err)
		return false
	}
	want, ok := known[d]
	got := sha256.Sum256([]byte(password))
	return ok && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func (p passwords) read() (map[rating.DeviceID][sha256.Size]byte, error) {
	text, err := os.ReadFile(p.path)
	if err != nil {
		return nil, fmt.Errorf("passwords: %w", err)
	}
	known, err := parsePasswords(string(text))
	if err != nil {
		return nil, fmt.Errorf("passwords in %s: %w", p.path, err)
	}
	return known, nil
}

func parsePasswords(text string) (map[rating.DeviceID][sha256.Size]byte, error) {
	known := make(map[rating.DeviceID][sha256.Size]byte)
	text = strings.TrimPrefix(text, "\ufeff") // some editors begin a file with it
	n := 0
	for line := range strings.Lines(text) {
		n++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) != 2 {
			return nil, fmt.Errorf("line %d: %d words; write the box's name and the SHA-256 of its password", n, len(words))
		}
		d, err := rating.ParseDeviceID(words[0])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		sum, err := hex.DecodeString(words[1])
		if err != nil || len(sum) != sha256.Size {
			// The word may be the password itself, so it does not go into the message.
			return nil, fmt.Errorf("line %d: the second word is no SHA-256; write its 64 hexadecimal digits", n)
		}
		if _, twice := known[d]; twice {
			return nil, fmt.Errorf("line %d: %s stands twice", n, d)
		}
		known[d] = [sha256.Size]byte(sum)
	}
	return known, nil
}
