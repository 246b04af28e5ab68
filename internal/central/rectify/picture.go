package rectify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/jpeg"
	"image/png"

	"haochaping/internal/rating"

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
	if err != nil || !bounded(c.Width, c.Height) {
		return "", nil, unreadable
	}
	m, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return "", nil, unreadable
	}
	m = shrink(m)
	if kind == JPEG { // what the camera has written is not kept
		m = rating.Upright(m, b)
	}
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

// bounded reports whether a picture is read that says to be so large.
func bounded(width, height int) bool { return width > 0 && height > 0 && width <= mostPixels/height }

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

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
