package main

import (
	"fmt"
	"os"
	"path/filepath"

	"haochaping/internal/rating"
	"haochaping/internal/tomlfile"
)

// readRoster reads the staff of a window from a file that people write, and their photos from the files that it names. No
// path is no staff.
func readRoster(path string) ([]rating.Member, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Member []struct {
			ID         string `toml:"id"`
			Name       string `toml:"name"`
			Department string `toml:"department"`
			Card       string `toml:"card"`
			Photo      string `toml:"photo"`
		} `toml:"member"`
	}
	if _, err := tomlfile.Decode(b, &file, "docs/staff.md"); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []rating.Member
	for _, m := range file.Member {
		member := rating.Member{Staff: rating.Staff{ID: m.ID, Name: m.Name, Department: m.Department}, Card: m.Card}
		if m.Photo != "" {
			photo := m.Photo
			if !filepath.IsAbs(photo) {
				photo = filepath.Join(filepath.Dir(path), photo)
			}
			if member.Photo, err = os.ReadFile(photo); err != nil {
				return nil, fmt.Errorf("%s: the photo of %s: %w", path, m.ID, err)
			}
		}
		all = append(all, member)
	}
	if err := rating.CheckRoster(all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, m := range all {
		if len(m.Photo) == 0 {
			continue
		}
		// The box would leave it out, and nobody at the window could say why.
		if _, err := rating.DecodePhoto(m.Photo); err != nil {
			return nil, fmt.Errorf("%s: member %s: %w", path, m.ID, err)
		}
	}
	return all, nil
}
