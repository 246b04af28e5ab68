package board

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slots is a box whose card has two systems.
type slots struct {
	*hall
	card    Card
	root    string // the repository
	debian  string // a system that is installed, as a folder
	signing [2]string
}

// TestTwoSystemsOnACard boots a card with two systems of deploy/image/ab, by what a Raspberry Pi's firmware does: a new system is installed
// by RAUC beside the one that runs, is tried once, and kept when the box is well. One that is not well, that hangs, or whose installation
// the plug ends, leaves the one that was good.
func TestTwoSystemsOnACard(t *testing.T) {
	s := newSlots(t)
	s.bundle("2", func(string) {})
	s.bundle("3", func(root string) { s.remove(root, "usr/bin/ratingd") })
	s.bundle("4", func(root string) { s.remove(root, "lib/systemd/systemd") }) // which does not come up
	s.boot(false, "A 1")

	out := s.shFor(10*time.Minute, "rauc install /data/2.raucb 2>&1; rauc status 2>&1")
	t.Logf("RAUC says:\n%s", out)
	s.boot(false, "A 1") // who has only pulled the plug has the system that was good
	s.boot(true, "B 2")
	s.kept("B")
	s.boot(false, "B 2")
	key := s.sh("cat /data/ratingd/device.key")
	s.eventually("the box in the system that was kept", 2*time.Minute, func() bool { return s.unit("ActiveState") == "active" })

	s.shFor(10*time.Minute, "rauc install /data/3.raucb")
	s.boot(true, "A 3")
	s.ends("the system in which the box is not well") // it restarts by itself
	s.boot(false, "B 2")
	if again := s.sh("cat /data/ratingd/device.key"); again != key {
		t.Error("the box has another key")
	}

	s.sh("rauc install /data/2.raucb >/run/install.log 2>&1 </dev/null &")
	s.eventually("a slot that is being written", 5*time.Minute, func() bool {
		return strings.Contains(s.sh("cat /run/install.log"), "Copying image to rootfs")
	})
	if log := s.sh("sleep 2; cat /run/install.log"); strings.Contains(log, "succeeded") || strings.Contains(log, "failed") {
		t.Fatalf("it was over before the plug was pulled:\n%s", log)
	}
	s.boot(false, "B 2")
	s.shFor(10*time.Minute, "rauc install /data/4.raucb")
	s.board.PowerOff()
	if b, err := s.card.Boot(t.Context(), s.options(), true); err == nil {
		_ = b.Stop()
		t.Fatal("a system without systemd came up")
	}
	s.boot(false, "B 2")
}

// newSlots makes a card whose first system is version 1.
func newSlots(t *testing.T) *slots {
	t.Helper()
	s := &slots{hall: &hall{t: t, dir: t.TempDir()}}
	s.need()
	var err error
	if s.root, err = filepath.Abs("../../.."); err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(s.root, "build", "board")
	if s.parts, err = Fetch(t.Context(), cache, "amd64"); err != nil {
		t.Fatal(err)
	}
	archive, err := Debian(t.Context(), cache, "bookworm", "rauc-service")
	if err != nil {
		t.Fatal(err)
	}
	s.debian = filepath.Join(s.dir, "debian")
	if err := Unpack(t.Context(), archive, s.debian); err != nil {
		t.Fatal(err)
	}
	s.sign()
	s.install()
	s.card = Card{filepath.Join(s.dir, "card.img")}
	if err := s.card.Format(t.Context()); err != nil {
		t.Fatal(err)
	}
	select1 := filepath.Join(s.dir, "select")
	s.write(filepath.Join(select1, "autoboot.txt"), "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=2\n", 0o644)
	image := filepath.Join(s.dir, "select.vfat")
	if err := FAT(t.Context(), image, select1, partSizes()[0]); err != nil {
		t.Fatal(err)
	}
	root, boot := s.system("1", func(string) {})
	for part, from := range map[int]string{partSelect: image, partBootA: boot, partRootA: root} {
		if err := s.card.Put(t.Context(), part, from); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *slots) need() {
	s.t.Helper()
	if os.Getenv("BOARD") == "" {
		s.t.Skip("this boots machines: run it with \"make board\"")
	}
	lacks := ""
	for program, pack := range map[string]string{"qemu-system-x86_64": "qemu-system-x86", "rauc": "rauc", "mksquashfs": "squashfs-tools",
		"mcopy": "mtools", "/sbin/mkfs.vfat": "dosfstools", "/sbin/sfdisk": "fdisk", "mmdebstrap": "mmdebstrap", "depmod": "kmod"} {
		if _, err := exec.LookPath(program); err != nil {
			if _, err := os.Stat("/sbin/" + program); err != nil {
				lacks += "install the Debian package " + pack + "; "
			}
		}
	}
	if os.Geteuid() != 0 {
		lacks += "making a Debian needs root"
	}
	if lacks != "" && os.Getenv("CI") != "" {
		s.t.Fatal(lacks)
	} else if lacks != "" {
		s.t.Skip(lacks)
	}
}

func (s *slots) write(path, text string, mode os.FileMode) {
	s.t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), mode)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *slots) remove(root, name string) {
	s.t.Helper()
	if err := os.Remove(filepath.Join(root, name)); err != nil {
		s.t.Fatal(err)
	}
}

