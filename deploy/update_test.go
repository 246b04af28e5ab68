package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// repository is an apt repository with a key that signs it, as a centre has.
type repository struct {
	t      *testing.T
	folder string
	home   string            // of gpg
	keys   map[string]string // armoured, by who has them
	raw    string            // the box's package, unpacked
}

func newRepository(t *testing.T, folder, deb string) *repository {
	t.Helper()
	need(t, "apt-ftparchive", "apt-utils")
	need(t, "gpg", "gpg")
	r := &repository{t: t, folder: folder, home: t.TempDir(), keys: make(map[string]string), raw: filepath.Join(t.TempDir(), "raw")}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"centre", "stranger"} {
		r.gpg("--quick-gen-key", who+"@example.com", "ed25519", "sign", "never")
		_, key, _ := strings.Cut(r.gpg("--armor", "--export", who+"@example.com"), "-----BEGIN") // after what gpg has to say
		r.keys[who] = "-----BEGIN" + key
	}
	output(t, nil, "dpkg-deb", "--raw-extract", deb, r.raw)
	return r
}

func (r *repository) gpg(args ...string) string {
	r.t.Helper()
	return output(r.t, []string{"GNUPGHOME=" + r.home}, "gpg", append([]string{"--batch", "--quiet", "--passphrase", ""}, args...)...)
}

