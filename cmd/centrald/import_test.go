package main

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// A file of boxes is taken whole or not at all, and again without harm.
func TestImport(t *testing.T) {
	dir := t.TempDir()
	c := &centre{t: t, config: writeConfig(t, dir)}
	var keys []string
	for range 4 {
		public, _, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, keyText(public))
	}
	path := filepath.Join(dir, "boxes.csv")
	load := func(text string) (string, error) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return c.command("device", "-config", c.config, "import", "-csv", path)
	}
	list := func() string {
		out, err := c.command("device", "-config", c.config, "list")
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	const head = "id,key,window,hall,name\n"
	line := func(id string, key int, window string) string {
		return fmt.Sprintf("%s,%s,%s,市民中心,\"综合,窗口\"\n", id, keys[key], window)
	}
	for text, want := range map[string]string{
		head + line("lz-1", 0, "A1") + line("Lz", 1, "A2"):             "line 3: id:",
		head + line("lz-1", 0, "A1") + line("lz-1", 1, "A2"):           "stands in line 2, too",
		head + line("lz-1", 0, "A1") + line("lz-2", 0, "A2"):           "is that of lz-1",
		head + line("lz-1", 0, "A1") + "lz-2,short,A2,,\n":             "line 3: key:",
		head + line("lz-1", 0, "A1") + line("lz-2", 1, ""):             "line 3: lz-2: window: id is empty",
		head + line("lz-1", 0, "A1") + "lz-2," + keys[1] + "\n":        "line 3: lz-2: window: id is empty",
		head + line("lz-1", 0, "A1") + "lz-2," + keys[1] + ",A2,,,?\n": "line 3: more fields",
		head + line("lz-1", 0, "A1") + "\"lz-2\"x,,,,\n":               "line 3:",
		"id,key,window,ID\n":    "stands there twice",
		"id,key,window,where\n": `column "where" is unknown`,
		"id,key\n":              `"window" or "window_id" is missing`,
		"":                      "the file is empty",
		head + strings.Repeat("?,?,?,?,?\n", maxImportFaults+10): fmt.Sprintf("line %d:", maxImportFaults+1),
	} {
		if out, err := load(text); err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > maxImportFaults {
			t.Errorf("the file\n%s gives %q, %v; want %q", text, out, err, want)
		}
	}
	if got := list(); strings.Count(got, "\n") != 2 {
		t.Errorf("a file with faults enrolled something:\n%s", got)
	}
	good := head + line("lz-1", 0, "A1") + line("lz-2", 1, "A2") + line("lz-3", 2, "A3")
	// As spreadsheets write it: with a mark, in GB18030, with their own names of columns, with columns and lines that are empty.
	chinese := strings.Replace(strings.ReplaceAll(good, "\n", ",\n"), "id,key,window,hall,name", "编号, 公钥,窗口 ,大厅,名称", 1) + ",,,,,\n"
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(chinese)
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{good, "\ufeff" + good, chinese, gb} {
		if out, err := load(good); err != nil || !strings.Contains(out, "3 devices") {
			t.Errorf("the good file: %q, %v", out, err)
		}
	}
	if _, err := load(head + line("lz-1", 3, "A1")); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another key: %v", err)
	}
	if out, err := load(head + line("lz-2", 1, "B2") + line("lz-4", 3, "A4")); err != nil {
		t.Errorf("a window moved and a box more: %q, %v", out, err)
	}
	got := list()
	for _, want := range []string{"lz-1  ", "B2", "A4", keys[2]} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Count(got, "\n") != 6 {
		t.Errorf("the list is\n%s", got)
	}
}
