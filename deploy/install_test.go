package deploy

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// debian is a fresh Debian in a folder.
type debian struct {
	t    *testing.T
	root string
}

// newDebian makes one with further packages of Debian's.
func newDebian(t *testing.T, suite string, more ...string) *debian {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "a Debian in a folder needs root")
	}
	need(t, "mmdebstrap", "mmdebstrap")
	need(t, "unshare", "util-linux")
	root := filepath.Join(t.TempDir(), "debian")
	packages := strings.Join(append([]string{"systemd"}, more...), ",")
	output(t, nil, "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--include="+packages, suite,
		root)
	return &debian{t, root}
}

// copy returns another that is the same.
func (d *debian) copy(t *testing.T) *debian {
	t.Helper()
	root := filepath.Join(t.TempDir(), "copy")
	output(t, nil, "cp", "--archive", d.root, root)
	return &debian{t, root}
}

// command makes a command that runs inside, with /proc and as on a machine that is being set up: no init runs.
func (d *debian) command(env []string, name string, args ...string) *exec.Cmd {
	script := `mount -t proc proc "$0/proc" && exec chroot "$0" "$@"`
	cmd := exec.Command("unshare", append([]string{"--mount", "--", "sh", "-c", script, d.root, name}, args...)...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}, env...)
	return cmd
}

func (d *debian) try(name string, args ...string) (string, error) {
	out, err := d.command(nil, name, args...).CombinedOutput()
	return string(out), err
}

