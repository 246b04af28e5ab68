package intake

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/cases"
	"haochaping/internal/central/link"
	"haochaping/internal/rating"
)

func links(t testing.TB, base string) Links {
	t.Helper()
	k, err := link.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return Links{Keeper: k, Base: base, Now: func() time.Time { return time.Unix(1_700_000_000, 0) }}
}

// TestALinkIsAskedFor by a portal for a case, and by a window without a box for a service there.
func TestALinkIsAskedFor(t *testing.T) {
	l := links(t, "https://rate.example.com")
	ask := func(l Links, body string) (int, written, string) {
		r := httptest.NewRequest("POST", "/v1/links", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer secret")
		w := httptest.NewRecorder()
		LinksHandler(cases.Door{Tokens: oneToken{}, Logger: slog.New(slog.DiscardHandler)}, l).ServeHTTP(w, r)
		var out written
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return w.Code, out, w.Body.String()
	}
	read := func(url string) link.Claim {
		t.Helper()
		token, ok := strings.CutPrefix(url, "https://rate.example.com/C/")
		c, err := l.Keeper.Read(token)
		if !ok || err != nil || strings.Contains(url, "P-1") {
			t.Fatalf("%s: %v", url, err)
		}
		return c
	}
	status, out, _ := ask(l, `{"area":"620100","project_no":"P-1","channel":"app","return":"https://portal.example.com/"}`)
	c := read(out.URL)
	if status != 200 || c.Case != (rating.CaseKey{Area: "620100000000", Project: "P-1"}) || c.Channel != rating.App || c.Visit != nil ||
		c.Source != "portal" ||
		c.Expired(time.Unix(1_700_000_000, 0).Add(link.Life-time.Minute)) || !c.Expired(time.Unix(1_700_000_000, 0).Add(link.Life)) ||
		out.QR != "" {
		t.Errorf("%d %+v %+v", status, out, c)
	}
	atWindow := `{"area":"620100","project_no":"P-1","window":{"id":"B2","name":"社保窗口","area":"620100"},"staff":{"id":"77","name":"马"},` +
		`"qr":true}`
	_, first, _ := ask(l, atWindow)
	_, second, _ := ask(l, atWindow)
	a, b := read(first.URL), read(second.URL)
	if a.Visit == nil || b.Visit == nil || a.Visit.ID == b.Visit.ID || a.Visit.Staff.ID != "77" || a.Channel != rating.Phone {
		t.Errorf("two services at a window have %+v and %+v", a.Visit, b.Visit)
	}
	scans(t, first.QR, first.URL)
	for body, says := range map[string]string{
		`{"area":"620200","project_no":"P-1","channel":"app"}`:                        "no such case",
		`{"window":{"id":"B2","area":"620200"}}`:                                      "no such case",
		`{"window":{"id":"B2"}}`:                                                      "no such case",
		`{"area":"620100","project_no":"P-1","window":{"id":"B2","area":"620200"}}`:   "no such case",
		`{"area":"620200","project_no":"P-1","window":{"id":"B2","area":"620100"}}`:   "no such case",
		`{"area":"620100","project_no":"P-1","channel":"keypad"}`:                     "portal, app",
		`{"area":"620100","project_no":"P-1"}`:                                        "portal, app",
		`{"area":"620100","channel":"app"}`:                                           "project_no",
		`{"channel":"app"}`:                                                           "for a case",
		`{"window":{"id":"B2","area":"620100"},"channel":"app"}`:                      "a phone's",
		`{"area":"620100","project_no":"P","channel":"app","return":"javascript://"}`: "https://",
	} {
		if status, _, said := ask(l, body); status != 422 || !strings.Contains(said, says) {
			t.Errorf("%s: %d %s", body, status, said)
		}
	}
	if status, _, said := ask(links(t, ""), atWindow); status != 501 || !strings.Contains(said, "rate.base") {
		t.Errorf("without a base: %d %s", status, said)
	}
}

// scans reads a QR code as a phone does.
func scans(t *testing.T, png, url string) {
	t.Helper()
	scanner, err := exec.LookPath("zbarimg")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("zbarimg is missing: apt install zbar-tools")
	}
	b, decodeErr := base64.StdEncoding.DecodeString(png)
	path := filepath.Join(t.TempDir(), "link.png")
	if decodeErr != nil || os.WriteFile(path, b, 0o600) != nil {
		t.Fatal("no image", decodeErr)
	}
	read, err := exec.Command(scanner, "--quiet", "--raw", path).Output()
	if err != nil || strings.TrimSpace(string(read)) != strings.ToUpper(url) {
		t.Errorf("the code reads %q, %v, want %s", read, err, url)
	}
}
