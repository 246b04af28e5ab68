package board

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Debian makes a Debian with systemd and more packages in dir, unless it is there, and returns an archive of it. It needs root and
// mmdebstrap.
func Debian(ctx context.Context, dir, release string, more ...string) (archive string, err error) {
	name := strings.Join(append([]string{release}, more...), "-")
	archive = filepath.Join(dir, "debian-"+name+".tar")
	if _, err := os.Stat(archive); err == nil {
		return archive, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	fresh := filepath.Join(dir, "new-"+name+".tar")
	if _, err := tool(ctx, "", nil, "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase",
		"--include="+strings.Join(append([]string{"systemd-sysv,udev,iproute2,wget,procps"}, more...), ","), release, fresh); err != nil {
		return "", errors.Join(err, os.Remove(fresh))
	}
	return archive, os.Rename(fresh, archive)
}

// Unpack unpacks an archive of Debian into a new folder and adds the unit of the board's shell.
func Unpack(ctx context.Context, archive, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if _, err := tool(ctx, "", nil, "tar", "-C", folder, "-xpf", archive, "--exclude=./dev/*"); err != nil {
		return err
	}
	systemd := filepath.Join(folder, "etc", "systemd", "system")
	for _, link := range []string{"serial-getty@ttyS0.service", "serial-getty@hvc0.service", "serial-getty@hvc1.service", "getty@tty1.service",
		"apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_reap.service", "getty-static.service"} {
		if err := os.Symlink("/dev/null", filepath.Join(systemd, link)); err != nil { // masked: the lines are the test's
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(systemd, "board-shell.service"), []byte(shellUnit), 0o644); err != nil {
		return err
	}
	wants := filepath.Join(systemd, "multi-user.target.wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		return err
	}
	return os.Symlink("/etc/systemd/system/board-shell.service", filepath.Join(wants, "board-shell.service"))
}

const shellUnit = `[Unit]
Description=The shell in the hands of the test

[Service]
ExecStart=/bin/bash -c 'exec 3<>/dev/hvc0; stty raw -echo <&3; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; \
	ip route add default via 10.0.2.2; echo ready >&3; dd bs=4096 <&3 2>/dev/null | sh >&3 2>&1'
`

const systemScript = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while read m; do insmod /lib/modules/$m || echo "insmod $m failed"; done < /lib/modules/order
mount -t ext4 /dev/vda /mnt || { echo "the disk cannot be mounted"; poweroff -f; }
umount /sys /proc
exec switch_root /mnt /lib/systemd/systemd
`

// StartSystem boots a PC whose disk holds a Debian made by Unpack, and waits until its shell answers. Of a Board it has the
// screen, the serial line, the network and the shell, and no GPIO lines. It needs qemu-system-x86_64.
func StartSystem(ctx context.Context, o Options) (*Board, error) {
	return start(ctx, o, func(b *Board) ([]string, error) {
		ram, err := initramfs(ctx, o.Parts, modules, systemScript)
		if err != nil {
			return nil, fmt.Errorf("make the first file system: %w", err)
		}
		if err := os.WriteFile(b.at("initramfs"), ram, 0o600); err != nil {
			return nil, err
		}
		return append(o.pc("console=hvc1 loglevel=5 panic=-1 net.ifnames=0 vt.global_cursor_default=0 systemd.show_status=0"), b.ends(o)...), nil
	})
}

// pc are QEMU's arguments for a PC and what its kernel is told.
func (o Options) pc(cmdline string) []string {
	args := append([]string{"qemu-system-x86_64", "-M", "q35", "-cpu", "Nehalem", "-smp", "2", "-m", "768", "-vga", "none"}, o.emulation()...)
	return append(args, "-append", cmdline)
}
