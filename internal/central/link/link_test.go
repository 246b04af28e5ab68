package link

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

func keeper(t testing.TB, secret string) *Keeper {
	t.Helper()
	k, err := New([]byte(strings.Repeat(secret, 32)[:32]))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func claim() Claim {
	return Claim{Case: rating.CaseKey{Area: "620100000000", Project: "P-1"}, Channel: rating.Portal, Source: "portal", Expires: 100,
		Return: "https://portal.example.com/done?n=1"}
}

// TestLinksComeBack whole, in small letters too, and hide what they are about.
func TestLinksComeBack(t *testing.T) {
	k := keeper(t, "a")
	rapid.Check(t, func(t *rapid.T) {
		c := claim()
		c.Case.Project = rapid.StringMatching(`[!-~]{1,64}`).Draw(t, "project")
		c.Expires = rapid.Int64Range(0, 1<<40).Draw(t, "expires")
		if rapid.Bool().Draw(t, "visit") {
			c.Visit = &Visit{ID: rating.VisitID(rapid.Uint64Min(1).Draw(t, "id")), Window: rating.Window{ID: "A1", Name: "综合窗口", Generation: 1},
				Staff: rating.Staff{Name: "李"}}
		}
		token, err := k.Write(c)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
			t.Fatalf("token %s", token)
		}
		got, err := k.Read(strings.ToLower(token))
		if diff := cmp.Diff(c, got); err != nil || diff != "" {
			t.Fatalf("%v %s", err, diff)
		}
	})
}

// TestWhatIsNoLink refuses what was changed, cut, or written by another centre.
func TestWhatIsNoLink(t *testing.T) {
	k := keeper(t, "a")
	token, err := k.Write(claim())
	if err != nil {
		t.Fatal(err)
	}
	last := "A"
	if strings.HasSuffix(token[:10], last) {
		last = "B"
	}
	other, err := keeper(t, "b").Write(claim())
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{"empty": "", "cut": token[:len(token)-2], "changed": token[:9] + last + token[10:],
		"foreign": other, "long": strings.Repeat(token, 100), "signs": "../" + token, "a line's end in it": token[:9] + "\n" + token[9:],
		"a line's end after it": token + "\r\n", "filled up": token + "===="} {
		if _, err := k.Read(bad); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c := claim(); c.Expired(time.Unix(5999, 0)) || !c.Expired(time.Unix(6000, 0)) {
		t.Error("it does not end with its last minute")
	}
}

// TestWhatNoLinkIsFor refuses claims that could do harm.
func TestWhatNoLinkIsFor(t *testing.T) {
	for name, change := range map[string]func(*Claim){
		"nothing":         func(c *Claim) { c.Case = rating.CaseKey{} },
		"a script":        func(c *Claim) { c.Return = "javascript:alert(1)" },
		"plain text":      func(c *Claim) { c.Return = "http://portal.example.com/" },
		"a login":         func(c *Claim) { c.Return = "https://a:b@portal.example.com/" },
		"a long way":      func(c *Claim) { c.Return = "https://portal.example.com/" + strings.Repeat("x", MaxReturn) },
		"a wrong area":    func(c *Claim) { c.Case.Area = "62" },
		"no window":       func(c *Claim) { c.Visit = &Visit{ID: 1, Window: rating.Window{Generation: 1}} },
		"a foreign sign":  func(c *Claim) { c.Return = "https://portal.example.com/办" },
		"half an address": func(c *Claim) { c.Return = "https:///x" },
	} {
		c := claim()
		change(&c)
		if _, err := keeper(t, "a").Write(c); err == nil {
			t.Errorf("%s: a link was written", name)
		}
	}
}

func FuzzRead(f *testing.F) {
	k := keeper(f, "a")
	token, err := k.Write(claim())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := k.Read(token)
		if err == nil && c.Check() != nil {
			t.Errorf("%q was read as %+v", token, c)
		}
	})
}

// TestALinkHasOneSpelling: whatever letter stands last, it is that of the link as it was written, or it is none.
func TestALinkHasOneSpelling(t *testing.T) {
	k := keeper(t, "a")
	for extra := range 8 { // so that each number of spare bits comes
		c := claim()
		c.Case.Project = strings.Repeat("P", extra+1)
		token, err := k.Write(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" {
			other := token[:len(token)-1] + string(last)
			if _, err := k.Read(other); (err == nil) != (other == token) {
				t.Errorf("a link that ends with %s is read with %c at its end: %v", token[len(token)-1:], last, err)
			}
		}
	}
}
