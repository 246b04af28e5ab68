package deploy

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a Debian whose systemd runs.
type machine struct {
	t     *testing.T
	pid   string        // of its systemd, empty after the power was cut
	ended chan struct{} // closed when it has ended
}

// cut ends all of the machine's processes at once, as if its power was cut. What they have written stays, also what no disk has yet.
func (m *machine) cut() {
	m.t.Helper()
	pid, err := strconv.Atoi(m.pid)
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL) // the first process of its namespace: the others go with it
	}
	if err != nil {
		m.t.Fatal(err)
	}
	<-m.ended
	m.pid = ""
}

// boot starts a Debian. Where a container does not let anybody do that, the test is skipped.
func boot(t *testing.T, d *debian) *machine {
	t.Helper()
	// What belongs to hardware, and what would wait for some.
	for _, unit := range []string{"systemd-sysctl.service", "systemd-udevd.service", "systemd-modules-load.service",
		"systemd-networkd.service",
		"systemd-resolved.service", "systemd-logind.service", "systemd-remount-fs.service", "console-getty.service", "getty@.service",
		"dev-hugepages.mount", "sys-kernel-debug.mount", "tmp.mount"} {
		if err := os.Symlink("/dev/null", filepath.Join(d.root, "etc/systemd/system", unit)); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
	}
	name := "haochaping-test-" + strconv.Itoa(os.Getpid()) + "-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name())
	hierarchies := []string{"/sys/fs/cgroup"}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.procs"); err != nil {
		hierarchies = []string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/devices", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"}
		// Several that run at once would otherwise share their units' groups in this one, and each would take the others' away.
		if _, err := os.Stat("/sys/fs/cgroup/unified/cgroup.procs"); err == nil {
			hierarchies = append(hierarchies, "/sys/fs/cgroup/unified")
		}
	}
	enter := ""
	for _, h := range hierarchies {
		group := filepath.Join(h, name)
		if err := os.Mkdir(group, 0o755); err != nil && !errors.Is(err, fs.ErrExist) { // it may have been booted before
			t.Skipf("this machine lets nobody make a cgroup: %v", err)
		}
		t.Cleanup(func() { // of what has ended, from the leaves
			_ = exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";").Run()
		})
		enter += "echo $$ >" + group + "/cgroup.procs && "
	}
	script, err := filepath.Abs("testdata/boot.sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", enter+`exec setsid unshare --pid --fork --kill-child --mount --uts --ipc --net --cgroup -- sh "$0" "$1"`,
		script, d.root)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ending error // holds when ended is closed
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ending = cmd.Wait()
	}()
	m := &machine{t: t, ended: ended}
	t.Cleanup(func() {
		if m.pid == "" {
			_ = cmd.Process.Kill()
		} else if pid, err := strconv.Atoi(m.pid); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // the first process of its namespace: the others go with it
		}
		<-ended
	})
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		select {
		case <-ended:
			var exit *exec.ExitError
			if errors.As(ending, &exit) && exit.ExitCode() == 99 {
				t.Skipf("this machine lets nobody boot a system in namespaces:\n%s", log.String())
			}
			t.Fatalf("systemd ended: %v\n%s", ending, log.String())
		default:
		}
		pid := strconv.Itoa(cmd.Process.Pid)
		b, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
		if err != nil || len(strings.Fields(string(b))) != 1 {
			continue
		}
		child := strings.Fields(string(b))[0]
		if comm, err := os.ReadFile("/proc/" + child + "/comm"); err == nil && strings.TrimSpace(string(comm)) == "systemd" {
			m.pid = child
			return m
		}
	}
	t.Fatalf("systemd does not start:\n%s", log.String())
	return nil
}

func (m *machine) try(script string) (string, error) {
	out, err := exec.Command("nsenter", "--target", m.pid, "--all", "sh", "-c", script).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// until waits until a script says want.
func (m *machine) until(limit time.Duration, script, want string) {
	m.t.Helper()
	var got string
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if got, _ = m.try(script); got == want {
			return
		}
	}
	log, _ := m.try("journalctl --no-pager | tail -n 60")
	m.t.Fatalf("%s: after %s it says %q, want %q\n%s", script, limit, got, want, log)
}

