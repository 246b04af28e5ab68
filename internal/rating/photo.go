package rating

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
)

// MaxPhotoSide is the greatest width and height in pixels of a photo. What is larger is not decoded: a few bytes can say
// that they are a gigabyte of pixels.
const MaxPhotoSide = 1200

// DecodePhoto reads a JPEG of a person at the window and turns it upright. What it refuses no box can show, and the centre
// does not take. It is safe for bytes of any kind.
func DecodePhoto(b []byte) (image.Image, error) {
	const advice = "save it anew as an ordinary JPEG of 240 x 300 pixels"
	c, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("a photo cannot be shown: %w; %s", err, advice)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > MaxPhotoSide || c.Height > MaxPhotoSide {
		return nil, fmt.Errorf("a photo cannot be shown: %d x %d pixels, at most %d each are allowed; %s",
			c.Width, c.Height, MaxPhotoSide, advice)
	}
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("a photo cannot be shown: %w; %s", err, advice)
	}
	return Upright(m, b), nil
}

// Upright turns the picture of a JPEG, which may be smaller meanwhile, as the file's EXIF data say that the camera was held.
func Upright(m image.Image, file []byte) image.Image { return turn(m, orientation(file)) }

// orientation returns what a JPEG's EXIF data say of how the camera was held, 1 (upright) to 8, and 1 if they say nothing.
func orientation(b []byte) int {
	for len(b) >= 4 {
		if b[0] != 0xff {
			return 1
		}
		marker := b[1]
		if marker == 0xff { // a filling byte
			b = b[1:]
			continue
		}
		if marker == 0xd8 || marker == 0x01 || marker >= 0xd0 && marker <= 0xd7 { // without contents
			b = b[2:]
			continue
		}
		length := int(binary.BigEndian.Uint16(b[2:]))
		if marker == 0xda || length < 2 || 2+length > len(b) {
			return 1 // the picture itself
		}
		if tiff, ok := bytes.CutPrefix(b[4:2+length], []byte("Exif\x00\x00")); ok && marker == 0xe1 {
			return tiffOrientation(tiff)
		}
		b = b[2+length:]
	}
	return 1
}

// tiffLong is the type of a number of four bytes, which some cameras take for what the standard gives two.
const tiffLong = 4

// tiffOrientation looks for the orientation among the first directory's entries.
func tiffOrientation(b []byte) int {
	var order binary.ByteOrder = binary.BigEndian
	if bytes.HasPrefix(b, []byte("II")) {
		order = binary.LittleEndian
	}
	if len(b) < 8 {
		return 1
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 1
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == 0x0112 {
			v := int64(order.Uint16(entries[8:]))
			if order.Uint16(entries[2:]) == tiffLong {
				v = int64(order.Uint32(entries[8:]))
			}
			if v >= 1 && v <= 8 {
				return int(v)
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}

// turn returns an image as it was seen by who took it.
func turn(m image.Image, orientation int) image.Image {
	if orientation == 1 {
		return m
	}
	from := m.Bounds()
	size := from.Size()
	if orientation >= 5 { // lies on its side
		size.X, size.Y = size.Y, size.X
	}
	out := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			u, v := x, y
			switch orientation {
			case 2, 3:
				u = size.X - 1 - x
			case 6, 7:
				v = size.X - 1 - x
			case 5, 8:
				v = x
			}
			switch orientation {
			case 3, 4:
				v = size.Y - 1 - y
			case 5, 6:
				u = y
			case 7, 8:
				u = size.Y - 1 - y
			}
			out.Set(x, y, m.At(from.Min.X+u, from.Min.Y+v))
		}
	}
	return out
}
