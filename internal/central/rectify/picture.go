package rectify

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"image"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/draw"
)

// Kind is a type of attachments.
type Kind string

// The kinds.
const (
	JPEG Kind = "image/jpeg"
	PNG  Kind = "image/png"
	PDF  Kind = "application/pdf"
)

// Extension returns how the name of a file of the kind ends.
func (k Kind) Extension() string {
	return map[Kind]string{JPEG: ".jpg", PNG: ".png", PDF: ".pdf"}[k]
}

// Bounds of pictures: pixels that are read, and the longer side that is kept.
const (
	mostPixels = 24 << 20
	mostSide   = 2560
)

// sanitize returns what kind of file bytes are, by themselves and not by a name, and the bytes to keep.
func sanitize(b []byte) (Kind, []byte, error) {
	var kind Kind
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		kind = JPEG
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		kind = PNG
	case bytes.HasPrefix(b, []byte("%PDF-")) && bytes.Contains(b[max(0, len(b)-1024):], []byte("%%EOF")):
		return PDF, b, nil
	default:
		return "", nil, refuse("附件只收 JPEG、PNG 和 PDF，按内容识别。", "Only JPEG, PNG and PDF are taken, by their content.")
	}
	unreadable := refuse("图片已损坏或太大，无法读取。", "The picture is damaged, or larger than 24 megapixels.")
	c, _, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil || c.Width < 1 || c.Height < 1 || c.Width > mostPixels/c.Height {
		return "", nil, unreadable
	}
	m, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return "", nil, unreadable
	}
	turn := 1
	if kind == JPEG {
		turn = orientation(b)
	}
	m = upright(shrink(m), turn)
	var out bytes.Buffer
	if kind == JPEG {
		err = jpeg.Encode(&out, m, &jpeg.Options{Quality: 85})
	} else {
		err = png.Encode(&out, m)
	}
	if err == nil && out.Len() > MostBytes {
		return "", nil, unreadable
	}
	return kind, out.Bytes(), err
}

// shrink returns a picture with sides of at most mostSide.
func shrink(m image.Image) image.Image {
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	long := max(w, h)
	if long <= mostSide {
		return m
	}
	small := image.NewRGBA(image.Rect(0, 0, max(1, w*mostSide/long), max(1, h*mostSide/long)))
	draw.ApproxBiLinear.Scale(small, small.Bounds(), m, m.Bounds(), draw.Src, nil)
	return small
}

// upright turns a picture as its EXIF orientation (1 to 8) says, since that is not kept.
func upright(m image.Image, turn int) image.Image {
	if turn < 2 || turn > 8 {
		return m
	}
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	if turn >= 5 {
		out = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			fx, fy := x, y
			if turn >= 5 {
				fx, fy = y, x
			}
			if turn == 2 || turn == 3 || turn == 7 || turn == 8 {
				fx = w - 1 - fx
			}
			if turn == 3 || turn == 4 || turn == 6 || turn == 7 {
				fy = h - 1 - fy
			}
			out.Set(x, y, m.At(b.Min.X+fx, b.Min.Y+fy))
		}
	}
	return out
}

// orientation returns the EXIF orientation of a JPEG, 1 if it has none: tag 0x0112 of the first directory of its segment APP1.
func orientation(b []byte) int {
	for b = b[2:]; len(b) >= 4 && b[0] == 0xff && b[1] != 0xda; {
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < 2 || len(b) < 2+n {
			return 1
		}
		if exif, ok := bytes.CutPrefix(b[4:2+n], []byte("Exif\x00\x00")); ok && b[1] == 0xe1 {
			return turned(exif)
		}
		b = b[2+n:]
	}
	return 1
}

// turned reads the orientation of a TIFF header with its first directory.
func turned(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if b[0] == 'I' {
		order = binary.LittleEndian
	}
	at := uint64(order.Uint32(b[4:]))
	if at+2 > uint64(len(b)) {
		return 1
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == 0x0112 {
			return int(order.Uint16(entries[8:]))
		}
		entries = entries[12:]
	}
	return 1
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
