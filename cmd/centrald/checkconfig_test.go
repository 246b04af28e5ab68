package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"haochaping/internal/cli"
)

// What the start would stumble over is said before it: each file, folder and address that the configuration names.
func TestCheckConfigLooksAtWhatIsNamed(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("box-1 secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	for _, c := range []struct {
		more, want string
		wrong      bool // the configuration, by the status
	}{
		{"broker.passwords_file = %q", "broker.passwords_file", true},
		{"rate.catalogue = %q", "rate.catalogue", true},
		{"rate.cert_file = %q\nrate.key_file = %[1]q", "rate.cert_file", true},
		{"admin.cert_file = %q\nadmin.key_file = %[1]q", "请创建，或从配置中删去", true},
		{"ops.listen = \"127.0.0.1:0\"\nops.tokens_file = %q", "ops.tokens_file", true},
		{"cases.listen = \"127.0.0.1:0\"\ncases.tokens_file = %q", "cases.tokens_file", true},
		{"alerts.webhook_url = \"https://a.example.com\"\nalerts.webhook_secret_file = %q", "alerts.webhook_secret_file", true},
		{"orders.webhook_url = \"https://a.example.com\"\norders.webhook_secret_file = %q", "orders.webhook_secret_file", true},
		{"orders.webhook_url = \"https://a.example.com\"\norders.webhook_secret_file = \"" + bad + "\" # %s", "orders.webhook_secret_file", true},
		{"orders.webhook_url = \"http://a.example.com\"\norders.webhook_secret_file = %q", "orders.webhook_url", true},
		{"orders.webhook_url = \"https://a.example.com\" # %s", "orders.webhook_url", true},
		{"orders.follow_up_text = \"{matter}\" # %s", "orders.follow_up_text", true},
		{"orders.extension_text = \"{link}\" # %s", "orders.extension_text: {link} 没有地址可填", true},
		{"orders.missed_text = \"{day}\" # %s", "orders.missed_text", true},
		{"deadline.sms.file = \"%s/file\"", "deadline.sms.file", true},
		{"broker.passwords_file = \"" + bad + "\" # %s", "line 1: the second word is no SHA-256", true},
		{"rate.listen = \"" + taken.Addr().String() + "\" # %s", "rate.listen: 端口", false},
		{"seal.listen = \"192.0.2.1:1\" # %s", "seal.listen: 本机没有地址 192.0.2.1", false},
		{"seal.listen = \"127.0.0.1:65535\" # %s\nops.listen = \":65535\"\nops.cert_file = \"\"\n", "ops.listen", true},
		{"seal.listen = \"127.0.0.1:65534\" # %s\nops.listen = \"127.0.0.1:65534\"", "ops.listen: 与 seal.listen 是同一端口", false},
	} {
		config := filepath.Join(dir, "centrald.toml")
		text := fmt.Sprintf("state = %q\nbroker.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\n", filepath.Join(dir, "state"))
		if !strings.Contains(c.more, "rate.listen") {
			text += "rate.listen = \"127.0.0.1:0\"\n"
		}
		if err := os.WriteFile(config, []byte(text+fmt.Sprintf(c.more, missing)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := (&centre{t: t, config: config}).command("-config", config, "-check-config")
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "：", ": "), c.want) || errors.As(err,
			new(*configurationError)) != c.wrong {
			t.Errorf("%s: %q, %v; want %q", c.more, out, err, c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); err == nil {
		t.Error("looking made the state folder")
	}
}

// Whoever has the broker's address is called a broker only if it answers as one does.
func TestWhoHasTheBrokersAddress(t *testing.T) {
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = web.Close() })
	go func() {
		for {
			conn, err := web.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	for address, want := range map[string]string{web.Addr().String(): "停掉它", startMosquitto(t): "mosquitto"} {
		_, err := net.Listen("tcp", address)
		hinted := hintBroker(address, err)
		if got := hinted.Error() + cli.HintOf(hinted).ZH; !strings.Contains(got, want) {
			t.Errorf("%s: %s", want, got)
		}
	}
}

// A centre whose key is gone does not make another one, by whatever door it is asked: boxes would believe it no more.
func TestALostKeyIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	c := &centre{t: t, config: writeConfig(t, dir)}
	for _, trace := range []string{headFile, journalFile} {
		state := t.TempDir()
		text := fmt.Sprintf("state = %q\nbroker.listen = \"127.0.0.1:0\"\n", state)
		if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(state, trace), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{nil, {"key"}, {"findings"}, {"device", "list"}} {
			if out, err := c.command(append([]string{"-config", c.config}, args...)...); err == nil {
				t.Errorf("%s without its key, %v: %s", trace, args, out)
			}
		}
		if _, err := os.Stat(filepath.Join(state, keyFile)); err == nil {
			t.Errorf("a key was made beside %s", trace)
		}
	}
}

// What -check-config has against a configuration's files, addresses and broker is said in the language that was asked for.
func TestCheckConfigSpeaksTheLanguage(t *testing.T) {
	for _, text := range []string{"broker.url = \"mqtt://127.0.0.1:1\"", "admin.cert_file = \"/nowhere/a\"\nadmin.key_file = \"/nowhere/b\"",
		"seal.listen = \"127.0.0.1:65534\"\nops.listen = \"127.0.0.1:65534\""} {
		path := filepath.Join(t.TempDir(), "c.toml")
		text += "\nrate.listen = \"127.0.0.1:0\"\n"
		if err := os.WriteFile(path, fmt.Appendf([]byte(text), "state = %q\n", t.TempDir()), 0o600); err != nil {
			t.Fatal(err)
		}
		for lang, foreign := range map[string]string{"en": `\p{Han}`, "zh": ` / [a-z]+ [a-z]+|cannot be used|does not exist:|has the port`} {
			err := run(t.Context(), []string{"-config", path, "-check-config", "-lang", lang},
				environment{io.Discard, io.Discard, time.Now, rand.Reader, manager})
			if err == nil || regexp.MustCompile(foreign).MatchString(err.Error()) {
				t.Errorf("of %q it says in %s: %v", text, lang, err)
			}
		}
	}
}
