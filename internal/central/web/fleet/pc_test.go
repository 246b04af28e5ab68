package fleet_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web/webtest"
	"haochaping/sync/wire"
)

// TestATokenIsShownOnce to the person, as a hash to the box, and to nobody else.
func TestATokenIsShownOnce(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room := w.lets(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	other := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", "629900000000")))
	at, named := "/fleet/boxes/jia-b01", url.Values{"name": {"A12 窗口电脑"}}
	if r := w.post(at+"/tokens", hall, named); r.Code != 409 {
		t.Errorf("a box that is offline: %d", r.Code)
	}
	w.says(t, "jia-b01", true, nil)
	webtest.Want(t, w.get(at, hall), 200, "发放令牌…", `href="/fleet/root.crt"`)
	for name, status := range map[string]int{
		"no name":            w.post(at+"/tokens", hall, url.Values{"name": {" "}}).Code,
		"a long one":         w.post(at+"/tokens", hall, url.Values{"name": {strings.Repeat("长", 61)}}).Code,
		"another hall's":     w.post(at+"/tokens", other, named).Code,
		"a drop of no ID":    w.post(at+"/tokens/drop", hall, url.Values{"token": {"abc"}}).Code,
		"a drop by somebody": w.post(at+"/tokens/drop", other, url.Values{"token": {"0a0b0c0d"}}).Code,
	} {
		if status != 422 && status != 404 {
			t.Errorf("%s: %d", name, status)
		}
	}
	page := w.post(at+"/tokens", hall, named)
	webtest.Want(t, page, 200, "只显示这一次", "A12 窗口电脑")
	secret := regexp.MustCompile(`hcp_[A-Z2-7]{52}`).FindString(page.Body.String())
	sum := sha256.Sum256([]byte(secret))
	sent := w.sentTo("jia-b01")
	if secret == "" || len(sent) != 1 || sent[0].Name != wire.CommandAddToken || sent[0].Args["hash"] != hex.EncodeToString(sum[:]) ||
		sent[0].Args["name"] != "A12 窗口电脑" || !strings.Contains(page.Body.String(), sent[0].Args["id"]) {
		t.Fatalf("the page shows %q, the box is told %+v", secret, sent)
	}
	webtest.Want(t, w.get(at, hall), 200, "发放窗口电脑令牌", "!"+secret)
	entries, err := w.Journal.Read(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	acts := 0
	for _, e := range entries {
		a, err := e.Act()
		if e.Kind != journal.Acted || err != nil || a.Do != "fleet.add_token" {
			continue
		}
		acts++
		if text := string(a.Data); !strings.Contains(text, sent[0].Args["id"]) || strings.Contains(text, secret) ||
			strings.Contains(text, sent[0].Args["hash"]) {
			t.Errorf("the journal has %s", text)
		}
	}
	if acts != 1 {
		t.Errorf("the journal has %d acts", acts)
	}
	if r := w.post(at+"/tokens/drop", hall, url.Values{"token": {" " + strings.ToUpper(sent[0].Args["id"])}}); r.Code != 303 {
		t.Errorf("dropped: %d", r.Code)
	}
	if sent := w.sentTo("jia-b01"); sent[len(sent)-1].Name != wire.CommandDropToken || sent[len(sent)-1].Args["id"] != sent[0].Args["id"] {
		t.Errorf("the box is told %+v", sent)
	}
	root := w.get("/fleet/root.crt", hall)
	block, _ := pem.Decode(root.Body.Bytes())
	if root.Code != 200 || block == nil {
		t.Fatalf("the root: %d %s", root.Code, root.Body)
	}
	if c, err := x509.ParseCertificate(block.Bytes); err != nil || !c.Equal(room.Authority().Root()) {
		t.Errorf("it is another certificate: %v", err)
	}
}
