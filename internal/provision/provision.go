// Package provision is the file that is the same on the boot partition of all boxes of a province: a box's configuration in part, with
// where the centre is and by which root it is known. The centre signs it, so that a half-written or hand-changed file is noticed.
//
// It is plain text, whose last line is a comment with the signature of all before it. It holds no secret.
package provision

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"

	"haochaping/internal/cli"
)

// MaxFile bounds the file in bytes.
const MaxFile = 64 << 10

const mark = "# signed ed25519 "

// ErrBroken says that a file is not as somebody has signed it.
var ErrBroken = cli.Error("文件被改动或不完整；请把 \"centrald image-config\" 写出的文件重新复制一遍",
	"the file was changed or is incomplete; copy it again as \"centrald image-config\" has written it")

// Purposes of what the centre signs, so that no file passes for one of another kind.
const (
	shared = "hcp/1 provision\n"
	ticket = "hcp/1 ticket\n"
)

func signed(purpose string, text []byte) []byte { return append([]byte(purpose), text...) }

// Sign returns the file for a text of whole lines.
func Sign(text []byte, key ed25519.PrivateKey) ([]byte, error) {
	if len(text) == 0 || text[len(text)-1] != '\n' || len(text) > MaxFile-256 {
		return nil, fmt.Errorf("sign the boxes' file: %d bytes, want whole lines and at most %d", len(text), MaxFile-256)
	}
	return sign(shared, text, key), nil
}

func sign(purpose string, text []byte, key ed25519.PrivateKey) []byte {
	return fmt.Appendf(bytes.Clone(text), "%s%s\n", mark, base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, signed(purpose, text))))
}

// Verify reports whether a file was signed by a key. What follows from it may be believed only then.
func Verify(file []byte, key ed25519.PublicKey) error { return verify(shared, file, key) }

func verify(purpose string, file []byte, key ed25519.PublicKey) error {
	end := bytes.LastIndex(file, []byte("\n"+mark))
	if len(file) > MaxFile || end < 0 || len(key) != ed25519.PublicKeySize {
		return ErrBroken
	}
	text, last := file[:end+1], bytes.TrimRight(file[end+1+len(mark):], "\r\n")
	signature, err := base64.RawURLEncoding.Strict().DecodeString(string(last))
	if err != nil || bytes.ContainsAny(last, "\r\n") || !ed25519.Verify(key, signed(purpose, text), signature) {
		return ErrBroken
	}
	return nil
}
