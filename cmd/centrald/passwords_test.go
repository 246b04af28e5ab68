package main

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPasswords(t *testing.T) {
	p := passwords{path: filepath.Join(t.TempDir(), "passwords"), log: slog.New(slog.DiscardHandler)}
	if p.allow(box, "") {
		t.Error("a box was let in without a file")
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(p.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(fmt.Sprintf("# boxes\n\n%s %x\n", box, sha256.Sum256([]byte("right"))))
	if !p.allow(box, "right") {
		t.Error("the right password was refused")
	}
	if p.allow(box, "wrong") || p.allow(box, "") || p.allow("other", "right") {
		t.Error("a wrong password or an unknown box was let in")
	}
	write("\nlz-0417 secret-in-plain\n")
	if p.allow(box, "secret-in-plain") {
		t.Error("a damaged file let a box in")
	}
	if _, err := p.read(); err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a damaged file gives %v; want the line without its secret", err)
	}
}

func FuzzPasswords(f *testing.F) {
	f.Add(fmt.Sprintf("lz-0417 %x\n# x\n", sha256.Sum256(nil)))
	f.Add("lz-0417\n")
	f.Add("a b c\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		known, err := parsePasswords(text)
		if err != nil && known != nil {
			t.Errorf("%q: an error and %d boxes", text, len(known))
		}
		if len(known) > strings.Count(text, "\n")+1 {
			t.Errorf("%q: %d boxes, more than there are lines", text, len(known))
		}
	})
}

func TestAnOpenBrokerIsRefused(t *testing.T) {
	for text, ok := range map[string]bool{
		"broker.listen = \":1883\"":                                      false,
		"broker.listen = \"192.0.2.1:1883\"":                             false,
		"broker.listen = \":1883\"\nbroker.passwords_file = \"/x\"":      true,
		"broker.listen = \"[::1]:1883\"":                                 true,
		"broker.listen = \"localhost:1883\"":                             true,
		"broker.listen = \":1883\"\nbroker.url = \"mqtt://192.0.2.1:1\"": true, // the built-in one is not used
	} {
		if _, err := parseConfig(text); (err == nil) != ok {
			t.Errorf("%q: %v, want accepted: %t", text, err, ok)
		}
	}
}
