// Command mkdeb builds the Debian packages: ratingd for the box and centrald for the centre, each with a list of what it is
// made of (CycloneDX), and SHA256SUMS over all.
//
//	go run ./deploy/mkdeb [-arch amd64,arm64,armhf,loong64] [-out dist] [-packages ratingd,centrald]
//
// It runs in the repository's root and needs git, Go and the tools pinned in .ci/tools.mod. The same commit and Go release give
// the same bytes wherever and whenever it is built: all times are that of the commit (or SOURCE_DATE_EPOCH), and paths are
// trimmed. What is changed and not committed is built too, and gives the version a "+dirty".
//
// armhf is ARMv7, as Debian's. The ARMv6 boards (Raspberry Pi 1 and the first Zero) are not served. loong64 is the new world of
// LoongArch (Debian, and UOS and Kylin from 2024 on); the older systems of that processor name themselves loongarch64 and run none of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "mkdeb:", err)
		os.Exit(1)
	}
}

// target is a Debian architecture and how Go calls it.
type target struct{ debian, goarch, goarm string }

func targets() []target {
	return []target{{"amd64", "amd64", ""}, {"arm64", "arm64", ""}, {"armhf", "arm", "7"}, {"loong64", "loong64", ""}}
}

// programs returns what a package holds.
func programs(name string) []string {
	if name == "ratingd" {
		return []string{"ratingd", "ratingctl"}
	}
	return []string{"centrald"}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("mkdeb", flag.ContinueOnError)
	flags.SetOutput(stderr)
	arches := flags.String("arch", "amd64,arm64,armhf,loong64", "Debian `architectures`, separated by commas")
	packages := flags.String("packages", "ratingd,centrald", "`packages`, separated by commas")
	out := flags.String("out", "dist", "`folder` in which the packages are put")
	if err := flags.Parse(args); err != nil {
		return err
	}
	src, err := readSource(ctx, os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return fmt.Errorf("create the folder for the packages: %w", err)
	}
	work, err := os.MkdirTemp("", "mkdeb-")
	if err != nil {
		return err
	}
	defer func() {
		if e := os.RemoveAll(work); err == nil {
			err = e
		}
	}()
	b := builder{src: src, out: *out, work: work}
	var files []string
	for _, arch := range strings.Split(*arches, ",") {
		i := slices.IndexFunc(targets(), func(t target) bool { return t.debian == arch })
		if i < 0 {
			return fmt.Errorf("architecture %q is unknown; there are amd64, arm64, armhf and loong64", arch)
		}
		for _, name := range strings.Split(*packages, ",") {
			made, err := b.build(ctx, name, targets()[i])
			if err != nil {
				return fmt.Errorf("package %s for %s: %w", name, arch, err)
			}
			files = append(files, made...)
		}
	}
	if err := writeSums(*out, files); err != nil {
		return err
	}
	for _, f := range files {
		if _, err := fmt.Fprintln(stdout, filepath.Join(*out, f)); err != nil {
			return err
		}
	}
	return nil
}
