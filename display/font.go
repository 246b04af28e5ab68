package display

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/font/opentype"

	builtin "haochaping/display/fonts"
)

// Fonts are the fonts that characters are looked for in: the built-in ones, then those of the machine in the configured
// order. Each is read when a character is looked for in it, since a complete one takes some 20 MB. It is safe for concurrent use.
type Fonts struct {
	mu  sync.Mutex
	all []lazyFont // guarded by mu
}

// lazyFont is a font that may not have been read yet.
type lazyFont struct {
	read func() (*font.Font, error) // nil once it was called
	font *font.Font                 // nil before, and if it was replaced by something else since LoadFonts
}

// LoadFonts returns the built-in fonts followed by those of the files. Of a collection it takes the face for simplified
// Chinese. Files that do not exist are skipped. The error joins one for each file that is no usable font; the Fonts
// returned with it work without those.
func LoadFonts(paths []string) (*Fonts, error) {
	f := &Fonts{}
	for _, b := range [][]byte{builtin.Han(), builtin.Tibetan()} {
		f.all = append(f.all, lazyFont{read: func() (*font.Font, error) { return readFont(bytes.NewReader(b)) }})
	}
	var errs []error
	for _, path := range paths {
		_, err := openFont(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("the font %s is not used: %w; install it anew or take it out of screen.fonts", path, err))
		default:
			f.all = append(f.all, lazyFont{read: func() (*font.Font, error) { return openFont(path) }})
		}
	}
	return f, errors.Join(errs...)
}

// each calls do with the fonts in their order until it returns true.
func (f *Fonts) each(do func(*font.Font) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.all {
		l := &f.all[i]
		if l.read != nil {
			l.font, _ = l.read() // that it could be read is what LoadFonts has seen
			l.read = nil
		}
		if l.font != nil && do(l.font) {
			return
		}
	}
}

// drop forgets a font.
func (f *Fonts) drop(bad *font.Font) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = slices.DeleteFunc(f.all, func(l lazyFont) bool { return l.font == bad })
}

// with returns the first font that has a character, nil if none has.
func (f *Fonts) with(r rune) (found *font.Font) {
	f.each(func(ft *font.Font) bool {
		if _, ok := ft.NominalGlyph(r); ok {
			found = ft
		}
		return found != nil
	})
	return found
}

// Missing returns the characters of a text that no font has, each once.
func (f *Fonts) Missing(s string) []rune {
	var out []rune
	for _, r := range clean(s) {
		if !unicode.IsSpace(r) && !ignorable(r) && !slices.Contains(out, r) && f.with(r) == nil {
			out = append(out, r)
		}
	}
	return out
}

func openFont(path string) (*font.Font, error) {
	// Opening a pipe waits for whoever writes into it, and the keys with it.
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no file")
	case info.Size() == 0:
		return nil, errors.New("it is empty")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := readFont(file)
	return f, errors.Join(err, file.Close())
}

// readFont reads a font, or the face of a collection that is made for simplified Chinese. Bytes that are no font, or part of one,
// are an error.
func readFont(file font.Resource) (f *font.Font, err error) {
	defer func() {
		// The library trusts some of a font's numbers.
		if fault := recover(); fault != nil {
			f, err = nil, fmt.Errorf("it is damaged: %v", fault)
		}
	}()
	loaders, err := opentype.NewLoaders(file)
	if err != nil {
		return nil, fmt.Errorf("it is no font or is damaged: %w", err)
	}
	if len(loaders) == 0 {
		return nil, errors.New("it is an empty collection")
	}
	face := simplified(loaders)
	if err := checkSums(file, face); err != nil {
		return nil, err
	}
	f, err = font.NewFont(loaders[face])
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if !draws(f) {
		return nil, errors.New("it has no outlines that can be drawn")
	}
	return f, nil
}

// simplified returns which face of a collection is made for simplified Chinese, by its name, or else the first.
func simplified(faces []*opentype.Loader) int {
	for i, f := range faces {
		d, _ := font.Describe(f, nil)
		for _, word := range strings.Fields(d.Family) {
			if word == "SC" || word == "CN" || word == "GB" || word == "Hans" {
				return i
			}
		}
	}
	return 0
}

// draws reports whether at least one of a font's first characters can be seen.
func draws(f *font.Font) bool {
	face := font.NewFace(f)
	characters := f.Cmap.Iter()
	for range 100 {
		if !characters.Next() {
			break
		}
		_, glyph := characters.Char()
		if outline, ok := face.GlyphDataOutline(glyph); ok && len(outline.Segments) > 0 && face.HorizontalAdvance(glyph) > 0 {
			return true
		}
	}
	return false
}
