package webhook

import (
	"encoding/base64"
	"testing"
)

func TestParseSecret(t *testing.T) {
	zeros := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, s := range []string{"", "whsec_", "whsec_short", "whsec_AAAA", "0123456789abcdef0123456789abcdef", "sec_" + zeros(32),
		"whsec_" + zeros(65)} {
		if _, err := ParseSecret(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
	for _, n := range []int{24, 64} {
		if s, err := ParseSecret(" whsec_" + zeros(n) + "\n"); err != nil || len(s) != n {
			t.Errorf("a secret of %d bytes: %v", n, err)
		}
	}
}
