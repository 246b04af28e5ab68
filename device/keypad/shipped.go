package keypad

import (
	"embed"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"haochaping/internal/cli"
)

//go:embed profiles/*.toml
var profiles embed.FS

// maxFile bounds a profile's file in bytes.
const maxFile = 64 << 10

// Names returns the names of the profiles that are built in, sorted.
func Names() []string {
	entries, err := profiles.ReadDir("profiles")
	if err != nil {
		panic("keypad: the built-in profiles cannot be listed: " + err.Error())
	}
	var all []string
	for _, e := range entries {
		all = append(all, strings.TrimSuffix(e.Name(), ".toml"))
	}
	slices.Sort(all)
	return all
}

// Shipped returns a profile that is built in, and its text.
func Shipped(name string) (*Profile, string, error) {
	if !slices.Contains(Names(), name) {
		return nil, "", cli.Errorf("没有 %q 这个描述；有 %s，或写带文件夹的文件，如 \"/etc/ratingd/keypad.toml\"",
			"the profile %q is unknown; there are %s, and files, written with their folder, as \"/etc/ratingd/keypad.toml\"", name,
			strings.Join(Names(), ", "))
	}
	b, err := profiles.ReadFile(path.Join("profiles", name+".toml"))
	if err != nil {
		return nil, "", fmt.Errorf("the built-in profile %s: %w", name, err)
	}
	p, err := Parse(b)
	if err != nil {
		return nil, "", fmt.Errorf("the built-in profile %s: %w", name, err)
	}
	return p, string(b), nil
}

// IsFile reports whether what is configured as a profile is a file and not a built-in profile's name.
func IsFile(nameOrPath string) bool { return strings.Contains(nameOrPath, "/") }

// Find returns a profile that is built in or, if what is given has a slash, reads it from that file.
func Find(nameOrPath string) (p *Profile, err error) {
	if !IsFile(nameOrPath) {
		p, _, err := Shipped(nameOrPath)
		return p, err
	}
	info, err := os.Stat(nameOrPath)
	if err != nil {
		return nil, unread(err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, cli.Errorf("%s 不是键盘的描述；请写至多 %d 字节的文件", "%s is no keypad's profile; name a file of at most %d bytes", nameOrPath, maxFile)
	}
	f, err := os.Open(nameOrPath)
	if err != nil {
		return nil, unread(err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, unread(err)
	}
	if p, err = Parse(b); err != nil {
		return nil, cli.Because(err, "键盘的描述 "+nameOrPath, "the keypad's profile "+nameOrPath)
	}
	return p, nil
}

func unread(err error) error {
	return cli.Because(err, "读不到键盘的描述；请核对路径和权限", "the keypad's profile cannot be read; look at its path and who may read it")
}
