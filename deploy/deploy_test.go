// Package deploy holds no code: what is here is put into the packages by mkdeb. Its tests build the packages and do with them
// what an administrator does.
package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"haochaping/internal/proof/testkit"
)

// need skips a test for which a program is missing; in CI it fails.
func need(t *testing.T, program, debian string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	missing(t, program+" is missing: install the Debian package "+debian)
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// output runs a program that is to succeed and returns all that it says.
func output(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	out, err := try(env, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// packages are those of one architecture.
type packages struct {
	folder            string
	ratingd, centrald string
}

// What is made of a commit, and what an administrator does with it. The packages are built once, since that takes long.
func TestPackages(t *testing.T) {
	p, err := build(t.TempDir(), "ratingd,centrald", nil)
	if err != nil {
		t.Fatal(err)
	}
	d := newDebian(t, "bookworm")
	booted, built, updated, rolled := d.copy(t), d.copy(t), d.copy(t), d.copy(t)
	for name, test := range map[string]func(*testing.T){
		"built twice they are the same":   func(t *testing.T) { builtTwice(t, p) },
		"parts and licences are listed":   func(t *testing.T) { partsAndLicences(t, p) },
		"lintian finds no fault":          func(t *testing.T) { lintian(t, p) },
		"a booted box":                    func(t *testing.T) { bootedBox(t, booted, p) },
		"a box that is updated":           func(t *testing.T) { updatedBox(t, updated, p) },
		"a box that rollouts update":      func(t *testing.T) { rolledOutBox(t, rolled, p) },
		"rollouts over mosquitto":         func(t *testing.T) { rolledOutOverMosquitto(t, p) },
		"a booted box of Debian 11":       func(t *testing.T) { olderBox(t, p) },
		"an image that is being built":    func(t *testing.T) { beingBuilt(t, built, p) },
		"install, upgrade, remove, purge": func(t *testing.T) { life(t, d, p) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // mostly they wait
			test(t)
		})
	}
}

func build(folder, names string, env []string) (packages, error) {
	cmd := exec.Command("go", "run", "./deploy/mkdeb", "-arch", "amd64", "-packages", names, "-out", folder)
	cmd.Dir = ".."
	cmd.Env = append(testkit.BuildEnv(), env...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return packages{}, fmt.Errorf("build the packages: %w\n%s", err, said.String())
	}
	p := packages{folder: folder}
	for _, path := range strings.Fields(string(out)) {
		switch name := filepath.Base(path); {
		case strings.HasPrefix(name, "ratingd_") && strings.HasSuffix(name, ".deb"):
			p.ratingd = path
		case strings.HasPrefix(name, "centrald_") && strings.HasSuffix(name, ".deb"):
			p.centrald = path
		}
	}
	return p, nil
}

// A package that others build from the same commit is the same package, so that they can find out whether ours is.
func builtTwice(t *testing.T, first packages) {
	second, err := build(t.TempDir(), "ratingd", []string{"TZ=Asia/Shanghai", "LANG=zh_CN.UTF-8", "HOME=" + t.TempDir(),
		"TMPDIR=" + t.TempDir(), "GOCACHE=" + goEnv(t, "GOCACHE"), "GOMODCACHE=" + goEnv(t, "GOMODCACHE"), "GOPATH=" + goEnv(t, "GOPATH")})
	if err != nil {
		t.Fatal(err)
	}
	all := files(t, first.folder)
	if len(all) != 6 {
		t.Fatalf("%d files, want 6: two packages, three lists of parts, SHA256SUMS", len(all))
	}
	again := files(t, second.folder)
	delete(again, "SHA256SUMS") // of fewer files
	if len(again) != 3 {
		t.Fatalf("%d files of one package, want 3: it and two lists of parts", len(again))
	}
	for name, content := range again {
		if !bytes.Equal(content, all[name]) {
			t.Errorf("%s differs between two builds", name)
		}
	}
	cmd := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	cmd.Dir = first.folder
	if out, err := cmd.CombinedOutput(); err != nil || bytes.Count(out, []byte(": OK\n")) != 5 {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
}

func goEnv(t *testing.T, name string) string {
	return strings.TrimSpace(output(t, nil, "go", "env", name))
}

func files(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]byte)
	for _, e := range entries {
		if all[e.Name()], err = os.ReadFile(filepath.Join(folder, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// part is a component in a list of parts.
type part struct {
	Type, Name, Version string
	Licenses            []struct {
		License    struct{ ID string }
		Expression string
	}
}

// The lists of parts and the copyright files name what is linked: the same modules, and the font only where it is.
func partsAndLicences(t *testing.T, p packages) {
	boms, err := filepath.Glob(filepath.Join(p.folder, "*.cdx.json"))
	if err != nil || len(boms) != 3 {
		t.Fatalf("lists of parts: %v, %v; want 3", boms, err)
	}
	for _, path := range boms {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var bom struct {
			Metadata   struct{ Component part }
			Components []part
		}
		if err := json.Unmarshal(text, &bom); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		deb := p.ratingd
		if strings.HasPrefix(filepath.Base(path), "centrald_") {
			deb = p.centrald
		}
		copyright := output(t, nil, "sh", "-c", "dpkg-deb --fsys-tarfile \"$1\" | tar -xO --wildcards './usr/share/doc/*/copyright'", "sh", deb)
		if !strings.Contains(copyright, "SIL OPEN FONT LICENSE") { // the box draws on its screen with it, the centre on paper
			t.Errorf("%s: the font's licence is missing", deb)
		}
		if len(bom.Components) < 5 {
			t.Errorf("%s lists %d parts only", path, len(bom.Components))
		}
		for _, c := range append(bom.Components, bom.Metadata.Component) {
			if len(c.Licenses) == 0 || c.Licenses[0].License.ID == "" && c.Licenses[0].Expression == "" {
				t.Errorf("%s does not say the licence of %s", path, c.Name)
			}
		}
		if !slices.ContainsFunc(bom.Components, func(c part) bool {
			return c.Type == "file" &&
				c.Licenses[0].License.ID == "OFL-1.1"
		}) {
			t.Errorf("%s does not name the font", path)
		}
		for _, c := range bom.Components {
			if c.Type == "library" && c.Name != "std" && !strings.Contains(copyright, "\n"+c.Name+" "+c.Version+"\n") {
				t.Errorf("%s: no licence of %s %s, which %s lists", filepath.Base(deb), c.Name, c.Version, filepath.Base(path))
			}
		}
	}
}

func lintian(t *testing.T, p packages) {
	need(t, "lintian", "lintian")
	out, err := try(nil, "lintian", "--allow-root", "--fail-on", "error,warning", p.ratingd, p.centrald)
	if err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}

// systemd rates what a program that was taken over could do: 0 is nothing, 10 everything.
func TestUnitsLetNothingOut(t *testing.T) {
	need(t, "systemd-analyze", "systemd")
	for _, unit := range []string{"ratingd/ratingd.service", "ratingd/ratingd-clock.service", "ratingd/ratingd-stick@.service",
		"centrald/centrald.service"} {
		if out, err := try(nil, "systemd-analyze", "security", "--offline=true", "--threshold=16", "--no-pager", unit); err != nil {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
	bare := filepath.Join(t.TempDir(), "bare.service")
	if err := os.WriteFile(bare, []byte("[Service]\nExecStart=/bin/true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := try(nil, "systemd-analyze", "security", "--offline=true", "--threshold=16", "--no-pager", bare); err == nil {
		t.Errorf("a unit without any protection passes too:\n%s", out)
	}
}
