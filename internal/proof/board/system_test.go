package board

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"haochaping/internal/rating"
)

// TestInstalledUnderSystemd boots a Debian, installs the package of the box in it, boots it again, and watches the unit: it is
// up soon after the kernel is, its keys reach the centre, a daemon that hangs is restarted, and what it shows is right.
func TestInstalledUnderSystemd(t *testing.T) {
	if os.Getenv("BOARD") != "" && os.Geteuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("making a Debian needs root")
		}
		t.Skip("making a Debian needs root")
	}
	h := newHall(t, `keys.source = "serial"
keys.serial.port = "/dev/ttyS0"
keys.serial.profile = "line"
keys.map = [{key="S1",level=5},{key="S2",level=4},{key="S3",level=3},{key="S4",level=2},{key="S5",level=1}]
`)
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(root, "build", "board")
	if h.parts, err = Fetch(t.Context(), cache, "amd64"); err != nil {
		t.Fatal(err)
	}
	archive, err := Debian(t.Context(), cache, "bookworm")
	if err != nil {
		t.Fatal(err)
	}
	debian := filepath.Join(h.dir, "debian")
	if err := Unpack(t.Context(), archive, debian); err != nil {
		t.Fatal(err)
	}
	deb := exec.CommandContext(t.Context(), "go", "run", "./deploy/mkdeb", "-arch", "amd64", "-out", filepath.Join(h.dir, "dist"))
	deb.Dir = root
	if out, err := deb.CombinedOutput(); err != nil {
		t.Fatalf("build the package: %v\n%s", err, out)
	}
	all, err := filepath.Glob(filepath.Join(h.dir, "dist", "ratingd_*_amd64.deb"))
	if err != nil || len(all) != 1 {
		t.Fatalf("packages %q, %v", all, err)
	}
	for to, from := range map[string]string{"ratingd.deb": all[0], "ratingd.toml": filepath.Join(h.staging, "ratingd.toml"),
		"device.key": filepath.Join(h.staging, "state", "device.key")} {
		b, err := os.ReadFile(from)
		if err == nil {
			b = []byte(strings.Replace(string(b), `state = "/data/state"`, `state = "/var/lib/ratingd"`, 1))
			err = os.WriteFile(filepath.Join(debian, "root", to), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := Disk(t.Context(), h.disk(), debian, 900); err != nil {
		t.Fatal(err)
	}

	h.startSystem()
	t.Logf("the installation says:\n%s", h.shFor(4*time.Minute, "DEBIAN_FRONTEND=noninteractive dpkg -i /root/ratingd.deb"))
	h.sh("cp /root/ratingd.toml /etc/ratingd.toml && install -o ratingd -g ratingd -m 600 /root/device.key /var/lib/ratingd/device.key && " +
		"ratingd -check-config && sync")
	h.board.PowerOff()

	// The clock of the machine is this computer's, which may have other things to do: what the unit needs is held against what the
	// system needed before it, in the same boot. docs/numbers.md has the figures of a quiet machine.
	h.startSystem()
	h.eventually("the unit", 2*time.Minute, func() bool { return h.unit("ActiveState") == "active" })
	since := func(property string) time.Duration {
		us, err := strconv.ParseInt(h.unit(property), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(us) * time.Microsecond
	}
	began, up := since("InactiveExitTimestampMonotonic"), since("ActiveEnterTimestampMonotonic")
	t.Logf("the unit was begun %s after the kernel and up %s after it: %s", began, up, h.unit("StatusText"))
	if up-began > began {
		t.Errorf("the unit needed %s to be up, more than all that was before it (%s)", up-began, began)
	}
	h.eventually("the window", time.Minute, func() bool { return strings.Contains(h.status(), `"idle"`) })
	want := map[rating.VisitID]rating.Level{h.visit(): 2}
	h.readQR("asking", true)
	if _, err := h.board.Serial().Write([]byte("S4\r\n")); err != nil {
		t.Fatal(err)
	}
	h.eventually("the evaluation at the centre", time.Minute, func() bool { return maps.Equal(h.counted(), want) })

	pid := h.unit("MainPID")
	h.sh("kill -STOP " + pid)
	h.eventually("another daemon in place of the one that hangs", 3*time.Minute, func() bool {
		now := h.unit("MainPID")
		return now != pid && now != "0" && h.unit("ActiveState") == "active"
	})
	if n := h.unit("NRestarts"); n != "1" {
		t.Errorf("the unit was restarted %s times", n)
	}
	want[h.visit()] = 5
	if _, err := h.board.Serial().Write([]byte("S1\r\n")); err != nil {
		t.Fatal(err)
	}
	h.eventually("an evaluation of the new daemon at the centre", time.Minute, func() bool { return maps.Equal(h.counted(), want) })
	t.Logf("%s", h.sh("systemctl status --no-pager -l ratingd; journalctl -u ratingd --no-pager -o cat | grep -v '^goroutine' | tail -20"))
}

func (h *hall) startSystem() {
	h.t.Helper()
	h.boots++
	b, err := StartSystem(h.t.Context(), Options{Parts: h.parts, Disk: h.disk(),
		Log: filepath.Join(h.dir, "console-"+strconv.Itoa(h.boots)+".log")})
	h.own(b, err)
}

// unit returns a property of the daemon's unit.
func (h *hall) unit(property string) string {
	h.t.Helper()
	return h.sh("systemctl show ratingd -P " + property)
}