// sign makes a key by which bundles are signed.
func (s *slots) sign() {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	shape := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bundles"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, shape, shape, key.Public(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	for i, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: private}} {
		s.signing[i] = filepath.Join(s.dir, fmt.Sprintf("bundle-%d.pem", i))
		s.write(s.signing[i], string(pem.EncodeToMemory(block)), 0o600)
	}
}

// install puts into the system what a box's has: the package, its configuration, and the files of deploy/image/ab.
func (s *slots) install() {
	s.t.Helper()
	deb := exec.CommandContext(s.t.Context(), "go", "run", "./deploy/mkdeb", "-arch", "amd64", "-packages", "ratingd", "-out",
		filepath.Join(s.dir, "dist"))
	deb.Dir = s.root
	if out, err := deb.CombinedOutput(); err != nil {
		s.t.Fatalf("build the package: %v\n%s", err, out)
	}
	all, err := filepath.Glob(filepath.Join(s.dir, "dist", "ratingd_*_amd64.deb"))
	if err != nil || len(all) != 1 {
		s.t.Fatalf("packages %q, %v", all, err)
	}
	text, err := os.ReadFile(all[0])
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(filepath.Join(s.debian, "root", "ratingd.deb"), string(text), 0o600)
	s.write(filepath.Join(s.debian, "etc", "ratingd.toml"), "device = \"board-1\"\nlink.base = \"https://rate.example.com\"\n"+
		"screen.fonts = []\n"+
		"keys.source = \"serial\"\nkeys.serial.port = \"/dev/ttyS0\"\nkeys.serial.profile = \"line\"\n"+
		"keys.map = [{key=\"S1\",level=5},{key=\"S2\",level=4},{key=\"S3\",level=3},{key=\"S4\",level=2},{key=\"S5\",level=1}]\n"+
		"uplink.broker = \"mqtt://10.0.2.2:9\"\nuplink.centre_key = \"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg\"\n", 0o644)
	certificate, err := os.ReadFile(s.signing[0])
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(filepath.Join(s.debian, "etc", "rauc", "keyring.pem"), string(certificate), 0o644)
	for from, to := range map[string]string{"system.conf": "etc/rauc/system.conf", "haochaping-boot": "usr/lib/haochaping/haochaping-boot",
		"haochaping-good": "usr/lib/haochaping/haochaping-good", "haochaping-good.service": "etc/systemd/system/haochaping-good.service"} {
		text, err := os.ReadFile(filepath.Join(s.root, "deploy", "image", "ab", from))
		if err != nil {
			s.t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(to, "usr/lib") {
			mode = 0o755
		}
		s.write(filepath.Join(s.debian, to), string(text), mode)
	}
	s.write(filepath.Join(s.debian, "etc", "fstab"), "PARTLABEL=select /boot/select vfat ro,umask=077 0 0\n"+
		"PARTLABEL=data /data ext4 rw,noatime 0 2\n"+
		"/data/ratingd /var/lib/ratingd none bind,x-systemd.requires-mounts-for=/data 0 0\n", 0o644)
	s.write(filepath.Join(s.debian, "etc", "systemd", "system", "haochaping-good.service.d", "soon.conf"),
		"[Service]\nEnvironment=HAOCHAPING_GOOD_WITHIN=120\n", 0o644)
	for _, folder := range []string{"boot/select", "data"} {
		if err := os.MkdirAll(filepath.Join(s.debian, folder), 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	quiet := []string{"DEBIAN_FRONTEND=noninteractive"}
	for _, c := range [][]string{{"dpkg", "--force-confold", "-i", "/root/ratingd.deb"}, {"rm", "/root/ratingd.deb"},
		{"systemctl", "enable", "haochaping-good.service"}} {
		if out, err := tool(s.t.Context(), "", quiet, "chroot", append([]string{s.debian}, c...)...); err != nil {
			s.t.Fatalf("%v: %v\n%s", c, err, out)
		}
	}
	data := filepath.Join(s.debian, "var", "lib", "ratingd")
	if _, err := tool(s.t.Context(), "", nil, "cp", "-a", data, filepath.Join(s.dir, "data-ratingd")); err != nil {
		s.t.Fatal(err)
	}
}

// system makes the images of a system's two parts.
func (s *slots) system(version string, change func(root string)) (root, boot string) {
	s.t.Helper()
	folder := filepath.Join(s.dir, "system-"+version)
	if _, err := tool(s.t.Context(), "", nil, "cp", "-a", s.debian, folder); err != nil {
		s.t.Fatal(err)
	}
	s.write(filepath.Join(folder, "etc", "image-version"), version+"\n", 0o644)
	change(folder)
	root, boot = filepath.Join(s.dir, version+"-root.ext4"), filepath.Join(s.dir, version+"-boot.vfat")
	if err := Disk(s.t.Context(), root, folder, partSizes()[partRootA-1]); err != nil {
		s.t.Fatal(err)
	}
	files := filepath.Join(s.dir, "boot-"+version)
	ram, err := s.parts.Ramdisk(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	kernel, err := os.ReadFile(s.parts.Kernel)
	if err != nil {
		s.t.Fatal(err)
	}
	const always = "console=hvc1 loglevel=5 panic=-1 net.ifnames=0 vt.global_cursor_default=0 systemd.show_status=0 " +
		"root=PARTLABEL=root-%s rauc.slot=%s\n"
	for name, text := range map[string]string{"kernel.img": string(kernel), "ramdisk.img": string(ram),
		"cmd-a.txt": fmt.Sprintf(always, "a", "A"), "cmd-b.txt": fmt.Sprintf(always, "b", "B"),
		"config.txt": "kernel=kernel.img\nramdisk=ramdisk.img\n[boot_partition=2]\ncmdline=cmd-a.txt\n[boot_partition=3]\ncmdline=cmd-b.txt\n"} {
		s.write(filepath.Join(files, name), text, 0o644)
	}
	if err := FAT(s.t.Context(), boot, files, partSizes()[partBootA-1]); err != nil {
		s.t.Fatal(err)
	}
	return root, boot
}

// bundle signs a version of the system and lays it on the part for data.
func (s *slots) bundle(version string, change func(root string)) {
	s.t.Helper()
	root, boot := s.system(version, change)
	folder := filepath.Join(s.dir, "bundle-"+version)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		s.t.Fatal(err)
	}
	for from, to := range map[string]string{root: "root.ext4", boot: "boot.vfat"} {
		if err := os.Rename(from, filepath.Join(folder, to)); err != nil {
			s.t.Fatal(err)
		}
	}
	s.write(filepath.Join(folder, "manifest.raucm"), "[update]\ncompatible=haochaping-box\nversion="+version+"\n[bundle]\nformat=verity\n"+
		"[image.rootfs]\nfilename=root.ext4\n[image.boot]\nfilename=boot.vfat\n", 0o644)
	to := filepath.Join(s.dir, "data", version+".raucb")
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if _, err := tool(s.t.Context(), "", nil, "rauc", "--cert="+s.signing[0], "--key="+s.signing[1], "bundle", folder, to); err != nil {
		s.t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		s.t.Fatal(err)
	}
}

func (s *slots) options() Options {
	s.boots++
	return Options{Parts: s.parts, Log: filepath.Join(s.dir, "console-"+strconv.Itoa(s.boots)+".log")}
}

// boot pulls the plug and starts the card again, and holds which system comes up.
func (s *slots) boot(try bool, want string) {
	s.t.Helper()
	if s.board != nil {
		s.board.PowerOff()
	} else { // the bundles come with the card
		from, to := filepath.Join(s.dir, "data-ratingd"), filepath.Join(s.dir, "data", "ratingd")
		if _, err := tool(s.t.Context(), "", nil, "cp", "-a", from, to); err != nil {
			s.t.Fatal(err)
		}
		image := filepath.Join(s.dir, "data.ext4")
		if err := Disk(s.t.Context(), image, filepath.Join(s.dir, "data"), partSizes()[partData-1]); err != nil {
			s.t.Fatal(err)
		}
		if err := s.card.Put(s.t.Context(), partData, image); err != nil {
			s.t.Fatal(err)
		}
	}
	b, err := s.card.Boot(s.t.Context(), s.options(), try)
	s.own(b, err)
	got := s.sh("sed 's/.*rauc.slot=//' /proc/cmdline; cat /etc/image-version")
	if got = strings.Join(strings.Fields(got), " "); got != want {
		s.t.Fatalf("the system that runs is %q, want %q", got, want)
	}
}

// selected returns what the firmware would read now.
func (s *slots) selected() string {
	s.t.Helper()
	text, err := s.card.read(s.t.Context(), partSelect, "autoboot.txt")
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// kept waits until a system is kept.
func (s *slots) kept(slot string) {
	s.t.Helper()
	n := map[string]int{"A": 2, "B": 3}[slot]
	want := fmt.Sprintf("[all]\ntryboot_a_b=1\nboot_partition=%d\n[tryboot]\nboot_partition=%d\n", n, n)
	s.eventually("the system in slot "+slot+" to be kept", 6*time.Minute, func() bool { return s.selected() == want })
}

// ends waits until the machine restarts, which ends it.
func (s *slots) ends(what string) {
	s.t.Helper()
	select {
	case <-s.board.ended:
	case <-time.After(8 * time.Minute):
		s.t.Fatal(what + " goes on")
	}
}
