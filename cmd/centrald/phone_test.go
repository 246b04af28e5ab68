package main

import (
	"crypto/ed25519"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"haochaping/internal/rating"
	"haochaping/qrcode"
)

// rateByPhone opens the page behind the QR code and submits a level for the staff.
func (c *centre) rateByPhone(key ed25519.PrivateKey, visit rating.VisitID) {
	t := c.t
	t.Helper()
	token, err := qrcode.Claim{Device: box, Visit: visit, Issued: time.Now(), Synced: true, Staff: true, Matter: true}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	link, err := qrcode.Link("http://"+c.at.Rate, token)
	if err != nil {
		t.Fatal(err)
	}
	link = strings.Replace(link, "HTTP://", "http://", 1)
	get := func(address string) string {
		resp, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	page := get(link)
	found := regexp.MustCompile(`name="submission" value="([0-9a-f]+)"`).FindStringSubmatch(page)
	if found == nil || !strings.Contains(page, "6201") || strings.Contains(page, "matter.level") {
		t.Fatalf("the page should ask about the staff and no more about the matter, which was rated by key:\n%s", page)
	}
	resp, err := http.PostForm(link, url.Values{"submission": {found[1]}, "staff.level": {"1"}, "staff.reason": {"115"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if !strings.HasSuffix(resp.Request.URL.Path, "/thanks") || resp.StatusCode != http.StatusOK {
		t.Fatalf("submitting led to %s with %s", resp.Request.URL.Path, resp.Status)
	}
	if again := get(link); !strings.Contains(again, "已经评价过了") {
		t.Error("the link can be used again")
	}
	if strings.Contains(c.log.String(), token) {
		t.Error("the log holds the token")
	}
}
