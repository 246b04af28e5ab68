package main

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/rating"
)

// city is the demonstration's organisation.
const city = "../ratingctl/organisation.csv"

// TestOrganisation imports a city while the centre runs, enrols a box at one of its windows, and renames the window: the box gets the new
// name, and what it said before stays where it was.
func TestOrganisation(t *testing.T) {
	dir := t.TempDir()
	c := startCentre(t, dir)
	directoryCommand := func(args ...string) (string, error) {
		return c.command(append([]string{"directory", "-config", c.config}, args...)...)
	}
	out, err := directoryCommand("import", city)
	hash := regexp.MustCompile(`-hash ([0-9a-f]+)`).FindStringSubmatch(out)
	if err != nil || hash == nil || !strings.Contains(out, "第 16 行 / line 16: 新增 / new  大厅 SL-H1 市民中心政务服务大厅  2020-01-01/") {
		t.Fatalf("the preview is %q, %v", out, err)
	}
	if out, err := directoryCommand("list", "hall"); err != nil || strings.Count(out, "\n") != 2 {
		t.Errorf("a preview wrote %q, %v", out, err)
	}
	if _, err := directoryCommand("import", city, "-apply", "-hash", "0123"); err == nil || !strings.Contains(err.Error(), "重新预览") {
		t.Errorf("a confirmation of something else: %v", err)
	}
	if out, err := directoryCommand("import", city, "-apply", "-hash", hash[1], "-reason", "第一次导入"); err != nil ||
		!strings.Contains(out, "已写入") {
		t.Fatalf("the confirmation is %q, %v", out, err)
	}
	for kind, want := range map[string]int{"area": 6, "unit": 7, "hall": 3, "window": 12, "staff": 30} {
		if out, err := directoryCommand("list", kind); err != nil || strings.Count(out, "\n") != want+2 {
			t.Errorf("there are not %d of %s: %v\n%s", want, kind, err, out)
		}
	}
	for _, name := range []string{"city.csv", "city.xlsx"} {
		path := filepath.Join(dir, name)
		if _, err := directoryCommand("export", path); err != nil {
			t.Fatal(err)
		}
		if out, err := directoryCommand("import", path); err != nil || strings.Contains(out, "新增") || !strings.Contains(out, "不变 / same: 60") {
			t.Errorf("the exported %s would change something: %q, %v", name, out, err)
		}
	}

	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	add := func(args ...string) (string, error) {
		return c.command(append([]string{"device", "add", "-config", c.config, "-id", string(box), "-key", keyText(public)}, args...)...)
	}
	for want, args := range map[string][]string{"leave out -hall": {"-window-id", "SL-H1-A07", "-hall", "x"},
		"机构信息中没有": {"-window-id", "SL-H9-A07"}} {
		if out, err := add(args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("device add %v = %q, %v; want %s", args, out, err, want)
		}
	}
	if out, err := add("-window-id", "SL-H1-A07"); err != nil || !strings.Contains(out, "serves SL-H1-A07, generation 1") {
		t.Fatalf("device add = %q, %v", out, err)
	}
	today := directory.DayOf(time.Now())
	renamed := filepath.Join(dir, "renamed.csv")
	text := "kind,id,name,valid_from,unit,hall\nwindow,SL-H1-A07,户籍身份证7号窗口," + (today - 1).String() + ",116299003MB003333Y,SL-H1\n"
	if err := os.WriteFile(renamed, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := directoryCommand("import", "-apply", renamed); err != nil || !strings.Contains(out, "终止 / ended") {
		t.Fatalf("a new name = %q, %v", out, err)
	}
	eventually(t, "the window's new name at the box", func() bool {
		out, err := c.command("device", "-config", c.config, "list")
		return err == nil && regexp.MustCompile(`SL-H1-A07 +户籍身份证7号窗口 +市民中心政务服务大厅 +2 `).MatchString(out)
	})
	c.stop()
	x, err := (&command{env: environment{os.Stdout, os.Stderr, time.Now, nil, manager}, path: c.config}).openWritten(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}()
	d, err := x.fleet.Device(t.Context(), box)
	if err != nil || !d.Follows || len(d.Roster) != 3 || d.Roster[0].Department != "示例市公安局" {
		t.Errorf("the box has %+v, %v", d, err)
	}
	a, err := x.directory.Atlas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for generation, at := range map[uint32]directory.Day{1: today - 2, 2: today} {
		p, ok := a.Place(box, "SL-H1-A07", generation, at.Start())
		if want := map[uint32]string{1: "户政7号窗口", 2: "户籍身份证7号窗口"}[generation]; !ok || p.Window.Name != want || p.Unit().Name != "示例市公安局" ||
			p.Area().Name != "示例市" {
			t.Errorf("generation %d was at %+v, %t; want %s", generation, p, ok, want)
		}
	}
	w := rating.Window{ID: "SL-H1-A07", Generation: 2}
	if o := x.where(t.Context(), box, w, today.Start()); o.Area != "629900000000" || o.Hall != "SL-H1" || len(o.Units) != 2 ||
		o.Units[0] != "116299003MB003333Y" {
		t.Errorf("the box stands at %+v", o)
	}
	if o := x.where(t.Context(), box, rating.Window{ID: "SL-H1-A08", Generation: 2}, today.Start()); !reflect.DeepEqual(o, account.Object{}) {
		t.Errorf("a window that the box does not serve lies at %+v", o)
	}
}

// What is wrong with a file is named line by line, and nothing of it is written.
func TestOrganisationRefused(t *testing.T) {
	dir := t.TempDir()
	c := &centre{t: t, config: writeConfig(t, dir)}
	path := filepath.Join(dir, "x.csv")
	text := "类别,编号,名称,生效日期,失效日期,区划代码,所属单位\n区划,620000,省,2020-01-01,,,\n大厅,H1,大厅,2020-01-01,,620100,91350100M000100Y43\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := c.command("directory", "-config", c.config, "import", "-apply", path)
	if err == nil || !strings.Contains(err.Error(), "未写入任何内容") || !strings.Contains(out, "第 3 行 / line 3: 不予接受 / refused") ||
		!strings.Contains(out, "区划 620100000000 不存在") || !strings.Contains(out, "which does not exist") {
		t.Errorf("the file gives %q, %v", out, err)
	}
	if out, err := c.command("directory", "-config", c.config, "list", "area"); err != nil || strings.Count(out, "\n") != 2 {
		t.Errorf("something was written: %q, %v", out, err)
	}
}