// bootedBox: the service comes up in its sandbox, gets what it needs and nothing else, and comes back however it ends.
func bootedBox(t *testing.T, d *debian, p packages) {
	d.t = t
	d.install(p.ratingd)
	d.write("/etc/ratingd.toml", boxConfiguration)
	// The limit is lowered so that the test does not take half a minute longer.
	if err := os.MkdirAll(d.root+"/etc/systemd/system/ratingd.service.d", 0o755); err != nil {
		t.Fatal(err)
	}
	d.write("/etc/systemd/system/ratingd.service.d/test.conf", "[Service]\nWatchdogSec=8\n")
	unit, err := os.ReadFile("ratingd/ratingd.service")
	if err != nil {
		t.Fatal(err)
	}
	d.write("/etc/systemd/system/tried.service", sandboxOnly(string(unit)))
	d.write("/usr/bin/tried", tried)
	d.write("/etc/systemd/system/named.service", "[Service]\nType=oneshot\nDevicePolicy=closed\n"+namedPorts(t, string(unit))+
		"ExecStart=/bin/sh /usr/bin/tried\n")
	begun := time.Now()
	m := boot(t, d)
	m.until(30*time.Second, "systemctl is-active ratingd ratingd-clock", "active\nactive")
	t.Logf("active %.1f s after the start of systemd", time.Since(begun).Seconds())
	m.until(10*time.Second, "systemctl show -P StatusText ratingd | grep -c 'not enrolled: add lz-0417'", "1")

	// The sandbox lets the daemon tell how it is, to root and its own user and to nobody else.
	m.until(10*time.Second, "stat -c '%A %U %G' /run/ratingd/ops.sock", "srw-rw---- ratingd ratingd")
	m.until(10*time.Second, "runuser -u ratingd -- ratingctl status 2>/dev/null | grep -c '未登记，指纹'", "1")
	m.until(10*time.Second, "ratingctl status >/dev/null 2>&1; echo $?", "1")
	m.until(10*time.Second, "runuser -u nobody -- ratingctl status >/dev/null 2>&1; echo $?", "3")
	m.until(30*time.Second, "runuser -u ratingd -- ratingctl doctor 2>/dev/null | grep -c -e '✓ 程序 daemon' -e '✓ 存储 store' -e '✗ 登记 window'",
		"3")

	if out, err := m.try("systemctl start tried; journalctl -o cat _SYSTEMD_UNIT=tried.service"); err != nil {
		t.Error(err, out)
	} else {
		for name, want := range map[string]string{
			"ttyS77": "allowed", "ttyUSB77": "allowed", "ttyACM77": "allowed", "fb31": "allowed", "dri63": "allowed", "event99": "allowed",
			"snd99": "allowed",
			"null":  "allowed", "mem": "forbidden", "disk": "forbidden", "kmsg": "forbidden",
			"log": "written", "socket": "written", "etc": "refused", "home": "refused", "boot": "known", "sound": "played",
		} {
			if !strings.Contains(out+"\n", name+" "+want+"\n") {
				t.Errorf("in the sandbox, %s is not %s:\n%s", name, want, out)
			}
		}
	}

	// Serial ports whose kernel majors are not fixed are let in by the names of their drivers, of which this machine has ttyS.
	if out, err := m.try("systemctl start named; journalctl -o cat _SYSTEMD_UNIT=named.service"); err != nil {
		t.Error(err, out)
	} else if !strings.Contains("\n"+out+"\n", "\nttyS77 allowed\n") || !strings.Contains("\n"+out+"\n", "\nfb31 forbidden\n") {
		t.Errorf("by the names of drivers, not the serial ports alone are allowed:\n%s", out)
	}

	refusedUpgrade(t, m, d, p)
	takenPort(t, m, d)

	m.until(5*time.Second, "systemctl kill --kill-who=main -s KILL ratingd && echo killed", "killed")
	m.until(30*time.Second, "systemctl show -P NRestarts ratingd; systemctl is-active ratingd", "1\nactive")
	m.until(5*time.Second, "systemctl kill --kill-who=main -s STOP ratingd && echo stopped", "stopped")
	m.until(45*time.Second, "systemctl show -P NRestarts ratingd; systemctl is-active ratingd", "2\nactive")
	m.until(5*time.Second, "journalctl -o cat -u ratingd | grep -c 'Watchdog timeout'", "1")

	m.until(10*time.Second, "systemctl stop ratingd; ratingctl status >/dev/null 2>&1; echo $?", "2")

	// A configuration that has become wrong is tried once, and the log ends with the reason.
	if out, err := m.try("sed -i 's/^device.*//' /etc/ratingd.toml; systemctl restart ratingd"); err == nil {
		t.Errorf("a box without a name starts: %s", out)
	}
	time.Sleep(3 * time.Second) // longer than the pause before a new attempt
	m.until(time.Second, "systemctl show -P ExecMainStatus ratingd; systemctl show -P ActiveState ratingd", "78\nfailed")
	m.until(time.Second, "journalctl -o cat -u ratingd | grep -c 'device: missing'", "1")
}

