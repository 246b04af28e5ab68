package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"os"
	"strings"

	"haochaping/internal/cli"
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
		return nil, cli.Because(err, "读不到密码", "the passwords cannot be read")
	}
	known, err := parsePasswords(string(text))
	if err != nil {
		return nil, cli.Errorf("%s %v", "%s %v", p.path, err)
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
			return nil, cli.Errorf("第 %d 行：有 %d 个词；请写名称和密码的 SHA-256",
				"line %d: %d words; write the name and the SHA-256 of its password", n, len(words))
		}
		d, err := rating.ParseDeviceID(words[0])
		if err != nil {
			return nil, cli.Errorf("第 %d 行：名称不对；请写 1 至 12 个字符，0-9、a-z 和 '-'",
				"line %d: the name is wrong; write 1 to 12 characters of 0-9, a-z and '-'", n)
		}
		sum, err := hex.DecodeString(words[1])
		if err != nil || len(sum) != sha256.Size {
			// The word may be the password itself, so it does not go into the message.
			return nil, cli.Errorf("第 %d 行：第二个词不是 SHA-256；请写 64 个十六进制数字",
				"line %d: the second word is no SHA-256; write its 64 hexadecimal digits", n)
		}
		if _, twice := known[d]; twice {
			return nil, cli.Errorf("第 %d 行：%s 写了两次；请删去一个", "line %d: %s stands twice; leave one out", n, d)
		}
		known[d] = [sha256.Size]byte(sum)
	}
	return known, nil
}
