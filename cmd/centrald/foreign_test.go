package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/central/cases"
	"haochaping/internal/proof/testkit"
)

// TestAForeignClient has a business system in Python, written from the description of the API, speak with a centre.
func TestAForeignClient(t *testing.T) {
	python, err := exec.LookPath("python3")
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal("python3 is missing: install the Debian package python3")
	default:
		t.Skip("python3 is missing: install the Debian package python3")
	}
	s := newStation(t, programs.Path(t, "centrald"), "")
	addr, tokens := testkit.Address(t), filepath.Join(s.dir, "tokens")
	if err := os.WriteFile(tokens, fmt.Appendf(nil, "portal %x doors=%s\n", sha256.Sum256([]byte("business")),
		strings.Join(cases.Doors(), ",")), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	const base = "https://rate.example.com"
	config = []byte(strings.Replace(string(config), "[rate]\n", "[rate]\nbase = \""+base+"\"\n", 1))
	config = fmt.Appendf(config, "[cases]\nlisten = %q\ntokens_file = %q\nvoice_keys = { \"1\" = 5, \"5\" = 1 }\n", addr, tokens)
	if err := os.WriteFile(s.config, config, 0o600); err != nil {
		t.Fatal(err)
	}
	p := s.start(s.config, "addresses.json")
	c := exec.CommandContext(t.Context(), python, "../../internal/proof/foreign/client.py", "http://"+addr, "business", base,
		"http://"+p.at.Rate)
	if out, err := c.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Errorf("%v\n%s", err, out)
	}
}