// refusedUpgrade: the new version refuses what the old one runs with. It says what, and the window works on.
func refusedUpgrade(t *testing.T, m *machine, d *debian, p packages) {
	t.Helper()
	b, err := os.ReadFile(newer(t, p.ratingd))
	if err != nil {
		t.Fatal(err)
	}
	d.write("/root/newer.deb", string(b))
	d.write("/etc/ratingd.toml", boxConfiguration+"screen.colour = \"red\"\nvisit.wait = \"1s\"\n")
	before, err := m.try("systemctl show -p MainPID --value ratingd")
	if err != nil {
		t.Fatal(before, err)
	}
	said, err := m.try("DEBIAN_FRONTEND=noninteractive dpkg --install --force-confold /root/newer.deb 2>&1")
	if err != nil {
		t.Errorf("the upgrade: %v", err)
	}
	for _, want := range []string{"不接受 /etc/ratingd.toml", "screen.colour: unknown", "until its next start", "systemctl restart ratingd"} {
		if !strings.Contains(said, want) {
			t.Errorf("the upgrade does not say %q:\n%s", want, said)
		}
	}
	if strings.Contains(said, "not configured yet") {
		t.Errorf("a box that is configured is called one that is not:\n%s", said)
	}
	if after, err := m.try("systemctl show -p MainPID --value ratingd"); err != nil || after != before {
		t.Errorf("the daemon's process was %s and is %s, %v", before, after, err)
	}
	m.until(5*time.Second, "systemctl is-active ratingd", "active")

	// What the window can do without is said, and the new version starts.
	d.write("/etc/ratingd.toml", boxConfiguration+"screen.files = \"/srv/screens\"\n")
	said, err = m.try("DEBIAN_FRONTEND=noninteractive dpkg --install --force-confold /root/newer.deb 2>&1")
	if err != nil || !strings.Contains(said, "screen.files: ") || !strings.Contains(said, "ReadWritePaths=") {
		t.Errorf("the upgrade of a box with a part that does not work: %v\n%s", err, said)
	}
	m.until(20*time.Second, "systemctl is-active ratingd", "active")
	if after, err := m.try("systemctl show -p MainPID --value ratingd"); err != nil || after == before {
		t.Errorf("the old daemon runs on: %s, %v", after, err)
	}
	m.until(20*time.Second, "ratingctl status 2>/dev/null | grep -c '✗ 屏幕画面无法保存为文件'", "1")
	d.write("/etc/ratingd.toml", boxConfiguration)
	m.until(20*time.Second, "systemctl restart ratingd; systemctl is-active ratingd", "active")
	m.until(20*time.Second, "ratingctl status 2>/dev/null | grep -c '屏幕画面无法保存为文件'", "0")
}

