package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/proof/faultnet"
	"haochaping/internal/proof/testkit"
)

// needNginx returns where Debian's nginx is. Without it the test is skipped, and fails where CI is set.
func needNginx(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"nginx", "/usr/sbin/nginx"} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("nginx is missing: install the Debian package nginx")
	}
	t.Skip("nginx is missing: install the Debian package nginx")
	return ""
}

// nginx starts nginx with the configuration that is shipped, at other addresses, and returns where it listens.
func nginx(t *testing.T, behind, certFile, keyFile string) string {
	t.Helper()
	program := needNginx(t)
	text, err := os.ReadFile("../../deploy/proxy/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	at, dir := testkit.Address(t), t.TempDir()
	server := strings.NewReplacer("listen 443 ssl", "listen "+at+" ssl", "127.0.0.1:8081", behind, "/etc/ssl/centre.pem", certFile,
		"/etc/ssl/centre.key", keyFile,
		"/var/log/nginx/centre.log", filepath.Join(dir, "access.log")).Replace(string(text))
	config := fmt.Sprintf("daemon off;\nmaster_process off;\npid %s/pid;\nerror_log %s/error.log;\nevents {}\nhttp {\n", dir, dir)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		config += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config+server+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "-p", dir, "-c", path)
	out := new(testkit.Said)
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if access, err := os.ReadFile(filepath.Join(dir, "access.log")); err != nil || strings.Contains(string(access), "/enter/") {
			t.Errorf("nginx has written a one-time link down, %v", err)
		}
		if t.Failed() {
			said, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Logf("nginx said:\n%s%s", out, said)
		}
	})
	within(t, time.Minute, "nginx", func() bool {
		conn, err := net.Dial("tcp", at)
		return err == nil && conn.Close() == nil
	})
	return at
}

// authority signs certificates for an hour.
func authority(t *testing.T) *faultnet.Authority {
	t.Helper()
	ca, err := faultnet.NewAuthority(time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// pairOf returns a new certificate and its key as the two files have them.
func pairOf(t *testing.T, ca *faultnet.Authority, certFile, keyFile string) map[string][]byte {
	t.Helper()
	c, err := ca.Issue("centre.example.com", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{certFile: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})}
}

// client127 returns an HTTPS client at an address of loopback that follows nothing and keeps cookies.
func client127(at, from string, roots *x509.CertPool) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext,
			TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "centre.example.com"}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// The pages behind Debian's nginx: cookies for HTTPS, the client's address and not the proxy's or a forged one, events that are not held
// back.
func TestBehindNginx(t *testing.T) {
	needNginx(t)
	x, site := pagesWith(t, "admin.hosts = ['centre.example.com']\nadmin.proxies = ['127.0.0.1']")
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	ca := authority(t)
	certFile, keyFile := filepath.Join(t.TempDir(), "c.pem"), filepath.Join(t.TempDir(), "k.pem")
	for path, text := range pairOf(t, ca, certFile, keyFile) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := nginx(t, server.Listener.Addr().String(), certFile, keyFile)
	a, err := x.people.Add(t.Context(), operator(), "li.qiang", "李强", "620000000000", grantOf(account.Province, 0))
	if err != nil {
		t.Fatal(err)
	}
	link := linkOf(t, x, a, account.SignsIn)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	c := client127(at, "127.0.0.2", roots)
	ask := func(method, path string, cookies []*http.Cookie) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "https://"+at+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "centre.example.com"
		r.Header.Set("X-Forwarded-For", "203.0.113.66")
		r.Header.Set("X-Forwarded-Proto", "http")
		r.Header.Set("Origin", "https://centre.example.com")
		for _, k := range cookies {
			r.AddCookie(k)
		}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	in := ask("POST", link, nil)
	cookies := in.Cookies()
	if in.StatusCode != http.StatusSeeOther || len(cookies) != 2 || in.Header.Get("Strict-Transport-Security") == "" {
		t.Fatalf("%s, %v", in.Status, cookies)
	}
	for _, k := range cookies {
		if !strings.HasPrefix(k.Name, "__Host-") || !k.Secure {
			t.Errorf("cookie %+v", k)
		}
	}
	if home := ask("GET", "/", cookies); home.StatusCode != http.StatusOK {
		t.Errorf("home: %s", home.Status)
	}
	sessions, err := x.people.Sessions(t.Context(), a.ID)
	if err != nil || len(sessions) != 1 || sessions[0].Address != "127.0.0.2" {
		t.Errorf("sessions %+v, %v; want one from 127.0.0.2", sessions, err)
	}
	events := ask("GET", "/live/events", cookies)
	line, err := bufio.NewReader(events.Body).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "data: ") {
		t.Errorf("the events begin with %q, %v", line, err)
	}
}

// What the centre itself serves over TLS is at least of version 1.2, whatever the other side offers.
func TestOldTLSIsRefused(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	ca := authority(t)
	for to, text := range pairOf(t, ca, certFile, keyFile) {
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := new(shown).listen("admin.cert_file", "127.0.0.1:0", certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true,
		tls.VersionTLS13: true} {
		// Whose certificate it is, other tests ask.
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{MinVersion: version, MaxVersion: version, InsecureSkipVerify: true})
		if err == nil {
			err = c.Close()
		}
		if (err == nil) != want {
			t.Errorf("%s: %v, want it taken %t", tls.VersionName(version), err, want)
		}
	}
}

// A certificate that is renewed is shown without a restart; half a renewal is not.
func TestRenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	ca := authority(t)
	put := func(cert, key bool, at time.Time) {
		t.Helper()
		for to, text := range pairOf(t, ca, certFile, keyFile) {
			if to == certFile && !cert || to == keyFile && !key {
				continue
			}
			if err := errors.Join(os.WriteFile(to, text, 0o600), os.Chtimes(to, at, at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	now := at
	put(true, true, at)
	r := &renewed{certFile: certFile, keyFile: keyFile, now: func() time.Time { return now }}
	shown := func() string {
		t.Helper()
		now = now.Add(askFiles)
		c, err := r.certificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(c.Certificate[0])
	}
	first := shown()
	put(true, false, at.Add(time.Hour))
	if shown() != first {
		t.Error("a certificate without its key is shown")
	}
	put(true, true, at.Add(2*time.Hour))
	second := shown()
	if second == first {
		t.Error("the renewed certificate is not shown")
	}
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	if shown() != second {
		t.Error("a certificate whose file is gone meanwhile is not shown any more")
	}
}
