// Package webhook is how posts to a server of somebody else are signed and sent: Standard Webhooks 1.0, https://www.standardwebhooks.com.
// What is posted, and when again, is the business of who posts.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/cli"
)

// Secret is the key with which bodies are signed.
type Secret []byte

// ParseSecret reads "whsec_" and 24 to 64 bytes in base64.
func ParseSecret(s string) (Secret, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(s), "whsec_")
	b, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(b) < 24 || len(b) > 64 {
		return nil, cli.Error("不是 webhook 的签名密钥；请写 whsec_ 加 base64 编码的 24 至 64 个随机字节，如 echo whsec_$(head -c 32 /dev/urandom | base64)",
			"it is no webhook's secret; write whsec_ and 24 to 64 random bytes in base64, as by: echo whsec_$(head -c 32 /dev/urandom | base64)")
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

// postPatience is how long a post may take.
const postPatience = 10 * time.Second

// StatusError is an answer that is no 2xx.
type StatusError int

func (s StatusError) Error() string { return fmt.Sprintf("the server answers with %d", int(s)) }

// Post posts a body once, signed, within ten seconds, and follows no redirect. An answer that is no 2xx is a StatusError. No error names
// the address, which may hold a secret.
func (s Secret) Post(ctx context.Context, url, id string, at time.Time, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, postPatience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address is wrong")
	}
	s.Sign(r.Header, id, at, body)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return errors.New("the server was not reached")
	}
	defer func() { _ = answer.Body.Close() }() // nothing of it matters
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return StatusError(answer.StatusCode)
	}
	return nil
}