func (d *debian) run(name string, args ...string) string {
	d.t.Helper()
	out, err := d.try(name, args...)
	if err != nil {
		d.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// install puts packages from outside into the Debian.
func (d *debian) install(debs ...string) string {
	d.t.Helper()
	args := []string{"--install", "--force-confdef", "--force-confold"}
	for _, deb := range debs {
		b, err := os.ReadFile(deb)
		if err != nil {
			d.t.Fatal(err)
		}
		d.write("/tmp/"+filepath.Base(deb), string(b))
		args = append(args, "/tmp/"+filepath.Base(deb))
	}
	return d.run("dpkg", args...)
}

func (d *debian) write(path, text string) {
	d.t.Helper()
	if err := os.WriteFile(d.root+path, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d *debian) exists(path string) bool {
	_, err := os.Lstat(d.root + path)
	return err == nil
}

func (d *debian) want(there bool, paths ...string) {
	d.t.Helper()
	for _, path := range paths {
		if d.exists(path) != there {
			d.t.Errorf("%s is there: %v, want %v", path, !there, there)
		}
	}
}

// inGroups holds that the daemon's account reaches the hardware.
func (d *debian) inGroups() {
	d.t.Helper()
	groups := strings.Fields(d.run("id", "-nG", "ratingd"))
	for _, want := range []string{"gpio", "dialout", "video", "render", "input", "audio"} {
		if !slices.Contains(groups, want) {
			d.t.Errorf("ratingd is in %v, and not in %s", groups, want)
		}
	}
}

const boxConfiguration = `# of this hall
device = "lz-0417"
keys.source = "simulated"
keys.map = [{ key = "a", level = 5 }, { key = "b", level = 4 }, { key = "c", level = 3 }, { key = "d", level = 2 },
            { key = "e", level = 1 }]
screen.panel = "none"
window_api.listen = ""
uplink.broker = "mqtt://127.0.0.1:1"
uplink.centre_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
`

// beingBuilt: an image is built without /proc, where systemd's tools do not work. What they would have made is there all the same.
func beingBuilt(t *testing.T, d *debian, p packages) {
	d.t = t
	for _, deb := range []string{p.ratingd, p.centrald} {
		b, err := os.ReadFile(deb)
		if err != nil {
			t.Fatal(err)
		}
		d.write("/tmp/"+filepath.Base(deb), string(b))
		cmd := exec.Command("chroot", d.root, "dpkg", "--install", "/tmp/"+filepath.Base(deb))
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", filepath.Base(deb), err, out)
		} else if !strings.Contains(string(out), "proc") {
			t.Errorf("there was nothing amiss, so that nothing is shown:\n%s", out)
		}
	}
	d.inGroups()
	if got := d.run("stat", "-c", "%U %G %a", "/var/lib/ratingd", "/var/lib/centrald"); got != "ratingd ratingd 700\ncentrald centrald 700\n" {
		t.Errorf("the folders are %q", got)
	}
	d.run("dpkg", "--audit")
	d.want(true, "/etc/systemd/system/multi-user.target.wants/ratingd.service")
}

// newer makes the package of a later version, in which the shipped configuration has changed too.
func newer(t *testing.T, deb string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "newer")
	output(t, nil, "dpkg-deb", "--raw-extract", deb, dir)
	output(t, nil, "sed", "-i", "s/^Version: .*/Version: 99/", filepath.Join(dir, "DEBIAN", "control"))
	output(t, nil, "sh", "-c", "echo '# new in version 99' >> \"$1\"", "sh", filepath.Join(dir, "etc", "ratingd.toml"))
	out := filepath.Join(t.TempDir(), "ratingd_99_amd64.deb")
	output(t, nil, "dpkg-deb", "--root-owner-group", "-Znone", "--build", dir, out)
	return out
}

// life does with the packages what an administrator does, in that order.
func life(t *testing.T, d *debian, p packages) {
	d.t = t
	said := d.install(p.ratingd, p.centrald)
	for _, want := range []string{"ratingctl identity", "ratingd -check-config", "/etc/ratingd.toml", "centrald key"} {
		if !strings.Contains(said, want) {
			t.Errorf("the installation does not say %q:\n%s", want, said)
		}
	}
	d.want(true, "/etc/ratingd.toml", "/etc/centrald.toml", "/etc/systemd/system/multi-user.target.wants/ratingd.service",
		"/etc/systemd/system/multi-user.target.wants/centrald.service")
	d.inGroups()
	d.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "ratingd.service", "ratingd-clock.service", "centrald.service")
	d.write("/etc/systemd/system/wrong.service", "[Service]\nType=notify\nWatchdogSecs=3\nExecStart=/usr/bin/ratingd\n")
	if out, err := d.try("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "wrong.service"); err == nil {
		t.Errorf("a unit with a key that does not exist verifies too:\n%s", out)
	}

	t.Run("a box that is not configured", func(t *testing.T) { notConfigured(t, d) })
	d.write("/etc/ratingd.toml", boxConfiguration)
	d.run("ratingctl", "identity") // by root, before the daemon has run
	t.Run("the daemon and its manager", func(t *testing.T) { daemonAndManager(t, d) })

	d.install(newer(t, p.ratingd))
	if got := strings.TrimSpace(d.run("dpkg-query", "-W", "-f", "${Version}", "ratingd")); got != "99" {
		t.Errorf("version %s is installed, want 99", got)
	}
	keptConfiguration(t, d)
	d.want(true, "/var/lib/ratingd/log.db", "/var/lib/ratingd/device.key")

	d.run("dpkg", "--remove", "ratingd")
	keptConfiguration(t, d)
	d.want(true, "/var/lib/ratingd/log.db", "/var/lib/ratingd/device.key")
	d.want(false, "/usr/bin/ratingd", "/lib/systemd/system/ratingd.service")

	if said := d.run("dpkg", "--purge", "ratingd"); !strings.Contains(said, "stay in /var/lib/ratingd") {
		t.Errorf("a purge that nobody was asked about does not say that it keeps the records:\n%s", said)
	}
	d.want(true, "/var/lib/ratingd/log.db", "/var/lib/ratingd/device.key")
	d.want(false, "/etc/ratingd.toml", "/etc/systemd/system/multi-user.target.wants/ratingd.service")

	for _, answer := range []string{"no", "yes"} {
		d.install(p.ratingd)
		cmd := d.command([]string{"DEBIAN_FRONTEND=teletype"}, "dpkg", "--purge", "ratingd")
		cmd.Stdin = strings.NewReader(answer + "\n")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Delete the evaluations that this box has recorded?") {
			t.Errorf("purge with the answer %s: %v; nobody is asked:\n%s", answer, err, out)
		}
		d.want(answer == "no", "/var/lib/ratingd/log.db", "/var/lib/ratingd/device.key")
	}
	d.run("dpkg", "--purge", "centrald")
	d.want(false, "/etc/centrald.toml")
	d.want(true, "/var/lib/centrald")
}