// takenPort: another program has the port of the window's API. The keys work, and it is said who has it: by the daemon as far as its
// sandbox lets it see, to root by name.
func takenPort(t *testing.T, m *machine, d *debian) {
	t.Helper()
	d.write("/usr/bin/holder", "use IO::Socket::INET;\nmy $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1:8377') or die;\n"+
		"sleep 600;\n")
	if out, err := m.try("systemd-run --unit=holder perl /usr/bin/holder"); err != nil {
		t.Fatal(out, err)
	}
	m.until(10*time.Second, "ratingd -check-config >/dev/null 2>&1; echo $?", "0")
	d.write("/etc/ratingd.toml", strings.Replace(boxConfiguration, "window_api.listen = \"\"", "window_api.listen = \"127.0.0.1:8377\"", 1))
	m.until(10*time.Second, "ratingd -check-config 2>&1 | grep -c '端口 8377 被 perl（进程'", "1")
	m.until(20*time.Second, "systemctl restart ratingd; systemctl is-active ratingd", "active")
	m.until(20*time.Second, "journalctl -o cat -u ratingd | grep -c 'port 8377 is taken by a program of the user root'", "1")
	m.until(20*time.Second, "ratingctl status 2>/dev/null | grep -c '现在占用端口 8377 的是 perl（进程'", "1")
	m.until(20*time.Second, "ratingctl doctor 2>/dev/null | grep -c '现在占用端口 8377 的是 perl（进程'", "1")
	m.until(20*time.Second, "ratingctl status 2>/dev/null | grep -c '✓ 正常'", "2") // keys and program
	m.until(10*time.Second, "systemctl stop holder; echo stopped", "stopped")
	m.until(40*time.Second, "ratingctl status 2>/dev/null | grep -c '✗.*8377'", "0") // the last fault stays named
}

// namedPorts returns the unit's settings that let in serial ports by name.
func namedPorts(t *testing.T, unit string) string {
	t.Helper()
	for line := range strings.Lines(unit) {
		if strings.HasPrefix(line, "DeviceAllow=char-tty") {
			return line
		}
	}
	t.Fatal("the unit lets in no serial port by name")
	return ""
}

// olderBox: an older Debian takes the package, and its systemd starts it.
func olderBox(t *testing.T, p packages) {
	d := newDebian(t, "bullseye")
	said := d.install(p.ratingd, p.centrald)
	if !strings.Contains(said, "not configured yet") {
		t.Errorf("the installation says\n%s", said)
	}
	d.write("/etc/ratingd.toml", boxConfiguration)
	m := boot(t, d)
	m.until(60*time.Second, "systemctl is-active ratingd ratingd-clock centrald", "active\nactive\nactive")
	m.until(10*time.Second, "runuser -u ratingd -- ratingctl status 2>/dev/null | grep -c '未登记，指纹'", "1")
	version, err := m.try("systemctl --version | head -n 1")
	if err != nil || !strings.HasPrefix(version, "systemd 247 ") {
		t.Errorf("this is no older systemd: %s, %v", version, err)
	}
	// It leaves out what it does not know, and nothing else.
	out, err := m.try("systemctl daemon-reload; journalctl -o cat _PID=1 | grep -E '^/(usr/)?lib/systemd/system/(ratingd|centrald)' | sort -u")
	if n := strings.Count(out, "\n"); err != nil || n != 0 || !strings.Contains(out, "ratingd-clock.service") ||
		!strings.Contains(out, "ignoring: none") {
		t.Errorf("of the units systemd 247 says, beside that it does not know an address family \"none\": %v\n%s", err, out)
	}
}

// sandboxOnly returns the unit with another program in the place of the daemon.
func sandboxOnly(unit string) string {
	var out []string
	for _, line := range strings.Split(unit, "\n") {
		switch key, _, _ := strings.Cut(line, "="); key {
		case "ExecStart":
			line = "ExecStart=/bin/sh /usr/bin/tried"
		case "Type":
			line = "Type=oneshot"
		case "Restart", "RestartSec", "RestartPreventExitStatus", "WatchdogSec", "ExecStartPre", "ExecStopPost", "RuntimeDirectory",
			"RuntimeDirectoryMode":
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// tried says what a program in the sandbox can do. A device that is allowed has no driver here, which is another answer than
// that it is forbidden.
const tried = `
for d in ttyS77 ttyUSB77 ttyACM77 fb31 dri63 event99 snd99 null mem disk kmsg; do
	said=$( (exec 3<>/dev/$d) 2>&1)
	case $said in
	*"not permitted"* | *denied* | *"Permission"*) echo "$d forbidden" ;;
	*) echo "$d allowed" ;;
	esac
done
try() { if (eval "$2") 2>/dev/null; then echo "$1 $3"; else echo "$1 refused"; fi; }
try log 'echo >/var/lib/ratingd/tried' written
try socket 'echo >/run/ratingd/tried' written
try etc 'echo >/etc/tried' written
try home 'ls /root' read
try boot 'read -r id </proc/sys/kernel/random/boot_id' known
try sound '/bin/true' played
`
