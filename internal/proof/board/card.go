package board

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// A card of two systems (deploy/image/ab), as its partition table names its parts.
const (
	partSelect = iota + 1 // autoboot.txt
	partBootA
	partBootB
	partRootA
	partRootB
	partData
)

// Mebibytes of the parts, in their order. Each begins where the one before ends; the first after one of the table.
func partSizes() []int64 { return []int64{4, 80, 80, 640, 640, 1536} }

func partNames() []string { return []string{"select", "boot-a", "boot-b", "root-a", "root-b", "data"} }

// Card is an image of a card with two systems.
type Card struct{ Image string }

// start returns where a part begins, in bytes.
func (Card) start(part int) int64 {
	at := int64(1)
	for _, size := range partSizes()[:part-1] {
		at += size
	}
	return at << 20
}

// Format makes the table. It needs sfdisk.
func (c Card) Format(ctx context.Context) error {
	f, err := os.Create(c.Image)
	if err != nil {
		return err
	}
	end := c.start(partData) + partSizes()[partData-1]<<20 + 1<<20
	if err := errors.Join(f.Truncate(end), f.Close()); err != nil {
		return err
	}
	table := "label: gpt\n"
	for i, size := range partSizes() {
		table += fmt.Sprintf("start=%dMiB, size=%dMiB, name=%s\n", c.start(i+1)>>20, size, partNames()[i])
	}
	cmd := exec.CommandContext(ctx, "/sbin/sfdisk", "-q", c.Image)
	cmd.Stdin = strings.NewReader(table)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("sfdisk: %w: %s", err, out)
	}
	return nil
}

// Put writes the image of a file system into a part.
func (c Card) Put(ctx context.Context, part int, image string) error {
	_, err := tool(ctx, "", nil, "dd", "if="+image, "of="+c.Image, "bs=1M", fmt.Sprintf("seek=%d", c.start(part)>>20), "conv=notrunc,sparse",
		"status=none")
	return err
}

// FAT makes an image of a FAT file system with the files of a folder. It needs mkfs.vfat and mcopy.
func FAT(ctx context.Context, image, folder string, megabytes int64) error {
	f, err := os.Create(image)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(megabytes<<20), f.Close()); err != nil {
		return err
	}
	if _, err := tool(ctx, "", nil, "/sbin/mkfs.vfat", image); err != nil {
		return err
	}
	all, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return err
	}
	_, err = tool(ctx, "", nil, "mcopy", append([]string{"-i", image}, append(all, "::")...)...)
	return err
}

// read returns a file of a FAT part, as the firmware sees it.
func (c Card) read(ctx context.Context, part int, name string) (string, error) {
	return tool(ctx, "", nil, "mcopy", "-n", "-i", fmt.Sprintf("%s@@%d", c.Image, c.start(part)), "::"+name, "-")
}

// section returns the lines of a section of the firmware's files: what stands before the first counts for all.
func section(text, name string) (lines []string) {
	in := name == ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			in = line == "["+name+"]"
		} else if in && line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// Boot plays the firmware of a Raspberry Pi: it reads which part autoboot.txt names, the one that is to be tried if the restart has asked
// for that, and starts the kernel of that part by what its config.txt says of it. Then it boots a PC with the card, and waits until its
// shell answers.
func (c Card) Boot(ctx context.Context, o Options, try bool) (*Board, error) {
	choice := "all"
	if try {
		choice = "tryboot"
	}
	text, err := c.read(ctx, partSelect, "autoboot.txt")
	if err != nil {
		return nil, err
	}
	part := 0
	for _, line := range section(text, choice) {
		if m := regexp.MustCompile(`^boot_partition=(\d)$`).FindStringSubmatch(line); m != nil {
			part = int(m[1][0] - '0')
		}
	}
	if part != partBootA && part != partBootB {
		return nil, fmt.Errorf("autoboot.txt names no system:\n%s", text)
	}
	config, err := c.read(ctx, part, "config.txt")
	if err != nil {
		return nil, err
	}
	files := make(map[string]string)
	for _, line := range append(section(config, ""), section(config, fmt.Sprintf("boot_partition=%d", part))...) {
		name, value, _ := strings.Cut(line, "=")
		files[name] = value
	}
	content := make(map[string]string)
	for _, name := range []string{"kernel", "ramdisk", "cmdline"} {
		if content[name], err = c.read(ctx, part, files[name]); err != nil {
			return nil, fmt.Errorf("%s of partition %d: %w", name, part, err)
		}
	}
	o.Disk = c.Image
	return start(ctx, o, func(b *Board) ([]string, error) {
		o.Parts.Kernel = b.at("kernel")
		for name, to := range map[string]string{"kernel": o.Parts.Kernel, "ramdisk": b.at("initramfs")} {
			if err := os.WriteFile(to, []byte(content[name]), 0o600); err != nil {
				return nil, err
			}
		}
		return append(o.pc(strings.TrimSpace(content["cmdline"])), b.ends(o)...), nil
	})
}

// cardScript is the first file system of a system on a card.
const cardScript = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while read m; do insmod /lib/modules/$m || echo "insmod $m failed"; done < /lib/modules/order
root=$(sed -n 's/.*root=PARTLABEL=\([a-z-]*\).*/\1/p' /proc/cmdline)
for part in /sys/class/block/*; do
	if grep -q "^PARTNAME=$root\$" $part/uevent; then device=/dev/${part##*/}; fi
done
mount -t ext4 $device /mnt || { echo "$root cannot be mounted"; poweroff -f; }
umount /sys /proc
exec switch_root /mnt /lib/systemd/systemd
`

// Ramdisk returns the first file system of a system on a card.
func (p Parts) Ramdisk(ctx context.Context) ([]byte, error) {
	more := []string{"vfat", "nls_cp437", "nls_ascii", "nls_utf8", "loop", "squashfs", "dm_verity", "sha256_generic"}
	return initramfs(ctx, p, append(more, modules...), cardScript)
}
