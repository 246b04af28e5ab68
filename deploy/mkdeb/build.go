package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// builder makes packages.
type builder struct {
	src       source
	out, work string
}

// build makes one package and returns the names of the files in b.out.
func (b *builder) build(ctx context.Context, name string, t target) ([]string, error) {
	stage := filepath.Join(b.work, name+"-"+t.debian)
	if err := os.MkdirAll(stage, 0o755); err != nil {
		return nil, err
	}
	base := fmt.Sprintf("%s_%s_%s", name, b.src.version, t.debian)
	env := []string{
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + t.goarch, "GOARM=" + t.goarm, "GOFLAGS=-mod=readonly",
		"GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GODEBUG=",
	}
	var boms []string
	var modules []module
	for _, program := range programs(name) {
		binary := filepath.Join(stage, program)
		if err := b.run(ctx, env, "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w -buildid=", "-o", binary,
			"./cmd/"+program); err != nil {
			return nil, err
		}
		more, err := linkedModules(binary)
		if err != nil {
			return nil, err
		}
		modules = append(modules, more...)
		if err := b.completions(ctx, env, stage, program, t); err != nil {
			return nil, err
		}
		bom := fmt.Sprintf("%s_%s_%s.cdx.json", program, b.src.version, t.debian)
		if err := b.bom(ctx, binary, filepath.Join(b.out, bom)); err != nil {
			return nil, err
		}
		boms = append(boms, bom)
	}
	copyright, err := b.copyright(ctx, env, modules)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(stage, "copyright"), copyright, 0o644); err != nil {
		return nil, err
	}
	if err := b.texts(stage, name); err != nil {
		return nil, err
	}
	if err := b.run(ctx, append(toolEnv(),
		"ARCH="+t.debian, "VERSION="+b.src.version, "MAINTAINER="+b.src.maintainer, "STAGE="+stage,
		"SOURCE_DATE_EPOCH="+strconv.FormatInt(b.src.time.Unix(), 10),
	), "go", "tool", "-modfile=.ci/tools.mod", "nfpm", "package", "--packager", "deb",
		"--config", filepath.Join("deploy", name, "nfpm.yaml"), "--target", filepath.Join(b.out, base+".deb")); err != nil {
		return nil, err
	}
	return append([]string{base + ".deb"}, boms...), nil
}

// toolEnv returns the environment in which tools are built and run: that of the Makefile, and no flags of whoever runs this.
func toolEnv() []string { return []string{"CGO_ENABLED=0", "GOFLAGS=-trimpath"} }

// completions writes what shells complete the program's commands by, which the program prints itself. One that was built for another
// machine is built for this one too.
func (b *builder) completions(ctx context.Context, env []string, stage, program string, t target) error {
	runs := filepath.Join(stage, program)
	if runtime.GOOS != "linux" || runtime.GOARCH != t.goarch {
		runs = filepath.Join(b.work, "here-"+program)
		env = append(slices.Clone(env), "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
		if err := b.run(ctx, env, "go", "build", "-trimpath", "-o", runs, "./cmd/"+program); err != nil {
			return err
		}
	}
	for _, shell := range []string{"bash", "zsh"} {
		script, err := exec.CommandContext(ctx, runs, "completion", shell).Output()
		if err != nil {
			return fmt.Errorf("completion of %s for %s: %w", program, shell, err)
		}
		if err := os.WriteFile(filepath.Join(stage, program+"."+shell), script, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// texts writes the changelogs and the manual pages into the stage.
func (b *builder) texts(stage, name string) error {
	entry := fmt.Sprintf("%s (%s) stable; urgency=medium\n\n  * CHANGELOG.md beside this file says what has changed.\n\n -- %s  %s\n",
		name, b.src.version, b.src.maintainer, b.src.time.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	if err := compress(filepath.Join(stage, "changelog.gz"), []byte(entry)); err != nil {
		return err
	}
	files := map[string]string{"CHANGELOG.md": "CHANGELOG.md"}
	for _, program := range programs(name) {
		files[program+".8"] = filepath.Join("deploy", "man", program+".8")
	}
	for to, from := range files {
		text, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if strings.HasSuffix(to, ".8") {
			if text, err = dated(text, b.src.time); err != nil {
				return fmt.Errorf("%s: %w", from, err)
			}
		}
		if err := compress(filepath.Join(stage, to+".gz"), text); err != nil {
			return err
		}
	}
	return nil
}

// dated returns a manual page with the date of the commit, which its first line leaves empty.
func dated(page []byte, at time.Time) ([]byte, error) {
	const title = ".TH "
	first, rest, _ := strings.Cut(string(page), "\n")
	if !strings.HasPrefix(first, title) || strings.Count(first, ` 8 "" `) != 1 {
		return nil, fmt.Errorf("the first line leaves no room for a date: %s", first)
	}
	first = strings.Replace(first, ` 8 "" `, fmt.Sprintf(" 8 %q ", at.Format(time.DateOnly)), 1)
	return []byte(first + "\n" + rest), nil
}

// compress writes what gzip -9n writes: no name and no time.
func compress(path string, text []byte) error {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, packed.Bytes(), 0o644)
}

// writeSums writes SHA256SUMS over the files of a folder, in the format of sha256sum -c.
func writeSums(folder string, files []string) error {
	files = slices.Sorted(slices.Values(files))
	var text strings.Builder
	for _, name := range slices.Compact(files) {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(b), name)
	}
	return os.WriteFile(filepath.Join(folder, "SHA256SUMS"), []byte(text.String()), 0o644)
}

func (b *builder) run(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said.String())
	}
	return nil
}
