package rating

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

// encoded is a photo of three fields, red at the upper left, green at the upper right, blue below, in the given orientation's storage.
func encoded(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withEXIF puts EXIF data behind a JPEG's first marker.
func withEXIF(photo []byte, order binary.AppendByteOrder, orientation uint16) []byte {
	mark := "MM"
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		mark = "II"
	}
	tiff := order.AppendUint16([]byte(mark), 42)
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, e := range [][2]uint16{{0x010f, 7}, {0x0112, orientation}} {
		tiff = order.AppendUint16(tiff, e[0])
		tiff = order.AppendUint16(tiff, 3)
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, e[1])
		tiff = order.AppendUint16(tiff, 0)
	}
	exif := append([]byte("Exif\x00\x00"), tiff...)
	out := append(bytes.Clone(photo[:2]), 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(2+len(exif)))
	return append(append(out, exif...), photo[2:]...)
}

// TestPhotoIsTurnedUpright stores one picture as each of the eight ways of holding a camera does, after the table of EXIF 2.3: where the
// stored first row and column come from.
func TestPhotoIsTurnedUpright(t *testing.T) {
	const w, h = 64, 96
	seen := func(x, y int) color.RGBA {
		switch {
		case y >= h/2:
			return color.RGBA{0, 0, 255, 255}
		case x < w/2:
			return color.RGBA{255, 0, 0, 255}
		}
		return color.RGBA{0, 255, 0, 255}
	}
	// stored returns which pixel of the picture is at a place of the file.
	stored := map[uint16]func(c, r int) (x, y int){
		1: func(c, r int) (int, int) { return c, r },
		2: func(c, r int) (int, int) { return w - 1 - c, r },         // 0th column is the right side
		3: func(c, r int) (int, int) { return w - 1 - c, h - 1 - r }, // 0th row is the bottom, 0th column the right side
		4: func(c, r int) (int, int) { return c, h - 1 - r },         // 0th row is the bottom
		5: func(c, r int) (int, int) { return r, c },                 // 0th row is the left side, 0th column the top
		6: func(c, r int) (int, int) { return w - 1 - r, c },         // 0th row is the right side, 0th column the top
		7: func(c, r int) (int, int) { return w - 1 - r, h - 1 - c }, // 0th row is the right side, 0th column the bottom
		8: func(c, r int) (int, int) { return r, h - 1 - c },         // 0th row is the left side, 0th column the bottom
	}
	for way, from := range stored {
		file := image.NewRGBA(image.Rect(0, 0, w, h))
		if way >= 5 {
			file = image.NewRGBA(image.Rect(0, 0, h, w))
		}
		for r := range file.Rect.Dy() {
			for c := range file.Rect.Dx() {
				file.SetRGBA(c, r, seen(from(c, r)))
			}
		}
		for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
			m, err := DecodePhoto(withEXIF(encoded(t, file), order, way))
			if err != nil || m.Bounds().Dx() != w || m.Bounds().Dy() != h {
				t.Fatalf("orientation %d: %v, %v", way, m, err)
			}
			for _, p := range []image.Point{{8, 8}, {w - 8, 8}, {8, h - 8}, {w - 8, h - 8}} {
				want := seen(p.X, p.Y)
				r, g, b, _ := m.At(p.X, p.Y).RGBA()
				if (r > 0x8000) != (want.R > 0) || (g > 0x8000) != (want.G > 0) || (b > 0x8000) != (want.B > 0) {
					t.Errorf("orientation %d: %v at %v, want %v", way, m.At(p.X, p.Y), p, want)
				}
			}
		}
	}
}

// Some cameras write the orientation as a number of four bytes.
func TestOrientationOfFourBytes(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
		b := withEXIF(encoded(t, image.NewGray(image.Rect(0, 0, 16, 24))), order, 0)
		entry := order.AppendUint16(order.AppendUint16(nil, 0x0112), 3)
		at := bytes.Index(b, entry)
		copy(b[at:], order.AppendUint32(order.AppendUint32(order.AppendUint16(order.AppendUint16(nil, 0x0112), tiffLong), 1), 6))
		if m, err := DecodePhoto(b); err != nil || m.Bounds().Dx() != 24 || m.Bounds().Dy() != 16 {
			t.Errorf("%v: %v, %v", order, m, err)
		}
	}
}

func TestPhotoThatCannotBeShownIsRefused(t *testing.T) {
	frame := func(change func(frame []byte)) []byte {
		b := encoded(t, image.NewRGBA(image.Rect(0, 0, 16, 16)))
		// The header of the frame: length, precision, height, width, three components of id, sampling and table.
		change(b[bytes.Index(b, []byte{0xff, 0xc0}):])
		return b
	}
	for name, b := range map[string][]byte{
		"huge":             frame(func(f []byte) { copy(f[5:], []byte{0xff, 0xff, 0xff, 0xff}) }),
		"odd sampling":     frame(func(f []byte) { f[11], f[14], f[17] = 0x22, 0x11, 0x12 }),
		"twelve bits":      frame(func(f []byte) { f[4] = 12 }),
		"arithmetic coded": frame(func(f []byte) { f[1] = 0xc9 }),
		"cut off":          encoded(t, image.NewGray(image.Rect(0, 0, 16, 16)))[:300],
		"a PNG":            []byte("\x89PNG\r\n\x1a\n"),
	} {
		if allocated := testing.AllocsPerRun(1, func() {
			if _, err := DecodePhoto(b); err == nil {
				t.Errorf("%s is taken", name)
			}
		}); allocated > 1000 {
			t.Errorf("%s: %v allocations", name, allocated)
		}
	}
}

func FuzzDecodePhoto(f *testing.F) {
	gray := encoded(f, image.NewGray(image.Rect(0, 0, 16, 16)))
	f.Add(gray)
	f.Add(withEXIF(gray, binary.LittleEndian, 6))
	f.Add([]byte("\xff\xd8\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodePhoto(data)
		if err == nil && (m.Bounds().Dx() > MaxPhotoSide || m.Bounds().Dy() > MaxPhotoSide) {
			t.Errorf("%v", m.Bounds())
		}
	})
}
