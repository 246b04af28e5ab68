package display

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
)

// Files is a panel that keeps the newest frame as screen.png in a folder. The file is whole at every moment.
type Files struct {
	path  string
	frame *image.RGBA
}

// NewFiles returns a panel of the given size in a folder, which it creates.
func NewFiles(folder string, size image.Point) (*Files, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("screen files: %w", err)
	}
	return &Files{filepath.Join(folder, "screen.png"), image.NewRGBA(image.Rectangle{Max: size})}, nil
}

// String implements conn.Resource.
func (f *Files) String() string { return "files " + f.path }

// Halt implements conn.Resource.
func (f *Files) Halt() error { return nil }

// ColorModel implements display.Drawer.
func (f *Files) ColorModel() color.Model { return color.RGBAModel }

// Bounds implements display.Drawer.
func (f *Files) Bounds() image.Rectangle { return f.frame.Rect }

// Draw implements display.Drawer.
func (f *Files) Draw(r image.Rectangle, src image.Image, sp image.Point) error {
	draw.Draw(f.frame, r, src, sp, draw.Src)
	return f.write()
}

// DrawParts draws parts of a frame and writes the file once.
func (f *Files) DrawParts(parts []image.Rectangle, frame *image.RGBA) error {
	for _, p := range parts {
		draw.Draw(f.frame, p, frame, p.Min, draw.Src)
	}
	return f.write()
}

// Resize makes the panel another size, and black, if it is not that size already.
func (f *Files) Resize(size image.Point) {
	if f.frame.Rect.Size() != size {
		f.frame = image.NewRGBA(image.Rectangle{Max: size})
	}
}

func (f *Files) write() error {
	temp := f.path + ".new"
	w, err := os.Create(temp)
	if err != nil {
		return fmt.Errorf("screen files: %w", err)
	}
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := errors.Join(enc.Encode(w, f.frame), w.Close()); err != nil {
		return fmt.Errorf("screen files: %w", err)
	}
	if err := os.Rename(temp, f.path); err != nil {
		return fmt.Errorf("screen files: %w", err)
	}
	return nil
}
