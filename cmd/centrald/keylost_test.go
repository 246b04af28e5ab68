package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/cli"
)

// TestALostKeyBesideAServer takes the state folder from a centre that has worked: on a server, where nothing else of it is on this machine,
// and beside SQLite's files.
func TestALostKeyBesideAServer(t *testing.T) {
	for name, books := range map[string]string{"postgres": dbtest.StartPostgres(t).Database(t), "sqlite": "sqlite:" + t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := &centre{t: t, config: writeConfig(t, dir)}
			text, err := os.ReadFile(c.config)
			if err == nil {
				err = os.WriteFile(c.config, append([]byte("books = \""+books+"\"\n"), text...), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			state := filepath.Join(dir, "state")
			before, err := c.command("key", "-config", c.config)
			if err != nil {
				t.Fatalf("a new centre has no key: %v", err)
			}
			key, err := os.ReadFile(filepath.Join(state, keyFile))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.command("account", "-config", c.config, "add", "-login", "li", "-name", "李", "-role", "technician", "-scope",
				"620000000000", "-area", "620000000000"); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(state); err != nil {
				t.Fatal(err)
			}
			for _, words := range [][]string{{"key"}, {"account", "list"}, {"-config", c.config}} {
				if words[0] != "-config" {
					words = append([]string{words[0], "-config", c.config}, words[1:]...)
				}
				_, err := c.command(words...)
				if hint := cli.HintOf(err); err == nil || !strings.Contains(err.Error(), keyFile) || !strings.Contains(hint.EN, "put back the copy") {
					t.Errorf("%v: %v, hint %q", words, err, hint.EN)
				}
				if _, err := os.Stat(filepath.Join(state, keyFile)); !errors.Is(err, fs.ErrNotExist) {
					t.Fatalf("%v has drawn another key: %v", words, err)
				}
			}
			if err := os.MkdirAll(state, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(state, keyFile), key, 0o600); err != nil {
				t.Fatal(err)
			}
			if after, err := c.command("key", "-config", c.config); err != nil || after != before {
				t.Errorf("with the key put back it prints %q, %v; want %q", after, err, before)
			}
			if out, err := c.command("account", "-config", c.config, "list"); err != nil || !strings.Contains(out, "li") {
				t.Errorf("with the key put back it lists %q, %v", out, err)
			}
		})
	}
}
