package fleet_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
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
	webtest.Want(t, w.get(at, hall), 200, "发放令牌…", "ratingctl token list", `href="/fleet/root.crt"`)
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

// TestThePageShowsHowLongAPCKnowsItsBox also after the box was revoked, since a PC asks nobody.
func TestThePageShowsHowLongAPCKnowsItsBox(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room, hall := w.lets(t), w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	keep := func(name string) identity.Key {
		t.Helper()
		key, err := identity.Keep(filepath.Join(t.TempDir(), name), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	_, record, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, window := keep("tls.key"), keep("window.key")
	p, q := asksAs(t, room, "bcdf23456789", key, identity.Record(record))
	form := url.Values{"code": {p.Code}, "window": {"SL-H2-B02"}}
	if r := w.post("/fleet/halls/SL-H2/enrol", hall, form); r.Code != 303 {
		t.Fatalf("accepted: %d", r.Code)
	}
	own, _, err := room.Ask(t.Context(), q, enrol.Origin{Address: "192.0.2.7"})
	if err != nil {
		t.Fatal(err)
	}
	der, err := identity.NewServerRequest(p.Device, window, []string{"10.1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	request, err := identity.ParseServerRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	c, err := room.Window(t.Context(), request, own)
	if err != nil {
		t.Fatal(err)
	}
	w.stands(t, p.Device, "SL-H2-B02")
	at, serial := "/fleet/boxes/"+string(p.Device), c.SerialNumber.Text(16)
	webtest.Want(t, w.get(at, hall), 200, "窗口电脑用的", serial, "!到期前仍可能认它")
	if r := w.post(at+"/revoke", hall, url.Values{"reason": {"被盗"}}); r.Code != 303 {
		t.Fatalf("revoked: %d", r.Code)
	}
	webtest.Want(t, w.get(at, hall), 200, serial, "到期前仍可能认它", c.NotAfter.In(rating.Shanghai()).Format("2006-01-02 15:04"))
}
