package board

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// archive writes a cpio archive of the kernel's "newc" format, which an initramfs is.
type archive struct {
	out   bytes.Buffer
	inode int
	made  []string // folders
}

const (
	modeFolder = 0o040755
	modeFile   = 0o100755
)

func (a *archive) entry(name string, mode int, content []byte) {
	a.inode++
	pad := func() {
		for a.out.Len()%4 != 0 {
			a.out.WriteByte(0)
		}
	}
	fmt.Fprintf(&a.out, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", a.inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0,
		len(name)+1, 0)
	a.out.WriteString(name + "\x00")
	pad()
	a.out.Write(content)
	pad()
}

// file adds a file, and the folders above it.
func (a *archive) file(name string, content []byte) {
	a.folder(path.Dir(name))
	a.entry(name, modeFile, content)
}

func (a *archive) folder(name string) {
	if name == "." || slices.Contains(a.made, name) {
		return
	}
	a.folder(path.Dir(name))
	a.made = append(a.made, name)
	a.entry(name, modeFolder, nil)
}

func (a *archive) bytes() []byte {
	a.entry("TRAILER!!!", 0, nil)
	return a.out.Bytes()
}

// initramfs makes the first file system of a machine: busybox, the named kernel modules with all that they need, and init.
// The modules are loaded by init in the order of /lib/modules/order.
func initramfs(ctx context.Context, p Parts, modules []string, init string) ([]byte, error) {
	var a archive
	for _, folder := range []string{"proc", "sys", "dev", "tmp", "data", "etc", "run", "mnt"} {
		a.folder(folder)
	}
	busybox, err := os.ReadFile(p.busybox)
	if err != nil {
		return nil, err
	}
	a.file("bin/busybox", busybox)
	var order []string
	for _, m := range modules {
		out, err := tool(ctx, "", nil, "modprobe", "-d", p.modules, "-S", p.Release, "--show-depends", m)
		if err != nil {
			return nil, fmt.Errorf("find the kernel module %s: %w", m, err)
		}
		for line := range strings.Lines(out) {
			fields := strings.Fields(line)
			if len(fields) < 2 || fields[0] != "insmod" || slices.Contains(order, path.Base(fields[1])) { // or it is built in
				continue
			}
			content, err := module(ctx, fields[1])
			if err != nil {
				return nil, err
			}
			name := strings.TrimSuffix(path.Base(fields[1]), ".xz")
			if slices.Contains(order, name) {
				continue
			}
			order = append(order, name)
			a.file("lib/modules/"+name, content)
		}
	}
	a.file("lib/modules/order", []byte(strings.Join(order, "\n")+"\n"))
	a.file("init", []byte(init))
	return a.bytes(), nil
}

// module reads a kernel module, unpacked.
func module(ctx context.Context, file string) ([]byte, error) {
	if strings.HasSuffix(file, ".xz") {
		out, err := tool(ctx, "", nil, "xz", "-dc", file)
		return []byte(out), err
	}
	b, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, err
	}
	if _, err := elf.NewFile(bytes.NewReader(b)); err != nil {
		return nil, fmt.Errorf("kernel module %s: %w", file, err)
	}
	return b, nil
}

// Disk makes a disk image with an ext4 file system of some megabytes, which holds what is in folder. It needs mkfs.ext4.
func Disk(ctx context.Context, image, folder string, megabytes int64) error {
	f, err := os.Create(image)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(megabytes<<20), f.Close()); err != nil {
		return err
	}
	_, err = tool(ctx, "", nil, "mkfs.ext4", "-q", "-F", "-d", folder, "-E", "root_owner=0:0", image)
	return err
}
