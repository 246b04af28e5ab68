package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/proof/faultnet"
)

// networkCertificates shows the box certificates that it must not take, and one that it must take though its clock
// shows 1970.
func networkCertificates(t *testing.T, program string) {
	now := time.Now()
	authority, err := faultnet.NewAuthority(now.AddDate(-10, 0, 0), now.AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	issue := func(begins, ends time.Time) tls.Certificate {
		c, err := authority.Issue("127.0.0.1", begins, ends)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	good := issue(now.Add(-time.Hour), now.AddDate(1, 0, 0))
	ca := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, ca, string(authority.PEM()))
	w := &world{t: t, dir: t.TempDir(), centrald: program, command: exec.Command}
	w.launch("broker.listen = \"127.0.0.1:0\"\n")
	var tests parallel
	for i, c := range []struct {
		name   string
		shown  tls.Certificate
		clock  string
		reason string // that the daemon's log must give
	}{
		{"ended", issue(now.AddDate(-1, 0, 0), now.AddDate(0, 0, -1)), clockSet, "renew it at the broker"},
		{"not begun", issue(now.AddDate(0, 0, 2), now.AddDate(1, 0, 0)), clockSet, "begins on"},
		{"ended, on a box that lives in 1970", issue(now.AddDate(-1, 0, 0), now.AddDate(0, 0, -1)), "1970-01-01T00:00:00Z", "has passed"},
	} {
		tests.run(t, c.name, func(t *testing.T) {
			proxy, err := faultnet.Listen(w.mqtt)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = proxy.Close() })
			proxy.Set(faultnet.TLS(good))
			p := admit(t, w, fmt.Sprintf("tls-%d", i), "mqtts://"+proxy.Addr(), fmt.Sprintf("uplink.ca_file = %q\n", ca))
			p.proxy = proxy
			p.extra = []string{clockEnv + "=" + c.clock}
			p.start()
			p.suffer(fault{c.name, 12 * time.Second, true, func(p *patient) { p.proxy.Set(faultnet.TLS(c.shown)) },
				func(p *patient) { p.proxy.Later(faultnet.TLS(good)) }})
			if said := p.said.String(); !strings.Contains(said, c.reason) {
				t.Errorf("the log does not say %q", c.reason)
			}
			p.discharge()
		})
	}
	tests.wait()
}

// networkNames takes the name server away.
func networkNames(t *testing.T, program string) {
	if os.Getuid() != 0 || exec.Command("unshare", "--mount", "true").Run() != nil {
		t.Skip("a resolv.conf of its own needs root and a kernel with mount namespaces")
	}
	address := fmt.Sprintf("127.53.%d.%d", os.Getpid()>>8&255, os.Getpid()&255) // two runs of this test should not meet
	names, err := faultnet.ListenNames(address)
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = names.Close() }()
	w := &world{t: t, dir: t.TempDir(), centrald: program, command: exec.Command}
	w.launch("broker.listen = \"127.0.0.1:0\"\n")
	proxy, err := faultnet.Listen(w.mqtt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = proxy.Close() }()
	_, port, _ := net.SplitHostPort(proxy.Addr())
	p := admit(t, w, "named", "mqtt://mqtt.example.com:"+port, "")
	p.proxy = proxy
	resolv := filepath.Join(p.w.dir, "resolv.conf")
	writeFile(t, resolv, "nameserver "+address+"\n")
	p.wrap = []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, resolv}
	p.extra = []string{"GODEBUG=netdns=go"}
	names.Set(faultnet.Loopback)
	p.start()
	for name, a := range map[string]faultnet.Answer{"no answer": faultnet.Silence, "no such name": faultnet.NotFound} {
		p.suffer(fault{"name server: " + name, 15 * time.Second, true,
			func(p *patient) { names.Set(a); p.proxy.Reset() }, func(*patient) { names.Set(faultnet.Loopback) }})
	}
	if names.Asked() == 0 {
		t.Error("nobody asked the name server")
	}
	p.discharge()
}
