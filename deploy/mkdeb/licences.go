package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is a Go module that is linked into a program.
type module struct{ path, version string }

// linkedModules reads from a program which modules it is made of: those that are really in it, where go.mod names more.
func linkedModules(program string) ([]module, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("read what %s is made of: %w", program, err)
	}
	var out []module
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		out = append(out, module{m.Path, m.Version})
	}
	return out, nil
}

// licence is the text that came with a module or a part of it.
type licence struct {
	files string // which part of the program it is about
	text  string
}

// copyright returns the package's file of that name: our licence, then word for word that of everything linked into the
// programs, as most of them demand, and that of the built-in fonts.
func (b *builder) copyright(ctx context.Context, env []string, modules []module) ([]byte, error) {
	slices.SortFunc(modules, func(a, b module) int { return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.version, b.version)) })
	modules = slices.Compact(modules)
	folders, err := moduleFolders(ctx, env)
	if err != nil {
		return nil, err
	}
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("ask Go for its folder: %w", err)
	}
	std, err := licenceTexts(strings.TrimSpace(string(goroot)))
	if err != nil {
		return nil, fmt.Errorf("licence of Go's standard library: %w", err)
	}
	font, err := licenceTexts(filepath.Join("display", "fonts"))
	if err != nil {
		return nil, fmt.Errorf("licence of the built-in fonts: %w", err)
	}
	all := []licence{{"the standard library of Go", std}, {"the built-in fonts, subsets of Noto Sans SC and Noto Serif Tibetan", font}}
	for _, m := range modules {
		folder, ok := folders[m]
		if !ok {
			return nil, fmt.Errorf("the source of %s %s is not at hand: run go mod download", m.path, m.version)
		}
		text, err := licenceTexts(folder)
		if err != nil {
			return nil, fmt.Errorf("licence of %s %s: %w", m.path, m.version, err)
		}
		all = append(all, licence{m.path + " " + m.version, text})
	}
	return renderCopyright(all), nil
}

// moduleFolders returns where the sources of all modules are. What a module needs beyond what is downloaded has no folder.
func moduleFolders(ctx context.Context, env []string) (map[module]string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-m", "-json=Path,Version,Dir,Replace", "all")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the modules: %w", err)
	}
	folders := make(map[module]string)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Version, Dir string }
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return folders, nil
		} else if err != nil {
			return nil, fmt.Errorf("list the modules: %w", err)
		}
		if m.Dir != "" {
			folders[module{m.Path, m.Version}] = m.Dir
		}
	}
}

// licenceTexts returns the texts of the licence files in a folder. None is an error: then nobody may hand the program on.
func licenceTexts(folder string) (string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	name := regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|ofl|unlicense)([-._].*)?$`)
	var texts []string
	for _, e := range entries {
		if e.IsDir() || !name.MatchString(e.Name()) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			return "", err
		}
		texts = append(texts, shorten(strings.TrimSpace(strings.ReplaceAll(string(b), "\r\n", "\n"))))
	}
	if len(texts) == 0 {
		return "", fmt.Errorf("there is no licence file in %s", filepath.Base(folder))
	}
	return strings.Join(texts, "\n\n"), nil
}

// shorten puts a reference in the place of the one long text that each Debian system has already, as Debian demands, and
// keeps who holds the copyright.
func shorten(text string) string {
	if !strings.Contains(text, "Apache License") || !strings.Contains(text, "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION") {
		return text
	}
	holders := regexp.MustCompile(`(?m)^ *(Copyright (?:\(c\) )?[0-9]{4}.*)$`).FindAllStringSubmatch(text, -1)
	short := "Apache License, Version 2.0: /usr/share/common-licenses/Apache-2.0"
	for _, h := range holders {
		short += "\n" + h[1]
	}
	return short
}

// renderCopyright writes the file. The same text stands once, after all the parts that it is about.
func renderCopyright(all []licence) []byte {
	type group struct {
		files []string
		text  string
	}
	var groups []*group
	known := make(map[[32]byte]*group)
	for _, l := range all {
		sum := sha256.Sum256([]byte(strings.Join(strings.Fields(l.text), " ")))
		g := known[sum]
		if g == nil {
			g = &group{text: l.text}
			known[sum] = g
			groups = append(groups, g)
		}
		g.files = append(g.files, l.files)
	}
	var out bytes.Buffer
	out.WriteString(`Haochaping, the rating terminal of the government service hall.
Copyright: its authors.
License: Apache-2.0

 Licensed under the Apache License, Version 2.0. On Debian systems its full
 text is in /usr/share/common-licenses/Apache-2.0.

The programs contain what follows, each part under its own licence.
`)
	for _, g := range groups {
		out.WriteString("\n" + strings.Repeat("=", 78) + "\n")
		for _, f := range g.files {
			out.WriteString(f + "\n")
		}
		out.WriteString(strings.Repeat("-", 78) + "\n\n" + g.text + "\n")
	}
	return out.Bytes()
}
