package qrcode

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func claims(t *rapid.T) Claim {
	subjects := rapid.IntRange(1, 3).Draw(t, "subjects")
	return Claim{
		Device: rating.DeviceID(rapid.StringMatching(`[0-9a-z]([0-9a-z-]{0,10}[0-9a-z])?`).Draw(t, "device")),
		Visit:  rating.VisitID(rapid.Uint64Min(1).Draw(t, "visit")),
		Issued: time.Unix(int64(rapid.Uint32().Draw(t, "minute"))*60, 0).UTC(),
		Synced: rapid.Bool().Draw(t, "synced"), Staff: subjects&1 != 0, Matter: subjects&2 != 0,
	}
}

func TestTokensComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := claims(t)
		s, err := c.Sign(key(1))
		if err != nil {
			t.Fatal(err)
		}
		for _, spelling := range []string{s, strings.ToLower(s)} {
			token, err := ParseToken(spelling)
			if err != nil {
				t.Fatal(err)
			}
			got, err := token.Verify(public(key(1)))
			if diff := cmp.Diff(c, got); err != nil || diff != "" {
				t.Fatalf("%v (-want +got):\n%s", err, diff)
			}
			if _, err := token.Verify(public(key(2))); !errors.Is(err, ErrSignature) {
				t.Fatalf("another device's key: %v", err)
			}
		}
		i := rapid.IntRange(0, len(s)-1).Draw(t, "changed")
		changed := []byte(s)
		changed[i] = 'A' + (changed[i]-'A'+1)%26
		if changed[i] == s[i] {
			return
		}
		token, err := ParseToken(string(changed))
		if err != nil {
			return
		}
		if _, err := token.Verify(public(key(1))); err == nil {
			t.Fatalf("the token verifies with character %d changed", i)
		}
	})
}

// TestFitsVersion7 draws the largest links of the default host.
func TestFitsVersion7(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := claims(t).Sign(key(1))
		if err != nil {
			t.Fatal(err)
		}
		link, err := Link("https://rate.example.com", s)
		if err != nil {
			t.Fatal(err)
		}
		const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
		if strings.Trim(link, alphabet) != "" {
			t.Fatalf("link %s is not alphanumeric", link)
		}
		if code, err := Draw(link); err != nil || code.Version > 7 {
			t.Fatalf("version %d, %v; want at most 7", code.Version, err)
		}
	})
}

func TestIncompleteClaimsAreNotSigned(t *testing.T) {
	whole := Claim{Device: "a", Visit: 1, Staff: true}
	for name, change := range map[string]func(*Claim){
		"device": func(c *Claim) { c.Device = "" }, "visit": func(c *Claim) { c.Visit = 0 }, "subject": func(c *Claim) { c.Staff = false },
	} {
		c := whole
		change(&c)
		if s, err := c.Sign(key(1)); err == nil {
			t.Errorf("%s: signed as %s", name, s)
		}
	}
	whole.Issued = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC) // a clock that says anything
	if _, err := whole.Sign(key(1)); err != nil {
		t.Errorf("a link with a wild clock: %v", err)
	}
}

func TestLinkBases(t *testing.T) {
	if got, err := Link("http://127.0.0.1:8080", "ABC"); got != "HTTP://127.0.0.1:8080/R/ABC" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, base := range []string{"", "rate.example.com", "ftp://rate.example.com", "https://rate.example.com/x", "https://u@rate.example.com",
		"https://rate.example.com?x"} {
		if got, err := Link(base, "ABC"); err == nil {
			t.Errorf("base %q makes %q", base, got)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	s, err := Claim{Device: "lz-0417", Visit: 5, Issued: time.Unix(1_790_000_000, 0), Staff: true}.Sign(key(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s)
	f.Add(strings.ToLower(s))
	f.Add(strings.Repeat("A", len(s)))
	f.Fuzz(func(t *testing.T, s string) {
		token, err := ParseToken(s)
		if err != nil {
			if !errors.Is(err, ErrToken) {
				t.Errorf("error %v is not ErrToken", err)
			}
			return
		}
		if _, err := rating.ParseDeviceID(string(token.Claim.Device)); err != nil || token.Claim.Visit == 0 {
			t.Errorf("claim %+v", token.Claim)
		}
	})
}
