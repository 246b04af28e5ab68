// Package webhook is how posts to a server of somebody else are signed: Standard Webhooks 1.0, https://www.standardwebhooks.com. What is
// posted, and when again, is the business of who posts.
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Secret is the key with which bodies are signed.
type Secret []byte

// ParseSecret reads "whsec_" and 24 to 64 bytes in base64.
func ParseSecret(s string) (Secret, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(s), "whsec_")
	b, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(b) < 24 || len(b) > 64 {
		return nil, errors.New("the webhook's secret is whsec_ and 24 to 64 random bytes in base64; for example: echo whsec_$(head -c 32 " +
			"/dev/urandom | base64)")
	}
	return b, nil
}

// Sign sets the headers of a post with a JSON body: its id, by which the server knows a repetition, when it was made, and "v1," with the
// HMAC-SHA256 of id, time and body, joined by dots.
func (s Secret) Sign(h http.Header, id string, at time.Time, body []byte) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, s)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body) // a hash takes everything
	h.Set("Content-Type", "application/json")
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", stamp)
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}
