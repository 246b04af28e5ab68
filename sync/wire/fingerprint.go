package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Fingerprint returns the beginning of a public key's hash, in groups that two people can compare by reading aloud.
func Fingerprint(k []byte) string {
	sum := sha256.Sum256(k)
	h := strings.ToUpper(hex.EncodeToString(sum[:8]))
	return h[0:4] + " " + h[4:8] + " " + h[8:12] + " " + h[12:16]
}