// notConfigured: one start, one line for each thing that is missing, and a status on which the unit does not try again.
func notConfigured(t *testing.T, d *debian) {
	out, err := d.try("ratingd")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 78 {
		t.Errorf("ratingd ends with %v, want status 78\n%s", err, out)
	}
	for _, want := range []string{"device: missing", "keys.map", "uplink.centre_key: missing"} {
		if !strings.Contains(out, want) {
			t.Errorf("ratingd does not say %q:\n%s", want, out)
		}
	}
	d.write("/tmp/box.toml", boxConfiguration+"uplink.password_file = \"/etc/ratingd.password\"\n")
	if out, err = d.try("ratingd", "-check-config", "-config", "/tmp/box.toml"); !errors.As(err, &exit) || exit.ExitCode() != 1 ||
		!strings.Contains(out, "uplink.password_file: the password cannot be read: open /etc/ratingd.password: no such file") {
		t.Errorf("without the password's file: %v\n%s", err, out)
	}
	unit, err := os.ReadFile("ratingd/ratingd.service")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(unit), "\nRestartPreventExitStatus=78\n") {
		t.Error("the unit starts a daemon again and again whose configuration is wrong")
	}
}

// daemonAndManager runs the installed daemon as its unit would, with this test as the service manager.
func daemonAndManager(t *testing.T, d *debian) {
	socket := d.root + "/run/notify"
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	if err := os.Chmod(socket, 0o777); err != nil {
		t.Fatal(err)
	}
	daemon := d.command([]string{"NOTIFY_SOCKET=/run/notify", "WATCHDOG_USEC=2000000"},
		"setpriv", "--reuid=ratingd", "--regid=ratingd", "--init-groups", "--no-new-privs", "ratingd")
	var log strings.Builder
	daemon.Stderr = &log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	hear := func() (string, bool) {
		t.Helper()
		if err := manager.SetReadDeadline(time.Now().Add(4 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, err := manager.Read(b)
		return string(b[:n]), err == nil
	}
	ready, fed, status := false, 0, ""
	for end := time.Now().Add(time.Minute); fed < 3 && time.Now().Before(end); {
		switch said, ok := hear(); {
		case !ok:
		case said == "READY=1":
			ready = true
		case said == "WATCHDOG=1":
			if !ready {
				t.Error("the watchdog is fed before the daemon is ready")
			}
			fed++
		case strings.HasPrefix(said, "STATUS="):
			status = said
		}
	}
	if !ready || fed < 3 || !strings.Contains(status, "not enrolled: add lz-0417 at the centre") {
		t.Errorf("ready %v, fed %d times, status %q", ready, fed, status)
	}

	// A daemon that is stopped feeds nothing, whatever else is right with it.
	if err := daemon.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	silent := false
	for range 10 { // what was said before may still be in the socket
		if said, ok := hear(); !ok {
			silent = true
			break
		} else if said == "WATCHDOG=1" {
			fed++
		}
	}
	if !silent {
		t.Error("a stopped daemon goes on to feed the watchdog")
	}
	if err := errors.Join(daemon.Process.Signal(syscall.SIGCONT), daemon.Process.Signal(syscall.SIGTERM)); err != nil {
		t.Fatal(err)
	}
	stopping := false
	for !stopping {
		said, ok := hear()
		if !ok {
			break
		}
		stopping = said == "STOPPING=1"
	}
	if err := daemon.Wait(); err != nil || !stopping {
		t.Errorf("the daemon ends with %v, having said that it stops: %v\n%s", err, stopping, log.String())
	}
	d.want(true, "/var/lib/ratingd/log.db")
}

func keptConfiguration(t *testing.T, d *debian) {
	t.Helper()
	b, err := os.ReadFile(d.root + "/etc/ratingd.toml")
	if err != nil || string(b) != boxConfiguration {
		t.Errorf("the administrator's configuration has become %q, %v", b, err)
	}
}
