package main

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/rating"
)

func TestDeviceCommands(t *testing.T) {
	dir := t.TempDir()
	c := &centre{t: t, config: writeConfig(t, dir)}
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.enrol(public)
	add := func(more ...string) (string, error) {
		return c.command(append([]string{"device", "add", "-config", c.config, "-id", string(box), "-window", "B01", "-hall", "市民中心政务服务大厅"},
			more...)...)
	}
	if out, err := add("-key", keyText(public)); err != nil || !strings.Contains(out, "serves B01, generation 2") {
		t.Errorf("moving the box = %q, %v; want generation 2", out, err)
	}
	if out, err := add("-key", keyText(public)); err != nil || !strings.Contains(out, "generation 2") {
		t.Errorf("the same again = %q, %v; want no change", out, err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		more []string
	}{
		{"leave -generation out", []string{"-key", keyText(public), "-name", "x", "-generation", "2"}},
		{"another key", []string{"-key", keyText(other)}},
		{"no public key", []string{"-key", "short"}},
		{"-id", []string{"-key", keyText(public), "-id", "Not/OK"}},
		{"is unexpected", []string{"-key", keyText(public), "word"}},
	} {
		if out, err := add(c.more...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("device add %v = %q, %v; want an error with %q", c.more, out, err, c.want)
		}
	}
	if out, err := add("-key", keyText(other), "-replace-key"); err != nil {
		t.Errorf("replacing the key: %q, %v", out, err)
	}
	roster := filepath.Join(dir, "staff.toml")
	if err := os.WriteFile(filepath.Join(dir, "odd.jpg"), []byte("\xff\xd8\xff\xdb and no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"[[member]]\nid = \"0417\"\nphoto = \"odd.jpg\"\n":                             "member 0417: a photo cannot be shown",
		"[[member]]\nid = \"0417\"\nname = \"王丽\"\ncard = \"0012345\"\n":               "",
		"[[member]]\nid = \"0417\"\nnaam = \"王丽\"\n":                                   "member.naam: unknown",
		"[[member]]\nid = \"0417\"\n[[member]]\nid = \"0417\"\n":                       "0417",
		"[[member]]\nid = \"1\"\ncard = \"9\"\n[[member]]\nid = \"2\"\ncard = \"9\"\n": "card",
		"[[member]]\nid = \"0417\"\nphoto = \"nowhere.jpg\"\n":                         "the photo of 0417",
		"[[member]]\nid = \"0417\"\nphoto = \"staff.toml\"\n":                          "photo",
		"[[member]]\nid = \"" + strings.Repeat("0", rating.MaxCode+1) + "\"\n":         "0000",
	} {
		if err := os.WriteFile(roster, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := add("-key", keyText(other), "-sign-in", "-roster", roster)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("the roster\n%s gives %q, %v; want %q", text, out, err, want)
		}
	}
	out, err := c.command("-config", c.config, "device", "list")
	if err != nil || !strings.Contains(out, keyText(other)) || !strings.Contains(out, "B01") || !strings.Contains(out, "never") ||
		strings.Count(out, "\n") != 3 {
		t.Errorf("device list = %q, %v", out, err)
	}
	if _, err := c.command("devise"); err == nil || !strings.Contains(err.Error(), "centrald help") {
		t.Errorf("an unknown command gives %v", err)
	}
	if out, err := c.command("-print-config"); err != nil || out != defaultTOML {
		t.Errorf("-print-config: %v", err)
	}
}
