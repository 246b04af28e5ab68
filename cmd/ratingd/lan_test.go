package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"haochaping/internal/proof/faultnet"
	"haochaping/internal/windowapi"
)

// pcOnTheLAN is a window's PC beside the box.
type pcOnTheLAN struct {
	t      *testing.T
	box    *box
	token  string
	client *http.Client
}

func (p pcOnTheLAN) do(method, path, body string, header ...string) (*http.Response, string) {
	p.t.Helper()
	r, err := http.NewRequest(method, "https://"+p.box.bound["window_api_lan"]+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp, string(b)
}

func waitFor(t *testing.T, events <-chan windowapi.Event) windowapi.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("the webhook got nothing")
		return windowapi.Event{}
	}
}

// TestPCOnTheLAN runs a box with its certificate on the network, as its PC and a webhook's server see it, through a power cut.
func TestPCOnTheLAN(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	b := newGPIOBox(t, w, "lan", 1)
	dir := t.TempDir()
	now := time.Now()
	authority, err := faultnet.NewAuthority(now.Add(-time.Hour), now.Add(48*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := filepath.Join(dir, "box.crt"), filepath.Join(dir, "box.key")
	issue := func(ends time.Time) {
		c, err := authority.Issue("127.0.0.1", now.Add(-time.Hour), ends)
		if err != nil {
			t.Fatal(err)
		}
		key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
		writeFile(t, certFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})))
	}
	issue(now.Add(24 * time.Hour))
	hooked := make(chan windowapi.Event, 100)
	secret := bytes.Repeat([]byte{9}, 32)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, secret)
		_, _ = mac.Write([]byte(r.Header.Get("webhook-id") + "." + r.Header.Get("webhook-timestamp") + "." + string(body)))
		var e windowapi.Event
		if err != nil || r.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) ||
			json.Unmarshal(body, &e) != nil {
			t.Errorf("the webhook got %s with %v", body, r.Header)
			return
		}
		hooked <- e
	}))
	t.Cleanup(receiver.Close)
	writeFile(t, filepath.Join(dir, "hook"), "whsec_"+base64.StdEncoding.EncodeToString(secret)+"\n")
	b.keys += "uplink.cert_file = \"" + certFile + "\"\nuplink.key_file = \"" + keyFile + "\"\nwindow_api.lan_listen = \"127.0.0.1:0\"\n" +
		"window_api.webhook_url = \"" + receiver.URL + "\"\nwindow_api.webhook_secret_file = \"" + filepath.Join(dir, "hook") + "\"\n"
	w.enrol(b, 0)
	config, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, b.config, strings.Replace(string(config), "loopback_without_token = true", "loopback_without_token = false", 1))
	b.start()
	token, _, err := windowapi.AddToken(filepath.Join(b.state, windowapi.TokensFile), "PC", rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.PEM())
	pc := pcOnTheLAN{t, b, token, &http.Client{Timeout: 20 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}}

	if resp, err := http.Get("http://" + b.bound["window_api_lan"] + "/v1/status"); err == nil {
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %s", resp.Status)
		}
	}
	if resp, body := pc.do("GET", "/v1/status", "", "Authorization", "none"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %s %s", resp.Status, body)
	}
	const visit = `{"subjects":["staff"],"wait_sec":120}`
	first, opened := pc.do("POST", "/v1/visits", visit, "Idempotency-Key", "k1")
	if first.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s", first.Status, opened)
	}
	if first.Proto != "HTTP/1.1" {
		t.Errorf("the box speaks %s, whose many requests on one connection are not bounded", first.Proto)
	}
	before := waitFor(t, hooked)
	if before.Type != windowapi.VisitOpened {
		t.Errorf("the webhook got %+v", before)
	}

	// The plug is pulled. The PC did not get its answer and asks again.
	_ = b.process.Process.Signal(syscall.SIGKILL)
	_ = b.process.Wait()
	b.start()
	again, same := pc.do("POST", "/v1/visits", visit, "Idempotency-Key", "k1")
	if same != opened || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("after the power cut %s %s, before %s", again.Status, same, opened)
	}
	if _, body := pc.do("GET", first.Header.Get("Location"), ""); !strings.Contains(body, `"outcome":"interrupted"`) {
		t.Errorf("%s", body)
	}
	// A stream that broke with the power goes on where it was.
	r, err := http.NewRequest("GET", "https://"+b.bound["window_api_lan"]+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Last-Event-ID", before.ID)
	resp, err := pc.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var lines []string
	in := bufio.NewScanner(resp.Body)
	for len(lines) < 5 && in.Scan() {
		if in.Text() != "" {
			lines = append(lines, in.Text())
		}
	}
	if text := strings.Join(lines, "\n"); !strings.Contains(text, "visit.ended") || !strings.Contains(text, "interrupted") ||
		strings.Contains(text, "reset") {
		t.Errorf("the stream goes on with %s", text)
	}
	ended := waitFor(t, hooked)
	for ended.Type == windowapi.VisitOpened { // which may come twice
		ended = waitFor(t, hooked)
	}
	if ended.Visit != before.Visit || ended.Outcome != "interrupted" {
		t.Errorf("after the power cut the webhook got %+v", ended)
	}

	// The same from another machine's shell, which must know who vouches for the box.
	ca := filepath.Join(dir, "ca.pem")
	writeFile(t, ca, string(authority.PEM()))
	for _, flags := range [][]string{nil, {"-ca-file", ca}} {
		ctl := exec.Command(programs.Path(t, "ratingctl"), append([]string{"visit", "start", "-address",
			"https://" + b.bound["window_api_lan"]}, flags...)...)
		ctl.Env = append(os.Environ(), "HCP_TOKEN="+token)
		out, err := ctl.CombinedOutput()
		if flags == nil && (err == nil || !strings.Contains(string(out), "-ca-file")) || flags != nil && (err != nil || len(out) != 17) {
			t.Errorf("ratingctl visit start %v: %s, %v", flags, out, err)
		}
	}

	// The certificate is renewed under the running daemon: the stream goes on, and whoever connects anew sees the new one.
	issue(now.Add(47 * time.Hour))
	fresh := pc
	fresh.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: pool, ClientSessionCache: tls.NewLRUClientSessionCache(9)}}}
	for range 2 {
		again, _ = fresh.do("GET", "/v1/status", "")
		if end := again.TLS.PeerCertificates[0].NotAfter; end.Before(now.Add(46*time.Hour)) || again.TLS.DidResume {
			t.Errorf("after the renewal the certificate ends at %v, the session of before goes on: %v", end, again.TLS.DidResume)
		}
	}
	if resp, body := fresh.do("POST", "/v1/visits", visit, "Idempotency-Key", "k2"); resp.StatusCode != http.StatusCreated {
		t.Errorf("after the renewal: %s %s", resp.Status, body)
	}
	for lines = nil; !slices.Contains(lines, "event: visit.opened"); {
		if !in.Scan() {
			t.Fatalf("the stream ended with the renewal: %v, after %q", in.Err(), lines)
		}
		lines = append(lines, in.Text())
	}

	// The token is revoked.
	all, err := windowapi.ReadTokens(filepath.Join(b.state, windowapi.TokensFile))
	if err == nil {
		err = windowapi.RevokeToken(filepath.Join(b.state, windowapi.TokensFile), all[0].ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := pc.do("GET", "/v1/status", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a revoked token: %s %s", resp.Status, body)
	}
	b.stop()
	for _, secret := range []string{token, "k1"} {
		if raw, err := os.ReadFile(filepath.Join(b.state, "log.db")); err != nil || bytes.Contains(raw, []byte(`"`+secret+`"`)) {
			t.Errorf("the log holds what only the PC should know: %v", err)
		}
	}
}
