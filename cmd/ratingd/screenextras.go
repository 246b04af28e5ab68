package main

import (
	"context"
	"errors"
	"image"
	"io/fs"
	"os"

	"haochaping/display"
	"haochaping/internal/crash"
)

// fontFiles are the configured fonts, of which those that are no fonts are left out until they are mended. One goroutine uses it
// at a time.
type fontFiles struct {
	paths     []string
	renderers chan *display.Renderer // to the screen

	seen []fs.FileInfo // of paths when they were read last; nil for one that was not there
	err  error         // what was wrong with them
}

// load returns the fonts that can be used, at least the built-in ones.
func (f *fontFiles) load() *display.Fonts {
	f.seen = f.look()
	fonts, err := display.LoadFonts(f.paths)
	f.err = err
	return fonts
}

// builtInFonts returns the fonts that are always there.
func builtInFonts() *display.Fonts {
	fonts, _ := display.LoadFonts(nil) // nothing is loaded that could fail
	return fonts
}

func (f *fontFiles) look() []fs.FileInfo {
	out := make([]fs.FileInfo, len(f.paths))
	for i, path := range f.paths {
		if info, err := os.Stat(path); err == nil {
			out[i] = info
		}
	}
	return out
}

// changed reports whether the files are others than those that were read.
func (f *fontFiles) changed() bool {
	for i, now := range f.look() {
		before := f.seen[i]
		if (now == nil) != (before == nil) {
			return true
		}
		if now != nil && (!os.SameFile(now, before) || now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime()) ||
			now.Mode() != before.Mode()) {
			return true
		}
	}
	return false
}

// run returns what is wrong with the fonts. When they have been mended it hands them to the screen, and returns when ctx ends.
func (f *fontFiles) run(ctx context.Context, report func(error)) error {
	if f.err != nil {
		if !f.changed() && !errors.Is(f.err, fs.ErrPermission) { // which may be lifted without a trace in the file
			return f.err
		}
		select {
		case f.renderers <- display.NewRenderer(f.load()):
		case <-ctx.Done():
			return nil
		}
		if f.err != nil {
			return f.err
		}
	}
	report(nil)
	return idle(ctx)
}

// filePanel is the folder in which each screen is written. What it cannot write is its own trouble and not the screen's.
type filePanel struct {
	*display.Files
	drawn chan outcome // the newest one
}

// outcome is what became of a drawing.
type outcome struct{ err error }

// Draw implements display.Drawer.
func (p *filePanel) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	p.tell(crash.Contain(func() error { return p.Files.Draw(r, src, sp) }))
	return nil
}

// DrawParts draws parts of a frame and writes the file once.
func (p *filePanel) DrawParts(parts []image.Rectangle, frame *image.RGBA) error {
	p.tell(crash.Contain(func() error { return p.Files.DrawParts(parts, frame) }))
	return nil
}

func (p *filePanel) tell(err error) {
	select {
	case <-p.drawn:
	default:
	}
	p.drawn <- outcome{err} // there is one who tells
}

// screenFolder is the configured folder for the screens.
type screenFolder struct {
	path   string
	size   image.Point
	panels chan *filePanel // to the screen
}

// run gives the screen the folder, and returns when it cannot be written.
func (f screenFolder) run(ctx context.Context, report func(error)) error {
	files, err := display.NewFiles(f.path, f.size)
	if err != nil {
		return err
	}
	p := &filePanel{Files: files, drawn: make(chan outcome, 1)}
	select {
	case f.panels <- p:
	case <-ctx.Done():
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case o := <-p.drawn:
			if o.err != nil {
				return o.err
			}
			report(nil)
		}
	}
}