// build makes the package of another version, in which something is changed.
func (r *repository) build(version string, change map[string]string) string {
	r.t.Helper()
	dir := filepath.Join(r.t.TempDir(), version)
	output(r.t, nil, "cp", "--archive", r.raw, dir)
	output(r.t, nil, "sed", "-i", "s/^Version: .*/Version: "+version+"/", filepath.Join(dir, "DEBIAN", "control"))
	for name, text := range change {
		path := filepath.Join(dir, name)
		if old, err := os.ReadFile(path); err == nil {
			text = strings.ReplaceAll(text, "OLD", string(old))
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
	out := filepath.Join(r.t.TempDir(), "ratingd_"+version+"_amd64.deb")
	output(r.t, nil, "dpkg-deb", "--root-owner-group", "-Znone", "--build", dir, out)
	return out
}

// publish publishes packages as somebody.
func (r *repository) publish(who string, debs ...string) {
	r.t.Helper()
	output(r.t, []string{"GNUPGHOME=" + r.home}, "apt/publish.sh", append([]string{r.folder, "stable", who + "@example.com"}, debs...)...)
}

// asks lets the daemon's user ask for a version, and waits until the report is of it and says want.
func (m *machine) asks(version, want string) {
	m.t.Helper()
	m.requests(version)
	m.reports(version, want)
}

func (m *machine) requests(version string) {
	m.t.Helper()
	script := fmt.Sprintf(`cd /var/lib/ratingd && cat >update.tmp <<'END' && chown ratingd update.tmp && mv update.tmp update.request
{"version":"%s","within_sec":600}
END
`, version)
	if out, err := m.try(script); err != nil {
		m.t.Fatal(out, err)
	}
}

func (m *machine) reports(version, want string) {
	m.t.Helper()
	state := "inactive"
	if want == "refused" {
		state = "failed"
	}
	m.until(6*time.Minute, `ls /var/lib/ratingd/update.request 2>/dev/null; `+
		`sed -n 's/.*"version":"\([^"]*\)","outcome":"\([^"]*\)".*/\1 \2/p' /var/lib/haochaping-update/report.json; `+
		`echo; systemctl is-active haochaping-update`, version+" "+want+"\n"+state)
	m.until(10*time.Second, "systemctl reset-failed haochaping-update; echo reset", "reset")
}

func (m *machine) runs(version string) {
	m.t.Helper()
	m.until(30*time.Second, "dpkg-query -W -f '${db:Status-Abbrev}${Version}' ratingd; echo; systemctl is-active ratingd; dpkg --audit", "ii "+
		version+"\nactive")
}

// updatedBox: a newer version that the centre has signed takes the place of the old one when the daemon asks; with one that is not well,
// the box goes back; what is forged, older or broken is not installed; and an update that is killed at any moment is finished.
func updatedBox(t *testing.T, d *debian, p packages) {
	d.t = t
	first := strings.TrimSpace(output(t, nil, "dpkg-deb", "--field", p.ratingd, "Version"))
	r := newRepository(t, d.root+"/srv/apt", p.ratingd)
	r.publish("centre", p.ratingd, r.build("91", nil), r.build("92", map[string]string{"usr/bin/ratingd": "#!/bin/sh\nexit 1\n"}),
		// The scripts of this one wait, so that it can be killed there.
		r.build("93", map[string]string{"DEBIAN/preinst": "#!/bin/sh\ntouch /run/preparing\n[ -e /run/prepared ] || sleep 300\n",
			"DEBIAN/postinst": "#!/bin/sh\ntouch /run/configuring\n[ -e /run/configured ] || sleep 300\nOLD"}), r.build("94", nil))
	d.install(p.ratingd)
	d.write("/etc/ratingd.toml", boxConfiguration+"update.url = \"file:/srv/apt\"\nupdate.key = \"\"\"\n"+r.keys["centre"]+"\"\"\"\n")
	if err := os.MkdirAll(d.root+"/etc/systemd/system/haochaping-update.service.d", 0o755); err != nil {
		t.Fatal(err)
	}
	d.write("/etc/systemd/system/haochaping-update.service.d/test.conf",
		"[Service]\nExecStart=\nExecStart=/usr/bin/ratingctl update -patience 90s -steady 2s\nNice=0\n")
	m := boot(t, d)
	m.until(30*time.Second, "systemctl is-active ratingd haochaping-update.path", "active\nactive")
	m.until(30*time.Second, `cat /var/lib/haochaping-update/report.json`, `{"installed":"`+first+`"}`)

	m.asks("91", "done")
	m.runs("91")

	m.asks("92", "returned")
	m.runs("91")
	m.asks("92", "refused") // it is not tried again

	m.asks(first, "refused") // older, though signed
	m.asks("91", "refused")
	for _, wrong := range []string{`../../tmp/x`, `91 -o x`, `-o`} {
		m.requests(wrong)
		m.until(30*time.Second, "ls /var/lib/ratingd/update.request 2>/dev/null; systemctl is-active haochaping-update", "failed")
		m.until(10*time.Second, "systemctl reset-failed haochaping-update; echo reset", "reset")
	}
	m.runs("91")

	brokenRepository(t, m, r)
	killedUpdates(t, m)
}

// brokenRepository: the repository is signed by somebody else, or a package in it was changed after it was signed.
func brokenRepository(t *testing.T, m *machine, r *repository) {
	t.Helper()
	good := filepath.Join(t.TempDir(), "dists")
	output(t, nil, "cp", "--archive", r.folder+"/dists", good)
	r.publish("stranger", r.build("95", nil))
	m.asks("95", "refused")
	m.until(time.Second, `grep -c 'not signed by the pinned key' /var/lib/haochaping-update/report.json`, "1")
	output(t, nil, "rm", "-rf", r.folder+"/dists")
	m.asks("94", "refused") // nothing is there
	output(t, nil, "cp", "--archive", good, r.folder+"/dists")
	deb := r.folder + "/pool/stable/ratingd_94_amd64.deb"
	whole, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	changed := append([]byte{}, whole...)
	changed[len(changed)-100] ^= 1
	if err := os.WriteFile(deb, changed, 0o644); err != nil {
		t.Fatal(err)
	}
	m.asks("94", "refused")
	m.runs("91")
	if err := os.WriteFile(deb, whole, 0o644); err != nil {
		t.Fatal(err)
	}
}

// killedUpdates kills the updater and dpkg before files are unpacked, while they are, while they are configured, and while the box is
// watched. What runs at the next boot finishes what was begun, and at each moment there is a daemon that can be started.
func killedUpdates(t *testing.T, m *machine) {
	t.Helper()
	kill := func(moment string) {
		t.Helper()
		script := "timeout 300 sh -c 'until " + moment + "; do sleep 0.01; done' && systemctl kill --kill-who=all -s KILL haochaping-update"
		if out, err := m.try(script); err != nil {
			t.Fatal(moment, out, err)
		}
		m.until(30*time.Second, "systemctl is-active haochaping-update", "failed")
		m.until(10*time.Second, "ls /var/lib/haochaping-update/unfinished; ratingd -version >/dev/null && ratingctl version >/dev/null && "+
			"echo runs", "/var/lib/haochaping-update/unfinished\nruns")
		m.until(30*time.Second, "systemctl restart ratingd; systemctl is-active ratingd", "active")
	}
	boots := func() {
		t.Helper()
		m.until(30*time.Second, "systemctl reset-failed haochaping-update; systemctl start haochaping-update; echo begun", "begun")
	}
	m.requests("93")
	kill("[ -e /run/preparing ]")
	m.until(time.Second, "touch /run/prepared; echo prepared", "prepared")
	boots()
	kill("[ -e /usr/bin/ratingd.dpkg-new ] || [ -e /run/configuring ]") // where the first was too short, it is the second
	m.until(time.Second, "rm -f /run/configuring; echo removed", "removed")
	boots()
	kill("[ -e /run/configuring ]")
	if out, err := m.try("dpkg --audit; touch /run/configured"); err != nil || !strings.Contains(out, "ratingd") {
		t.Errorf("nothing was interrupted: %s, %v", out, err)
	}
	boots()
	kill(`grep -q trying /var/lib/haochaping-update/unfinished`)
	boots()
	m.reports("93", "done")
	m.runs("93")
}
