package board

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Parts are what a machine is made of, unpacked from Debian's packages.
type Parts struct {
	Kernel  string // the image
	Release string // of the kernel, as uname -r prints it
	modules string // the folder above lib/modules
	busybox string
}

func (p Parts) arm() bool { return strings.Contains(p.Release, "-arm64") }

// LargePages is a kernel whose pages have 16 KB, as those of a Raspberry Pi 5.
const LargePages = "arm64-16k"

func (p Parts) largePages() bool { return strings.HasSuffix(p.Release, LargePages) }

// processor are QEMU's arguments for a processor that runs the kernel: of a Pi Zero 2 W, or of a Pi 5.
func (p Parts) processor() []string {
	kind := "cortex-a53"
	if p.largePages() {
		kind = "cortex-a76" // which the other's four kilobytes are not enough for
	}
	return []string{"-cpu", kind, "-smp", "2", "-m", "512", "-nic", "none"}
}

// Fetch downloads and unpacks one of Debian's kernels (arm64, amd64, LargePages) and busybox into dir, unless they are
// there. It needs apt, dpkg and kmod, and asks the archive that the machine itself is configured for; the machine's own
// package lists stay as they are. LargePages comes from Debian 13. It is to be called by one process at a time.
func Fetch(ctx context.Context, dir, kernel string) (Parts, error) {
	dir = filepath.Join(dir, kernel)
	if p, err := parts(dir); err == nil {
		return p, nil
	}
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return Parts{}, err
	}
	if err := fetch(ctx, fresh, kernel); err != nil {
		return Parts{}, fmt.Errorf("fetch the kernel %s: %w", kernel, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return Parts{}, err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return Parts{}, err
	}
	return parts(dir)
}

// debian13 is where LargePages comes from: older releases have none.
const debian13 = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n"

func fetch(ctx context.Context, dir, flavour string) error {
	architecture, sources := flavour, ""
	if flavour == LargePages {
		architecture = "arm64"
		sources = fmt.Sprintf("Dir::Etc::sourcelist %q;\nDir::Etc::sourceparts \"/dev/null\";\n", dir+"/apt/sources.list")
	}
	for _, folder := range []string{"apt/lists/partial", "apt/cache/archives/partial", "packages", "root"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return err
		}
	}
	config := fmt.Sprintf("APT::Architecture %q;\nAPT::Architectures { %q; };\nDir::State %q;\nDir::State::lists %q;\n"+
		"Dir::State::status %q;\nDir::Cache %q;\nAPT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\n"+sources,
		architecture, architecture, dir+"/apt", dir+"/apt/lists", dir+"/apt/status", dir+"/apt/cache")
	for name, text := range map[string]string{"apt/status": "", "apt/apt.conf": config, "apt/sources.list": debian13} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	apt := []string{"APT_CONFIG=" + filepath.Join(dir, "apt", "apt.conf")}
	if _, err := tool(ctx, "", apt, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	out, err := tool(ctx, "", apt, "apt-cache", "depends", "--no-recommends", "--no-suggests", "linux-image-"+flavour)
	if err != nil {
		return err
	}
	_, kernel, ok := strings.Cut(out, "Depends: ")
	if !ok {
		return fmt.Errorf("linux-image-%s depends on no kernel:\n%s", flavour, out)
	}
	kernel, _, _ = strings.Cut(kernel, "\n")
	if _, err := tool(ctx, filepath.Join(dir, "packages"), apt, "apt-get", "download", "-qq", kernel, "busybox-static"); err != nil {
		return err
	}
	all, err := filepath.Glob(filepath.Join(dir, "packages", "*.deb"))
	if err != nil {
		return err
	}
	for _, p := range all {
		if _, err := tool(ctx, "", nil, "dpkg-deb", "-x", p, filepath.Join(dir, "root")); err != nil {
			return err
		}
	}
	p, err := parts(dir)
	if err != nil {
		return err
	}
	if _, err := tool(ctx, "", nil, "depmod", "-b", p.modules, p.Release); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(filepath.Join(dir, "packages")), os.RemoveAll(filepath.Join(dir, "apt")))
}

// parts finds what was unpacked.
func parts(dir string) (p Parts, err error) {
	root := filepath.Join(dir, "root")
	kernels, err := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	if err != nil {
		return p, err
	}
	if len(kernels) != 1 {
		return p, fmt.Errorf("%d kernels in %s: %w", len(kernels), root, fs.ErrNotExist)
	}
	p = Parts{Kernel: kernels[0], Release: strings.TrimPrefix(filepath.Base(kernels[0]), "vmlinuz-"), modules: root}
	if _, err := os.Stat(filepath.Join(root, "lib", "modules")); err != nil {
		p.modules = filepath.Join(root, "usr")
	}
	for _, at := range []string{"bin/busybox", "usr/bin/busybox"} {
		if _, err := os.Stat(filepath.Join(root, at)); err == nil {
			p.busybox = filepath.Join(root, at)
			return p, nil
		}
	}
	return p, fmt.Errorf("no busybox in %s: %w", root, fs.ErrNotExist)
}

// tool runs a program and returns what it prints.
func tool(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	var out, problem bytes.Buffer
	c.Stdout, c.Stderr = &out, &problem
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(problem.Bytes()))
	}
	return out.String(), nil
}
